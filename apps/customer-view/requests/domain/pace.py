"""How often somebody may do something: a count within a window, which begins with the first time.

What is stored says how often and since when, under the keyed hash of an address or a network: of nobody who they are.
`staff/pace.mjs` is the same for the view and the desk.
"""

import ipaddress
from datetime import datetime, timedelta

WINDOW = timedelta(hours=1)


def taken(before: dict | None, now: datetime, at: str, since: datetime | None) -> dict:
    """What is to be stored after one more time; `at` is `now` as text, `since` when the stored window began."""
    if before is None or since is None or now >= since + WINDOW:
        return {"format": 1, "since": at, "count": 1}
    return {**before, "count": before["count"] + 1}


def is_full(before: dict | None, now: datetime, since: datetime | None, limit: int) -> bool:
    """Whether the window has had as many as may be."""
    return before is not None and since is not None and now < since + WINDOW and before["count"] >= limit


def network(source: str) -> str | None:
    """What is counted as one source: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has.

    `None` for loopback, a proxy on this machine that stands for everybody, and where nobody says who calls.
    """
    try:
        address = ipaddress.ip_address(source.partition("%")[0])
    except ValueError:
        return source or None
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return None
    return f"{address.exploded[:19]}/64" if address.version == 6 else str(address)
