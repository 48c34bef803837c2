"""Forgetting is real: people who carry a word of their own in every text are erased while the pipeline goes on.

    python3 -m requests.tests.forgotten NODE_URL SMTP_PORT FOLDER KAFKA KAFKA_FOLDER GENERATOR PEOPLE CANARIES RATE

The whole app runs on that node, and reads that cluster. The first people say everything they have to say; then those
with canaries ask to be erased, by the public API and their mail, while the others' records come in: half of them from
before anybody asks, half only when the first erasure was confirmed and nobody has waited yet for its end. So others'
records are always written after an erasure has begun; how many people were erased before the last of them is told, and
no condition. Afterwards no part of a word and no telephone number of theirs is in any file below FOLDER (the node's data
and its log), in any version of any object, in any answer of the app, nor in Kafka's log, where no key that is left opens
a record of theirs. Whoever did not ask is as before, and complete.

What the app finds by itself is what hangs on an e-mail. Who is known without one, too (a parcel with a slip in the
name), asks again by letter: the officer looks them up and files the request.
"""

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from socketserver import ThreadingTCPServer
from threading import Lock, Thread

import boto3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .flow import STAFF, Mailbox, call, link

TOPICS = ("source.shop", "source.orders", "source.delivery", "source.marketing", "source.calls")
TOPICS += ("view.valid", "view.normal", "view.resolved", "view.changes")
NAME = "customer-view-dev-{}-000000000000"
AT_ONCE = 4
PATIENCE = 900
LETTERS = re.compile(rb"[bcdfghjklmpqrtvwxz]{7,}", re.IGNORECASE)
DIGITS = re.compile(rb"[0-9]{10,}")
KEPT = ("said", "before", "consents", "facts", "first", "last")



class Words:
    """What nobody may find again: a third of a person's word, or their number."""

    def __init__(self, victims: list[dict]):
        self.whose = {}
        for victim in victims:
            word = victim["canary"].encode()
            self.whose |= {word[at : at + 7]: victim["canary"] for at in (0, 7, 14)}
            if victim["mobile"]:
                self.whose[victim["mobile"].removeprefix("+49").encode()] = victim["canary"]
        self.lengths = {len(part) for part in self.whose if part.isdigit()}

    def find(self, content: bytes) -> set[str]:
        """Whose words and numbers stand there."""
        runs = [(run.lower(), (7,)) for run in LETTERS.findall(content)]
        runs += [(run, self.lengths) for run in DIGITS.findall(content)]
        parts = (run[at : at + n] for run, lengths in runs for n in lengths for at in range(len(run) - n + 1))
        return {self.whose[part] for part in parts if part in self.whose}


def until(what: str, probe, pause=1.0):
    """Asks until it answers."""
    end = time.monotonic() + PATIENCE
    while (value := probe()) is None:
        assert time.monotonic() < end, f"waited for: {what}"
        time.sleep(pause)
    return value


def lines(path: Path) -> list[dict]:
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


# ---- the retailer


class Retailer:
    """The generator, and what it says that is true."""

    def __init__(self, folder: Path, kafka: str, generator: str, people: int, canaries: int):
        self.folder, self.first = folder, canaries + canaries // 2
        common = ["--people", str(people), "--canaries", str(canaries), "--seed", "3", "--kafka", kafka]
        self.command = [generator, "write", *common]
        middle = (self.first + people) // 2
        self.parts = {"first": f"0..{self.first}", "rest": f"{self.first}..{middle}", "last": f"{middle}..{people}"}

    def write(self, part: str, *more: str) -> subprocess.Popen:
        arguments = ["--only", self.parts[part], "--truth", str(self.truth(part)), *more]
        return subprocess.Popen([*self.command, *arguments], stdout=subprocess.DEVNULL)

    def truth(self, part: str) -> Path:
        return self.folder / f"truth-{part}.jsonl"

    def complete(self, truth: Path) -> None:
        """Waits until the view has exactly what that truth says."""
        subprocess.run([sys.executable, Path(os.environ["TEST_CLIENTS"], "customer_view.py"), "complete", truth], check=True)


