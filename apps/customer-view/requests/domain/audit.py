"""The audit trail: a chain of records of which none can be changed, taken out or moved unseen.

A record is the object `audit/<12 digits>.json`, created with `If-None-Match: *`, so two writers never share a
number. It holds the SHA-256 of the bytes before it, and its own bytes are authenticated by a key that the bucket
does not hold (`x-amz-meta-mac`), so who can write the bucket still cannot write a new chain. `audit-head.json`
says how long the chain has been, authenticated likewise: a cut end shows, and so does a head that is gone. It is made
before the first record and never made anew. What cannot be seen is an older head put back with the end that it had: note
the `head` of a verification elsewhere, and compare.

Personal data never goes in: ids, tokens, names of fields.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass

FIRST = "0" * 64
PREFIX = "audit/"
HEAD = "audit-head.json"


def name(number: int) -> str:
    """The object of the record with that number; the first is 1."""
    return f"{PREFIX}{number:012}.json"


def number(key: str) -> int | None:
    """The number of the record that the object holds, `None` for a name that is no record's."""
    digits = key.removeprefix(PREFIX).removesuffix(".json")
    return int(digits) if key == f"{PREFIX}{digits}.json" and len(digits) == 12 and digits.isdigit() else None


def digest(body: bytes) -> str:
    """What the next record says of this one."""
    return hashlib.sha256(body).hexdigest()


def mac(key: bytes, body: bytes) -> str:
    """What stands in the object's metadata."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def head(key: bytes, number: int, sha256: str) -> dict:
    """The head of a chain that ends with that record, whose bytes have that digest."""
    return {"format": 1, "n": number, "sha256": sha256, "mac": mac(key, f"head|{number}|{sha256}".encode())}


def is_head(key: bytes, value: object) -> bool:
    """Whether it is a head that was made with the key."""
    if not isinstance(value, dict) or not isinstance(value.get("mac"), str):
        return False
    return hmac.compare_digest(value["mac"].encode(), head(key, value.get("n"), value.get("sha256"))["mac"].encode())


def record(number: int, previous: str, at: str, actor: str, action: str, **facts) -> bytes:
    """The bytes of a record; `facts` (request, person, detail) that are `None` are left out."""
    entry = {"format": 1, "n": number, "at": at, "actor": actor, "action": action}
    entry |= {key: value for key, value in facts.items() if value is not None}
    return json.dumps(entry | {"previous": previous}, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Stored:
    """A record as the bucket has it."""

    key: str
    body: bytes
    mac: str


def verify(key: bytes, records: Iterable[Stored], after: int = 0, previous: str | None = FIRST) -> list[str]:
    """Everything that is wrong with a piece of the chain, in its order; empty when it is whole.

    `records` come in the order of their names. `after`: the number of the record before them, `previous` its digest,
    or `None` where it is missing.
    """
    findings, expected = [], after + 1
    for stored in records:
        at = number(stored.key)
        if at is None:
            findings.append(f"`{stored.key}` is no record's name")
            continue
        if at != expected:
            findings.append(f"records {expected} to {at - 1} are missing")
        findings += _wrong_with(key, stored, at, previous if at == expected else None)
        previous, expected = digest(stored.body), at + 1
    return findings


def _wrong_with(key: bytes, stored: Stored, at: int, previous: str | None) -> list[str]:
    if not hmac.compare_digest(mac(key, stored.body), stored.mac):
        return [f"record {at} was changed: its authentication code does not fit"]
    entry = json.loads(stored.body)
    if entry.get("n") != at:
        return [f"record {at} was moved: it says that it is {entry.get('n')}"]
    if previous is not None and entry.get("previous") != previous:
        return [f"record {at} does not follow the record before it"]
    return []


def wrong_with_head(key: bytes, value: dict | None, last: int, there: str | None) -> list[str]:
    """What the head says against a chain that ends with record `last`; `there`: digest of the record it names."""
    if value is None:
        return [f"`{HEAD}` is missing: whether the end was cut cannot be told"] if last else []
    if not is_head(key, value):
        return [f"`{HEAD}` was changed: its authentication code does not fit"]
    if value["n"] > last:
        return [f"the end is missing: there were {value['n']} records, now there are {last}"]
    if value["n"] > 0 and there != value["sha256"]:
        return [f"record {value['n']} is not the one that was the end once"]
    return []
