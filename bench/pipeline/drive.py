"""Kafka to function beside a plain consumer loop: drive.py ENDPOINT BOOTSTRAP FOLDER PID WHAT

FOLDER has `rust-handler`, `rust-consumer` and `node_modules`; PID is the node's. WHAT is JSON: the parts to run, the
languages, and how much of each. Prints a line of JSON for each figure as it is known. One partition: so both sides have
one consumer, and a batch of ours is one invocation.
"""
import io
import json
import os
import resource
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
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ENDPOINT, BOOTSTRAP, FOLDER, NODE = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
WHAT = json.loads(sys.argv[5])
HERE = Path(__file__).parent
BATCHES = (1, 100, 1000)
PATIENCE = 180
# how many records Rust reads where others read one
FASTEST = 5
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
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
functions = boto3.client(
    "lambda", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(read_timeout=120, retries={"max_attempts": 0}))


def value(number):
    return json.dumps({"order": number, "amount": number % 100, "text": "x" * 160})


def create_topic(topic):
    admin = AdminClient({"bootstrap.servers": BOOTSTRAP})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result()


def write(topic, count, **more):
    """As fast as it goes."""
    producer = Producer({
        "bootstrap.servers": BOOTSTRAP, "linger.ms": 20, "queue.buffering.max.messages": 200_000, **more})
    for number in range(count):
        while True:
            try:
                producer.produce(topic, value(number), key=str(number % 1000))
                break
            except BufferError:
                producer.poll(0.05)
    assert producer.flush(PATIENCE) == 0


def fill(topic, count, **more):
    create_topic(topic)
    write(topic, count, **more)


def stat(pid):
    """Parent, seconds of CPU, KiB of memory."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE // 1024


def cpu():
    """Seconds of CPU that the node used, and what runs below it."""
    parents, seconds = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)], seconds[int(entry)], _ = stat(entry)
            except OSError:
                pass  # it has ended
    below = {NODE}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return seconds[NODE], sum(seconds[pid] for pid in below - {NODE})


class Committed:
    """How far a group is."""

    def __init__(self, group, topic):
        self.consumer = Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False})
        self.partition, self.last = TopicPartition(topic, 0), 0

    def now(self):
        try:
            self.last = max(self.consumer.committed([self.partition], 10)[0].offset, 0)
        except KafkaException:
            pass  # a broker that has just started does not know its groups yet; who waits has a limit
        return self.last


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
    """Records a second, and the microseconds of CPU a record costs: the node's, the function's."""
    function = create(language)
    mapping, committed = map_to(function, topic, batch)
    begun, until = None, time.monotonic() + PATIENCE
    while (at := committed.now()) < count:
        # the first tenth is not counted: connections, and the group's first meeting
        if begun is None and at >= count // 10:
            begun = (time.monotonic(), at, cpu())
        assert time.monotonic() < until, f"{at} of {count} records"
        time.sleep(0.005)
    took, used = time.monotonic() - begun[0], cpu()
    functions.delete_event_source_mapping(UUID=mapping)
    assert report(function)["records"] > 0
    functions.delete_function(FunctionName=function)
    counted = count - begun[1]
    return (counted / took, *((now - before) / counted * 1e6 for now, before in zip(used, begun[2])))


def plain(language, topic, batch, count):
    """Records a second, and the microseconds of CPU a record costs."""
    command = [*CONSUMERS[language], BOOTSTRAP, topic, f"plain-{uuid.uuid4()}", str(batch), str(count)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=PATIENCE,
        env={"NODE_PATH": str(FOLDER / "node_modules"), "PATH": os.environ["PATH"]})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout)["perSecond"], used / count * 1e6


def rates():
    count = WHAT["count"]
    fill("few", max(count // 40, 200))
    fill("many", count * FASTEST)
    for language in WHAT["languages"]:
        # so that it, too, takes seconds
        many = count * FASTEST if language == "rust" else count
        for batch in BATCHES:
            topic, records = ("few", max(count // 40, 200)) if batch == 1 else ("many", many)
            pairs = [
                (ours(language, topic, batch, records), plain(language, topic, batch, records))
                for _ in range(1 if batch == 1 else WHAT["rounds"])]
            median = lambda side, at: statistics.median(pair[side][at] for pair in pairs)
            yield {
                "language": language, "batch": batch, "records": records, "ours": median(0, 0), "plain": median(1, 0),
                "node_cpu_us": median(0, 1), "function_cpu_us": median(0, 2), "plain_cpu_us": median(1, 1)}


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


def until_committed(committed, count):
    until = time.monotonic() + PATIENCE
    while committed.now() < count:
        assert time.monotonic() < until, f"less than {count} records were read"
        time.sleep(0.01)


def started(language, topic, batch):
    """A function whose mapping has read the topic's first record."""
    fill(topic, 1)
    function = create(language)
    mapping, committed = map_to(function, topic, batch)
    until_committed(committed, 1)
    return function, mapping, committed


