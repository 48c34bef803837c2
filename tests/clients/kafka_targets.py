"""Topics of Kafka as targets, with boto3. argv: the node's endpoint, the part. Any failed expectation raises."""
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

session = boto3.Session("000000000000", "secret", region_name="us-east-1")
queues, pipes, events, secrets = (
    session.client(name, endpoint_url=sys.argv[1]) for name in ("sqs", "pipes", "events", "secretsmanager"))

ROLE = "arn:aws:iam::000000000000:role/any"
EVENTS = 200


def topic(cluster, name):
    return f"arn:aws:kafka:us-east-1:000000000000:topic/{cluster}/0f0f0f0f-0000-0000-0000-000000000000-1/{name}"


def queue(name):
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    return url, queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = queues.receive_message(QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message
    raise TimeoutError(url)


def put(details, kind="Order"):
    details = list(details)
    for begin in range(0, len(details), 10):
        entries = [{"Source": "shop", "DetailType": kind, "Detail": json.dumps(one)} for one in details[begin:begin + 10]]
        answer = events.put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0, answer


def rule(name, kind, target):
    events.put_rule(Name=name, EventPattern=json.dumps({"detail-type": [kind]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", **target}])


def configure():
    """A rule to the topic `orders`: the detail's text under the customer's key."""
    rule("orders", "Order", {
        "Arn": topic("shop", "orders"), "KinesisParameters": {"PartitionKeyPath": "$.detail.customer"},
        "InputTransformer": {"InputPathsMap": {"n": "$.detail.n"}, "InputTemplate": '{"order": <n>}'}})
    try:
        rule("nobody", "Order", {"Arn": topic("nobody", "orders")})
        raise AssertionError("an unknown cluster is refused")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ValidationException", error
        assert "--kafka nobody=HOST:PORT" in str(error), error


def first():
    put({"n": n, "customer": f"c{n % 7}"} for n in range(EVENTS))


def second():
    put({"n": n, "customer": f"c{n % 7}"} for n in range(EVENTS, 2 * EVENTS))


def refused():
    """What the broker refuses is a dead letter with the reason, and holds up nobody."""
    dead, arn = queue("dead")
    rule("small", "Small", {
        "Arn": topic("shop", "small"), "DeadLetterConfig": {"Arn": arn}, "InputPath": "$.detail"})
    put([{"text": "x" * 5000}, {"n": 1}], "Small")
    letter = receive(dead)
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "INVALID_PARAMETER", attributes
    assert attributes["TARGET_ARN"] == topic("shop", "small"), attributes
    assert json.loads(letter["Body"])["detail"]["text"] == "x" * 5000


def piped():
    source, arn = queue("piped")
    pipes.create_pipe(
        Name="piped", RoleArn=ROLE, Source=arn, Target=topic("shop", "piped"),
        TargetParameters={
            "InputTemplate": '{"n": <$.body.n>}', "KinesisStreamParameters": {"PartitionKey": "$.body.customer"}})
    for n in range(10):
        queues.send_message(QueueUrl=source, MessageBody=json.dumps({"n": n, "customer": f"c{n}"}))


def logins():
    """Each cluster has a login of its own; one of them a wrong password."""
    secrets.create_secret(Name="right", SecretString=json.dumps({"username": sys.argv[3], "password": sys.argv[4]}))
    secrets.create_secret(Name="wrong", SecretString=json.dumps({"username": sys.argv[3], "password": "no"}))
    for cluster in sys.argv[5:]:
        dead, arn = queue(f"dead-{cluster}")
        rule(cluster, cluster, {
            "Arn": topic(cluster, cluster), "DeadLetterConfig": {"Arn": arn},
            "RetryPolicy": {"MaximumRetryAttempts": 0}})
        put([{"n": 1}], cluster)


def letter():
    """What a dead-letter queue says went wrong, as JSON."""
    dead, _ = queue(f"dead-{sys.argv[3]}")
    attributes = receive(dead)["MessageAttributes"]
    print(json.dumps({name: value["StringValue"] for name, value in attributes.items()}))


globals()[sys.argv[2]]()
print(f"ok {sys.argv[2]}")
