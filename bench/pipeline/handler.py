"""What a function does with a batch of records; `consumer.py` does the same without a platform."""
import base64
import json
import time

seen = {"records": 0, "total": 0, "latencies": []}


def handler(event, context):
    if "report" in event:
        return seen
    now = time.time() * 1000
    for records in event["records"].values():
        for record in records:
            seen["records"] += 1
            seen["total"] += json.loads(base64.b64decode(record["value"]))["amount"]
            seen["latencies"].append(now - record["timestamp"])
    del seen["latencies"][:-20_000]
