"""What an event's way through a node takes: bench/events/paths.py ENDPOINT SECONDS [WAY…], one line of JSON.

Latencies are from just before a request is sent to the first line of the handler, by the clock of this machine; one
event at a time, on a connection that is kept. Times of the fan-out and of asynchronous invocations are of requests.
"""

import http.client
import io
import json
import statistics
import sys
import threading
import time
import urllib.parse
import zipfile

import boto3
from botocore.config import Config

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/bench"
SUBSCRIBERS = 100
BACKLOG = 20_000
# so long a backlog is watched; what is left then does not count
PATIENCE_S = 60
# the first number of 19 digits in an event is when it was sent, in nanoseconds
HANDLER = """
const seen = [];
exports.handler = async (event) => {
  const now = performance.timeOrigin + performance.now();
  if (event.report) return seen.splice(0);
  const sent = JSON.stringify(event).match(/\\d{19}/);
  if (sent) seen.push(now - Number(sent[0]) / 1e6);
};
"""


def client(service, endpoint):
    return boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test", config=Config(s3={"addressing_style": "path"}))


class Wire:
    """Requests without the time that an SDK takes for them. Nobody here verifies signatures."""

    def __init__(self, endpoint, service):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint).netloc)
        scope = f"test/20260101/us-east-1/{service}/aws4_request"
        self.headers = {
            "x-amz-date": "20260101T000000Z",
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }

    def send(self, method, path, body, **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request(method, path, body, self.headers | fields)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path} answered {answer.status}")

    def publish(self, topic, text):
        form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, "Message": text}
        kind = "application/x-www-form-urlencoded"
        self.send("POST", "/", urllib.parse.urlencode(form), content_type=kind)


def function(functions, name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.js", HANDLER)
    functions.create_function(
        FunctionName=name, Runtime="nodejs20.x", Role=ROLE, Handler="index.handler", Code={"ZipFile": file.getvalue()})
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"


def latencies(functions, name, send, seconds):
    """One event after the other, each as soon as the one before it has run."""
    # one instance, which keeps what it saw
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)

    def report():
        answer = functions.invoke(FunctionName=name, Payload=b'{"report": true}')
        return json.loads(answer["Payload"].read()) if "FunctionError" not in answer else []

    send(str(time.time_ns()))
    while not report():
        pass
    seen, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(20):
            send(str(time.time_ns()))
            time.sleep(0.02)
        seen += report()
    seen.sort()
    return {"p50_ms": statistics.median(seen), "p99_ms": seen[int(len(seen) * 0.99)], "events": len(seen)}


def from_object(endpoint, seconds):
    functions, s3 = client("lambda", endpoint), client("s3", endpoint)
    arn = function(functions, "on-object")
    s3.create_bucket(Bucket="paths")
    s3.put_bucket_notification_configuration(Bucket="paths", NotificationConfiguration={
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
    wire = Wire(endpoint, "s3")
    return latencies(functions, "on-object", lambda text: wire.send("PUT", f"/paths/{text}", "x" * 100), seconds)


def from_topic(endpoint, seconds):
    functions, sns = client("lambda", endpoint), client("sns", endpoint)
    arn = function(functions, "on-publish")
    topic = sns.create_topic(Name="paths")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    wire = Wire(endpoint, "sns")
    return latencies(functions, "on-publish", lambda text: wire.publish(topic, text), seconds)


def fan_out(endpoint, seconds):
    sns, sqs = client("sns", endpoint), client("sqs", endpoint)
    topic = sns.create_topic(Name="wide")["TopicArn"]
    for number in range(SUBSCRIBERS):
        sqs.create_queue(QueueName=f"wide-{number}")
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{ACCOUNT}:wide-{number}",
            Attributes={"RawMessageDelivery": "true"})
    wire, times, end = Wire(endpoint, "sns"), [], time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        wire.publish(topic, "x" * 100)
        times.append((time.perf_counter() - start) * 1000)
    return {"subscribers": SUBSCRIBERS, "p50_ms": statistics.median(times),
            "messages_per_second": SUBSCRIBERS * len(times) / seconds}


def from_queue(endpoint, _seconds, backlog=BACKLOG):
    """A backlog, filled before the mapping is made, in batches of ten."""
    functions, sqs = client("lambda", endpoint), client("sqs", endpoint)
    function(functions, "on-batch")
    url = sqs.create_queue(QueueName="backlog")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": "x" * 100} for number in range(10)]

    def fill():
        own = client("sqs", endpoint)
        for _ in range(backlog // 80):
            own.send_message_batch(QueueUrl=url, Entries=entries)

    fillers = [threading.Thread(target=fill) for _ in range(8)]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def left():
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(count) for count in found.values())

    filled, start = left(), time.monotonic()
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{ACCOUNT}:backlog", FunctionName="on-batch", BatchSize=10)
    while (rest := left()) and time.monotonic() - start < PATIENCE_S:
        time.sleep(0.05)
    return {"batch": 10, "messages": filled - rest, "messages_per_second": (filled - rest) / (time.monotonic() - start)}


def from_short_queue(endpoint, seconds):
    return from_queue(endpoint, seconds, BACKLOG // 10)


if __name__ == "__main__":
    node, duration = sys.argv[1], float(sys.argv[2])
    ways = {
        "objectToHandler": from_object, "publishToHandler": from_topic, "fanOut": fan_out,
        "queueToFunction": from_queue, "shortQueueToFunction": from_short_queue,
    }
    chosen = sys.argv[3:] or ways
    print(json.dumps({name: ways[name](node, duration) for name in chosen}))
