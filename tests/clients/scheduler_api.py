"""EventBridge Scheduler as boto3 sees it: `scheduler_api.py ENDPOINT PART [ARGUMENT…]`. Each part prints
`ok PART` when all of it held."""

import datetime
import os
import signal
import sys
import time

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
scheduler = boto3.client("scheduler", endpoint_url=ENDPOINT)
sqs = boto3.client("sqs", endpoint_url=ENDPOINT)
ROLE = "arn:aws:iam::000000000000:role/scheduler"


def at(seconds):
    """An expression for that many seconds from now, on whole seconds, and the time it means."""
    due = int(time.time()) + seconds
    return f"at({datetime.datetime.fromtimestamp(due, datetime.UTC):%Y-%m-%dT%H:%M:%S})", due


def queue(name):
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def create(name, expression, arn, **more):
    target = {"Arn": arn, "RoleArn": ROLE} | more.pop("Target", {})
    settings = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}}
    return scheduler.create_schedule(**settings, Target=target, **more)


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def receive(url):
    return sqs.receive_message(
        QueueUrl=url, WaitTimeSeconds=20, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    ).get("Messages", [])


def api():
    _, arn = queue("orders")
    start = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    group = scheduler.create_schedule_group(Name="reports", Tags=[{"Key": "team", "Value": "shop"}])["ScheduleGroupArn"]
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "team", "Value": "shop"}]
    scheduler.tag_resource(ResourceArn=group, Tags=[{"Key": "stage", "Value": "dev"}])
    scheduler.untag_resource(ResourceArn=group, TagKeys=["team"])
    assert scheduler.list_tags_for_resource(ResourceArn=group)["Tags"] == [{"Key": "stage", "Value": "dev"}]
    more = {"GroupName": "reports", "ScheduleExpressionTimezone": "Europe/Berlin", "StartDate": start}
    made = create("nightly", "cron(0 2 L * ? *)", arn, Target={"Input": "{}"}, **more)
    assert made["ScheduleArn"] == "arn:aws:scheduler:us-east-1:000000000000:schedule/reports/nightly", made
    shown = scheduler.get_schedule(Name="nightly", GroupName="reports")
    assert (shown["StartDate"], shown["State"], shown["ScheduleExpressionTimezone"]) == (start, "ENABLED", "Europe/Berlin")
    assert shown["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    for number in range(5):
        create(f"s{number}", "rate(1 day)", arn, State="DISABLED", ActionAfterCompletion="DELETE")
    pages = scheduler.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 2})
    names = [schedule["Name"] for page in pages for schedule in page["Schedules"]]
    assert names == ["s0", "s1", "s2", "s3", "s4", "nightly"], names
    assert [g["Name"] for g in scheduler.list_schedule_groups()["ScheduleGroups"]] == ["default", "reports"]
    refused("ConflictException", create, name="s0", expression="rate(1 day)", arn=arn)
    text = refused("ValidationException", create, name="bad", expression="cron(0 2 * * * *)", arn=arn)
    assert text.startswith("Invalid Schedule Expression cron(0 2 * * * *)."), text
    universal = "arn:aws:scheduler:::aws-sdk:ec2:stopInstances"
    text = refused("ValidationException", create, name="bad", expression="rate(1 day)", arn=universal)
    assert "ec2:stopInstances" in text, text
    scheduler.delete_schedule(Name="s0")
    assert refused("ResourceNotFoundException", scheduler.get_schedule, Name="s0") == "Schedule s0 does not exist."
    scheduler.delete_schedule_group(Name="reports")
    refused("ResourceNotFoundException", scheduler.get_schedule, Name="nightly", GroupName="reports")


def fires():
    url, arn = queue("due")
    expression, due = at(2)
    body = "<aws.scheduler.scheduled-time> <aws.scheduler.schedule-arn>"
    create("soon", expression, arn, Target={"Input": body}, ActionAfterCompletion="DELETE")
    create("lost", expression, arn + "-not", Target={"DeadLetterConfig": {"Arn": arn}})
    messages = []
    while len(messages) < 2:
        messages += receive(url)
    assert time.time() >= due
    by_body = {message["Body"].split()[0]: message for message in messages}
    expected = expression[3:-1] + "Z"
    arn_of_schedule = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/soon"
    assert by_body.pop(expected)["Body"] == f"{expected} {arn_of_schedule}", messages
    (dead,) = by_body.values()
    attributes = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "ResourceNotFoundException", attributes
    assert attributes["SCHEDULED_TIME"] == expected, attributes
    refused("ResourceNotFoundException", scheduler.get_schedule, Name="soon")
    scheduler.get_schedule(Name="lost")


def kill():
    """`kill ROUND PID MS`: makes many schedules that are due at one moment, and kills the node so long after it."""
    _, arn = queue("once")
    expression, due = at(3)
    for number in range(60):
        create(f"{sys.argv[3]}-{number}", expression, arn, Target={"Input": f"{sys.argv[3]}-{number}"})
    time.sleep(max(0, due + int(sys.argv[5]) / 1000 - time.time()))
    os.kill(int(sys.argv[4]), signal.SIGKILL)


def once():
    """Of each schedule of all rounds there is one message."""
    url, _ = queue("once")
    expected = int(sys.argv[3]) * 60
    bodies = []
    deadline = time.time() + 60
    while len(bodies) < expected and time.time() < deadline:
        messages = receive(url)
        bodies += [message["Body"] for message in messages]
    left = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])
    assert not left and len(bodies) == expected == len(set(bodies)), (len(bodies), len(set(bodies)), left)


{"api": api, "fires": fires, "kill": kill, "once": once}[PART]()
print(f"ok {PART}")
