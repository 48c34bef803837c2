"""Writers and readers for `cargo xtask chaos store`: unmodified boto3 against a node that keeps dying.

    chaos_store.py load ENDPOINT FOLDER KIND...     until FOLDER/stop is there
    chaos_store.py verify ENDPOINT FOLDER KIND...   compares what is there with what was acknowledged

KIND is `objects` or `messages`.

Only one writer touches a key, one operation at a time, so what a key may hold follows from the journal: what was
acknowledged last, or what was sent after that.
"""

import hashlib
import json
import pathlib
import random
import sys
import threading
import time

from botocore.exceptions import ClientError

from chaos_clients import LOST, Journal, answered, client, journal_lines

BUCKET = "chaos"
QUEUE = "chaos"
WRITERS = 4
KEYS = 40
# around what is kept in a row, what is a file, and what is several parts
SIZES = [0, 1, 700, 8_000, 65_536, 65_537, 300_000]


def content(seed, size):
    return random.Random(seed).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def is_refusal(error):
    """An answer that says that nothing was done: neither lost nor a failure of the node."""
    return isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500


def write_objects(endpoint, folder, number, stop):
    s3 = client("s3", endpoint)
    journal = Journal(folder, f"objects-{number}")
    chance = random.Random(f"objects-{number}-{time.time()}")
    operation = 0
    while not stop.exists():
        operation += 1
        key = f"writer-{number}/key-{chance.randrange(KEYS)}"
        delete = chance.random() < 0.15
        seed, size = f"{number}-{operation}-{time.time()}", chance.choice(SIZES)
        data = b"" if delete else content(seed, size)
        state = None if delete else digest(data)
        journal.note(op=operation, key=key, state=state)
        try:
            if delete:
                s3.delete_object(Bucket=BUCKET, Key=key)
            elif chance.random() < 0.1:
                put_parts(s3, key, data)
            else:
                put_whole(s3, key, data, journal)
            journal.note(ack=operation)
        except (ClientError, *LOST) as error:
            if is_refusal(error):
                journal.note(refused=operation, error=str(error))
            time.sleep(0.02)


def put_whole(s3, key, data, journal):
    answer = answered(s3.put_object(Bucket=BUCKET, Key=key, Body=data, Metadata={"sha": digest(data)}))
    if answer["ETag"] != f'"{hashlib.md5(data).hexdigest()}"':
        journal.note(stranger=key, answer=repr(answer))


def put_parts(s3, key, data):
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, Metadata={"sha": digest(data)})["UploadId"]
    part = answered(s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=data))
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})


def read_objects(endpoint, folder, number, stop):
    """Whatever a reader sees must be one whole object, also while it is replaced and the node dies."""
    s3 = client("s3", endpoint)
    journal = Journal(folder, f"reads-{number}")
    chance = random.Random()
    while not stop.exists():
        key = f"writer-{chance.randrange(WRITERS)}/key-{chance.randrange(KEYS)}"
        try:
            found = s3.get_object(Bucket=BUCKET, Key=key)
            data = found["Body"].read()
        except (ClientError, *LOST):
            time.sleep(0.02)
            continue
        if digest(data) != found["Metadata"]["sha"]:
            journal.note(torn=key, size=len(data))


def send_messages(endpoint, folder, number, stop):
    sqs = client("sqs", endpoint)
    journal = Journal(folder, f"sends-{number}")
    chance = random.Random(f"sends-{number}")
    url = None
    count = 0
    while not stop.exists():
        names = [f"{number}-{count + i}" for i in range(chance.choice([1, 1, 10]))]
        count += len(names)
        for name in names:
            journal.note(send=name)
        try:
            url = url or sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
            if len(names) == 1:
                sqs.send_message(QueueUrl=url, MessageBody=names[0])
                sent = names
            else:
                entries = [{"Id": name, "MessageBody": name} for name in names]
                sent = [entry["Id"] for entry in sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]]
            for name in sent:
                journal.note(ack=name)
        except (ClientError, *LOST):
            time.sleep(0.02)


def receive_messages(endpoint, folder, number, stop):
    sqs = client("sqs", endpoint)
    journal = Journal(folder, f"receives-{number}")
    url = None
    while not stop.exists():
        try:
            url = url or sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5, WaitTimeSeconds=1, VisibilityTimeout=5)
            for message in found.get("Messages", []):
                name = message["Body"]
                journal.note(delete=name)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                journal.note(deleted=name)
            time.sleep(0.05)
        except (ClientError, *LOST):
            time.sleep(0.02)


