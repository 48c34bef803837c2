"""What a person fetches by a link: the archive of their data, the certificate of an erasure."""

from . import intake, register, trail
from .problem import Problem
from .times import instant

PART_BYTES = 4 * 1024 * 1024  # in base64 within the 6 MB that a function may answer


def download(platform, request: str, token: str, part: int | None = None) -> tuple[bytes | None, int]:
    """The archive, and how many parts it has; of one that is too large for an answer the part, or `None`.

    It goes through the API and not by a presigned address: that would be the platform's own, which the person need not
    reach. The first time is noted, and only that.
    """
    found = intake.authorised(platform, request, "archive", token)
    archive = found["archive"]
    if archive is None or platform.now() >= instant(archive["expiresAt"]):
        raise Problem(410, "archive-expired", "this archive is gone; ask again for a new one")
    parts = max(1, -(-archive["bytes"] // PART_BYTES))
    if part is not None and not 1 <= part <= parts:
        raise Problem(404, "unknown-part", f"this archive has the parts 1 to {parts}")
    if part is None and parts > 1:
        return None, parts
    stored = platform.requests.get(archive["key"])
    if stored is None:
        raise Problem(410, "archive-expired", "this archive is gone; ask again for a new one")
    detail = {"sha256": archive["sha256"]}
    register.once(
        platform,
        found,
        "downloaded",
        lambda: trail.note(platform, "person", "archive.downloaded", request=request, detail=detail),
    )
    begin = ((part or 1) - 1) * PART_BYTES
    return stored.body[begin : begin + PART_BYTES], parts


def certificate(platform, request: str, token: str) -> dict:
    """The certificate of an erasure."""
    found = intake.authorised(platform, request, "certificate", token)
    stored = platform.requests.get(found["certificate"]) if found["certificate"] else None
    if stored is None:
        raise Problem(404, "no-certificate", "there is no certificate of this request")
    return stored.value
