"""Event source mappings as boto3 sees them: `mappings.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import collections
import io
import json
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
functions = boto3.client("lambda", endpoint_url=ENDPOINT)
queues = boto3.client("sqs", endpoint_url=ENDPOINT)

# Sends a message for each record to `out.fifo`, in order; fails those that say so.
HANDLER = """
exports.handler = async (event) => {
  const call = (action, body) => fetch(process.env.AWS_ENDPOINT_URL, {method: 'POST', body: JSON.stringify(body),
    headers: {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': `AmazonSQS.${action}`}});
  const {QueueUrl} = await (await call('GetQueueUrl', {QueueName: 'out.fifo'})).json();
  const failed = [];
  for (const record of event.Records) {
    const {messageId, body, attributes, receiptHandle} = record;
    if (body.startsWith('poison')) { failed.push({itemIdentifier: messageId}); continue; }
    const said = {record, batch: event.Records.length};
    const sent = await call('SendMessage', {QueueUrl, MessageBody: JSON.stringify(said),
      MessageGroupId: attributes.MessageGroupId ?? 'none', MessageDeduplicationId: receiptHandle});
    if (!sent.ok) throw new Error(await sent.text());
  }
  return {batchItemFailures: failed};
};
"""
GROUPS, EACH = 8, 40


def arn(name):
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


def url(name):
    return queues.get_queue_url(QueueName=name)["QueueUrl"]


def package(source):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.js", source)
    return archive.getvalue()


def prepare():
    fifo = {"FifoQueue": "true"}
    queues.create_queue(QueueName="out.fifo", Attributes=fifo)
    queues.create_queue(QueueName="dead")
    redrive = json.dumps({"deadLetterTargetArn": arn("dead"), "maxReceiveCount": "2"})
    queues.create_queue(QueueName="in", Attributes={"VisibilityTimeout": "2", "RedrivePolicy": redrive})
    queues.create_queue(QueueName="in.fifo", Attributes={"VisibilityTimeout": "2", **fifo})
    functions.create_function(
        FunctionName="tell", Runtime="nodejs20.x", Handler="index.handler", Timeout=2,
        Role="arn:aws:iam::000000000000:role/r", Code={"ZipFile": package(HANDLER)},
    )


def wait_for(what, probe, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"timed out: {what}")


def depth(name):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = queues.get_queue_attributes(QueueUrl=url(name), AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def told():
    """What the function said, in order; it is deleted."""
    all = []
    while True:
        found = queues.receive_message(QueueUrl=url("out.fifo"), MaxNumberOfMessages=10).get("Messages", [])
        if not found:
            return all
        all += [json.loads(message["Body"]) for message in found]
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(found)]
        queues.delete_message_batch(QueueUrl=url("out.fifo"), Entries=entries)


def send(name, bodies, group=None):
    for start in range(0, len(bodies), 10):
        entries = []
        for i, body in enumerate(bodies[start : start + 10]):
            entry = {"Id": str(i), "MessageBody": body}
            if group:
                entry |= {"MessageGroupId": group, "MessageDeduplicationId": f"{group}-{start + i}"}
            entries.append(entry)
        assert "Failed" not in queues.send_message_batch(QueueUrl=url(name), Entries=entries)


def mapping():
    prepare()
    made = functions.create_event_source_mapping(
        FunctionName="tell", EventSourceArn=arn("in"), FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": json.dumps({"body": [{"anything-but": ["noise"]}]})}]},
    )
    assert made["State"] == "Creating", made
    try:
        functions.create_event_source_mapping(FunctionName="tell", EventSourceArn=arn("in"))
        raise AssertionError("a second mapping of the pair")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceConflictException", error
    attributes = {"shop": {"DataType": "String", "StringValue": "north"}}
    sent = queues.send_message(QueueUrl=url("in"), MessageBody="first", MessageAttributes=attributes)
    send("in", ["noise", "poison", "second"])
    said = {}

    def both():
        said.update({one["record"]["body"]: one["record"] for one in told()})
        return len(said) == 2

    wait_for("two records", both)
    first = said["first"]
    assert first["messageId"] == sent["MessageId"]
    assert first["md5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    shop = {"stringValue": "north", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
    assert first["messageAttributes"] == {"shop": shop}, first
    assert (first["eventSource"], first["eventSourceARN"], first["awsRegion"]) == ("aws:sqs", arn("in"), "us-east-1")
    wait_for("the poison in the dead-letter queue", lambda: depth("in") == 0 and depth("dead") == 1)
    assert functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Enabled"
    functions.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    wait_for("rest", lambda: functions.get_event_source_mapping(UUID=made["UUID"])["State"] == "Disabled")
    send("in", ["kept"])
    assert functions.delete_event_source_mapping(UUID=made["UUID"])["State"] == "Deleting"
    assert functions.list_event_source_mappings(FunctionName="tell")["EventSourceMappings"] == []
    assert depth("in") == 1


def load():
    """Has the function at work when it returns."""
    prepare()
    for group in range(GROUPS):
        send("in.fifo", [str(i) for i in range(EACH)], str(group))
    send("in", [str(i) for i in range(GROUPS * EACH)])
    for name in ["in", "in.fifo"]:
        functions.create_event_source_mapping(
            FunctionName="tell", EventSourceArn=arn(name), BatchSize=3, ScalingConfig={"MaximumConcurrency": 3},
        )
    wait_for("work", lambda: depth("out.fifo") > 30)
    assert depth("in.fifo") > 0


def settled():
    """After a kill: every message was handled, and those of a group in order."""
    wait_for("empty queues", lambda: depth("in") == 0 and depth("in.fifo") == 0, 120)
    assert depth("dead") == 0
    seen = collections.defaultdict(list)
    for one in told():
        record = one["record"]
        seen[record["attributes"].get("MessageGroupId", "none")].append(int(record["body"]))
    assert set(seen.pop("none")) == set(range(GROUPS * EACH))
    assert len(seen) == GROUPS
    for group, bodies in seen.items():
        done = -1
        for body in bodies:
            assert body <= done + 1, (group, bodies)
            done = max(done, body)
        assert done == EACH - 1, (group, bodies)


globals()[PART]()
print(f"ok {PART}")