class Others:
    """What the others say: half of it at once, the other half when the first erasure was confirmed."""

    def __init__(self, retailer: Retailer, rate: str):
        self.retailer, self.rate, self.lock = retailer, rate, Lock()
        self.writing = {"rest": retailer.write("rest", "--rate", rate)}

    def confirmed(self) -> None:
        with self.lock:
            if "last" not in self.writing:
                self.writing["last"] = self.retailer.write("last", "--rate", self.rate)

    def are_writing(self) -> bool:
        return any(one.poll() is None for one in self.writing.values())

    def wait(self) -> None:
        assert self.writing.keys() == {"rest", "last"}, "no erasure was confirmed"
        assert all(one.wait() == 0 for one in self.writing.values())


# ---- the app by its own doors


@cache
def api(node: str) -> str:
    with urllib.request.urlopen(f"{node}/_tradewind/functions") as answer:
        functions = json.load(answer)["functions"]
    found = [one["url"] for function in functions for one in function["urls"]]
    return next(url.removesuffix("/requests/form") for url in found if url.endswith("/requests/form"))


class App:
    """What a person and the officer do."""

    def __init__(self, node: str):
        self.url = api(node)

    def search(self, **what: str) -> list[str]:
        status, answer, _ = call("POST", f"{self.url}/persons/search", what, **STAFF)
        assert status == 200, answer
        return [person["person"] for person in answer["persons"]]

    def known(self, victim: dict) -> list[str]:
        """Whoever staff find by e-mails, number and name."""
        asked = [{"email": email} for email in victim["emails"]]
        asked += [{"name": victim["given"]}, {"name": victim["family"]}]
        asked += [{"phone": victim["mobile"]}] if victim["mobile"] else []
        return sorted({person for what in asked for person in self.search(**what)})

    def ask(self, kind: str, address: str) -> str:
        """Asks, and uses the link that is mailed; the address of the request's state."""
        status, answer, _ = call("POST", f"{self.url}/requests", {"kind": kind, "email": address})
        assert status == 202, answer
        url = link(address, f"{answer['id']}/confirm")
        status, answer, _ = call("POST", url.split("?")[0], {"token": url.split("token=")[1]})
        assert status == 200, answer
        return f"{self.url}/requests/{answer['id']}?token={answer['statusToken']}"

    def file(self, victim: dict, persons: list[str]) -> str:
        """By letter: the officer has made sure who it is."""
        body = {"kind": "erasure", "email": victim["emails"][0], "persons": persons}
        status, answer, _ = call("POST", f"{self.url}/requests", body, **STAFF)
        assert status == 202, answer
        return answer["id"]

    def closed(self, status_url: str, victim: dict) -> dict:
        """Waits for the end; says, as the officer, which persons are meant where that is asked."""

        def look():
            answer = call("GET", status_url)[1]
            if answer["state"] == "review":
                self.approve(answer["id"], victim)
            return answer if answer["state"] in ("done", "refused", "expired", "held") else None

        return until(f"the end of {status_url.split('?')[0]}", look)

    def approve(self, request: str, victim: dict) -> None:
        found = call("GET", f"{self.url}/requests/{request}", **STAFF)[1]
        if not found.get("doubt"):
            return  # decided meanwhile
        persons = sorted({*found["doubt"]["persons"], *self.known(victim)})
        body = {"action": "approve", "persons": persons}
        status, answer, _ = call("POST", f"{self.url}/requests/{request}/actions", body, **STAFF)
        assert status in (200, 409), answer

    def wait(self, request: str) -> dict:
        def look():
            found = call("GET", f"{self.url}/requests/{request}", **STAFF)[1]
            return found if found["state"] in ("done", "refused", "expired", "held") else None

        return until(f"the end of {request}", look)

    def forget(self, number: int, victim: dict, confirmed: Callable[[], None]) -> dict:
        """One person's way, address by address; what was known of them before. Calls when an erasure was confirmed."""
        before = self.known(victim)
        if number % 10 == 0:  # so that there are archives
            assert self.closed(self.ask("access", victim["emails"][0]), victim)["outcome"] == "fulfilled"
        asked = self.ask("erasure", victim["emails"][0])
        confirmed()
        outcomes = [self.closed(asked, victim)["outcome"]]
        for email in victim["emails"][1:]:
            if self.search(email=email):
                outcomes.append(self.closed(self.ask("erasure", email), victim)["outcome"])
        by_letter = self.known(victim)
        if by_letter:
            outcomes.append(self.wait(self.file(victim, by_letter))["outcome"])
        return {"persons": before, "outcomes": outcomes, "by letter": bool(by_letter)}

    def answers(self, victims: list[dict], known: list[str]):
        """What the app says where it could say something of them."""
        for victim in victims:
            assert self.known(victim) == [], victim
        for person in known:
            for what in ("", "/timeline", "/links", "/consents", "/consents/history"):
                status, answer, _ = call("GET", f"{self.url}/persons/{person}{what}", **STAFF)
                assert status == 410, (person, what, answer)
                yield answer
        for path in ("/requests?state=closed", "/requests?state=open", "/requests/report", "/desk/requests?show=all", "/desk/metrics", "/desk/audit"):
            status, answer, _ = call("GET", f"{self.url}{path}", **STAFF)
            assert status == 200, (path, answer)
            yield answer
            for request in answer.get("requests", []) if path.startswith("/requests?") else ():
                yield call("GET", f"{self.url}/requests/{request['id']}", **STAFF)[1]
                yield call("GET", f"{self.url}/desk/requests/{request['id']}", **STAFF)[1]


