"""Sources and accounts for `cargo xtask chaos events`: unmodified boto3 against a node that keeps dying.

    chaos_events.py load ENDPOINT FOLDER EVENTS    until FOLDER/stop is there and so many are published
    chaos_events.py verify ENDPOINT FOLDER EVENTS  compares what arrived with what was acknowledged

    object put ─▶ topic ─┬─▶ queue copy-1 ─▶ function work-1 ─┐
                         ├─▶ queue copy-2 ─▶ function work-2 ─┼─▶ queue results
                         ├─▶ queue copy-3 ─▶ function work-3 ─┘
                         └─▶ queue audit
    event ─▶ bus, 50 rules ─▶ queues shelf-0 … shelf-4;  rule `all` ─▶ function react ─▶ queue results
    publish ─▶ topic ordered.fifo ─▶ queue ordered.fifo

Functions fail for one object in eight the first time they see it, for poisoned ones always, and for one event in a
hundred once, for nothing; so does `react`, which is tried again after a minute, unless there are few events. What must
hold: every event reaches every function at least once, and none is given up; what passes only topics, rules and queues
is there exactly once; the dead-letter queue holds the poisoned ones, each once for each queue, and nothing else;
groups keep their order.
"""

import collections
import io
import json
import pathlib
import sys
import threading
import time
import zipfile

from botocore.exceptions import ClientError

from chaos_clients import LOST, Journal, answered, client, journal_lines

BUCKET = "chaos"
RULES = 50
SHELVES = 5
GROUPS = 4
POISON = 15
# where a function notes for which events it has failed for nothing, whatever instance it was
STUMBLES = "stumbles"
# fewer events do not wait for the minute after which `react` is tried again
FEW = 10_000
# longer than what failed waits until it is tried again: a minute, two minutes, and some jitter
QUIET_S = 150
ROLE = "arn:aws:iam::000000000000:role/chaos"
WORK = """
const http = require('http');
const name = process.env.AWS_LAMBDA_FUNCTION_NAME;
const queue = process.env.RESULTS;
function ask(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(new URL(path, process.env.AWS_ENDPOINT_URL), { method, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
}
async function tell(id) {
  const body = JSON.stringify({ QueueUrl: queue, MessageBody: `${name} ${id}` });
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' };
  const status = await ask('POST', '/', headers, body);
  if (status !== 200) throw new Error(status);
}
// always the same events, and each once: the bucket has the note before the function fails
async function stumble(id) {
  const hash = [...`${name} ${id}`].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1000003, 7);
  if (!process.env.STUMBLES || hash % 100 !== 0) return;
  const status = await ask('PUT', `/${process.env.STUMBLES}/${name}/${id}`, { 'if-none-match': '*' }, 'x');
  if (status !== 412) throw new Error('for nothing');
}
const number = (key) => Number(key.split('-').pop());
exports.work = async (event) => {
  const failed = [];
  for (const record of event.Records) {
    const told = JSON.parse(JSON.parse(record.body).Message);
    if (!told.Records) continue; // what S3 sends when it is configured
    const key = told.Records[0].s3.object.key;
    await stumble(key); // the whole batch fails
    const first = record.attributes.ApproximateReceiveCount === '1';
    if (number(key) % POISON === 0 || (first && number(key) % 8 === 0)) {
      failed.push({ itemIdentifier: record.messageId });
    } else {
      await tell(key);
    }
  }
  return { batchItemFailures: failed };
};
exports.react = async (event) => {
  await stumble(event.detail.id);
  await tell(event.detail.id);
};
""".replace("POISON", str(POISON))


def package():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.js", WORK)
    return file.getvalue()


def queue(sqs, name, **attributes):
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:000000000000:{name}"


