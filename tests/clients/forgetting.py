"""What deletion leaves below the data folder: `forgetting.py ENDPOINT FOLDER`.

Canaries go through every service, are deleted as a user would, and are then looked for in every file, plain, in
base64 and in hexadecimal. Prints `ok` and how many there were. What is not deleted must still be there.
"""

import base64
import io
import json
import os
import re
import sys
import time
import urllib.request
import zipfile

import boto3

ENDPOINT, FOLDER = sys.argv[1], sys.argv[2]
canaries = {}
kept = {}


def client(service):
    return boto3.client(service, endpoint_url=ENDPOINT)


s3, sqs, sns, events, logs = (client(name) for name in ("s3", "sqs", "sns", "events", "logs"))
functions, scheduler, pipes, secrets = (client(name) for name in ("lambda", "scheduler", "pipes", "secretsmanager"))


def canary(place, into=canaries):
    """A text that stands nowhere else; `place` says where it was put."""
    text = f"cnry{place}{os.urandom(6).hex()}yrnc"
    into[text] = place
    return text


def management(method, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{ENDPOINT}/_tradewind/{path}", data=data, method=method)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


CANARY = re.compile(rb"cnry[0-9a-z]+?yrnc")
# how a canary begins in hexadecimal and, at each of its three places, in base64
BEGINS = re.compile(b"636e7279|636E7279|Y25ye|Nucn|jbnJ5")
RUN = re.compile(rb"[A-Za-z0-9+/]*")


def decoded(content):
    """What stands in the content in hexadecimal or base64 and may hold canaries."""
    for begins in BEGINS.finditer(content):
        at = begins.start()
        while at > 0 and begins.start() - at < 64 and RUN.fullmatch(content[at - 1 : at]):
            at -= 1
        run = RUN.match(content, at).group()[:2048]
        for skipped in range(4):
            cut = run[skipped:]
            yield base64.b64decode(cut[: len(cut) // 4 * 4])
        if re.fullmatch(b"[0-9a-fA-F]*", run):
            yield bytes.fromhex(run[: len(run) // 2 * 2].decode())


def seen(texts):
    """Which of the texts stand in which files."""
    found = {}
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            path = os.path.join(folder, name)
            try:
                content = open(path, "rb").read() + path.encode()
            except OSError:
                continue
            for form in (content, *decoded(content)):
                for hit in set(CANARY.findall(form)):
                    if hit.decode() in texts:
                        found.setdefault(hit.decode(), set()).add(os.path.relpath(path, FOLDER))
    return found


def contents():
    blobs = os.path.join(FOLDER, "blobs")
    return [name for _, _, names in os.walk(blobs) for name in names if name != "tradewind-store"]


def eventually(what, look, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = look()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


def objects():
    s3.create_bucket(Bucket="forgetting")
    s3.put_bucket_versioning(Bucket="forgetting", VersioningConfiguration={"Status": "Enabled"})
    key = f"people/{canary('key')}.json"
    for size in (10, 10_000, 100_000):
        body = (canary(f"object{size}") * size)[: max(size, 40)]
        metadata, tag = {"who": canary("metadata")}, f"who={canary('tag')}"
        s3.put_object(Bucket="forgetting", Key=key, Body=body, Metadata=metadata, Tagging=tag)
    s3.delete_object(Bucket="forgetting", Key=key)
    part = (canary("part") * 400_000)[: 5 * 1024 * 1024]
    for ends in (s3.abort_multipart_upload, None):
        upload = s3.create_multipart_upload(Bucket="forgetting", Key=key, Metadata={"who": canary("upload")})
        of = {"Bucket": "forgetting", "Key": key, "UploadId": upload["UploadId"]}
        tags = [s3.upload_part(**of, PartNumber=n, Body=part)["ETag"] for n in (1, 2)]
        if ends:
            ends(**of)
            continue
        parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
        s3.complete_multipart_upload(**of, MultipartUpload={"Parts": parts})
    s3.put_object(Bucket="forgetting", Key="stays", Body="stays")

    def delete():
        versions = s3.list_object_versions(Bucket="forgetting", Prefix="people/")
        for version in versions["Versions"] + versions["DeleteMarkers"]:
            s3.delete_object(Bucket="forgetting", Key=version["Key"], VersionId=version["VersionId"])

    return delete


def take(url, texts):
    """Receives and deletes messages until each text was in one."""
    missing = set(texts)

    def some():
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        for message in got:
            missing.difference_update([text for text in missing if text in message["Body"]])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return not missing

    eventually(f"{missing} in {url}", some)


def queue(name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def messages():
    urls = [queue("taken")[0], queue("purged")[0], queue("deleted")[0]]
    fifo, _ = queue("taken.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    taken = canary("message")
    for url in urls:
        for _ in range(30):
            attribute = {"who": {"DataType": "String", "StringValue": canary("messageattribute")}}
            body = taken + canary("message") * 20
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attribute)
    group, ordered = canary("messagegroup"), canary("fifomessage")
    sqs.send_message(QueueUrl=fifo, MessageBody=ordered, MessageGroupId=group)
    stays, _ = queue("stays")
    sqs.send_message(QueueUrl=stays, MessageBody=canary("message", kept))

    def delete():
        ended = []
        while not ended:
            got = sqs.receive_message(QueueUrl=urls[0], MaxNumberOfMessages=10).get("Messages", [])
            for message in got:
                sqs.delete_message(QueueUrl=urls[0], ReceiptHandle=message["ReceiptHandle"])
            ended = [True] if not got else []
        sqs.purge_queue(QueueUrl=urls[1])
        sqs.delete_queue(QueueUrl=urls[2])
        take(fifo, [ordered])

    return delete


def published():
    url, arn = queue("subscribed")
    topic = sns.create_topic(Name="forgetting", Attributes={"DisplayName": canary("displayname")})["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    text = canary("published")
    attributes = {"who": {"DataType": "String", "StringValue": canary("publishedattribute")}}
    sns.publish(TopicArn=topic, Message=text, Subject=canary("subject"), MessageAttributes=attributes)

    def delete():
        take(url, [text])
        sns.delete_topic(TopicArn=topic)

    return delete


def on_a_bus():
    url, arn = queue("routed")
    bus = events.create_event_bus(Name="forgetting")["EventBusArn"]
    events.create_archive(ArchiveName="forgetting", EventSourceArn=bus)
    events.put_rule(Name="forgetting", EventBusName="forgetting", EventPattern=json.dumps({"source": ["shop"]}), Description=canary("rule"))
    template = {"InputPathsMap": {"who": "$.detail.who"}, "InputTemplate": json.dumps({"who": "<who>", "said": canary("template")})}
    target = [{"Id": "1", "Arn": arn, "InputTransformer": template}]
    events.put_targets(Rule="forgetting", EventBusName="forgetting", Targets=target)
    text = canary("event")
    entry = {"Source": "shop", "DetailType": "Said", "Detail": json.dumps({"who": text}), "EventBusName": "forgetting"}
    assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def delete():
        take(url, [text])
        events.delete_archive(ArchiveName="forgetting")
        events.remove_targets(Rule="forgetting", EventBusName="forgetting", Ids=["1"])
        events.delete_rule(Name="forgetting", EventBusName="forgetting")
        events.delete_event_bus(Name="forgetting")

    return delete


def logged():
    now = int(time.time() * 1000)
    for group in ("/forgetting/streams", "/forgetting/group"):
        logs.create_log_group(logGroupName=group)
        for stream in ("deleted", "stays"):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
    for group, stream, into in (
        ("/forgetting/streams", "deleted", canaries),
        ("/forgetting/streams", "stays", kept),
        ("/forgetting/group", "deleted", canaries),
    ):
        said = [{"timestamp": now, "message": canary("log", into)} for _ in range(20)]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=said)

    def delete():
        logs.delete_log_stream(logGroupName="/forgetting/streams", logStreamName="deleted")
        logs.delete_log_group(logGroupName="/forgetting/group")

    return delete


HANDLER = """
def handler(event, context):
    # CODE
    print("got", event)
    with open("/tmp/seen", "w") as file:
        file.write(str(event))
    if event.get("fails"):
        raise ValueError(event["fails"])
    return event
"""


def in_functions():
    role = "arn:aws:iam::000000000000:role/forgetting"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", HANDLER.replace("CODE", canary("code")))
    url, arn = queue("failed")
    functions.create_function(
        FunctionName="forgetting",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
        Description=canary("function"),
        Environment={"Variables": {"WHO": canary("environment")}},
        Tags={"who": canary("functiontag")},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="forgetting")
    functions.put_function_event_invoke_config(
        FunctionName="forgetting", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    functions.invoke(FunctionName="forgetting", Payload=json.dumps({"who": canary("payload")}))
    failed = functions.invoke(FunctionName="forgetting", Payload=json.dumps({"fails": canary("error")}))
    assert "FunctionError" in failed
    text = canary("asynchronous")
    functions.invoke(FunctionName="forgetting", InvocationType="Event", Payload=json.dumps({"fails": text}))

    def delete():
        take(url, [text])
        functions.delete_function(FunctionName="forgetting")
        logs.delete_log_group(logGroupName="/aws/lambda/forgetting")

    return delete


def scheduled():
    _, arn = queue("scheduled")
    role = "arn:aws:iam::000000000000:role/forgetting"
    target = {"Arn": arn, "RoleArn": role, "Input": json.dumps({"who": canary("schedule")})}
    scheduler.create_schedule(
        Name="forgetting", ScheduleExpression="at(2099-01-01T00:00:00)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target
    )
    _, source = queue("piped")
    pipes.create_pipe(
        Name="forgetting", Source=source, Target=arn, RoleArn=role, DesiredState="STOPPED", TargetParameters={"InputTemplate": json.dumps({"who": canary("pipe")})}
    )

    def delete():
        scheduler.delete_schedule(Name="forgetting")
        pipes.delete_pipe(Name="forgetting")

    return delete


def secret():
    name = f"forgetting/{canary('secretname')}"
    secrets.create_secret(
        Name=name, SecretString=canary("secret"), Description=canary("secretdescription"), Tags=[{"Key": "who", "Value": canary("secrettag")}]
    )
    secrets.put_secret_value(SecretId=name, SecretString=canary("secret"))
    return lambda: secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def in_stacks():
    assumed = {"Version": "2012-10-17", "Statement": []}
    template = {
        "Parameters": {"Who": {"Type": "String"}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "who", "Value": {"Ref": "Who"}}]}},
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": assumed, "Description": canary("role")}},
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": canary("api"), "ProtocolType": "HTTP"}},
        },
        "Outputs": {"Who": {"Value": {"Ref": "Who"}}},
    }
    done = management("POST", "stacks/forgetting", {"template": template, "parameters": {"Who": canary("parameter")}})
    assert b"CREATE_COMPLETE" in done.splitlines()[-1], done

    def delete():
        done = management("DELETE", "stacks/forgetting")
        assert b"DELETE_COMPLETE" in done.splitlines()[-1], done

    return delete


parts = [objects, messages, published, on_a_bus, logged, in_functions, scheduled, secret, in_stacks]
deletions = [part() for part in parts]
eventually("the function's log", lambda: {canaries[text] for text in seen(canaries)} >= {"payload", "error"})
before = {canaries[text] for text in seen(canaries)}
# what objects hold is encrypted, also before
plain = {"key", "metadata", "message", "log", "environment", "code", "event", "schedule", "parameter", "payload", "secrettag"}
assert plain <= before, plain - before
assert len(contents()) >= 3, contents()
for delete in deletions:
    delete()


def scrubbed():
    management("POST", "scrub")
    return not seen(canaries) and not contents()


try:
    eventually("nothing to be left", scrubbed)
except AssertionError:
    left = seen(canaries)
    for place in sorted({canaries[text] for text in left}):
        of_it = [files for text, files in left.items() if canaries[text] == place]
        print(f"left: {len(of_it)} of {place} in {sorted(set().union(*of_it))}")
    print("contents:", contents())
    raise SystemExit(1)
lost = [kept[text] for text in kept if text not in seen(kept)]
assert not lost, lost
assert s3.get_object(Bucket="forgetting", Key="stays")["Body"].read() == b"stays"
print(f"ok {len(canaries)}")
