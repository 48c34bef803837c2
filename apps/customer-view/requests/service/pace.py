"""Bounds what anybody may do without a token of staff: ask for links, and try links and tokens that are wrong.

A source is who the platform says that called (`sourceIp`), by its network. Behind a proxy that is the proxy, for
everybody; so one on this machine is not counted, and who has a right link or token is never refused for others' tries.
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


def asking(platform, source: str) -> None:
    """Refuses who asks too often from one place."""
    _counted(platform, "ask", source)


def looked_wrong(platform, source: str) -> None:
    """Counts a link that was wrong; refuses its source where there were as many as may be."""
    _counted(platform, "look", source)


def tried_wrong(platform, source: str) -> None:
    """The same with a token of staff. They are counted apart: neither is refused for the other."""
    _counted(platform, "token", source)


def _counted(platform, what: str, source: str) -> None:
    """Not where it is switched off (0), nor for the desk, which invokes the function itself."""
    network, limit = pace.network(source), platform.settings.per_source
    if network and limit and not bounded(platform, what, network, limit):
        raise too_many()


def too_many() -> Problem:
    return Problem(429, "too-many", "too many tries from here; try again in an hour")


def _path(platform, what: str, whose: str) -> str:
    return f"pace/{what}/{platform.settings.keys.token('pace', f'{what}|{whose}')}.json"