def function(functions, name, handler, results, stumbles=STUMBLES):
    functions.create_function(
        FunctionName=name, Runtime="nodejs20.x", Role=ROLE, Handler=f"index.{handler}", Timeout=3,
        Code={"ZipFile": package()}, Environment={"Variables": {"RESULTS": results, "STUMBLES": stumbles}})
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def set_up(endpoint, count):
    s3, sqs, sns, events, functions = (client(name, endpoint) for name in ("s3", "sqs", "sns", "events", "lambda"))
    s3.create_bucket(Bucket=STUMBLES)
    results, _ = queue(sqs, "results")
    _, dead = queue(sqs, "dead")
    topic = sns.create_topic(Name="objects")["TopicArn"]
    for number in (1, 2, 3):
        # a kill while it is with its function costs a message a receive, too, and only poison may come to an end
        redrive = json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 50})
        _, copy = queue(sqs, f"copy-{number}", VisibilityTimeout="3", RedrivePolicy=redrive)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=copy)
        function(functions, f"work-{number}", "work", results)
        functions.create_event_source_mapping(
            EventSourceArn=copy, FunctionName=f"work-{number}", BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"])
    _, audit = queue(sqs, "audit")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=audit, Attributes={"RawMessageDelivery": "true"})
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration={
        "TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]})
    shelves = [queue(sqs, f"shelf-{number}")[1] for number in range(SHELVES)]
    for rule in range(RULES):
        pattern = {"source": ["shop"], "detail": {"place": [{"numeric": ["=", rule]}]}}
        events.put_rule(Name=f"rule-{rule}", EventPattern=json.dumps(pattern))
        events.put_targets(Rule=f"rule-{rule}", Targets=[{"Id": "shelf", "Arn": shelves[rule % SHELVES]}])
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["shop"]}))
    react = function(functions, "react", "react", results, STUMBLES if count >= FEW else "")
    _, given_up = queue(sqs, "given-up")
    functions.update_function_configuration(FunctionName="react", DeadLetterConfig={"TargetArn": given_up})
    events.put_targets(Rule="all", Targets=[{"Id": "react", "Arn": react}])
    ordered = sns.create_topic(Name="ordered.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    _, fifo = queue(sqs, "ordered.fifo", FifoQueue="true")
    sns.subscribe(TopicArn=ordered, Protocol="sqs", Endpoint=fifo, Attributes={"RawMessageDelivery": "true"})


class Progress:
    """How much was published, and whether that is enough."""

    def __init__(self, folder, events):
        self.stop = folder / "stop"
        self.wanted = events
        self.published = 0
        self.lock = threading.Lock()

    def add(self, count):
        with self.lock:
            self.published += count

    def goes_on(self):
        return self.published < self.wanted or not self.stop.exists()


def put_objects(endpoint, folder, number, progress):
    s3 = client("s3", endpoint)
    journal = Journal(folder, f"objects-{number}")
    count = 0
    while progress.goes_on():
        count += 1
        key = f"w{number}-{count}"
        journal.note(send=key)
        try:
            answered(s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode()))
            journal.note(ack=key)
            progress.add(1)
        except (ClientError, *LOST):
            time.sleep(0.02)


def put_events(endpoint, folder, number, progress):
    events = client("events", endpoint)
    journal = Journal(folder, f"events-{number}")
    count = 0
    while progress.goes_on():
        names = [f"e{number}-{count + place}" for place in range(10)]
        count += len(names)
        entries = []
        for name in names:
            journal.note(send=name)
            detail = {"id": name, "place": int(name.split("-")[1]) % RULES}
            entries.append({"Source": "shop", "DetailType": "placed", "Detail": json.dumps(detail)})
        try:
            answer = events.put_events(Entries=entries)["Entries"]
            kept = [name for name, entry in zip(names, answer) if "EventId" in entry]
            for name in kept:
                journal.note(ack=name)
            progress.add(len(kept))
        except (ClientError, *LOST):
            time.sleep(0.02)


def publish_in_order(endpoint, folder, number, progress):
    """What is not acknowledged is published again, under the same deduplication id."""
    sns = client("sns", endpoint)
    journal = Journal(folder, f"ordered-{number}")
    topic = "arn:aws:sns:us-east-1:000000000000:ordered.fifo"
    count = 0
    while progress.goes_on():
        group, name = f"g{count % GROUPS}", f"{count:09}"
        try:
            sns.publish(TopicArn=topic, Message=f"{group} {name}", MessageGroupId=group, MessageDeduplicationId=name)
            journal.note(ack=f"{group} {name}")
            progress.add(1)
            count += 1
        except (ClientError, *LOST):
            time.sleep(0.02)


