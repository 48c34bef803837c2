"""CloudWatch Logs as boto3 sees it: `logs_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import base64
import gzip
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
client = boto3.client("logs", endpoint_url=ENDPOINT)
GROUP, STREAM = "/shop/audit", "till"


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, (found, error)
        return
    raise AssertionError(f"{code} was expected")


def now():
    return int(time.time() * 1000)


def put(messages, group=GROUP, stream=STREAM):
    at = now()
    events = [{"timestamp": at + n, "message": message} for n, message in enumerate(messages)]
    return client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def messages(answer):
    return [event["message"] for event in answer["events"]]


def events():
    client.create_log_group(logGroupName=GROUP, tags={"team": "shop"})
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    group = client.describe_log_groups(logGroupNamePrefix="/shop")["logGroups"][0]
    assert group["retentionInDays"] == 7 and group["arn"] == group["logGroupArn"] + ":*", group
    assert client.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"team": "shop"}
    assert "rejectedLogEventsInfo" not in put(['{"level": "error", "n": 1}', '{"level": "info"}', "läuft"])
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, filterPattern='{ $.level = "error" && $.n >= 1 }', PaginationConfig={"PageSize": 1}
    )
    assert [m for page in pages for m in messages(page)] == ['{"level": "error", "n": 1}']
    head = client.get_log_events(logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, limit=2)
    rest = client.get_log_events(logGroupName=GROUP, logStreamName=STREAM, nextToken=head["nextForwardToken"])
    assert messages(rest) == ["läuft"], rest
    stream = client.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"][0]
    assert stream["lastEventTimestamp"] == rest["events"][0]["timestamp"], stream
    old = [{"timestamp": now() - 20 * 86_400_000, "message": "old"}]
    answer = client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=old)
    assert answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1, answer
    refused("ResourceAlreadyExistsException", client.create_log_group, logGroupName=GROUP)
    refused("ResourceNotFoundException", client.get_log_events, logGroupName=GROUP, logStreamName="absent")
    refused("InvalidParameterException", client.filter_log_events, logGroupName=GROUP, filterPattern="{")
    refused("NotImplemented", client.start_query, logGroupName=GROUP, startTime=0, endTime=1, queryString="fields a")
    client.delete_log_group(logGroupName=GROUP)
    assert client.describe_log_groups()["logGroups"] == []


def fill():
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    for n in range(50):
        put([f"event {n}"])


def drain():
    found = messages(client.filter_log_events(logGroupName=GROUP))
    assert found == [f"event {n}" for n in range(50)], found


def follow():
    """As `aws logs tail --follow` of the AWS CLI's version 2 does it."""
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    since, seen, found = now(), set(), []
    for n in range(5):
        put([f"{n}a", f"{n}b"])
        parameters = {"logGroupName": GROUP, "interleaved": True, "startTime": since}
        while True:
            page = client.filter_log_events(**parameters)
            for event in page["events"]:
                if event["eventId"] not in seen:
                    seen.add(event["eventId"])
                    found.append(event["message"])
                since = event["timestamp"]
            if "nextToken" not in page:
                break
            parameters["nextToken"] = page["nextToken"]
    assert found == [f"{n}{letter}" for n in range(5) for letter in "ab"], found


def subscribed():
    """A deployed function `collect` gets what another, `say`, prints, and prints what it got."""
    functions = boto3.client("lambda", endpoint_url=ENDPOINT)
    arns = {f["FunctionName"].rsplit("-")[-1]: f["FunctionArn"] for f in functions.list_functions()["Functions"]}
    say, collect = (f"/aws/lambda/{arns[name].rsplit(':')[-1]}" for name in ("say", "collect"))
    filters = client.describe_subscription_filters(logGroupName=say)["subscriptionFilters"]
    assert [f["filterPattern"] for f in filters] == ["ORDER"], filters
    refused(
        "InvalidParameterException",
        client.put_subscription_filter,
        logGroupName=collect,
        filterName="self",
        filterPattern="",
        destinationArn=arns["collect"],
    )
    functions.invoke(FunctionName=arns["say"], Payload=json.dumps({"order": 7}))
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            found = messages(client.filter_log_events(logGroupName=collect, filterPattern='"GOT "'))
        except client.exceptions.ResourceNotFoundException:
            found = []
        if found:
            break
        time.sleep(0.1)
    assert len(found) == 1, found
    packed = json.loads(found[0].split("GOT ", 1)[1])["awslogs"]["data"]
    data = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert data["messageType"] == "DATA_MESSAGE" and data["logGroup"] == say, data
    assert len(data["logEvents"]) == 1 and "ORDER 7" in data["logEvents"][0]["message"], data


{"events": events, "fill": fill, "drain": drain, "follow": follow, "subscribed": subscribed}[PART]()
print("ok", PART)
