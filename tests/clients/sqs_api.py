"""SQS as boto3 sees it: `sqs_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import hashlib
import sys
import threading
import time

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
client = boto3.client("sqs", endpoint_url=ENDPOINT)


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, (found, error)
        return error.response
    raise AssertionError(f"{code} was expected")


def standard():
    url = client.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "1"}, tags={"team": "shop"})["QueueUrl"]
    assert client.get_queue_url(QueueName="orders")["QueueUrl"] == url
    assert client.list_queues(QueueNamePrefix="ord")["QueueUrls"] == [url]
    assert client.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "shop"}
    # boto3 compares the digests of what it sends and receives with ours
    attributes = {
        "kind": {"DataType": "String", "StringValue": "läuft"},
        "count": {"DataType": "Number.int", "StringValue": "7"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = client.send_message(QueueUrl=url, MessageBody="a\r\n<ü>", MessageAttributes=attributes)
    received = client.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"][0]
    assert received["MessageId"] == sent["MessageId"]
    assert received["Body"] == "a\r\n<ü>"
    assert received["MessageAttributes"] == attributes, received
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    client.change_message_visibility(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"], VisibilityTimeout=0)
    again = client.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"][0]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(10)]
    assert len(client.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10
    messages = []
    while len(messages) < 10:
        messages += client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60)["Messages"]
    entries = [{"Id": m["MessageId"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages]
    assert client.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", []) == []
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    assert set(client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}
    try:
        client.get_queue_url(QueueName="nobody")
        raise AssertionError("there is no such queue")
    except client.exceptions.QueueDoesNotExist as error:
        assert error.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue", error.response
    refused("ReceiptHandleIsInvalid", client.delete_message, QueueUrl=url, ReceiptHandle="garbage")
    refused("InvalidParameterValue", client.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    client.delete_queue(QueueUrl=url)
    refused("AWS.SimpleQueueService.QueueDeletedRecently", client.create_queue, QueueName="orders")


def fifo():
    url = client.create_queue(QueueName="steps.fifo", Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})["QueueUrl"]
    for n in range(5):
        for group in "ab":
            client.send_message(QueueUrl=url, MessageBody=f"{group}{n}", MessageGroupId=group)
            client.send_message(QueueUrl=url, MessageBody=f"{group}{n}", MessageGroupId=group)
    seen = {"a": [], "b": []}
    while sum(map(len, seen.values())) < 10:
        for message in client.receive_message(QueueUrl=url, MaxNumberOfMessages=3, AttributeNames=["All"])["Messages"]:
            group = message["Attributes"]["MessageGroupId"]
            assert message["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(message["Body"].encode()).hexdigest()
            seen[group].append(message["Body"])
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert seen == {g: [f"{g}{n}" for n in range(5)] for g in "ab"}, seen
    assert "Messages" not in client.receive_message(QueueUrl=url)
    refused("MissingParameter", client.send_message, QueueUrl=url, MessageBody="x")


def dead_letters():
    dead = client.create_queue(QueueName="dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = '{"deadLetterTargetArn":"%s","maxReceiveCount":"1"}' % arn
    url = client.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})["QueueUrl"]
    assert client.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [url]
    sent = client.send_message(QueueUrl=url, MessageBody="poison")
    assert len(client.receive_message(QueueUrl=url)["Messages"]) == 1
    assert "Messages" not in client.receive_message(QueueUrl=url)
    message = client.receive_message(QueueUrl=dead, AttributeNames=["All"], VisibilityTimeout=0)["Messages"][0]
    assert message["MessageId"] == sent["MessageId"]
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":work")
    client.start_message_move_task(SourceArn=arn)
    back = client.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]
    assert back["Body"] == "poison"
    task = client.list_message_move_tasks(SourceArn=arn)["Results"][0]
    assert task["ApproximateNumberOfMessagesMoved"] == 1, task


def long_poll():
    url = client.create_queue(QueueName="slow")["QueueUrl"]
    got = []

    def wait():
        got.extend(client.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", []))

    waiting = threading.Thread(target=wait)
    begun = time.monotonic()
    waiting.start()
    time.sleep(0.5)
    client.send_message(QueueUrl=url, MessageBody="at last")
    waiting.join()
    assert [message["Body"] for message in got] == ["at last"]
    assert time.monotonic() - begun < 15, "the wait ended with the message"


def fill():
    url = client.create_queue(QueueName="kept")["QueueUrl"]
    for n in range(20):
        entries = [{"Id": str(m), "MessageBody": f"{n}-{m}"} for m in range(10)]
        assert len(client.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]) == 10


def drain():
    url = client.get_queue_url(QueueName="kept")["QueueUrl"]
    seen = set()
    while messages := client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        seen |= {message["Body"] for message in messages}
    assert seen == {f"{n}-{m}" for n in range(20) for m in range(10)}, len(seen)


globals()[PART]()
print(f"ok {PART}")
