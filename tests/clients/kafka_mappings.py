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
from confluent_kafka import Consumer, Producer, TopicPartition

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
    assert record["headers"] == [{"h": [1, -1]}] and base64.b64decode(record["key"]) == b"k", record
    # a kill may tell of it twice
    for failed in drain("failed"):
        assert failed["requestContext"]["condition"] == "RetryAttemptsExhausted", failed
        info = failed["KafkaBatchInfo"]["recordsInfo"]
        assert info["orders-1"]["firstRecordOffset"] == info["orders-1"]["lastRecordOffset"] == "20", failed
        told.append("failed")
    assert told, "the poisoned record is in the failure queue"


def source(topic, **more):
    """What a mapping of the topic is created with; its function fails batches with poison in them."""
    return {
        "FunctionName": "f", "Topics": [topic], "StartingPosition": "TRIM_HORIZON", "MaximumBatchingWindowInSeconds": 0,
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [BOOTSTRAP]}}} | more


def produce(topic, *values, **more):
    producer, refused = Producer({"bootstrap.servers": BOOTSTRAP, "acks": "all"}), []
    for value in values:
        producer.produce(topic, value=value, key="k", on_delivery=lambda error, _: error and refused.append(error), **more)
    assert producer.flush(60) == 0 and not refused, refused


def values(received):
    return [base64.b64decode(one["record"]["value"]).decode() for one in received]


def handled(wanted):
    """Waits until the function has told of so many records; gives their values."""
    received = []
    until(f"{wanted} records are handled", lambda: received.extend(drain("out.fifo")) or len(received) >= wanted)
    return values(received)


def prepare():
    queues.create_queue(QueueName="out.fifo", Attributes={"FifoQueue": "true"})
    queues.create_queue(QueueName="failed")
    functions.create_function(
        FunctionName="f", Runtime="nodejs20.x", Handler="index.handler", Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": package(HANDLER)},
    )


HOUR = 3600


def since():
    """AT_TIMESTAMP begins with the first record that is not older, also in a partition where all are."""
    prepare()
    now = int(time.time())
    for number in range(10):
        produce("since", f"{number}", partition=0, timestamp=(now - HOUR + number) * 1000)
    produce("since", "old", partition=1, timestamp=(now - HOUR) * 1000)
    functions.create_event_source_mapping(
        **source("since", StartingPosition="AT_TIMESTAMP") | {"StartingPositionTimestamp": now - HOUR + 6})
    assert handled(4) == ["6", "7", "8", "9"]
    produce("since", "new", partition=1)
    assert handled(1) == ["new"]


