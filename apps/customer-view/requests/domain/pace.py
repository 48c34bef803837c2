"""How often somebody may do something: a count within a window, which begins with the first time.

What is stored says how often and since when, under the keyed hash of an address or a source: of nobody who they are.
"""

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
