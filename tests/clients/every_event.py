"""What tests/e2e/every_event needs before its deploy, and what it sends after it. argv: the node's endpoint, the part."""
import json
import sys
import time

import boto3

ENDPOINT = sys.argv[1].rstrip("/")
session = boto3.Session("000000000000", "secret", region_name="us-east-1")
events, functions, logs, s3, sns, sqs = (
    session.client(name, endpoint_url=ENDPOINT) for name in ("events", "lambda", "logs", "s3", "sns", "sqs"))


def publish(topic, message, to):
    sns.publish(
        TopicArn=f"arn:aws:sns:us-east-1:000000000000:{topic}", Message=message,
        MessageAttributes={"to": {"DataType": "String", "StringValue": to}})


def put_event(bus, source, **detail):
    entry = {"EventBusName": bus, "Source": source, "DetailType": "placed", "Detail": json.dumps(detail)}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer


def put_line(group, line):
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[event])


def send(queue, body):
    sqs.send_message(QueueUrl=f"{ENDPOINT}/000000000000/{queue}", MessageBody=body)


def prepare():
    s3.create_bucket(Bucket="every-existing")


def sources():
    began = int(time.time())
    publish("every-topic", "by-topic", "function")
    publish("every-raw-topic", "by-raw-topic", "function")
    publish("every-raw-topic", "by-raw-queue", "queue")
    publish("every-raw-topic", "by-nobody", "others")
    put_event("default", "default-bus", word="by-default-bus")
    put_event("default", "cloudwatch-event", word="by-cloudwatch-event")
    put_event("every-bus", "own-bus", word="by-own-bus", total=11)
    put_event("every-bus", "own-bus", word="by-nobody", total=10)
    put_event("every-raw-bus", "raw-bus", word="by-raw-bus", total=7)
    for bucket, key in [
        ("every-new", "by-new-bucket"), ("every-new", "other-by-nobody"), ("every-existing", "by-existing-bucket"),
        ("every-raw-bucket", "by-raw-bucket.txt"), ("every-raw-bucket", "by-nobody.jpg"),
    ]:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    put_line("/every/watched", "paid by-watched")
    put_line("/every/raw", "paid by-raw-log")
    send("every-polled", "by-polled")
    send("every-piped", '{"word": "by-piped"}')
    send("every-piped", '{"word": "nothing"}')
    send("every-posted", '{"word": "by-posted"}')
    functions.invoke(FunctionName="every-dev-failing", InvocationType="Event", Payload=b'{"word": "by-failure"}')
    account = "arn:aws:events:us-east-1:000000000000"
    events.start_replay(
        ReplayName="every-replay", EventSourceArn=f"{account}:archive/every-archive",
        EventStartTime=began - 1, EventEndTime=int(time.time()) + 2,
        Destination={"Arn": f"{account}:event-bus/every-raw-bus"})


globals()[sys.argv[2]]()
print("ok", sys.argv[2])
