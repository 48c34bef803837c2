"""How long the events of the customer view took, step by step: view.py BOOTSTRAP

Waits until the last step has read all, and compares the times at which the records of an event were written. Which change
of a person an event made is not told: it is the first one after the event was resolved. Prints one line of JSON.
"""
import json
import sys
import time
from bisect import bisect_left

from confluent_kafka import Consumer, TopicPartition

BOOTSTRAP = sys.argv[1]
SOURCES = [f"source.{system}" for system in ("shop", "orders", "delivery", "marketing", "calls")]
PATIENCE = 300
MERGE = "customer-view-dev-merge"


def consumer(group):
    return Consumer({"bootstrap.servers": BOOTSTRAP, "group.id": group, "enable.auto.commit": False})


looks, merged = consumer("looks"), consumer(MERGE)


def partitions(topic):
    return [TopicPartition(topic, number) for number in looks.list_topics(topic, 30).topics[topic].partitions]


def ends(topic):
    return {one.partition: looks.get_watermark_offsets(one, 30)[1] for one in partitions(topic)}


def records(*topics):
    """Each record of the topics: key, value, milliseconds."""
    for topic in topics:
        for number, end in ends(topic).items():
            looks.assign([TopicPartition(topic, number, 0)])
            at = 0
            while at < end:
                message = looks.poll(30)
                assert message is not None and not message.error(), message and message.error()
                at = message.offset() + 1
                yield message.key().decode(), message.value() and json.loads(message.value()), message.timestamp()[1]


def first_times(*topics):
    """When an event was first written there, and with which key."""
    found = {}
    for key, value, at in records(*topics):
        found.setdefault(value["event"], (at, key))
    return found


def wait(expected):
    """Until every event is resolved, and the last step has read all of them."""
    until, seen = time.monotonic() + PATIENCE, -1
    while time.monotonic() < until:
        reached = ends("view.resolved")
        read = sum(max(one.offset, 0) for one in merged.committed(partitions("view.resolved"), 30))
        if sum(reached.values()) >= expected and read >= sum(reached.values()):
            return
        if read > seen:
            until, seen = time.monotonic() + PATIENCE, read
        time.sleep(0.2)
    raise AssertionError(f"{seen} of {expected} events were merged")


def quantiles(seen):
    seen = sorted(seen)
    return {f"p{share}_ms": seen[(len(seen) - 1) * share // 100] for share in (50, 99)}


written = first_times(*SOURCES)
wait(len(written))
steps = [("→ validate", first_times("view.valid")), ("→ normalise", first_times("view.normal"))]
resolved = first_times("view.resolved")
steps.append(("→ resolve", resolved))
changes = {}
for key, _, at in records("view.changes"):
    changes.setdefault(key, []).append(at)
for times in changes.values():
    times.sort()
viewed = {}
for event, (at, person) in resolved.items():
    times = changes.get(person, [])
    place = bisect_left(times, at)
    if place < len(times):
        viewed[event] = (times[place], person)
steps.append(("→ merge, in the view", viewed))
# the first fifth is not counted: cold starts
begun = min(at for at, _ in written.values())
span = max(at for at, _ in written.values()) - begun
counted = [event for event, (at, _) in written.items() if at >= begun + span / 5 and event in viewed]
hops, before = [], written
for name, step in steps:
    hops.append({"hop": name} | quantiles(step[event][0] - before[event][0] for event in counted))
    before = step
last = max(at for at, _ in viewed.values())
print(json.dumps({
    "part": "view", "events": len(written), "counted": len(counted), "hops": hops,
    "written_per_second": len(written) / span * 1000, "viewed_per_second": len(written) / (last - begun) * 1000,
} | quantiles(viewed[event][0] - written[event][0] for event in counted)))
