"""Bounds what anybody may do without a token of staff: ask for links, and look with links that are wrong.

A source is who the platform says that called (`sourceIp`); behind a proxy that is the proxy, for everybody.
"""

from ..domain import pace
from .objects import Contended
from .problem import Problem
from .times import instant, text

LINKS_PER_ADDRESS = 5  # an hour, of all kinds of requests


def bounded(platform, what: str, whose: str, limit: int) -> bool:
    """Counts one more time within the hour; false where there were as many as may be. It is kept for a day."""
    allowed = True

    def count(before: dict | None) -> dict | None:
        nonlocal allowed
        since = instant(before["since"]) if before else None
        now = platform.now()
        allowed = not pace.is_full(before, now, since, limit)
        return pace.taken(before, now, text(now), since) if allowed else None

    try:
        platform.requests.update(_path(platform, what, whose), count)
    except Contended:
        return False  # so many at once are too many
    return allowed


def is_full(platform, what: str, whose: str, limit: int) -> bool:
    """Whether there were as many as may be, without one more."""
    found = platform.requests.get(_path(platform, what, whose))
    before = found.value if found else None
    return pace.is_full(before, platform.now(), instant(before["since"]) if before else None, limit)


def asking(platform, source: str) -> None:
    """Refuses who asks too often from one place."""
    if _counts(platform, source) and not bounded(platform, "ask", source, platform.settings.per_source):
        raise too_many()


def looking(platform, source: str) -> None:
    """Refuses who has tried too many links that are wrong, before the next one is looked at."""
    if _counts(platform, source) and is_full(platform, "look", source, platform.settings.per_source):
        raise too_many()


def looked_wrong(platform, source: str) -> None:
    """Counts a link that was wrong."""
    if _counts(platform, source):
        bounded(platform, "look", source, platform.settings.per_source)


def _counts(platform, source: str) -> bool:
    """Not where it is switched off (0), nor for the desk, which invokes the function itself."""
    return bool(source) and platform.settings.per_source > 0


def too_many() -> Problem:
    return Problem(429, "too-many", "too many tries from here; try again in an hour")


def _path(platform, what: str, whose: str) -> str:
    return f"pace/{what}/{platform.settings.keys.token('pace', f'{what}|{whose}')}.json"
