"""Asynchronous invocations, what ends them, and bucket notifications, with boto3. argv: the node's endpoint.
Any failed expectation raises."""
import base64
import io
import json
import sys
import time
import urllib.request
import zipfile

import boto3
from botocore.exceptions import ClientError

session = boto3.Session("000000000000", "secret", region_name="us-east-1")
functions, queues, s3 = (session.client(name, endpoint_url=sys.argv[1]) for name in ("lambda", "sqs", "s3"))

SOURCE = """
def handler(event, context):
    if event.get("raise"):
        raise ValueError("no such basket")
    return "seen"
"""


def function(name, **settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", SOURCE)
    made = functions.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role="arn:aws:iam::000000000000:role/r",
        Code={"ZipFile": buffer.getvalue()}, **settings)
    return made["FunctionArn"]


def queue(name):
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    return url, queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answer = queues.receive_message(
            QueueUrl=url, WaitTimeSeconds=5, MessageAttributeNames=["All"], AttributeNames=["All"])
        for message in answer.get("Messages", []):
            queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return message
    raise TimeoutError(url)


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{arguments} was accepted")


records, records_arn = queue("records")
letters, letters_arn = queue("letters")
arn = function("worker", DeadLetterConfig={"TargetArn": letters_arn})
assert functions.get_function_configuration(FunctionName="worker")["DeadLetterConfig"] == {"TargetArn": letters_arn}
none = "arn:aws:sqs:us-east-1:000000000000:none"
assert refused(functions.update_function_configuration, FunctionName="worker",
               DeadLetterConfig={"TargetArn": none}) == "InvalidParameterValueException"
to_records = {"Destination": records_arn}
functions.put_function_event_invoke_config(
    FunctionName="worker", MaximumRetryAttempts=0, DestinationConfig={"OnSuccess": to_records, "OnFailure": to_records})

answer = functions.invoke(FunctionName="worker", InvocationType="Event", Payload=b'{"order":1}')
assert answer["StatusCode"] == 202
root = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"]
message = receive(records)
record = json.loads(message["Body"])
assert record["requestContext"]["condition"] == "Success", record
assert (record["requestPayload"], record["responsePayload"]) == ({"order": 1}, "seen")
assert message["Attributes"]["AWSTraceHeader"].startswith(root), (message, root)

functions.invoke(FunctionName="worker", InvocationType="Event", Payload=b'{"raise":true}')
assert json.loads(receive(records)["Body"])["requestContext"]["condition"] == "RetriesExhausted"
letter = receive(letters)
assert letter["Body"] == '{"raise":true}'
attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
assert (attributes["ErrorCode"], attributes["ErrorMessage"]) == ("200", "no such basket"), attributes

assert functions.get_function_recursion_config(FunctionName="worker") ["RecursiveLoop"] == "Terminate"
functions.put_function_recursion_config(FunctionName="worker", RecursiveLoop="Allow")
assert functions.get_function_recursion_config(FunctionName="worker") ["RecursiveLoop"] == "Allow"

s3.create_bucket(Bucket="orders")


def notify(function):
    return dict(Bucket="orders", NotificationConfiguration={"LambdaFunctionConfigurations": [{
        "Id": "made", "LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".json"}]}}}]})


assert refused(s3.put_bucket_notification_configuration, **notify(arn + "-none")) == "InvalidArgument"
s3.put_bucket_notification_configuration(**notify(arn))
kept = s3.get_bucket_notification_configuration(Bucket="orders")["LambdaFunctionConfigurations"][0]
assert (kept["Id"], kept["LambdaFunctionArn"]) == ("made", arn)
s3.put_object(Bucket="orders", Key="a.txt", Body=b"1")
put = s3.put_object(Bucket="orders", Key="in/a b.json", Body=b"123")
event = json.loads(receive(records)["Body"])["requestPayload"]
(record,) = event["Records"]
assert (record["eventSource"], record["eventName"], record["eventVersion"]) == ("aws:s3", "ObjectCreated:Put", "2.1")
assert record["s3"]["object"]["key"] == "in/a+b.json" and record["s3"]["object"]["size"] == 3
assert record["s3"]["configurationId"] == "made"



def journey(put, length):
    """The way of an event that goes to one place only, step by step."""
    root = put["ResponseMetadata"]["HTTPHeaders"]["x-amzn-trace-id"].removeprefix("Root=")
    way = []
    until = time.monotonic() + 30
    # steps are noted behind the transaction that they tell of
    while len(way) < length and time.monotonic() < until:
        with urllib.request.urlopen(f"{sys.argv[1]}/_tradewind/traces/{root}") as answer:
            steps, way = json.load(answer)["steps"], []
        while steps:
            way.append((steps[0]["what"], steps[0]["to"].rpartition(":")[2], steps[0]["outcome"]))
            steps = steps[0]["steps"]
    return root, way


topics = session.client("sns", endpoint_url=sys.argv[1])
topic = topics.create_topic(Name="uploads")["TopicArn"]
work, work_arn = queue("work")
topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=work_arn)
functions.create_event_source_mapping(FunctionName="worker", EventSourceArn=work_arn)
s3.create_bucket(Bucket="uploads")
s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration={
    "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
uploaded = s3.put_object(Bucket="uploads", Key="a", Body=b"1")
_, way = journey(uploaded, 4)
assert way == [("ObjectCreated:Put", "uploads", "ok"), ("delivery", "uploads", "ok"), ("delivery", "work", "ok"),
               ("invocation", "worker", "ok")], way

root, way = journey(put, 4)
assert way == [("ObjectCreated:Put", "orders", "ok"), ("delivery", "worker", "ok"),
               ("invocation", "$LATEST", "ok"), ("delivery", "records", "ok")], way
print(root)