def aged():
    """What is older than MaximumRecordAgeInSeconds goes to the destination unseen, what is younger to the function."""
    produce("aged", "old-0", "old-1", partition=0, timestamp=(int(time.time()) - HOUR) * 1000)
    produce("aged", "young", partition=0)
    functions.create_event_source_mapping(
        **source("aged", MaximumRecordAgeInSeconds=120),
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:failed"}})
    assert handled(1) == ["young"]
    given_up = []
    until("the old ones are given up", lambda: given_up.extend(drain("failed")) or given_up)
    offsets = []
    for one in given_up:
        context, info = one["requestContext"], one["KafkaBatchInfo"]["recordsInfo"]["aged-0"]
        assert context["condition"] == "MaximumRecordAgeExceeded", one
        assert context["approximateInvokeCount"] == 0 and one["responseContext"] is None, one
        offsets += range(int(info["firstRecordOffset"]), int(info["lastRecordOffset"]) + 1)
    assert offsets == [0, 1], given_up


def graveyard():
    """A topic of the same cluster gets each record that is given up by itself, with its key and its payload."""
    produce("broken", "first", "poison", "last", partition=0)
    functions.create_event_source_mapping(
        **source("broken", MaximumRetryAttempts=0, BisectBatchOnFunctionError=True),
        DestinationConfig={"OnFailure": {"Destination": "kafka://graveyard"}})
    assert handled(2) == ["first", "last"]
    reader = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": "mourners", "auto.offset.reset": "earliest"})
    reader.subscribe(["graveyard"])
    message = reader.poll(60)
    assert message is not None and not message.error(), message and message.error()
    assert message.key() == b"k", message.key()
    told = json.loads(message.value())
    assert told["requestContext"]["condition"] == "RetryAttemptsExhausted", told
    assert told["requestContext"]["approximateInvokeCount"] >= 1 and told["responseContext"]["functionError"], told
    assert told["KafkaBatchInfo"]["recordInfo"]["offset"] == "1", told
    [[record]] = told["payload"]["records"].values()
    assert base64.b64decode(record["value"]) == b"poison" and record["offset"] == 1, record
    assert reader.poll(2) is None, "nothing else is there"
    reader.close()


SLOW = """
const call = (action, body) => fetch(process.env.AWS_ENDPOINT_URL, {method: 'POST', body: JSON.stringify(body),
  headers: {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}`}});
const tell = async (what, event) => {
  const {QueueUrl} = await (await call('GetQueueUrl', {QueueName: 'slow'})).json();
  const partitions = Object.values(event.records).flat().map(({partition}) => partition);
  await call('SendMessage', {QueueUrl, MessageBody: JSON.stringify({what, partitions})});
};
exports.handler = async (event) => {
  await tell('begun', event);
  while (!(await call('GetQueueUrl', {QueueName: 'go'})).ok) await new Promise((resolve) => setTimeout(resolve, 200));
  await tell('ended', event);
};
"""


def committed(group, partition):
    looks = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False})
    [found] = looks.committed([TopicPartition("taken", partition)], 30)
    looks.close()
    return found.offset


def taken():
    """A batch that runs longer than the group waits loses its partition, and commits nothing of it any more."""
    queues.create_queue(QueueName="slow")
    functions.create_function(
        FunctionName="slow", Runtime="nodejs20.x", Handler="index.handler", Role="arn:aws:iam::000000000000:role/r",
        Timeout=300, Code={"ZipFile": package(SLOW)},
    )
    for partition in range(2):
        produce("taken", "0", "1", "2", partition=partition)
    made = functions.create_event_source_mapping(
        **source("taken") | {"FunctionName": "slow"}, SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": "shared"},
        ProvisionedPollerConfig={"MinimumPollers": 2})
    told = []

    def partitions(what):
        return [one for message in told if message["what"] == what for one in message["partitions"]]

    until("both partitions are read", lambda: told.extend(drain("slow")) or {*partitions("begun")} == {0, 1})
    # somebody else comes into the group, and gets one of the partitions when the group has waited for the batch
    other = Consumer({
        "bootstrap.servers": BOOTSTRAP, "group.id": "shared", "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "partition.assignment.strategy": "range"})
    other.subscribe(["taken"])
    message = other.poll(60)
    assert message is not None and not message.error(), message and message.error()
    mine = message.partition()
    assert message.offset() == 0, "what was not done comes again"
    other.commit(message=message, asynchronous=False)
    assert committed("shared", mine) == 1
    queues.create_queue(QueueName="go")
    until("the invocation ends, nobody cancelled it", lambda: (
        other.poll(0.1) or told.extend(drain("slow")) or mine in partitions("ended")))
    # the mapping has nothing under way any more when it is gone
    functions.delete_event_source_mapping(UUID=made["UUID"])

    def is_gone():
        other.poll(0.1)
        mappings = functions.list_event_source_mappings(FunctionName="slow")["EventSourceMappings"]
        return not mappings

    until("the mapping is gone", is_gone)
    assert committed("shared", mine) == 1, "who lost a partition commits nothing of it"
    other.close()


told = []
PARTS = (load, settled, since, aged, graveyard, taken)
{part.__name__: part for part in PARTS}[PART]()
print(f"ok {PART}")