def quantiles(seen):
    seen = sorted(seen)
    return {"records": len(seen)} | {
        f"p{share}_ms": seen[(len(seen) - 1) * share // 100] for share in (50, 99)}


def latency():
    """From a record's time to the handler, with window 0; the first fifth is not counted."""
    for language in WHAT["languages"]:
        topic = f"steady-{language}"
        function, mapping, committed = started(language, topic, 100)
        produce(topic, WHAT["rate"], WHAT["seconds"], threading.Event())
        until_committed(committed, committed.consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1])
        functions.delete_event_source_mapping(UUID=mapping)
        # of the instance that ran last, if there were more
        latencies = report(function)["latencies"]
        yield {"language": language} | quantiles(latencies[len(latencies) // 5:])


def recovery():
    """A mapping is paused while ten minutes of records come, then resumed: how long until it has caught up."""
    language, rate, topic = WHAT["languages"][0], WHAT["rate"], "lag"
    function, mapping, committed = started(language, topic, 1000)
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    while functions.get_event_source_mapping(UUID=mapping)["State"] != "Disabled":
        time.sleep(0.05)
    write(topic, WHAT["lag"])
    stop = threading.Event()
    steady = threading.Thread(target=produce, args=(topic, rate, PATIENCE, stop))
    steady.start()
    functions.update_event_source_mapping(UUID=mapping, Enabled=True)
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        end = committed.consumer.get_watermark_offsets(TopicPartition(topic, 0), 10)[1]
        if end - (at := committed.now()) < rate:
            break
        time.sleep(0.05)
    took = time.monotonic() - begun
    stop.set()
    steady.join()
    functions.delete_event_source_mapping(UUID=mapping)
    assert end - at < rate, f"{end - at} records behind after {took} s"
    yield {"language": language, "lag": WHAT["lag"], "seconds": took, "per_second": at / took}


def memory():
    """What the node takes while it reads very many records: samples, and how much it grows a million records."""
    language, topic, count = WHAT["languages"][0], "long", WHAT["long"]
    fill(topic, count, **{"compression.type": "lz4"})
    function = create(language)
    mapping, committed = map_to(function, topic, 1000)
    samples, begun = [], time.monotonic()
    while (at := committed.now()) < count:
        if at >= len(samples) * count / 20 and at:
            samples.append((at, stat(NODE)[2]))
        assert time.monotonic() - begun < PATIENCE * 10, f"{at} of {count} records"
        time.sleep(0.02)
    took = time.monotonic() - begun
    samples.append((count, stat(NODE)[2]))
    functions.delete_event_source_mapping(UUID=mapping)
    # the first fifth is not counted: caches and pools fill
    steady = [(at / 1e6, kib) for at, kib in samples if at >= count / 5]
    slope = statistics.linear_regression([at for at, _ in steady], [kib for _, kib in steady]).slope
    yield {
        "language": language, "records": count, "per_second": count / took, "samples": samples,
        "kib_a_million": slope, "growth": steady[-1][1] / steady[0][1]}


PARTS = {"rates": rates, "latency": latency, "recovery": recovery, "memory": memory}
for part in WHAT["parts"]:
    for figure in PARTS[part]():
        print(json.dumps({"part": part} | figure), flush=True)
