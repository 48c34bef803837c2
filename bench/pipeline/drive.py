"""Kafka to function beside a plain consumer loop: drive.py ENDPOINT BOOTSTRAP FOLDER COUNT SECONDS LANGUAGE...

FOLDER has `rust-handler`, `rust-consumer` and `node_modules`. Prints one line of JSON. One partition: so both sides have one
consumer, and a batch of ours is one invocation.
"""
import io
import json
import statistics
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from pathlib import Path

import boto3
from botocore.config import Config
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ENDPOINT, BOOTSTRAP, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
COUNT, SECONDS, LANGUAGES = int(sys.argv[4]), float(sys.argv[5]), sys.argv[6:]
HERE = Path(__file__).parent
BATCHES = (1, 100, 1000)
PATIENCE = 180
RUNTIMES = {
    "rust": ("provided.al2023", FOLDER / "rust-handler", "bootstrap"),
    "node": ("nodejs20.x", HERE / "handler.js", "handler.js"),
    "python": ("python3.12", HERE / "handler.py", "handler.py"),
}
CONSUMERS = {
    "rust": [str(FOLDER / "rust-consumer")],
    "node": ["node", str(HERE / "consumer.js")],
    "python": [sys.executable, str(HERE / "consumer.py")],
}
functions = boto3.client(
    "lambda", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(read_timeout=120, retries={"max_attempts": 0}))


def value(number):
    return json.dumps({"order": number, "amount": number % 100, "text": "x" * 160})


def fill(topic, count):
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    for number in range(count):
        producer.produce(topic, value(number), key=str(number % 1000))
    assert producer.flush(PATIENCE) == 0


class Committed:
    """How far a group is."""

    def __init__(self, group, topic):
        self.consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False})
        self.partition = TopicPartition(topic, 0)

    def now(self):
        return max(self.consumer.committed([self.partition], 10)[0].offset, 0)


def create(language):
    runtime, file, name = RUNTIMES[language]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = 0o755 << 16
        archive.writestr(info, file.read_bytes())
    function = f"{language}-{uuid.uuid4()}"
    functions.create_function(
        FunctionName=function, Runtime=runtime, Handler="handler.handler", Timeout=60, MemorySize=1769,
        Role="arn:aws:iam::000000000000:role/bench", Code={"ZipFile": package.getvalue()})
    return function


def map_to(function, topic, batch, **more):
    group = f"ours-{uuid.uuid4()}"
    made = functions.create_event_source_mapping(
        FunctionName=function, Topics=[topic], StartingPosition="TRIM_HORIZON", BatchSize=batch,
        MaximumBatchingWindowInSeconds=0, SelfManagedKafkaEventSourceConfig={"ConsumerGroupId": group},
        SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [BOOTSTRAP]}}, **more)
    return made["UUID"], Committed(group, topic)


def report(function):
    return json.loads(functions.invoke(FunctionName=function, Payload=b'{"report": true}')["Payload"].read())


def ours(language, topic, batch, count):
    """Records a second, without the first tenth."""
    function = create(language)
    mapping, committed = map_to(function, topic, batch)
    begun, until = None, time.monotonic() + PATIENCE
    while (at := committed.now()) < count:
        if begun is None and at >= count // 10:
            begun = (time.monotonic(), at)
        assert time.monotonic() < until, f"{at} of {count} records"
        time.sleep(0.005)
    took = time.monotonic() - begun[0] if begun else float("nan")
    functions.delete_event_source_mapping(UUID=mapping)
    assert report(function)["records"] > 0
    return (count - begun[1]) / took if begun else float("nan")


def plain(language, topic, batch, count):
    command = [*CONSUMERS[language], BOOTSTRAP, topic, f"plain-{uuid.uuid4()}", str(batch), str(count)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE, env={"NODE_PATH": str(FOLDER / "node_modules"), "PATH": "/usr/local/bin:/usr/bin:/bin"})
    return json.loads(done.stdout)["perSecond"]


def rates(language, rounds=1):
    for batch in BATCHES:
        topic, count = ("few", max(COUNT // 40, 200)) if batch == 1 else ("many", COUNT)
        pairs = [(ours(language, topic, batch, count), plain(language, topic, batch, count)) for _ in range(rounds)]
        yield {
            "language": language, "batch": batch, "records": count,
            "ours": statistics.median(pair[0] for pair in pairs), "plain": statistics.median(pair[1] for pair in pairs)}


def produce(topic, rate, seconds, stop):
    """At a rate, each record sent at once."""
    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 0})
    begun, number = time.monotonic(), 0
    while not stop.is_set() and time.monotonic() - begun < seconds:
        while number < (time.monotonic() - begun) * rate:
            producer.produce(topic, value(number), key=str(number % 1000))
            number += 1
        producer.poll(0.001)
    assert producer.flush(PATIENCE) == 0


def latency(language, rate=1000):
    """From a record's time to the handler, with window 0; the first fifth is not counted."""
    topic = f"steady-{language}"
    fill(topic, 1)
    function = create(language)
    mapping, committed = map_to(function, topic, 100)
    while committed.now() < 1:
        time.sleep(0.01)
    produce(topic, rate, SECONDS, threading.Event())
    expected = Committed("nobody", topic).consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
    until = time.monotonic() + PATIENCE
    while committed.now() < expected and time.monotonic() < until:
        time.sleep(0.01)
    functions.delete_event_source_mapping(UUID=mapping)
    # of the instance that ran last, if there were more
    latencies = report(function)["latencies"]
    seen = sorted(latencies[len(latencies) // 5:])
    quantile = lambda share: seen[int((len(seen) - 1) * share)]
    return {"language": language, "records": len(seen), "p50_ms": quantile(0.5), "p99_ms": quantile(0.99)}


def recovery(language, rate=1000):
    """A mapping is paused while records come, then resumed: how long until it has caught up, by how long it rested."""
    topic = f"lag-{language}"
    fill(topic, 1)
    function = create(language)
    mapping, committed = map_to(function, topic, 1000)
    while committed.now() < 1:
        time.sleep(0.01)
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    while functions.get_event_source_mapping(UUID=mapping)["State"] != "Disabled":
        time.sleep(0.05)
    rested = 600
    behind = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 20, "queue.buffering.max.messages": 2_000_000})
    lag = min(int(rested * rate), COUNT * 3)
    for number in range(lag):
        behind.produce(topic, value(number), key=str(number % 1000))
    assert behind.flush(PATIENCE) == 0
    stop = threading.Event()
    steady = threading.Thread(target=produce, args=(topic, rate, PATIENCE, stop))
    steady.start()
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    begun, watch = time.monotonic(), Committed("nobody", topic).consumer
    while time.monotonic() - begun < PATIENCE:
        end = watch.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
        if end - committed.now() < rate:
            break
        time.sleep(0.05)
    took = time.monotonic() - begun
    stop.set()
    steady.join()
    functions.delete_event_source_mapping(UUID=mapping)
    return {"language": language, "lag": lag, "seconds": took}


fill("few", max(COUNT // 40, 200))
fill("many", COUNT)
print(json.dumps({
    "rates": [rate for language in LANGUAGES for rate in rates(language)],
    "latency": [latency(language) for language in LANGUAGES],
    "recovery": recovery(LANGUAGES[0]),
}))
