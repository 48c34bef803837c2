"""Topics of Kafka to functions, as boto3 and the AWS CLI make them: `kafka_mappings.py ENDPOINT BOOTSTRAP PART`. Each part
prints `ok PART` when all of it held."""

import base64
import io
import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import boto3
from confluent_kafka import Producer

ENDPOINT, BOOTSTRAP, PART = sys.argv[1:]
functions = boto3.client("lambda", endpoint_url=ENDPOINT)
queues = boto3.client("sqs", endpoint_url=ENDPOINT)

# Sends a message for each record to `out.fifo`, in order within its partition; fails a batch with poison in it.
HANDLER = """
const call = (action, body) => fetch(process.env.AWS_ENDPOINT_URL, {method: 'POST', body: JSON.stringify(body),
  headers: {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}`}});
exports.handler = async (event, context) => {
  const {QueueUrl} = await (await call('GetQueueUrl', {QueueName: 'out.fifo'})).json();
  const records = Object.values(event.records).flat();
  const texts = records.map((record) => Buffer.from(record.value, 'base64').toString());
  if (texts.some((text) => text.startsWith('poison'))) throw new Error('poisoned');
  for (const record of records) {
    const {records: _, ...around} = event;
    const sent = await call('SendMessage', {QueueUrl, MessageBody: JSON.stringify({around, record}),
      MessageGroupId: `${record.partition}`,
      MessageDeduplicationId: `${record.partition}-${record.offset}-${context.awsRequestId}`});
    if (!sent.ok) throw new Error(await sent.text());
  }
};
"""
PARTITIONS, EACH = 3, 60


def package(source):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.js", source)
    return archive.getvalue()


def queue(name):
    return queues.get_queue_url(QueueName=name)["QueueUrl"]


def write(numbers):
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "acks": "all"})
    for number in numbers:
        for partition in range(PARTITIONS):
            value = "poison" if (partition, number) == (1, 20) else f"{number}"
            producer.produce("orders", value=value, key="k", partition=partition, headers=[("h", b"\x01\xff")])
    assert producer.flush(60) == 0


def until(what, reached, seconds=90):
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def drain(name):
    received, empty = [], 0
    while empty < 2:
        messages = queues.receive_message(QueueUrl=queue(name), MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            received.append(json.loads(message["Body"]))
            queues.delete_message(QueueUrl=queue(name), ReceiptHandle=message["ReceiptHandle"])
        empty = 0 if messages else empty + 1
    return received


def depth(name):
    attributes = queues.get_queue_attributes(QueueUrl=queue(name), AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def load():
    queues.create_queue(QueueName="out.fifo", Attributes={"FifoQueue": "true"})
    queues.create_queue(QueueName="failed")
    functions.create_function(
        FunctionName="f", Runtime="nodejs20.x", Handler="index.handler", Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": package(HANDLER)},
    )
    made = functions.create_event_source_mapping(
        FunctionName="f",
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [BOOTSTRAP]}},
        Topics=["orders"],
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        MaximumBatchingWindowInSeconds=0,
        MaximumRetryAttempts=1,
        BisectBatchOnFunctionError=True,
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}},
    )
    assert made["State"] == "Creating" and made["Topics"] == ["orders"], made
    cli = [
        str(Path(sys.executable).with_name("aws")), "--endpoint-url", ENDPOINT, "lambda", "create-event-source-mapping",
        "--function-name", "f", "--topics", "nothing", "--starting-position", "LATEST",
        "--self-managed-event-source", json.dumps({"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [BOOTSTRAP]}}),
        "--self-managed-kafka-event-source-config", "ConsumerGroupId=others",
    ]
    other = json.loads(subprocess.run(cli, check=True, capture_output=True).stdout)
    assert other["SelfManagedKafkaEventSourceConfig"] == {"ConsumerGroupId": "others"}, other
    write(range(EACH // 2))
    until("some records are handled", lambda: depth("out.fifo") >= EACH)

    def missing():
        shown = functions.get_event_source_mapping(UUID=other["UUID"])
        return shown.get("LastProcessingResult") == "PROBLEM: The topic does not exist"

    until("a missing topic is told", missing)


def settled():
    write(range(EACH // 2, EACH))
    valid = PARTITIONS * EACH - 1
    received = []

    def all_there():
        received.extend(drain("out.fifo"))
        return len({(r["record"]["partition"], r["record"]["offset"]) for r in received}) >= valid

    until(f"{valid} records are handled", all_there)
    for partition in range(PARTITIONS):
        seen = []
        for offset in (r["record"]["offset"] for r in received if r["record"]["partition"] == partition):
            if offset not in seen:
                seen.append(offset)
        wanted = [n for n in range(EACH) if (partition, n) != (1, 20)]
        assert seen == wanted, (partition, seen)
    first = received[0]
    assert first["around"] == {"eventSource": "SelfManagedKafka", "bootstrapServers": BOOTSTRAP}, first
    record = first["record"]
    assert record["headers"] == [{"h": [1, 255]}] and base64.b64decode(record["key"]) == b"k", record
    # a kill may tell of it twice
    for failed in drain("failed"):
        assert failed["requestContext"]["condition"] == "RetryAttemptsExhausted", failed
        info = failed["KafkaBatchInfo"]["recordsInfo"]
        assert info["orders-1"]["firstRecordOffset"] == info["orders-1"]["lastRecordOffset"] == "20", failed
        told.append("failed")
    assert told, "the poisoned record is in the failure queue"


told = []
{"load": load, "settled": settled}[PART]()
print(f"ok {PART}")
