"""A plain consumer loop: consumer.py BOOTSTRAP TOPIC GROUP BATCH COUNT. Offsets are committed after each batch."""
import json
import sys
import time

from confluent_kafka import Consumer

bootstrap, topic, group, batch, count = sys.argv[1:4] + [int(number) for number in sys.argv[4:6]]
consumer = Consumer({
    "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([topic])
records = total = 0
begun = None
while records < count:
    messages = consumer.consume(batch, 1)
    for message in messages:
        records += 1
        total += json.loads(message.value())["amount"]
    if messages:
        consumer.commit(asynchronous=False)
    # the first tenth is not counted: connections, and the group's first meeting
    if begun is None and records >= count // 10:
        begun = (time.monotonic(), records)
print(json.dumps({"perSecond": (records - begun[1]) / (time.monotonic() - begun[0]), "total": total}))
consumer.close()
