"""What a release leaves behind: `released.py fill|check ENDPOINT`, and `released.py schema|empty FILE` of an SQLite file.

`fill` puts something into every service of a node, so that its data folder can be kept as that of a release
(CONTRIBUTING.md says when); `check` finds it all on a node of today, whatever has changed in between. What is looked
for must not run out: messages, archives and logs of years ago may be gone, so `check` does not ask for them.
"""

import io
import json
import sqlite3
import sys
import time
import urllib.request
import zipfile

import boto3

ACTION, SUBJECT = sys.argv[1], sys.argv[2]
ENDPOINT = SUBJECT if ACTION in ("fill", "check") else "http://127.0.0.1:9"
ACCOUNT, REGION = "000000000000", "us-east-1"
session = boto3.Session(ACCOUNT, "secret", region_name=REGION)
apis = ("lambda", "sqs", "sns", "s3", "events", "scheduler", "secretsmanager", "sesv2", "logs", "pipes")
functions, sqs, sns, s3, events, scheduler, secrets, mail, logs, pipes = (
    session.client(name, endpoint_url=ENDPOINT) for name in apis)

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"
LARGE = b"tradewind " * 2_000  # more than a row held in 0.1.0: a file there, a row since
HUGE = b"tradewind " * 7_000  # more than a row holds since then; 0.1.0 left no such object
CODE = "def handler(event, context):\n    return {'seen': event}\n"


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def zipped(name, text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def fill():
    fill_queues()
    fill_objects()
    fill_functions()
    fill_events()
    fill_the_rest()


def fill_queues():
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    orders = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "77"}, tags={"team": "shop"})["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": arn("sqs", "dead"), "maxReceiveCount": "3"})
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    ordered = sqs.create_queue(QueueName="ordered.fifo", Attributes=fifo)["QueueUrl"]
    sqs.create_queue(QueueName="retried", Attributes={"RedrivePolicy": redrive})
    for number in range(20):
        sqs.send_message(QueueUrl=orders, MessageBody=f"order {number}", MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "order"}})
        sqs.send_message(QueueUrl=dead, MessageBody=f"letter {number}")
    for number in range(3):
        sqs.send_message(QueueUrl=ordered, MessageBody=f"step {number}", MessageGroupId="a")
    sqs.receive_message(QueueUrl=ordered, VisibilityTimeout=600)
    sqs.start_message_move_task(SourceArn=arn("sqs", "dead"), MaxNumberOfMessagesPerSecond=1)
    gone = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.delete_queue(QueueUrl=gone)


