"""Times as MODEL.md writes them: RFC 3339 in UTC, whole seconds, `Z`."""

from datetime import UTC, datetime


def text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(at: str) -> datetime:
    return datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
