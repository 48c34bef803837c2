"""A pipeline under kills: records of Kafka, of which some are poisoned, to a function that writes each once.

chaos_pipeline.py setup|load|verify ENDPOINT FOLDER BOOTSTRAP RECORDS

`setup` makes bucket, failure queue, function and mapping. `load` writes at least RECORDS records, and goes on until
FOLDER/stop is there or it has written four times as many; it notes what the broker acknowledged. `verify` waits until
all of it had its effect or nothing moves any more, of few records for a quarter of an hour at most, and prints a verdict: every valid record has its object, once and after the record before it of the same key; every
poisoned one, and no other, is in the failure queue with its reason.
"""
import io
import json
import sys
import time
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from confluent_kafka import Producer

ACTION, ENDPOINT, FOLDER, BOOTSTRAP, RECORDS = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5])
# what is poisoned is of all keys in turn, and so of all partitions
TOPIC, BUCKET, KEYS, A_SECOND, EACH_POISONED = "events", "effects", 40, 250, 37
MOST = max(4 * RECORDS, 100)
# how long nothing may move
PATIENCE = 180
# how long a verdict on few records may take, whatever moves
LIMIT = 900 if RECORDS < 10_000 else float("inf")
session = boto3.Session("000000000000", "secret", region_name="us-east-1")
config = Config(retries={"max_attempts": 10, "mode": "standard"}, s3={"addressing_style": "path"})
functions, queues, objects = (
    session.client(name, endpoint_url=ENDPOINT, config=config) for name in ("lambda", "sqs", "s3"))

FUNCTION = """
import base64, http.client, json, os, urllib.parse

node = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
connection = None


def ask(method, key, body=None, headers={}):
    global connection
    for attempt in range(2):
        try:
            connection = connection or http.client.HTTPConnection(node.hostname, node.port, timeout=10)
            connection.request(method, "/effects/" + key, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            connection = None
            if attempt:
                raise


def put(key, what):
    status = ask("PUT", key, json.dumps(what), {"If-None-Match": "*"})
    if status not in (200, 412):
        raise RuntimeError(f"the bucket answered {status}")


def handler(event, context):
    for records in event["records"].values():
        for record in records:
            what = json.loads(base64.b64decode(record["value"]))
            before = what["before"]
            if before is not None and ask("HEAD", f"done/{before}") != 200:
                put(f"overtaken/{what['id']}", what)
            put(f"done/{what['id']}", [record["partition"], record["offset"]])
"""


def setup():
    objects.create_bucket(Bucket=BUCKET)
    url = queues.create_queue(QueueName="rejected")["QueueUrl"]
    rejected = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", FUNCTION)
    functions.create_function(
        FunctionName="apply", Runtime="python3.12", Handler="index.handler", Timeout=60, MemorySize=256,
        Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": package.getvalue()})
    functions.create_event_source_mapping(
        FunctionName="apply", Topics=[TOPIC], StartingPosition="TRIM_HORIZON", BatchSize=100,
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [BOOTSTRAP]}},
        MaximumRetryAttempts=2, BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": rejected}})


def load():
    """Keys in turn; a record names the one before it of its key, but for poisoned ones, which nobody can read."""
    producer = Producer({
        "bootstrap.servers": BOOTSTRAP, "acks": "all", "enable.idempotence": True, "message.timeout.ms": 300_000,
        "log_level": 0})
    with open(FOLDER / "sent.jsonl", "w", encoding="utf-8") as sent:
        def report(number, poisoned):
            def note(error, message):
                entry = {"id": number, "poisoned": poisoned, "error": error and str(error)}
                if not error:
                    entry |= {"partition": message.partition(), "offset": message.offset()}
                print(json.dumps(entry), file=sent, flush=True)
            return note
        last, number = {}, 0
        while number < RECORDS or not (FOLDER / "stop").exists():
            if number == MOST:
                producer.poll(0.1)
                continue
            key, poisoned = f"k{number % KEYS}", number % EACH_POISONED == 7
            value = "poison" if poisoned else json.dumps({"id": number, "before": last.get(key)})
            if not poisoned:
                last[key] = number
            producer.produce(TOPIC, key=key, value=value, on_delivery=report(number, poisoned))
            number += 1
            producer.poll(1 / A_SECOND)
            if number == 100:
                (FOLDER / "ready").touch()
        left = producer.flush(PATIENCE)
        assert not left, f"{left} records were not acknowledged"


def below(prefix):
    pages = objects.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {int(found["Key"].split("/")[1]) for page in pages for found in page.get("Contents", [])}


def rejections():
    """Each batch that was given up, as (partition, offset) of its records, and what is strange about it."""
    url = queues.get_queue_url(QueueName="rejected")["QueueUrl"]
    while True:
        answer = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        if not answer.get("Messages"):
            return
        for message in answer["Messages"]:
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            told = json.loads(message["Body"])
            wrong = []
            if told["requestContext"]["condition"] != "RetryAttemptsExhausted":
                wrong.append(f"a strange condition: {told['requestContext']}")
            if not (told["responseContext"] or {}).get("functionError"):
                wrong.append(f"no reason: {told['responseContext']}")
            records = set()
            for name, info in told["KafkaBatchInfo"]["recordsInfo"].items():
                partition = int(name.rsplit("-", 1)[1])
                first, last = int(info["firstRecordOffset"]), int(info["lastRecordOffset"])
                records |= {(partition, offset) for offset in range(first, last + 1)}
            yield records, wrong


def verify():
    lines = (FOLDER / "sent.jsonl").read_text(encoding="utf-8").splitlines()
    sent = [json.loads(line) for line in lines]
    wrong = [f"record {entry['id']} was not acknowledged: {entry['error']}" for entry in sent if entry["error"]]
    valid = {entry["id"] for entry in sent if not entry["poisoned"]}
    poisoned = {(entry["partition"], entry["offset"]) for entry in sent if entry["poisoned"] and not entry["error"]}
    limit = time.monotonic() + LIMIT
    until, rejected, done, doubled = time.monotonic() + PATIENCE, set(), set(), 0
    while time.monotonic() < min(until, limit) and not (valid <= done and poisoned <= rejected):
        before = len(done), len(rejected)
        for records, strange in rejections():
            wrong += strange
            doubled += len(records & rejected)
            rejected |= records
        done = below("done/")
        if (len(done), len(rejected)) != before:
            until = time.monotonic() + PATIENCE
    if time.monotonic() > limit and (valid - done or poisoned - rejected):
        wrong.append(f"it still moves after {LIMIT} s")
    wrong += [f"record {number} had no effect" for number in sorted(valid - done)]
    wrong += [f"there is an effect of {number}, which nobody sent" for number in sorted(done - valid)]
    wrong += [f"poisoned {place} is not in the failure queue" for place in sorted(poisoned - rejected)]
    wrong += [f"{place} is in the failure queue and is not poisoned" for place in sorted(rejected - poisoned)]
    wrong += [f"record {number} overtook the one before it" for number in sorted(below("overtaken/"))]
    print(json.dumps({"valid": len(valid), "poisoned": len(poisoned), "told twice": doubled, "wrong": wrong}))


{"setup": setup, "load": load, "verify": verify}[ACTION]()
