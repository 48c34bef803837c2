"""Appends to the audit trail and reads it back; `domain.audit` says what it is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ..domain import audit
from .objects import Contended
from .times import text

ATTEMPTS = 200
READERS = 16
LABEL = "audit"


def note(platform, actor: str, action: str, **facts) -> int:
    """Appends a record; gives its number. It is stored when this returns."""
    bucket, key = platform.requests, platform.settings.keys.subkey(LABEL)
    number, previous = _end(bucket)
    for _ in range(ATTEMPTS):
        body = audit.record(number + 1, previous, text(platform.now()), actor, action, **facts)
        stored = bucket.put(audit.name(number + 1), body, metadata={"mac": audit.mac(key, body)}, IfNoneMatch="*")
        number += 1
        if stored:
            _move_head(bucket, number, audit.digest(body))
            if request := facts.get("request"):
                bucket.put(f"{_of(request)}{number:012}", b"")
            return number
        previous = audit.digest(bucket.get(audit.name(number)).body)
    raise Contended("the audit trail grows faster than this record can be added")


def verify(platform) -> dict:
    """Reads the whole trail; says how long it is and what is wrong with it."""
    bucket, key = platform.requests, platform.settings.keys.subkey(LABEL)
    head = bucket.get(audit.HEAD)  # before the records, which may grow meanwhile
    stored = list(_stored(bucket))
    findings = audit.verify(key, stored, head.value if head else None)
    return {"records": len(stored), "findings": findings, "whole": not findings}


def entries(platform, request: str) -> list[dict]:
    """What the trail says that was done about a request. Found by marks, which a stop may leave out; the trail is whole."""
    bucket = platform.requests
    numbers = [int(key.removeprefix(_of(request))) for key in bucket.keys(_of(request))]
    return [found.value for number in numbers if (found := bucket.get(audit.name(number)))]


def _of(request: str) -> str:
    return f"audited/{request}/"


def _stored(bucket) -> Iterator[audit.Stored]:
    def read(name: str) -> audit.Stored | None:
        found = bucket.get(name)
        return found and audit.Stored(name, found.body, found.metadata.get("mac", ""))

    with ThreadPoolExecutor(READERS) as readers:
        yield from filter(None, readers.map(read, bucket.keys(audit.PREFIX)))


def _end(bucket) -> tuple[int, str]:
    """The number and digest of the last record. The head may be behind, never ahead."""
    head = bucket.get(audit.HEAD)
    number, previous = (head.value["n"], head.value["sha256"]) if head else (0, audit.FIRST)
    last = number
    for key in bucket.keys(audit.PREFIX, audit.name(number)):
        last = audit.number(key) or last
    if last == number:
        return number, previous
    return last, audit.digest(bucket.get(audit.name(last)).body)


def _move_head(bucket, number: int, digest: str) -> None:
    def forward(head: dict | None) -> dict | None:
        return {"format": 1, "n": number, "sha256": digest} if head is None or head["n"] < number else None

    bucket.update(audit.HEAD, forward)
