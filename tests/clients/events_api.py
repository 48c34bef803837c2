"""EventBridge as boto3 sees it: `events_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import io
import json
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
events = boto3.client("events", endpoint_url=ENDPOINT)
sqs = boto3.client("sqs", endpoint_url=ENDPOINT)


def queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def receive(url, count=1):
    """Exactly `count` messages, deleted when they came."""
    found = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline, (url, found)
        answer = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    assert len(found) == count, found
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "one too many"
    return found


def put(detail, bus="default", **more):
    entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps(detail), "EventBusName": bus, **more}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0, answer
    return answer["Entries"][0]["EventId"]


def rule(name, pattern, targets, bus="default"):
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    answer = events.put_targets(Rule=name, EventBusName=bus, Targets=targets)
    assert answer["FailedEntryCount"] == 0, answer


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return
    raise AssertionError(f"{code} was expected")


def routing():
    arn = events.create_event_bus(Name="orders")["EventBusArn"]
    plain, plain_arn = queue("plain")
    fifo, fifo_arn = queue("fifo.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    text, text_arn = queue("text")
    dead, dead_arn = queue("dead")
    transformer = {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '{"order": <id>, "rule": "<aws.events.rule-name>"}'}
    rule("large", {"source": ["shop"], "detail": {"total": [{"numeric": [">=", 100]}]}}, [
        {"Id": "plain", "Arn": plain_arn},
        {"Id": "fifo", "Arn": fifo_arn, "SqsParameters": {"MessageGroupId": "orders"}},
        {"Id": "text", "Arn": text_arn, "InputTransformer": transformer},
        {"Id": "gone", "Arn": plain_arn + "-gone", "DeadLetterConfig": {"Arn": dead_arn}},
    ], bus="orders")
    put({"id": 1, "total": 99}, "orders")
    put({"id": 2, "total": 100})
    id = put({"id": 3, "total": 100}, arn)
    event = json.loads(receive(plain)[0]["Body"])
    assert event["id"] == id and event["detail"] == {"id": 3, "total": 100} and event["detail-type"] == "order", event
    assert json.loads(receive(fifo)[0]["Body"]) == event
    assert json.loads(receive(text)[0]["Body"]) == {"order": 3, "rule": "large"}
    letter = receive(dead)[0]
    assert json.loads(letter["Body"]) == event
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "NO_RESOURCE", letter
    assert letter["MessageAttributes"]["TARGET_ARN"]["StringValue"] == plain_arn + "-gone"
    event["detail"]["total"] = 5
    pattern = json.dumps({"detail": {"total": [5]}})
    assert events.test_event_pattern(EventPattern=pattern, Event=json.dumps(event))["Result"]
    refused("InvalidEventPatternException", events.put_rule, Name="bad", EventPattern='{"source": "shop"}')
    refused("ResourceNotFoundException", events.describe_rule, Name="nothing")


def function():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("handler.py", "def handle(event, context):\n    return event['detail']\n")
    functions = boto3.client("lambda", endpoint_url=ENDPOINT)
    arn = functions.create_function(
        FunctionName="react", Runtime="python3.12", Handler="handler.handle", Code={"ZipFile": archive.getvalue()},
        Role="arn:aws:iam::000000000000:role/any")["FunctionArn"]
    functions.get_waiter("function_active_v2").wait(FunctionName="react")
    done, done_arn = queue("done")
    functions.put_function_event_invoke_config(FunctionName="react", DestinationConfig={"OnSuccess": {"Destination": done_arn}})
    rule("react", {"detail-type": ["order"]}, [{"Id": "f", "Arn": arn}])
    id = put({"id": 7})
    record = json.loads(receive(done)[0]["Body"])
    assert record["requestPayload"]["id"] == id and record["responsePayload"] == {"id": 7}, record


def many():
    """Three hundred rules, each for one order."""
    url, arn = queue("many")
    events.create_event_bus(Name="many")
    for n in range(300):
        rule(f"r{n}", {"detail": {"n": [n]}}, [{"Id": "q", "Arn": arn, "Input": str(n)}], bus="many")
    pages = [events.list_rules(EventBusName="many")]
    while "NextToken" in pages[-1]:
        pages.append(events.list_rules(EventBusName="many", NextToken=pages[-1]["NextToken"]))
    assert sum(len(page["Rules"]) for page in pages) == 300
    for n in (0, 150, 299, 300):
        put({"n": n}, "many")
    assert sorted(message["Body"] for message in receive(url, 3)) == ["0", "150", "299"]


def replay():
    url, arn = queue("replayed")
    bus = events.create_event_bus(Name="kept")["EventBusArn"]
    archive = events.create_archive(ArchiveName="all", EventSourceArn=bus, RetentionDays=1)["ArchiveArn"]
    rule("all", {"source": ["shop"]}, [{"Id": "q", "Arn": arn}], bus="kept")
    for n in range(30):
        put({"n": n}, "kept")
    receive(url, 30)
    assert events.describe_archive(ArchiveName="all")["EventCount"] == 30
    now = datetime.now(timezone.utc)
    events.start_replay(
        ReplayName="again", EventSourceArn=archive, Destination={"Arn": bus},
        EventStartTime=now - timedelta(hours=1), EventEndTime=now + timedelta(hours=1))
    again = [json.loads(message["Body"]) for message in receive(url, 30)]
    assert sorted(event["detail"]["n"] for event in again) == list(range(30))
    assert {event["replay-name"] for event in again} == {"again"}
    deadline = time.monotonic() + 30
    while events.describe_replay(ReplayName="again")["State"] != "COMPLETED":
        assert time.monotonic() < deadline
        time.sleep(0.1)


class Endpoint(BaseHTTPRequestHandler):
    """Refuses the first request, and keeps what it sees."""

    seen = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Endpoint.seen.append((self.path, self.headers, body))
        self.send_response(503 if len(Endpoint.seen) == 1 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def destination():
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}}
    connection = events.create_connection(Name="c", AuthorizationType="API_KEY", AuthParameters=key)["ConnectionArn"]
    assert "secret" not in str(events.describe_connection(Name="c"))
    arn = events.create_api_destination(
        Name="d", ConnectionArn=connection, HttpMethod="POST",
        InvocationEndpoint=f"http://127.0.0.1:{server.server_port}/orders/*")["ApiDestinationArn"]
    rule("out", {"detail": {"out": [True]}}, [{"Id": "d", "Arn": arn, "HttpParameters": {"PathParameterValues": ["$.detail.id"]}}])
    id = put({"out": True, "id": 7})
    deadline = time.monotonic() + 60
    while len(Endpoint.seen) < 2:
        assert time.monotonic() < deadline, Endpoint.seen
        time.sleep(0.05)
    for path, headers, event in Endpoint.seen:
        assert path == "/orders/7" and headers["x-key"] == "secret" and event["id"] == id, (path, event)


def cloud_events():
    url, arn = queue("clouds")
    rule("clouds", {"source": ["/clouds"]}, [{"Id": "q", "Arn": arn}])
    event = {"specversion": "1.0", "id": "7", "source": "/clouds", "type": "rain", "subject": "north", "data": {"mm": 3}}

    def post(body, headers):
        request = urllib.request.Request(f"{ENDPOINT}/_tradewind/events/default", json.dumps(body).encode(), headers)
        return urllib.request.urlopen(request).status

    assert post(event, {"content-type": "application/cloudevents+json"}) == 200
    binary = {f"ce-{name}": event[name] for name in ("specversion", "id", "source", "type", "subject")}
    assert post(event["data"], {"content-type": "application/json", **binary}) == 200
    for message in receive(url, 2):
        got = json.loads(message["Body"])
        assert (got["id"], got["detail-type"], got["resources"], got["detail"]) == ("7", "rain", ["north"], {"mm": 3}), got
    try:
        post({}, {"content-type": "application/cloudevents+json"})
        raise AssertionError("it is no CloudEvent")
    except urllib.error.HTTPError as error:
        assert error.code == 400 and b"specversion" in error.read()


def configure():
    """What `kept` finds after the node was killed."""
    _, arn = queue("after")
    events.create_event_bus(Name="lasting", Tags=[{"Key": "team", "Value": "shop"}])
    rule("all", {"source": ["shop"]}, [{"Id": "q", "Arn": arn}], bus="lasting")
    events.put_rule(Name="nightly", ScheduleExpression="cron(0 3 * * ? *)", State="DISABLED")
    put({"n": 1}, "lasting")


def kept():
    url, _ = queue("after")
    put({"n": 2}, "lasting")
    assert sorted(json.loads(message["Body"])["detail"]["n"] for message in receive(url, 2)) == [1, 2]
    assert events.describe_rule(Name="nightly")["ScheduleExpression"] == "cron(0 3 * * ? *)"


globals()[PART]()
print(f"ok {PART}")