def load(endpoint, folder, kinds):
    roles = []
    if "objects" in kinds:
        client("s3", endpoint).create_bucket(Bucket=BUCKET)
        roles += [write_objects] * WRITERS + [read_objects] * 2
    if "messages" in kinds:
        client("sqs", endpoint).create_queue(QueueName=QUEUE)
        roles += [send_messages] * 2 + [receive_messages]
    (folder / "ready").touch()
    stop = folder / "stop"
    threads = [
        threading.Thread(target=role, args=(endpoint, folder, number, stop)) for number, role in enumerate(roles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def possible_objects(folder):
    """For each key the states it may have: the last acknowledged, and those sent after it."""
    possible, acknowledged, wrong = {}, 0, []
    for _, entries in journal_lines(folder, "objects"):
        wrong += [f"{entry['stranger']}: answered by {entry['answer']}" for entry in entries if "stranger" in entry]
        acks = {entry["ack"] for entry in entries if "ack" in entry}
        no = {entry["refused"]: entry["error"] for entry in entries if "refused" in entry}
        wrong += [f"refused: {error}" for error in no.values()]
        acknowledged += len(acks)
        for entry in entries:
            if "op" not in entry or entry["op"] in no:
                continue
            states = possible.setdefault(entry["key"], [None])
            if entry["op"] in acks:
                states.clear()
            states.append(entry["state"])
    return possible, acknowledged, wrong


def verify_objects(endpoint, folder):
    s3 = client("s3", endpoint)
    possible, acknowledged, wrong = possible_objects(folder)
    listed = set()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        listed.update(entry["Key"] for entry in page.get("Contents", []))
    for key, states in possible.items():
        try:
            found = s3.get_object(Bucket=BUCKET, Key=key)
            state = digest(found["Body"].read())
            if found["Metadata"].get("sha") != state:
                wrong.append(f"{key}: the metadata is another object's")
        except ClientError as error:
            state = None if error.response["Error"]["Code"] == "NoSuchKey" else str(error)
        if state not in states:
            wrong.append(f"{key}: {state} is none of {states}")
        if (key in listed) != (state is not None):
            wrong.append(f"{key}: the list and the object disagree")
    wrong += [f"{key}: listed, and never written" for key in listed - possible.keys()]
    for _, entries in journal_lines(folder, "reads"):
        wrong += [f"{entry['torn']}: a reader saw half of it" for entry in entries]
    return acknowledged, wrong


def verify_messages(endpoint, folder):
    sqs = client("sqs", endpoint)
    sent, acknowledged, deleting, deleted = set(), set(), set(), set()
    for _, entries in journal_lines(folder, "sends"):
        sent |= {entry["send"] for entry in entries if "send" in entry}
        acknowledged |= {entry["ack"] for entry in entries if "ack" in entry}
    for _, entries in journal_lines(folder, "receives"):
        deleting |= {entry["delete"] for entry in entries if "delete" in entry}
        deleted |= {entry["deleted"] for entry in entries if "deleted" in entry}
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    time.sleep(6)  # what was being received when the load ended is visible again
    left, twice, empty = set(), set(), 0
    while empty < 3:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=600)
        names = [message["Body"] for message in found.get("Messages", [])]
        twice |= left & set(names)
        left |= set(names)
        empty = 0 if names else empty + 1
    wrong = [f"message {name} was acknowledged and is lost" for name in acknowledged - left - deleting]
    wrong += [f"message {name} was deleted and is back" for name in left & deleted]
    wrong += [f"message {name} was never sent" for name in left - sent]
    wrong += [f"message {name} was visible twice inside its lease" for name in twice]
    return len(acknowledged), wrong


def verify(endpoint, folder, kinds):
    checks = {"objects": verify_objects, "messages": verify_messages}
    verdict = {"wrong": []}
    for kind in kinds:
        verdict[kind], wrong = checks[kind](endpoint, folder)
        verdict["wrong"] += wrong
    print(json.dumps(verdict))


if __name__ == "__main__":
    {"load": load, "verify": verify}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]), sys.argv[4:])