def named() -> None:
    """Waits until the index of names has everybody: it follows the persons by a queue."""
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName="customer-view-dev-names")["QueueUrl"]
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]

    def look():
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)["Attributes"]
        return True if all(left[name] == "0" for name in counts) else None

    until("the names", look)


# ---- everything that is stored


def in_files(words: Words, folder: Path) -> dict[str, set[str]]:
    """Whose words stand in files, in which. Files may go while they are looked for."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            try:
                content = str(path).encode() + b"\n" + path.read_bytes()
            except FileNotFoundError:
                continue
            for word in words.find(content):
                found.setdefault(word, set()).add(str(path.relative_to(folder)))
    return found


def versions():
    """Every version of every object: bucket, key, metadata and content."""
    s3 = boto3.client("s3")
    for bucket in (entry["Name"] for entry in s3.list_buckets()["Buckets"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                try:
                    answer = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
                except s3.exceptions.NoSuchKey:
                    continue
                yield bucket, version["Key"], answer["Metadata"], answer["Body"].read()


def in_objects(words: Words) -> tuple[dict[str, set[str]], dict[str, dict], dict[str, bytes]]:
    """Whose words stand in objects; besides, all accounts by their paths, and all keys."""
    found, accounts, keys = {}, {}, {}
    for bucket, key, metadata, content in versions():
        for word in words.find(f"{key} {metadata} ".encode() + content):
            found.setdefault(word, set()).add(f"{bucket}/{key}")
        if bucket == NAME.format("data") and key.startswith("accounts/"):
            accounts[key] = json.loads(content)
        if bucket == NAME.format("keys"):
            keys[key] = content
    return found, accounts, keys


def records(kafka: str):
    """Every record that the cluster still has: topic, key, value."""
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "looks", "enable.auto.commit": False})
    for topic in TOPICS:
        for partition in consumer.list_topics(topic, 30).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)
            consumer.assign([TopicPartition(topic, partition, low)])
            while low < high:
                message = consumer.poll(30)
                assert message is not None and not message.error(), message and message.error()
                low = message.offset() + 1
                yield topic, message.key() or b"", message.value() or b""
    consumer.close()


def bound(topic: str, record: dict) -> bytes:
    if topic == "view.changes":
        return f"{record['person']}|{record['version']}".encode()
    return f"{record['source']}|{record['account']}|{record['event']}".encode()


def opens(key: AESGCM, topic: str, record: dict) -> bytes | None:
    sealed = record["sealed"]
    try:
        return key.decrypt(base64.b64decode(sealed["nonce"]), base64.b64decode(sealed["data"]), bound(topic, record))
    except InvalidTag:
        return None


def in_kafka(words: Words, kafka: str, folder: Path, keys: dict[str, bytes]) -> dict:
    """Whose words stand in the log as it is, and in what any key that is left opens."""
    found = in_files(words, folder)
    ciphers = {path.split("/")[1]: AESGCM(key) for path, key in keys.items()}
    opened, shut = 0, []
    for topic, key, value in records(kafka):
        for word in words.find(key + b" " + value):
            found.setdefault(word, set()).add(topic)
        record = json.loads(value) if value.startswith(b"{") and value.endswith(b"}") else {}
        if "sealed" not in record:
            continue
        own = ciphers.get(record["sealed"]["key"])
        text = own and opens(own, topic, record)
        if text is None:
            shut.append((topic, record))
            continue
        opened += 1
        for word in words.find(text):
            found.setdefault(word, set()).add(f"{topic}, opened with the key {record['sealed']['key']}")
    for topic, record in shut:
        for name, cipher in ciphers.items():
            if opens(cipher, topic, record) is not None:
                found.setdefault(record["sealed"]["key"], set()).add(f"{topic}, opened with the key {name}")
    return {"found": found, "opened": opened, "shut": len(shut), "keys": len(ciphers)}


class Traces:
    """What the rows of objects look like: contents are encrypted there, with their own keys at their beginning.

    Pieces of the rows of the persons' objects and of their keys are taken from the database before the erasures. Files
    that were last written before anybody said anything (code) are not searched for them.
    """

    def __init__(self, folder: Path, names: set[str], tokens: set[str], since: float):
        self.since = since
        (database,) = folder.rglob("node.db")
        rows = sqlite3.connect(f"file:{database}?mode=ro", uri=True).execute("SELECT bucket, key, content FROM s3_objects")
        self.pieces = {}
        for bucket, key, content in rows:
            name = f"{bucket}/{key.decode()}"
            whose = name.rpartition("/")[2].removeprefix("p-")
            if content and (name in names or bucket == NAME.format("keys") and whose in tokens):
                self.pieces |= {content[4:24]: name, content[-20:]: name}
        self.pieces = {piece: name for piece, name in self.pieces.items() if len(piece) == 20}
        there = self.left(folder)
        # one that two pages of the database share is not found, nor later
        assert len(there) > 0.9 * len(self.pieces) > 0, f"the search finds {len(there)} of {len(self.pieces)} pieces"
        self.pieces = {piece: self.pieces[piece] for piece in there}

    def left(self, folder: Path) -> dict[bytes, str]:
        """The pieces that stand in a file, and in which."""
        found = {}
        for path in folder.rglob("*"):
            try:
                is_newer = path.is_file() and path.stat().st_mtime >= self.since
                content = path.read_bytes() if is_newer else b""
            except FileNotFoundError:
                continue
            found |= {piece: path.name for piece in self.pieces if piece in content}
        return found


def settled(words: Words, traces: Traces, node: str, folder: Path) -> float:
    """Waits until no file has a word, or a piece of a row; how many seconds that took."""
    began = time.monotonic()
    shown = None

    def nowhere():
        nonlocal shown
        with urllib.request.urlopen(urllib.request.Request(f"{node}/_tradewind/scrub", method="POST")) as answer:
            assert answer.status == 200
        left, pieces = in_files(words, folder), traces.left(folder)
        now = f"still of {len(left)} people in files, of {len(pieces)} pieces of rows in {sorted({*pieces.values()})}"
        if (left or pieces) and now != shown:
            shown = now
            said(f"{now} {list(left.values())[:2]} {[traces.pieces[piece] for piece in pieces][:3]}")
        return None if left or pieces else True

    until("no file to have a word or a piece of a row", nowhere)
    return time.monotonic() - began


def main(node: str, port: str, folder: str, kafka: str, kafka_folder: str, generator: str, people: str, canaries: str, rate: str) -> None:
    server = ThreadingTCPServer(("127.0.0.1", int(port)), Mailbox)
    Thread(target=server.serve_forever, daemon=True).start()
    place, app, since = Path(folder), App(node), time.time() - 1
    retailer = Retailer(place.parent, kafka, generator, int(people), int(canaries))

    assert retailer.write("first").wait() == 0
    retailer.complete(retailer.truth("first"))
    named()
    victims = [line for line in lines(retailer.truth("first")) if "canary" in line]
    everyone, words = {victim["canary"] for victim in victims}, Words(victims)
    found, before, _ = in_objects(words)
    assert set(found) == everyone, f"the search finds what is there: {len(found)} of {len(everyone)}"
    tokens = {account["token"] for account in before.values() if words.find(json.dumps(account).encode())}
    traces = Traces(place, {name for names in found.values() for name in names}, tokens, since)
    others = {path: account for path, account in before.items() if not words.find(json.dumps(account).encode())}
    said(f"{len(victims)} people in {len(before) - len(others)} of {len(before)} accounts, {len(traces.pieces)} pieces of rows")

    began = time.monotonic()
    others_say = Others(retailer, rate)

    def forget(number: int, victim: dict) -> dict:
        way = app.forget(number, victim, others_say.confirmed)
        return way | {"meanwhile": others_say.are_writing()}

    with ThreadPoolExecutor(AT_ONCE) as threads:
        ways = list(threads.map(forget, range(len(victims)), victims))
    meanwhile = sum(way["meanwhile"] for way in ways)
    said(f"erased in {time.monotonic() - began:.0f} s, {meanwhile} of {len(ways)} before the others' last record was written")
    assert all(set(way["outcomes"]) <= {"fulfilled", "already-erased", "no-data"} for way in ways), ways
    others_say.wait()
    everything = [line for path in retailer.parts for line in lines(retailer.truth(path)) if "of" in line]
    stay = {(account["source"], account["account"]) for account in others.values()}
    ours = {(line["source"], line["of"]) for line in lines(retailer.truth("first")) if "of" in line} - stay
    truth = place.parent / "truth-others.jsonl"
    truth.write_text("".join(f"{json.dumps(line)}\n" for line in everything if (line["source"], line["of"]) not in ours))
    retailer.complete(truth)

    seconds = settled(words, traces, node, place)
    found, after, keys = in_objects(words)
    assert not found, f"in objects: {found}"
    log = in_kafka(words, kafka, Path(kafka_folder), keys)
    assert not log["found"], f"in Kafka: {log['found']}"
    assert log["opened"] and log["shut"], log
    known = sorted({person for way in ways for person in way["persons"]})
    for answer in app.answers(victims, known):
        assert not words.find(json.dumps(answer, ensure_ascii=False).encode()), answer
    for path, account in others.items():
        assert [after[path].get(what) for what in KEPT] == [account.get(what) for what in KEPT], path
    audit, records_of = {"next": 0}, 0
    while audit["next"] is not None:
        audit = call("GET", f"{app.url}/requests/audit?after={audit['next']}", **STAFF)[1]
        records_of = audit["records"]
    assert audit["whole"], audit
    assert not in_files(words, place), "looking leaves nothing behind"
    by_letter = sum(way["by letter"] for way in ways)
    verdict = {"forgotten": len(victims), "before the last record": meanwhile, "by letter": by_letter, "clean after seconds": round(seconds)}
    verdict |= {"pieces of rows": len(traces.pieces), "others' accounts": len(after), "records that open": log["opened"], "that no key opens": log["shut"]}
    print(json.dumps(verdict | {"keys tried": log["keys"], "audit records": records_of}))


def said(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