def load(endpoint, folder, events):
    set_up(endpoint, events)
    progress = Progress(folder, events)
    (folder / "ready").touch()
    roles = [put_objects, put_objects, put_events, publish_in_order]
    threads = [
        threading.Thread(target=role, args=(endpoint, folder, number, progress)) for number, role in enumerate(roles)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def noted(folder, kind):
    """What was sent, and what of it was acknowledged."""
    sent, acknowledged = set(), set()
    for _, entries in journal_lines(folder, kind):
        sent |= {entry["send"] for entry in entries if "send" in entry}
        acknowledged |= {entry["ack"] for entry in entries if "ack" in entry}
    return sent, acknowledged


def drain(sqs, name, is_all=lambda new: False, quiet=3, takers=8):
    """All bodies of a queue, until `quiet` seconds pass without one or `is_all` says of new ones that it is enough. One
    taker gets them in the order of their arrival."""
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    bodies, last, lock, done = [], time.monotonic(), threading.Lock(), threading.Event()

    def take():
        nonlocal last
        while not done.is_set() and time.monotonic() - last < quiet:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=600)
            messages = found.get("Messages", [])
            if not messages:
                continue
            with lock:
                last = time.monotonic()
                new = [message["Body"] for message in messages]
                bodies.extend(new)
                if is_all(new):
                    done.set()
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    threads = [threading.Thread(target=take) for _ in range(takers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return bodies


def exactly_once(where, bodies, sent, acknowledged):
    wrong = [f"{where}: {name} is lost" for name in acknowledged - set(bodies)]
    wrong += [f"{where}: {name} was never sent" for name in set(bodies) - sent]
    wrong += [f"{where}: {name} is there {bodies.count(name)} times" for name in doubled(bodies)]
    return wrong


def doubled(bodies):
    seen, twice = set(), set()
    for body in bodies:
        (twice if body in seen else seen).add(body)
    return twice


def is_poison(key):
    return int(key.rpartition("-")[2]) % POISON == 0


def key_of(notification):
    return json.loads(notification)["Records"][0]["s3"]["object"]["key"]


def verify_functions(sqs, objects, events):
    """At least once: every function has told of every event."""
    (sent_objects, put), (sent_events, published) = objects, events
    expected = {f"work-{number} {key}" for number in (1, 2, 3) for key in put if not is_poison(key)}
    expected |= {f"react {name}" for name in published}
    told, missing = set(), set(expected)

    def is_all(new):
        told.update(new)
        missing.difference_update(new)
        return not missing

    drain(sqs, "results", is_all, QUIET_S)
    possible = {f"work-{number} {key}" for number in (1, 2, 3) for key in sent_objects}
    possible |= {f"react {name}" for name in sent_events}
    wrong = [f"{line}: never ran" for line in expected - told]
    # whoever fails once for nothing has two more attempts
    wrong += [f"react {json.loads(body)['detail']['id']}: was given up" for body in drain(sqs, "given-up")]
    return wrong + [f"{line}: ran, and was never sent" for line in told - possible]


def verify_dead(sqs, objects):
    sent, put = objects
    poisoned = {key for key in put if is_poison(key)}
    bodies, last = [], time.monotonic()
    while len(bodies) < 3 * len(poisoned) and time.monotonic() - last < 2 * QUIET_S:
        more = [key_of(json.loads(body)["Message"]) for body in drain(sqs, "dead")]
        last = time.monotonic() if more else last
        bodies += more
    times = collections.Counter(bodies)
    wrong = [f"dead letters: {key} is there {times[key]} times, not 3" for key in poisoned if times[key] != 3]
    return wrong + [f"dead letters: {key} is not poisoned" for key in set(bodies) if not is_poison(key)]


def verify_order(sqs, acknowledged):
    bodies = drain(sqs, "ordered.fifo", takers=1)
    wrong = []
    for number in range(GROUPS):
        group = [body for body in bodies if body.startswith(f"g{number} ")]
        if group != sorted(group):
            wrong.append(f"ordered.fifo: group g{number} is out of order")
    # the last one may have been kept without an acknowledgement
    unsure = set(bodies) - acknowledged
    return wrong + exactly_once("ordered.fifo", bodies, acknowledged | set(list(unsure)[:1]), acknowledged)


def verify(endpoint, folder, _events):
    sqs = client("sqs", endpoint)
    objects, events = noted(folder, "objects"), noted(folder, "events")
    _, ordered = noted(folder, "ordered")
    wrong = verify_functions(sqs, objects, events)
    audit = [key_of(body) for body in drain(sqs, "audit") if "Records" in body]
    wrong += exactly_once("audit", audit, *objects)
    shelves = []
    for number in range(SHELVES):
        shelves += [json.loads(body)["detail"]["id"] for body in drain(sqs, f"shelf-{number}")]
    wrong += exactly_once("shelves", shelves, *events)
    wrong += verify_order(sqs, ordered)
    wrong += verify_dead(sqs, objects)
    verdict = {"objects": len(objects[1]), "events": len(events[1]), "ordered": len(ordered), "wrong": wrong}
    print(json.dumps(verdict))


if __name__ == "__main__":
    {"load": load, "verify": verify}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]))
