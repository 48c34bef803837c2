"""The requests on a real node: from the form, by mail, to archive and certificate. Run by `tests/e2e`.

    python3 -m requests.tests.flow API_URL SMTP_PORT

It is the person's mailbox (an SMTP server of a few lines), the person, and the officer.
"""

import email
import email.policy
import io
import json
import socketserver
import sys
import time
import urllib.error
import urllib.request
import zipfile
from threading import Thread
from types import SimpleNamespace

import boto3

from requests.domain.keys import Keys
from requests.domain.systems import SOURCES
from requests.service.objects import Bucket

from .people import person

ADA, BOB = "ada.weiss@example.com", "bob@example.com"
STAFF = {"authorization": "Bearer only-good-on-your-own-machine", "x-purpose": "audit"}
MAILS: list[email.message.EmailMessage] = []
PATIENCE = 120


class Mailbox(socketserver.StreamRequestHandler):
    """As much SMTP as a relay needs."""

    def handle(self):
        self.say("220 test")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self.say("354 go on")
                self.take()
            self.say("221 bye" if line == "QUIT" else "250 ok")
            if line == "QUIT":
                return

    def take(self):
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        MAILS.append(email.message_from_bytes(b"".join(lines), policy=email.policy.default))

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class Stay(urllib.request.HTTPRedirectHandler):
    """Shows redirects instead of following them."""

    def redirect_request(self, *_):
        return None


def call(method: str, url: str, body=None, **headers):
    """Status, JSON or bytes, headers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, method=method, data=data, headers={"content-type": "application/json", **headers}
    )
    try:
        answer = urllib.request.build_opener(Stay).open(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    content = answer.read()
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return answer.status, json.loads(content) if is_json else content, answer.headers


def until(what: str, probe):
    """Asks until it answers; ends the test when it does not for too long."""
    end = time.monotonic() + PATIENCE
    while (value := probe()) is None:
        assert time.monotonic() < end, f"waited for: {what}"
        time.sleep(0.1)
    return value


def link(to: str, what: str) -> str:
    """The newest link of that kind in somebody's mailbox."""

    def look():
        for mail in reversed(MAILS):
            words = mail.get_content().split()
            if to in mail["to"] and (found := [word for word in words if f"{what}?token=" in word]):
                return found[0]
        return None

    return until(f"a mail with {what} to {to}", look)


def confirmed(api: str, kind: str, address: str) -> tuple[str, str]:
    """Asks and uses the link; the request's id and the address of its state."""
    before = len(MAILS)
    status, answer, _ = call("POST", f"{api}/requests", {"kind": kind, "email": address})
    assert status == 202, answer
    until("the link", lambda: len(MAILS) > before or None)
    url = link(address, f"{answer['id']}/confirm")
    status, page, _ = call("GET", url, accept="text/html")
    assert status == 200 and b"<form" in page, page
    token = url.split("token=")[1]
    status, answer, _ = call("POST", url.split("?")[0], {"token": token})
    assert status == 200, answer
    assert call("POST", url.split("?")[0], {"token": token})[1]["error"] == "used-token"
    return answer["id"], f"{api}/requests/{answer['id']}?token={answer['statusToken']}"


def closed(status_url: str, state="done") -> dict:
    def look():
        answer = call("GET", status_url)[1]
        return answer if answer["state"] == state else None

    return until(f"{status_url} to be {state}", look)


def access(api: str) -> None:
    request, status_url = confirmed(api, "access", ADA)
    assert closed(status_url)["outcome"] == "fulfilled"
    status, body, _ = call("GET", link(ADA, "/archive"))
    assert status == 200, status
    archive = zipfile.ZipFile(io.BytesIO(body))
    data = json.loads(archive.read("data.json"))
    assert {system: len(answer["records"]) for system, answer in data["systems"].items()} == dict.fromkeys(
        (*SOURCES, "view"), 1
    )
    assert ADA in archive.read("report.zh.html").decode() and BOB not in archive.read("data.json").decode()
    assert archive.read("report.en.pdf").startswith(b"%PDF-")
    theirs = link(ADA, "/archive").replace(request, "r-" + "0" * 32)
    assert call("GET", theirs)[0] == 404
    assert call("GET", f"{api}/requests/{request}/archive?token=guess")[1]["error"] == "wrong-token"