def fill_objects():
    s3.create_bucket(Bucket="shop", ObjectLockEnabledForBucket=True)
    s3.put_bucket_tagging(Bucket="shop", Tagging={"TagSet": [{"Key": "team", "Value": "shop"}]})
    s3.put_bucket_policy(Bucket="shop", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/*"}]}))
    s3.put_object(Bucket="shop", Key="small", Body=b"mug", Metadata={"colour": "blue"}, Tagging="a=b")
    s3.put_object(Bucket="shop", Key="large", Body=LARGE)
    s3.put_object(Bucket="shop", Key="huge", Body=HUGE)
    s3.put_object(Bucket="shop", Key="sealed", Body=LARGE, ServerSideEncryption="AES256")
    s3.put_object(Bucket="shop", Key="twice", Body=b"one")
    s3.put_object(Bucket="shop", Key="twice", Body=b"two")
    s3.delete_object(Bucket="shop", Key="twice")
    upload = s3.create_multipart_upload(Bucket="shop", Key="unfinished")["UploadId"]
    s3.upload_part(Bucket="shop", Key="unfinished", UploadId=upload, PartNumber=1, Body=LARGE)


def fill_functions():
    layer = functions.publish_layer_version(LayerName="shared", Content={"ZipFile": zipped("python/shared.py", "X = 1\n")})
    functions.create_function(
        FunctionName="basket", Runtime="python3.11", Handler="index.handler", Role=ROLE, Publish=True, Tags={"team": "shop"},
        Code={"ZipFile": zipped("index.py", CODE)}, Layers=[layer["LayerVersionArn"]],
        Environment={"Variables": {"SHOP": "tradewind"}})
    functions.get_waiter("function_active_v2").wait(FunctionName="basket")
    functions.create_alias(FunctionName="basket", Name="live", FunctionVersion="1")
    functions.create_function_url_config(FunctionName="basket", AuthType="NONE")
    functions.add_permission(FunctionName="basket", StatementId="s", Action="lambda:InvokeFunction", Principal="events.amazonaws.com")
    functions.put_function_event_invoke_config(FunctionName="basket", MaximumRetryAttempts=1)
    functions.put_provisioned_concurrency_config(FunctionName="basket", Qualifier="live", ProvisionedConcurrentExecutions=1)
    functions.create_event_source_mapping(FunctionName="basket", EventSourceArn=arn("sqs", "retried"), Enabled=False)
    assert json.load(functions.invoke(FunctionName="basket", Payload=b"1")["Payload"]) == {"seen": 1}
    functions.create_function(
        FunctionName="stopped", Runtime="python3.11", Handler="index.handler", Role=ROLE, Code={"ZipFile": zipped("index.py", CODE)})
    functions.put_function_concurrency(FunctionName="stopped", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="stopped", InvocationType="Event", Payload=b"{}")


def fill_events():
    topic = sns.create_topic(Name="news", Tags=[{"Key": "team", "Value": "shop"}])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn("sqs", "orders"), Attributes={
        "FilterPolicy": json.dumps({"kind": ["order"]})})
    ordered = sns.create_topic(Name="ordered.fifo", Attributes={"FifoTopic": "true", "ContentBasedDeduplication": "true"})["TopicArn"]
    sns.subscribe(TopicArn=ordered, Protocol="sqs", Endpoint=arn("sqs", "ordered.fifo"))
    sns.publish(TopicArn=ordered, Message="first", MessageGroupId="a")
    sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://127.0.0.1:9/nobody")
    bus = events.create_event_bus(Name="shop")["EventBusArn"]
    events.create_archive(ArchiveName="all", EventSourceArn=bus, RetentionDays=0)
    events.put_rule(Name="large", EventBusName="shop", EventPattern=json.dumps({"detail": {"total": [{"numeric": [">", 10]}]}}))
    events.put_targets(Rule="large", EventBusName="shop", Targets=[{"Id": "1", "Arn": arn("sqs", "orders")}])
    events.put_rule(Name="daily", ScheduleExpression="rate(1 day)")
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": '{"total": 11}', "EventBusName": "shop"}])
    scheduler.create_schedule_group(Name="reports")
    scheduler.create_schedule(
        Name="nightly", GroupName="reports", ScheduleExpression="cron(0 2 L * ? *)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arn("sqs", "orders"), "RoleArn": ROLE, "Input": "{}"})
    pipes.create_pipe(
        Name="orders", RoleArn=ROLE, DesiredState="STOPPED", Source=arn("sqs", "retried"), Target=arn("sqs", "orders"))


def fill_the_rest():
    secrets.create_secret(Name="card", SecretString="4111")
    mail.create_email_identity(EmailIdentity="shop@example.com")
    logs.create_log_group(logGroupName="/shop/web")
    logs.create_log_stream(logGroupName="/shop/web", logStreamName="one")
    logs.put_retention_policy(logGroupName="/shop/web", retentionInDays=3653)
    logs.put_log_events(logGroupName="/shop/web", logStreamName="one", logEvents=[
        {"timestamp": int(time.time() * 1000), "message": "hello"}])
    logs.put_subscription_filter(
        logGroupName="/shop/web", filterName="errors", filterPattern="ERROR", destinationArn=arn("lambda", "function:stopped"))


def check():
    attributes = sqs.get_queue_attributes(QueueUrl=sqs.get_queue_url(QueueName="orders")["QueueUrl"], AttributeNames=["All"])
    assert attributes["Attributes"]["VisibilityTimeout"] == "77", attributes
    names = [url.rsplit("/", 1)[1] for url in sqs.list_queues()["QueueUrls"]]
    assert names == ["dead", "ordered.fifo", "orders", "retried"], names
    check_objects()
    check_functions()
    check_events()
    assert secrets.get_secret_value(SecretId="card")["SecretString"] == "4111"
    assert mail.get_email_identity(EmailIdentity="shop@example.com")["IdentityType"] == "EMAIL_ADDRESS"
    groups = {group["logGroupName"]: group for group in logs.describe_log_groups()["logGroups"]}
    assert groups["/shop/web"]["retentionInDays"] == 3653, groups
    filters = logs.describe_subscription_filters(logGroupName="/shop/web")["subscriptionFilters"]
    assert [found["filterPattern"] for found in filters] == ["ERROR"], filters


def check_objects():
    small = s3.get_object(Bucket="shop", Key="small")
    assert (small["Body"].read(), small["Metadata"]) == (b"mug", {"colour": "blue"}), small
    for key in ("large", "sealed"):
        assert s3.get_object(Bucket="shop", Key=key)["Body"].read() == LARGE, key
    if s3.list_objects_v2(Bucket="shop", Prefix="huge")["KeyCount"]:
        assert s3.get_object(Bucket="shop", Key="huge")["Body"].read() == HUGE
    versions = s3.list_object_versions(Bucket="shop", Prefix="twice")
    assert (len(versions["Versions"]), len(versions["DeleteMarkers"])) == (2, 1), versions
    uploads = s3.list_multipart_uploads(Bucket="shop")["Uploads"]
    parts = s3.list_parts(Bucket="shop", Key="unfinished", UploadId=uploads[0]["UploadId"])["Parts"]
    done = {"Parts": [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]}
    s3.complete_multipart_upload(Bucket="shop", Key="unfinished", UploadId=uploads[0]["UploadId"], MultipartUpload=done)
    assert s3.get_object(Bucket="shop", Key="unfinished")["Body"].read() == LARGE
    assert s3.get_bucket_tagging(Bucket="shop")["TagSet"] == [{"Key": "team", "Value": "shop"}]
    assert "s3:GetObject" in s3.get_bucket_policy(Bucket="shop")["Policy"]


def check_functions():
    seen = functions.invoke(FunctionName="basket", Qualifier="live", Payload=b"2")["Payload"]
    assert json.load(seen) == {"seen": 2}
    found = functions.get_function(FunctionName="basket")
    assert found["Tags"] == {"team": "shop"} and found["Configuration"]["Environment"]["Variables"] == {"SHOP": "tradewind"}, found
    assert functions.get_function_url_config(FunctionName="basket")["AuthType"] == "NONE"
    assert "events.amazonaws.com" in functions.get_policy(FunctionName="basket")["Policy"]
    assert functions.get_function_event_invoke_config(FunctionName="basket")["MaximumRetryAttempts"] == 1
    assert functions.get_function_concurrency(FunctionName="stopped")["ReservedConcurrentExecutions"] == 0
    mappings = functions.list_event_source_mappings(FunctionName="basket")["EventSourceMappings"]
    assert [mapping["EventSourceArn"] for mapping in mappings] == [arn("sqs", "retried")], mappings
    provisioned = functions.get_provisioned_concurrency_config(FunctionName="basket", Qualifier="live")
    assert provisioned["RequestedProvisionedConcurrentExecutions"] == 1
    # of the stack that was deployed
    listed = json.load(urllib.request.urlopen(f"{ENDPOINT}/_tradewind/functions"))["functions"]
    urls = [url["url"] for function in listed for url in function["urls"] if url["url"].endswith("/hello")]
    assert urllib.request.urlopen(urls[0]).read() == b"hi", listed


def check_events():
    topics = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    assert topics == [arn("sns", "news"), arn("sns", "ordered.fifo")], topics
    assert len(sns.list_subscriptions()["Subscriptions"]) >= 2
    assert [rule["Name"] for rule in events.list_rules(EventBusName="shop")["Rules"] if "Managed" not in rule["Name"]] == ["large"]
    assert [target["Id"] for target in events.list_targets_by_rule(Rule="large", EventBusName="shop")["Targets"]] == ["1"]
    assert events.describe_rule(Name="daily")["ScheduleExpression"] == "rate(1 day)"
    assert events.describe_archive(ArchiveName="all")["EventCount"] == 1
    assert scheduler.get_schedule(Name="nightly", GroupName="reports")["ScheduleExpression"] == "cron(0 2 L * ? *)"
    assert pipes.describe_pipe(Name="orders")["CurrentState"] == "STOPPED"


def schema():
    """Every table and index as it was made, one a line."""
    rows = sqlite3.connect(SUBJECT).execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
    print("\n".join(sorted(" ".join(sql.split()) for (sql,) in rows)))


def empty():
    """The tables without rows, one a line."""
    file = sqlite3.connect(SUBJECT)
    names = [name for (name,) in file.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    print("\n".join(name for name in names if not file.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()))


if __name__ == "__main__":
    {"fill": fill, "check": check, "schema": schema, "empty": empty}[ACTION]()
    if ACTION in ("fill", "check"):
        print(f"ok {ACTION}")
