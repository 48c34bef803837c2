"""A node whose wall clock is set while things wait: `clock_steps.py ENDPOINT CLOCK PART [PID]`. Each part prints `ok
PART` when all of it held. CLOCK is the file that says by how many seconds the node's clock is ahead of ours.

Nothing is taken out of the queues before the last part, so they tell in the end how often each thing happened.
"""

import datetime
import io
import json
import os
import pathlib
import signal
import sys
import threading
import time
import zipfile

import boto3

ENDPOINT, CLOCK, PART = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
scheduler, sqs, events, functions = (
    boto3.client(name, endpoint_url=ENDPOINT) for name in ("scheduler", "sqs", "events", "lambda"))
ROLE = "arn:aws:iam::000000000000:role/clock"
PATIENCE_S = 60
HANDLER = """
exports.handler = async (event) => {
  const answer = await fetch(process.env.AWS_ENDPOINT_URL, {
    method: 'POST',
    headers: {'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage'},
    body: JSON.stringify({QueueUrl: 'runs', MessageBody: event.id}),
  });
  if (!answer.ok || event.fails) throw new Error('again');
};
"""


def ahead():
    return int(CLOCK.read_text())


def now():
    return time.time() + ahead()


def step(seconds):
    """The node's clock leaps, forward or back. It may look at any moment, so the file is never half written."""
    new = CLOCK.with_suffix(".new")
    new.write_text(f"{ahead() + seconds:+}")
    new.replace(CLOCK)


def iso(seconds):
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%S}"


def queue(name):
    sqs.create_queue(QueueName=name)
    return f"arn:aws:sqs:us-east-1:000000000000:{name}"


def url(name):
    return sqs.get_queue_url(QueueName=name)["QueueUrl"]


def schedule(name, expression):
    target = {"Arn": queue(name), "RoleArn": ROLE, "Input": "<aws.scheduler.scheduled-time>"}
    scheduler.create_schedule(
        Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=target)


def at(name, seconds):
    """A schedule that is due once, so many seconds from now; when that is."""
    due = int(now()) + seconds
    schedule(name, f"at({iso(due)})")
    return due


def depth(name):
    """Messages that can be received, those that somebody holds, and those whose time is still to come."""
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    found = sqs.get_queue_attributes(QueueUrl=url(name), AttributeNames=names)["Attributes"]
    return [int(found[name]) for name in names]


def holds(name, least):
    """Waits until a queue holds so many."""
    end = time.monotonic() + PATIENCE_S
    while sum(depth(name)) < least:
        assert time.monotonic() < end, f"{name} holds {depth(name)}, not {least}"
        time.sleep(0.05)


def all_due_has_happened(mark):
    """One more schedule is due now. All timers that are due fire together, and it is the last of them; a second round
    is after all that the first one set."""
    for part in "ab":
        at(f"mark-{mark}{part}", 0)
        holds(f"mark-{mark}{part}", 1)


def steady():
    """How often the clock's things happened."""
    return {name: sum(depth(name)) for name in ("once", "rate", "cron", "rule", "runs")}


def package():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.js", HANDLER)
    return file.getvalue()


def note(**more):
    path = CLOCK.with_name("notes.json")
    notes = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(notes | more))
    return notes


def prepare():
    queue("runs")
    functions.create_function(
        FunctionName="f", Runtime="nodejs20.x", Role=ROLE, Handler="index.handler", Code={"ZipFile": package()})
    functions.get_waiter("function_active_v2").wait(FunctionName="f")
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=1)
    for name in ("delayed", "leased", "kept"):
        queue(name)
    schedule("rate", "rate(1 minute)")
    schedule("cron", "cron(0/5 * * * ? *)")
    note(once=at("once", 600), begun=now())
    events.put_rule(Name="rule", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="rule", Targets=[{"Id": "queue", "Arn": queue("rule"), "InputPath": "$.time"}])
    sqs.send_message(QueueUrl=url("delayed"), MessageBody="delayed", DelaySeconds=600)
    sqs.send_message(QueueUrl=url("leased"), MessageBody="leased")
    assert sqs.receive_message(QueueUrl=url("leased"), VisibilityTimeout=600)["Messages"]
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"id": "fails", "fails": true}')
    holds("runs", 1)
    holds("rate", 1)


