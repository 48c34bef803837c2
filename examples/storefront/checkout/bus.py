"""Tells the bus what happened, in a signed call that needs nothing but Python: this example installs nothing.

In a project of your own you would write `boto3.client("events").put_events(Entries=[...])` instead.
"""

import hashlib
import hmac
import json
import os
import urllib.request
from datetime import datetime, timezone

REGION = os.environ.get("AWS_REGION", "us-east-1")
ENDPOINT = os.environ.get("AWS_ENDPOINT_URL") or f"https://events.{REGION}.amazonaws.com"


def tell(kind, detail):
    """The journey that begins here, once the bus has the event and all who listen to it are owed it."""
    entry = {
        "EventBusName": os.environ["ORDERS_BUS"],
        "Source": "storefront.checkout",
        "DetailType": kind,
        "Detail": json.dumps(detail),
    }
    body = json.dumps({"Entries": [entry]}).encode()
    request = urllib.request.Request(f"{ENDPOINT}/", body, signed_headers(body))
    with urllib.request.urlopen(request, timeout=4) as response:
        answer = json.load(response)
        journey = response.headers.get("x-amzn-trace-id", "").removeprefix("Root=").split(";")[0]
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"the bus refused the event: {answer['Entries'][0]}")
    return journey


def signed_headers(body):
    """AWS Signature Version 4."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": ENDPOINT.split("//")[1],
        "x-amz-date": now,
        "x-amz-target": "AWSEvents.PutEvents",
    }
    # So that what follows belongs to the same journey.
    if trace := os.environ.get("_X_AMZN_TRACE_ID"):
        headers["x-amzn-trace-id"] = trace
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    request = "\n".join(["POST", "/", "", lines, ";".join(names), hashlib.sha256(body).hexdigest()])
    scope = [now[:8], REGION, "events", "aws4_request"]
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in [*scope, "\n".join(["AWS4-HMAC-SHA256", now, "/".join(scope), digest])]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{'/'.join(scope)}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, Signature={key.hex()}"
    )
    return headers
