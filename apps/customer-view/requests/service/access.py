"""What a person fetches by a link: the archive of their data, the certificate of an erasure."""

from . import intake, register, trail
from .problem import Problem
from .times import instant

DOWNLOAD_SECONDS = 300


def download(platform, request: str, token: str) -> str:
    """The address of the archive, good for some minutes. The first time is noted, and only that."""
    found = intake.authorised(platform, request, "archive", token)
    archive = found["archive"]
    if archive is None or platform.now() >= instant(archive["expiresAt"]):
        raise Problem(410, "archive-expired", "this archive is gone; ask again for a new one")
    detail = {"sha256": archive["sha256"]}
    register.once(
        platform,
        found,
        "downloaded",
        lambda: trail.note(platform, "person", "archive.downloaded", request=request, detail=detail),
    )
    return platform.requests.presign(archive["key"], DOWNLOAD_SECONDS, f"{request}.zip")


def certificate(platform, request: str, token: str) -> dict:
    """The certificate of an erasure."""
    found = intake.authorised(platform, request, "certificate", token)
    stored = platform.requests.get(found["certificate"]) if found["certificate"] else None
    if stored is None:
        raise Problem(404, "no-certificate", "there is no certificate of this request")
    return stored.value
