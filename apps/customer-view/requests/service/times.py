"""Times as MODEL.md writes them: RFC 3339 in UTC, whole seconds, `Z`."""

from datetime import datetime, timezone


def text(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(at: str) -> datetime:
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
