"""Pipes with boto3. argv: the node's endpoint, the part. Any failed expectation raises."""
import http.server
import io
import json
import sys
import threading
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

session = boto3.Session("000000000000", "secret", region_name="us-east-1")
functions, queues, pipes, events = (
    session.client(name, endpoint_url=sys.argv[1]) for name in ("lambda", "sqs", "pipes", "events"))

ROLE = "arn:aws:iam::000000000000:role/any"
ORDERS = 300
SOURCE = """
def handler(event, context):
    return [{"order": order["n"], "price": order["n"] * 2} for order in event]
"""


def queue(name):
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    return url, queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def send(url, bodies):
    bodies = list(bodies)
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(at), "MessageBody": body} for at, body in enumerate(bodies[begin:begin + 10])]
        assert "Failed" not in queues.send_message_batch(QueueUrl=url, Entries=entries)


def receive(url, count):
    """So many bodies, and whatever else comes within a second."""
    bodies, until = [], time.monotonic() + 60
    while True:
        enough = len(bodies) >= count
        answer = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1 if enough else 5)
        for message in answer.get("Messages", []):
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            bodies.append(message["Body"])
        if enough and not answer.get("Messages"):
            return bodies
        if time.monotonic() > until:
            raise TimeoutError(f"{len(bodies)} of {count} messages")


def shaped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", SOURCE)
    arn = functions.create_function(
        FunctionName="price", Runtime="python3.12", Handler="index.handler", Role=ROLE,
        Code={"ZipFile": buffer.getvalue()})["FunctionArn"]
    source, source_arn = queue("orders")
    target, target_arn = queue("paid")
    bus = events.describe_event_bus()["Arn"]
    events.put_rule(Name="orders", EventPattern=json.dumps({"detail-type": ["Order"]}))
    events.put_targets(Rule="orders", Targets=[{"Id": "1", "Arn": target_arn}])
    made = pipes.create_pipe(
        Name="orders", RoleArn=ROLE, Source=source_arn, Target=bus, Tags={"team": "shop"},
        SourceParameters={
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps({"body": {"paid": [True]}})}]},
            "SqsQueueParameters": {"BatchSize": 20, "MaximumBatchingWindowInSeconds": 1}},
        Enrichment=arn, EnrichmentParameters={"InputTemplate": '{"n": <$.body.n>}'},
        TargetParameters={"EventBridgeEventBusParameters": {"DetailType": "Order", "Source": "shop"}})
    assert made["CurrentState"] == "RUNNING", made
    send(source, (json.dumps({"n": n, "paid": n % 2 == 0}) for n in range(20)))
    got = sorted((json.loads(body) for body in receive(target, 10)), key=lambda event: event["detail"]["order"])
    assert [event["detail"] for event in got] == [{"order": n, "price": 2 * n} for n in range(0, 20, 2)], got
    assert {event["source"] for event in got} == {"shop"}
    assert receive(source, 0) == []
    assert pipes.describe_pipe(Name="orders")["Tags"] == {"team": "shop"}
    assert [pipe["Name"] for pipe in pipes.list_pipes()["Pipes"]] == ["orders"]
    pipes.stop_pipe(Name="orders")
    pipes.delete_pipe(Name="orders")
    try:
        pipes.describe_pipe(Name="orders")
        raise AssertionError("it is still there")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NotFoundException"


class Shop(http.server.BaseHTTPRequestHandler):
    """Says what an order costs, and is told what was paid."""

    asked, paid = [], []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = b""
        if self.path == "/paid":
            self.paid.append((self.headers["x-key"], body))
        else:
            self.asked.append((self.path, self.headers["x-key"], body))
            answer = json.dumps({"order": body["n"], "price": 2 * body["n"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


def destinations():
    """API destinations enrich a pipe's events and are its target."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    connection = events.create_connection(
        Name="shop", AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}})["ConnectionArn"]

    def destination(name, path):
        return events.create_api_destination(
            Name=name, ConnectionArn=connection, InvocationEndpoint=url + path, HttpMethod="POST",
            InvocationRateLimitPerSecond=50)["ApiDestinationArn"]

    source, source_arn = queue("ordered")
    pipes.create_pipe(
        Name="pay", RoleArn=ROLE, Source=source_arn, Target=destination("paid", "/paid"),
        Enrichment=destination("price", "/price/*"),
        EnrichmentParameters={
            "InputTemplate": '{"n": <$.body.n>}',
            "HttpParameters": {"PathParameterValues": ["$.body.n"], "QueryStringParameters": {"vat": "$.body.vat"}}},
        TargetParameters={"InputTemplate": '{"pay": <$.price>, "for": <$.order>}'})
    send(source, (json.dumps({"n": n, "vat": "yes"}) for n in range(5)))
    until = time.monotonic() + 60
    while len(Shop.paid) < 5:
        assert time.monotonic() < until, (Shop.asked, Shop.paid, pipes.describe_pipe(Name="pay"))
        time.sleep(0.05)
    assert receive(source, 0) == []
    assert sorted(Shop.asked, key=lambda one: one[0]) == [(f"/price/{n}?vat=yes", "secret", {"n": n}) for n in range(5)], Shop.asked
    assert sorted(Shop.paid, key=lambda one: one[1]["for"]) == [("secret", {"pay": 2 * n, "for": n}) for n in range(5)], Shop.paid
    server.shutdown()


def fill():
    source, source_arn = queue("from")
    _, target_arn = queue("to")
    send(source, map(str, range(ORDERS)))
    pipes.create_pipe(Name="move", RoleArn=ROLE, Source=source_arn, Target=target_arn,
                      TargetParameters={"InputTemplate": "<$.body>"})


def drain():
    """The node was killed while the pipe ran: each message is in the target once."""
    assert sorted(map(int, receive(queue("to")[0], ORDERS))) == list(range(ORDERS))


globals()[sys.argv[2]]()
print("ok", sys.argv[2])
