"""Records in and out of a broker by librdkafka's own Python client.

kafka_client.py write BOOTSTRAP TOPIC COUNT [SETTING=VALUE ...]    writes `value N` under key `N`
kafka_client.py read BOOTSTRAP TOPIC COUNT [SETTING=VALUE ...]     prints a line of JSON a record, from the beginning
"""

import base64
import json
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer

PATIENCE = 60


def refuse_fatal(error):
    """Clients retry for ever what a person has to mend."""
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
        raise KafkaException(error)


def write(topic, count, settings):
    producer = Producer({**settings, "acks": "all", "error_cb": refuse_fatal})
    failed = []
    for number in range(count):
        producer.produce(
            topic,
            key=str(number),
            value=f"value {number}",
            on_delivery=lambda error, _message: error and failed.append(error),
        )
    until = time.monotonic() + PATIENCE
    while producer.flush(0.2) and time.monotonic() < until:
        pass
    assert not len(producer) and not failed, (len(producer), failed)
    print("ok")


def text(value):
    """Bytes as text where they are, else as base64."""
    try:
        return value and value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def read(topic, count, settings):
    consumer = Consumer(
        {
            **settings,
            "group.id": f"test-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": "true",
            "error_cb": refuse_fatal,
        }
    )
    consumer.subscribe([topic])
    for _ in range(count):
        message = consumer.poll(PATIENCE)
        assert message is not None, f"no record in {PATIENCE} s"
        if message.error():
            raise KafkaException(message.error())
        headers = [[name, text(value)] for name, value in message.headers() or []]
        print(
            json.dumps(
                {
                    "partition": message.partition(),
                    "offset": message.offset(),
                    "key": text(message.key()),
                    "value": text(message.value()),
                    "headers": headers,
                }
            )
        )
    consumer.close()


if __name__ == "__main__":
    what, bootstrap, topic, count, *more = sys.argv[1:]
    settings = {"bootstrap.servers": bootstrap, "log_level": 0}
    settings.update(setting.split("=", 1) for setting in more)
    {"write": write, "read": read}[what](topic, int(count), settings)
