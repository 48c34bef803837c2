"""Looks at the customer view from outside: is every event in it, once; was every broken one rejected; what did a deploy change."""

import json
import sys
import time

import boto3

DATA = "customer-view-dev-data-000000000000"
QUEUE = "customer-view-dev-rejected"
STALLED_SECONDS = 120

s3, sqs, functions = (boto3.client(name) for name in ("s3", "sqs", "lambda"))


def objects(prefix):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=DATA, Prefix=prefix):
        for entry in page.get("Contents", []):
            try:
                yield json.loads(s3.get_object(Bucket=DATA, Key=entry["Key"])["Body"].read())
            except s3.exceptions.NoSuchKey:
                pass  # merged away since it was listed


def truth(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def complete(path):
    """Waits until every event is in its account, once, and every account in one person; fails when nothing moves."""
    expected = {(line["source"], line["of"], line["event"]) for line in truth(path) if "of" in line}
    best, since = -1, time.monotonic()
    while True:
        began = time.monotonic()
        accounts = list(objects("accounts/"))
        facts = [(one["source"], one["account"], event) for one in accounts for event in one["facts"]]
        persons = [person for person in objects("persons/") if not person.get("merged")]
        placed = [account["token"] for person in persons for account in person["accounts"]]
        if set(facts) == expected and sorted(placed) == sorted(one["token"] for one in accounts):
            assert len(facts) == len(expected), "an event is there twice"
            by_token = {account["token"]: person["id"] for person in persons for account in person["accounts"]}
            if all(by_token[one["token"]] == one["person"] for one in accounts):
                return
        progress = len(facts) + len(placed)
        if progress > best:
            best, since = progress, time.monotonic()
        looked = time.monotonic() - began
        stalled = time.monotonic() - since > max(STALLED_SECONDS, 4 * looked)
        assert not stalled, f"{len(facts)} of {len(expected)} events, {len(placed)} placed"
        time.sleep(max(0.5, looked))  # many people take long to look at, which is not to be all that the node does


def rejected(path):
    """The failure queue has every broken record with its code, and nothing else."""
    expected = {(line["event"], line["poison"]) for line in truth(path) if "poison" in line}
    found, queue = set(), sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            body = json.loads(message["Body"])
            found.add((body["event"], body["code"]))
            assert body["reason"] and len(body["token"]) == 32, body
            assert not {"key", "value"} & body.keys(), body
    assert found == expected, f"missing {expected - found}, besides {found - expected}"


def records(servers, topic):
    """All records of a topic, partition by partition."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": servers, "group.id": "looks", "enable.auto.commit": False})
    for partition in consumer.list_topics(topic, 30).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)
        consumer.assign([TopicPartition(topic, partition, low)])
        while low < high:
            message = consumer.poll(30)
            assert message is not None and not message.error(), message and message.error()
            low = message.offset() + 1
            yield message
    consumer.close()


def order(servers, *topics):
    """The events of each account; one that comes again counts where it came first."""
    accounts = {}
    for topic in topics:
        for message in records(servers, topic):
            try:
                event = json.loads(message.value())["event"]
            except ValueError:
                continue  # poisoned
            events = accounts.setdefault(message.key(), [])
            if not event.startswith("dead") and event not in events:
                events.append(event)
    return {key: events for key, events in accounts.items() if events}


def ordered(servers):
    """Each account's events are normalised in the order in which its system wrote them."""
    sources = [f"source.{system}" for system in ("shop", "orders", "delivery", "marketing", "calls")]
    assert order(servers, "view.normal") == order(servers, *sources)


def tombstone(servers):
    """A null on the bus is a record without a value in the topic."""
    detail = json.dumps({"key": "p-nobody", "value": None})
    entry = {"EventBusName": "customer-view-dev", "Source": "test", "DetailType": "view.changes", "Detail": detail}
    boto3.client("events").put_events(Entries=[entry])
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for message in records(servers, "view.changes"):
            if message.key() == b"p-nobody":
                assert message.value() is None, message.value()
                return
    raise AssertionError("no such record")


def deployed():
    """What a deploy may change: code and configuration of functions, mappings."""
    every = functions.get_paginator("list_functions").paginate()
    code = {one["FunctionName"]: one["CodeSha256"] + one["LastModified"] for page in every for one in page["Functions"]}
    mappings = functions.get_paginator("list_event_source_mappings").paginate()
    uuids = {one["UUID"]: str(one["LastModified"]) for page in mappings for one in page["EventSourceMappings"]}
    print(json.dumps({**code, **uuids}))


{"complete": complete, "rejected": rejected, "ordered": ordered, "tombstone": tombstone, "deployed": deployed}[sys.argv[1]](*sys.argv[2:])
