"""Appends to the audit trail and reads it back; `domain.audit` says what it is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from ..domain import audit
from .objects import Contended
from .times import text

ATTEMPTS = 200
READERS = 16
PIECE = 5_000  # records that are read within the time that an API call has
LABEL = "audit"


def note(platform, actor: str, action: str, **facts) -> int:
    """Appends a record; gives its number. It is stored when this returns."""
    bucket, key = platform.requests, platform.settings.keys.subkey(LABEL)
    number, previous = _end(bucket, key)
    for _ in range(ATTEMPTS):
        body = audit.record(number + 1, previous, text(platform.now()), actor, action, **facts)
        stored = bucket.put(audit.name(number + 1), body, metadata={"mac": audit.mac(key, body)}, IfNoneMatch="*")
        number += 1
        if stored:
            _move_head(bucket, key, number, audit.digest(body))
            if request := facts.get("request"):
                bucket.put(f"{_of(request)}{number:012}", b"")
            return number
        previous = audit.digest(bucket.get(audit.name(number)).body)
    raise Contended("the audit trail grows faster than this record can be added")


def verify(platform, after: int = 0, limit: int = PIECE) -> dict:
    """Reads the trail behind record `after`, a piece of it; `next` is where to go on, null at the end.

    `whole` is null while there is more: what is not read yet is not known to be whole.
    """
    bucket, key = platform.requests, platform.settings.keys.subkey(LABEL)
    head = bucket.get(audit.HEAD)  # before the records, which may grow meanwhile
    names = list(islice(bucket.keys(audit.PREFIX, audit.name(after) if after else ""), limit + 1))
    more, names = len(names) > limit, names[:limit]
    findings = audit.verify(key, _stored(bucket, names), after, _digest_of(bucket, after))
    last = max([after, *(audit.number(name) or 0 for name in names)])
    more = more and last > after  # else names that are no records' alone, which are found
    answer = {"records": last, "findings": findings, "next": last if more else None}
    if more:
        return answer | {"whole": False if findings else None}
    end = head.value if head else None
    findings += audit.wrong_with_head(key, end, last, _digest_of(bucket, end["n"]) if audit.is_head(key, end) else None)
    return answer | {"whole": not findings, "head": end}


def _digest_of(bucket, number: int) -> str | None:
    if number == 0:
        return audit.FIRST
    found = bucket.get(audit.name(number))
    return found and audit.digest(found.body)


def entries(platform, request: str) -> list[dict]:
    """What the trail says that was done about a request. Found by marks, which a stop may leave out; the trail is whole."""
    bucket = platform.requests
    numbers = [int(key.removeprefix(_of(request))) for key in bucket.keys(_of(request))]
    return [found.value for number in numbers if (found := bucket.get(audit.name(number)))]


def _of(request: str) -> str:
    return f"audited/{request}/"


def _stored(bucket, names: list[str]) -> Iterator[audit.Stored]:
    def read(name: str) -> audit.Stored | None:
        found = bucket.get(name)
        return found and audit.Stored(name, found.body, found.metadata.get("mac", ""))

    with ThreadPoolExecutor(READERS) as readers:
        yield from filter(None, readers.map(read, names))


def _end(bucket, key: bytes) -> tuple[int, str]:
    """The number and digest of the last record. The head may be behind, never ahead."""
    head = bucket.get(audit.HEAD)
    known = head.value if head and audit.is_head(key, head.value) else {"n": 0, "sha256": audit.FIRST}
    last = number = known["n"]
    for name in bucket.keys(audit.PREFIX, audit.name(number)):
        last = audit.number(name) or last
    if head is None and last == 0:
        bucket.create(audit.HEAD, audit.head(key, 0, audit.FIRST))
    if last == number:
        return number, known["sha256"]
    return last, audit.digest(bucket.get(audit.name(last)).body)


def _move_head(bucket, key: bytes, number: int, digest: str) -> None:
    """Forward alone. One that is gone or was changed stays so: that is a finding, and nobody may mend it unseen."""

    def forward(head: dict | None) -> dict | None:
        return audit.head(key, number, digest) if audit.is_head(key, head) and head["n"] < number else None

    bucket.update(audit.HEAD, forward)
