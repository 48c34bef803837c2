"""Objects with conditional writes: what a bucket must do for us, over boto3."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
MISSING = ("NoSuchKey", "404", "NoSuchBucket")
ATTEMPTS = 20


class Contended(RuntimeError):
    """An object changed under every one of our attempts; try again later."""


@dataclass(frozen=True)
class Found:
    """An object and the version it was."""

    body: bytes
    etag: str
    metadata: dict[str, str]

    @property
    def value(self) -> dict:
        return json.loads(self.body)


def encode(value: dict) -> bytes:
    """JSON as it is stored."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


class Bucket:
    """One bucket. All changes of what may be contended are conditional."""

    def __init__(self, client, name: str):
        self._s3, self.name = client, name

    def get(self, key: str) -> Found | None:
        try:
            answer = self._s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in MISSING:
                return None
            raise
        return Found(answer["Body"].read(), answer["ETag"], answer.get("Metadata", {}))

    def put(self, key: str, body: bytes, content_type="application/json", metadata=None, **condition) -> bool:
        """Writes; false if the condition (`IfMatch`, `IfNoneMatch`) does not hold."""
        try:
            self._s3.put_object(
                Bucket=self.name, Key=key, Body=body, ContentType=content_type, Metadata=metadata or {}, **condition
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if condition and code in (*CONFLICTS, *MISSING):
                return False
            raise
        return True

    def create(self, key: str, value: dict) -> bool:
        """Writes what must be new; false if it is there."""
        return self.put(key, encode(value), IfNoneMatch="*")

    def update(self, key: str, change: Callable[[dict | None], dict | None]) -> dict | None:
        """Reads, changes and writes back until nobody came between; `change` may run many times.

        `change` gets what is there or `None`, and gives what is to be there, or `None` to leave it.
        Gives what is there afterwards.
        """
        for _ in range(ATTEMPTS):
            found = self.get(key)
            before = found.value if found else None
            after = change(found.value if found else None)
            if after is None or after == before:
                return before
            condition = {"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}
            if self.put(key, encode(after), **condition):
                return after
        raise Contended(f"object `{key}` changed {ATTEMPTS} times while it was being changed")

    def keys(self, prefix: str, after: str = "") -> Iterator[str]:
        """Names in their order, behind `after`."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, StartAfter=after)
        for page in pages:
            yield from (entry["Key"] for entry in page.get("Contents", []))

    def versions(self, key: str) -> list[str]:
        """The ids of all versions and delete markers of exactly this object."""
        ids = []
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=key):
            entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
            ids += [entry["VersionId"] for entry in entries if entry["Key"] == key]
        return ids

    def erase(self, key: str) -> int:
        """Deletes every version; gives how many there were."""
        ids = self.versions(key)
        for version in ids:
            self._s3.delete_object(Bucket=self.name, Key=key, VersionId=version)
        return len(ids)
