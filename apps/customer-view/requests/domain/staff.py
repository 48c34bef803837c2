"""Who of the staff holds which token, and what they may do.

Tokens are kept by name, `name` or `name/role`. `officer` may do everything; `agent` reads and corrects persons in the
view, and nothing of requests, holds or the audit trail. Without a role it is the least, `agent`, unless the name is
`officer`. `staff/token.mjs` is the same for the view and the desk.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

OFFICER, AGENT = "officer", "agent"
PURPOSES = ("request", "complaint", "correction", "audit")


@dataclass(frozen=True)
class Member:
    """A member of staff."""

    name: str
    role: str


def holder(tokens: Iterable[tuple[str, str]], presented: str) -> Member | None:
    """Who holds the token. Every token is compared, so that the time says nothing of where it differs."""
    found = [who for who, token in tokens if token and hmac.compare_digest(token.encode(), presented.encode())]
    return _member(found[0]) if found else None


def pairs(text: str) -> list[tuple[str, str]]:
    """`name=token` pairs with commas between."""
    halves = (pair.strip().partition("=") for pair in text.split(","))
    return [(who, token) for who, _, token in halves if who and token]


def is_purpose(text: str) -> bool:
    """Whether it is one of the purposes that data may be read for: no free text goes into a trail that is never erased."""
    request = text.removeprefix("request r-")
    return text in PURPOSES or request != text and request.isascii() and request.isalnum() and len(request) <= 38


def _member(who: str) -> Member:
    name, _, role = who.partition("/")
    return Member(name, role or (OFFICER if name == OFFICER else AGENT))