def held(api: str, bob: str) -> None:
    """A legal hold stops an erasure; the officer refuses it later."""
    assert call("PUT", f"{api}/requests/holds/{bob}", {"reason": "a lawsuit"}, **STAFF)[0] == 200
    request, status_url = confirmed(api, "erasure", BOB)
    closed(status_url, "held")
    schedules = boto3.client("scheduler").list_schedules(NamePrefix=request)["Schedules"]
    assert sorted(schedule["Name"] for schedule in schedules) == [f"{request}-2", f"{request}-7"], schedules
    action = {"action": "refuse", "reason": "Art. 17(3)(e)"}
    assert call("POST", f"{api}/requests/{request}/actions", action)[0] == 401
    assert call("POST", f"{api}/requests/{request}/actions", action, **STAFF)[1]["state"] == "refused"
    assert boto3.client("scheduler").list_schedules(NamePrefix=request)["Schedules"] == []


def erasure(api: str, buckets, ada: str) -> None:
    _, status_url = confirmed(api, "erasure", ADA)
    assert closed(status_url)["outcome"] == "fulfilled"
    status, certificate, _ = call("GET", link(ADA, "/certificate"))
    assert status == 200, certificate
    assert {system["system"] for system in certificate["certificate"]["systems"]} == {*SOURCES, "view"}
    assert certificate["signature"]["publicKey"] == call("GET", f"{api}/requests/certificate-key")[1]["publicKey"]
    for bucket in (buckets.data, buckets.keys):
        for key in bucket.keys(""):
            assert b"ada.weiss" not in bucket.get(key).body, key
    assert buckets.data.versions(f"persons/{ada}.json") == []
    for system in SOURCES:
        token = buckets.settings.keys.token(system, f"{system}-Ada")
        assert (
            buckets.keys.versions(f"{system}/{token}") == [] == buckets.data.versions(f"accounts/{system}/{token}.json")
        )
        assert buckets.data.get(f"suppressed/account/{token}.json")
    tombstones()
    _, again = confirmed(api, "erasure", ADA)
    assert closed(again)["outcome"] == "already-erased"


def tombstones() -> None:
    """What the bus was told: a null for every account, and for the person."""
    sqs, seen = boto3.client("sqs"), set()
    queue = sqs.get_queue_url(QueueName="seen")["QueueUrl"]

    def look():
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            assert event["detail"]["value"] is None, event
            seen.add(event["detail-type"])
        return seen if len(seen) == len(SOURCES) + 1 else None

    expected = {f"source.{system}" for system in SOURCES} | {"view.changes"}
    assert until("the tombstones", look) == expected


def main(api: str, port: str) -> None:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", int(port)), Mailbox)
    Thread(target=server.serve_forever, daemon=True).start()
    s3, name = boto3.client("s3"), "customer-view-dev-{}-000000000000"
    buckets = SimpleNamespace(settings=SimpleNamespace(keys=Keys("pepper")))
    buckets.data, buckets.keys = Bucket(s3, name.format("data")), Bucket(s3, name.format("keys"))
    ada, bob = person(buckets, "Ada", ADA, phone="+4930123456"), person(buckets, "Bob", BOB)
    access(api)
    held(api, bob)
    erasure(api, buckets, ada)
    assert buckets.data.get(f"persons/{bob}.json"), "somebody else's data is untouched"
    audit = call("GET", f"{api}/requests/audit", **STAFF)[1]
    assert audit["whole"] and audit["records"] > 20, audit
    report = call("GET", f"{api}/requests/report", **STAFF)[1]
    assert (report["handled"], report["open"], report["late"]) == (4, 0, []), report
    print("all is well")


if __name__ == "__main__":
    main(*sys.argv[1:])