def forward():
    """An hour passes at once: what is due happens, of what was missed the latest."""
    before, waited = now(), []
    waiting = threading.Thread(target=lambda: waited.append(sqs.receive_message(
        QueueUrl=url("delayed"), WaitTimeSeconds=20, VisibilityTimeout=1)))
    waiting.start()
    time.sleep(1)  # it is no mistake if it was not waiting yet; then it finds the message
    step(3600)
    note(left=before, arrived=now())
    waiting.join()
    assert waited[0].get("Messages"), "who waited for the delayed message was not told"
    for name, least in {"once": 1, "rate": 2, "cron": 1, "rule": 1, "runs": 2}.items():
        holds(name, least)
    again = sqs.receive_message(QueueUrl=url("leased"), WaitTimeSeconds=20, VisibilityTimeout=1, AttributeNames=["All"])
    assert again["Messages"][0]["Attributes"]["ApproximateReceiveCount"] == "2", again
    all_due_has_happened("forward")


def back():
    """Half an hour is taken back: nothing happens again, and what is new goes on. What was sent in that half hour waits
    until the clock is there again."""
    sqs.send_message(QueueUrl=url("kept"), MessageBody="kept")
    assert sqs.receive_message(QueueUrl=url("kept"), VisibilityTimeout=600)["Messages"]
    step(-1800)
    # what came due before the step is in the queues now
    all_due_has_happened("back")
    before = steady()
    all_due_has_happened("settled")
    assert steady() == before, (before, steady())
    assert depth("kept") == [0, 1, 0], "what somebody holds is his"
    queue("soon")
    sqs.send_message(QueueUrl=url("soon"), MessageBody="soon", DelaySeconds=1)
    holds("soon", 1)
    assert sqs.receive_message(QueueUrl=url("soon"), WaitTimeSeconds=20, VisibilityTimeout=1)["Messages"]
    functions.invoke(FunctionName="f", InvocationType="Event", Payload=b'{"id": "runs"}')
    holds("runs", before["runs"] + 1)


def restarted():
    """The node has ended, and comes back while its clock is half an hour behind what it saw."""
    before = steady()
    all_due_has_happened("restarted")
    assert steady() == before, (before, steady())


def suspended():
    """The machine sleeps over what is due, and wakes two hours later."""
    before, pid, waiting = steady(), int(sys.argv[4]), at("nap", 2)
    os.kill(pid, signal.SIGSTOP)
    while now() < waiting + 1:
        time.sleep(0.1)
    step(7200)
    note(woke=now())
    os.kill(pid, signal.SIGCONT)
    holds("nap", 1)
    for name in ("rate", "cron", "rule"):
        holds(name, before[name] + 1)
    all_due_has_happened("suspended")


def drained(name):
    bodies = []
    while sum(depth(name)):
        messages = sqs.receive_message(
            QueueUrl=url(name), MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=600).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url(name), ReceiptHandle=message["ReceiptHandle"])
        bodies += [message["Body"] for message in messages]
    return bodies


def once():
    notes = note()
    assert drained("once") == [iso(notes["once"]) + "Z"]
    assert len(drained("nap")) == 1
    assert sorted(drained("runs")) == ["fails", "fails", "runs"]
    assert sorted(drained("delayed") + drained("leased") + drained("soon")) == ["delayed", "leased", "soon"]
    for name, period in {"rate": 60, "cron": 300, "rule": 60}.items():
        times = drained(name)
        assert len(set(times)) == len(times), f"{name}: {times}"
        seconds = [datetime.datetime.fromisoformat(at.strip('"')).timestamp() for at in times]
        # it had been later already when the machine fell asleep
        for away, returned in ((notes["left"], notes["arrived"]), (notes["arrived"] + 2 * 60, notes["woke"])):
            skipped = [at for at in seconds if away + 60 < at < returned - period - 60]
            assert not skipped, f"{name} made up for {skipped}"
            assert any(returned - period - 60 <= at for at in seconds), f"{name} did not happen after {returned}"


globals()[PART]()
print("ok", PART)
