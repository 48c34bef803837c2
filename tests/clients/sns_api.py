"""SNS as boto3 sees it: `sns_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import base64
import hashlib
import http.server
import io
import json
import queue
import sys
import threading
import urllib.request
import zipfile
from urllib.parse import urlparse

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
sns = boto3.client("sns", endpoint_url=ENDPOINT)
sqs = boto3.client("sqs", endpoint_url=ENDPOINT)
QUICK_RETRIES = {"healthyRetryPolicy": {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 60}}


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, (found, error)
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def make_queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url):
    received = sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"], AttributeNames=["All"]
    )["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    return received


def is_empty(url):
    return "Messages" not in sqs.receive_message(QueueUrl=url)


def public_key(certificate):
    """Modulus and exponent of an RSA certificate in PEM."""
    der = base64.b64decode("".join(certificate.strip().splitlines()[1:-1]))
    rsa_encryption = bytes.fromhex("06092a864886f70d0101010500")
    rest = der[der.index(rsa_encryption) + len(rsa_encryption) :]

    def value(data):
        length, start = data[1], 2
        if length & 0x80:
            start = 2 + (length & 0x7F)
            length = int.from_bytes(data[2:start], "big")
        return data[start : start + length], data[start + length :]

    numbers, _ = value(value(rest)[0][1:])
    modulus, numbers = value(numbers)
    exponent, _ = value(numbers)
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


# What PKCS #1 puts before a digest, and the digest, by SignatureVersion.
HASHES = {
    "1": (bytes.fromhex("3021300906052b0e03021a05000414"), hashlib.sha1),
    "2": (bytes.fromhex("3031300d060960864801650304020105000420"), hashlib.sha256),
}


def verify(message, version="1"):
    """As the developer guide says: names and values on lines, SHA-1 or SHA-256, RSA."""
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{message[name]}\n" for name in names if name in message)
    assert message["SignatureVersion"] == version
    prefix, digest_of = HASHES[version]
    # a node that was started again listens elsewhere
    certificate = ENDPOINT.rstrip("/") + urllib.parse.urlsplit(message["SigningCertURL"]).path
    modulus, exponent = public_key(urllib.request.urlopen(certificate).read().decode())
    size = (modulus.bit_length() + 7) // 8
    signature = int.from_bytes(base64.b64decode(message["Signature"]), "big")
    digest = prefix + digest_of(text.encode()).digest()
    padded = b"\x00\x01" + b"\xff" * (size - 3 - len(digest)) + b"\x00" + digest
    assert pow(signature, exponent, modulus).to_bytes(size, "big") == padded, "the signature is wrong"


class Hook:
    """An HTTP endpoint: answers with the statuses it is told, then with 200."""

    def __init__(self, port=0, statuses=()):
        self.requests, self.statuses = queue.Queue(), list(statuses)
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                kind = self.headers["x-amz-sns-message-type"]
                status = 200 if kind == "SubscriptionConfirmation" or not hook.statuses else hook.statuses.pop(0)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                hook.requests.put(({name.lower(): value for name, value in self.headers.items()}, body))

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.requests.get(timeout=60)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def confirm(hook, version="1"):
    headers, body = hook.next()
    assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation", headers
    assert "x-amz-sns-subscription-arn" not in headers
    message = json.loads(body)
    verify(message, version)
    assert b"<SubscriptionArn>arn:aws:sns:" in urllib.request.urlopen(message["SubscribeURL"]).read()


def queues():
    topic = sns.create_topic(Name="orders", Tags=[{"Key": "team", "Value": "shop"}])["TopicArn"]
    assert sns.create_topic(Name="orders")["TopicArn"] == topic
    assert topic in [found["TopicArn"] for found in sns.list_topics()["Topics"]]
    wrapped, wrapped_arn = make_queue("wrapped")
    raw, raw_arn = make_queue("raw")
    north, north_arn = make_queue("north")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=wrapped_arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw_arn, Attributes={"RawMessageDelivery": "true"})
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=north_arn,
        Attributes={"FilterPolicy": json.dumps({"shop": [{"prefix": "nor"}], "cents": [{"numeric": [">", 500]}]})},
    )
    attributes = {
        "shop": {"DataType": "String", "StringValue": "north"},
        "cents": {"DataType": "Number", "StringValue": "995"},
        "seal": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sns.publish(TopicArn=topic, Subject="Order 5", Message="bezahlt: 9 €", MessageAttributes=attributes)
    message = json.loads(receive(wrapped)["Body"])
    assert (message["Type"], message["Message"], message["Subject"]) == ("Notification", "bezahlt: 9 €", "Order 5")
    assert message["MessageId"] == sent["MessageId"] and message["TopicArn"] == topic
    assert message["MessageAttributes"]["seal"] == {"Type": "Binary", "Value": "AP8="}
    verify(message)
    received = receive(raw)
    assert received["Body"] == "bezahlt: 9 €" and received["MessageAttributes"] == attributes, received
    assert json.loads(receive(north)["Body"])["Message"] == "bezahlt: 9 €"
    attributes["cents"]["StringValue"] = "5"
    sns.publish(TopicArn=topic, Message="cheap", MessageAttributes=attributes)
    assert receive(raw)["Body"] == "cheap" and is_empty(north)
    entries = [{"Id": "a", "Message": "one"}, {"Id": "b", "Message": "two", "Subject": "a\nb"}]
    batch = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in batch["Successful"]] == ["a"]
    assert [(entry["Id"], entry["Code"]) for entry in batch["Failed"]] == [("b", "InvalidParameter")]
    assert receive(raw)["Body"] == "one"
    structured = json.dumps({"default": "d", "sqs": "s"})
    sns.publish(TopicArn=topic, Message=structured, MessageStructure="json")
    assert receive(raw)["Body"] == "s"
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"] == "3"
    refused("InvalidParameter", sns.publish, TopicArn=topic, Message="x" * (256 * 1024 + 1))
    said = refused("InvalidParameter", sns.create_topic, Name="t", Attributes={"KmsMasterKeyId": "alias/aws/sns"})
    assert "KmsMasterKeyId" in said, said
    said = refused("InvalidParameter", sns.subscribe, TopicArn=topic, Protocol="sms", Endpoint="+15550100")
    assert "sms" in said, said
    sns.delete_topic(TopicArn=topic)
    refused("NotFound", sns.publish, TopicArn=topic, Message="m")


def fifo():
    topic = sns.create_topic(
        Name="orders.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    )["TopicArn"]
    url, arn = make_queue("orders.fifo", FifoQueue="true")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    first = sns.publish(TopicArn=topic, Message="one", MessageGroupId="g")
    again = sns.publish(TopicArn=topic, Message="one", MessageGroupId="g")
    assert again["MessageId"] == first["MessageId"] and again["SequenceNumber"] == first["SequenceNumber"]
    second = sns.publish(TopicArn=topic, Message="two", MessageGroupId="g", MessageDeduplicationId="d")
    assert second["SequenceNumber"] > first["SequenceNumber"]
    assert [receive(url)["Body"], receive(url)["Body"]] == ["one", "two"] and is_empty(url)
    refused("InvalidParameter", sns.publish, TopicArn=topic, Message="no group")


def function():
    """A function gets the event of SNS; its destination says what it got."""
    functions = boto3.client("lambda", endpoint_url=ENDPOINT)
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event['Records'][0]['Sns']['Message']\n")
    role = "arn:aws:iam::000000000000:role/r"
    arn = functions.create_function(
        FunctionName="shop", Runtime="python3.12", Role=role, Handler="app.handler", Code={"ZipFile": package.getvalue()}
    )["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="shop")
    results, results_arn = make_queue("results")
    functions.put_function_event_invoke_config(
        FunctionName="shop", DestinationConfig={"OnSuccess": {"Destination": results_arn}}
    )
    topic = sns.create_topic(Name="calls")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="paid", Subject="Order 5")
    result = json.loads(receive(results)["Body"])
    assert result["responsePayload"] == "paid", result
    record = result["requestPayload"]["Records"][0]
    assert record["EventSource"] == "aws:sns" and record["EventSubscriptionArn"] == subscription
    assert record["Sns"]["Subject"] == "Order 5" and record["Sns"]["MessageAttributes"] == {}


def endpoint():
    """An endpoint confirms, gets signed messages, is tried again, and what it refuses becomes a dead letter."""
    dead, dead_arn = make_queue("dead")
    hook = Hook(statuses=[500, 503])
    topic = sns.create_topic(Name="hooks")["TopicArn"]
    attributes = {
        "DeliveryPolicy": json.dumps(QUICK_RETRIES),
        "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead_arn}),
    }
    pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url, Attributes=attributes)
    assert pending["SubscriptionArn"] == "pending confirmation"
    confirm(hook)
    subscription = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="paid", Subject="Order 5")
    attempts = [hook.next() for _ in range(3)]
    assert len({body for _, body in attempts}) == 1, attempts
    headers, body = attempts[2]
    assert headers["x-amz-sns-message-type"] == "Notification"
    assert headers["x-amz-sns-subscription-arn"] == subscription and headers["x-amz-sns-topic-arn"] == topic
    assert headers["content-type"] == "text/plain; charset=UTF-8", headers
    message = json.loads(body)
    assert headers["x-amz-sns-message-id"] == message["MessageId"] and message["Message"] == "paid"
    verify(message)
    hook.statuses.append(403)
    sns.publish(TopicArn=topic, Message="refused")
    letter = receive(dead)
    assert json.loads(letter["Body"])["Message"] == "refused"
    assert letter["MessageAttributes"]["ErrorCode"]["StringValue"] == "403", letter
    sns.set_subscription_attributes(
        SubscriptionArn=subscription, AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    hook.next()
    sns.publish(TopicArn=topic, Message="raw")
    headers, body = hook.next()
    assert body == "raw" and headers["x-amz-sns-rawdelivery"] == "true"
    urllib.request.urlopen(message["UnsubscribeURL"])
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []
    hook.close()


def owe():
    """Publishes to an endpoint that has confirmed and is down."""
    hook = Hook()
    topic = sns.create_topic(Name="owed")["TopicArn"]
    attributes = {"DeliveryPolicy": json.dumps(QUICK_RETRIES)}
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=hook.url, Attributes=attributes)
    confirm(hook)
    hook.close()
    url, arn = make_queue("owed")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for number in range(20):
        sns.publish(TopicArn=topic, Message=str(number))


def collect():
    """After the node was killed: the endpoint is up again and gets all of it; the queue has it once."""
    topic = sns.create_topic(Name="owed")["TopicArn"]
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    url = next(found["Endpoint"] for found in subscriptions if found["Protocol"] == "http")
    hook = Hook(urlparse(url).port)
    wanted, got = {str(number) for number in range(20)}, set()
    while got != wanted:
        message = json.loads(hook.next()[1])
        verify(message)
        got.add(message["Message"])
    queue_url = sqs.get_queue_url(QueueName="owed")["QueueUrl"]
    assert sorted(receive(queue_url)["Body"] for _ in range(20)) == sorted(wanted) and is_empty(queue_url)
    hook.close()


globals()[PART]()
print("ok", PART)
