"""The end of a request: the archive, the certificate, the change; the last letter; nothing left behind."""

from datetime import timedelta

from ..archive import pack
from ..archive.certificate import public_key, sign
from ..domain.states import Event, State
from ..domain.systems import Kind
from . import erasure, intake, locate, merge, post, register
from .platform import named
from .times import instant, text

EXPORT_DAYS = 14
QUICK_ROUNDS = 4
ROUND_PAUSE = timedelta(minutes=5)


def run(platform, request: str) -> None:
    """Makes the answer of a request whose systems have answered, and closes it. Does nothing for others."""
    found = register.read(platform, request)
    if found["state"] != State.COMPLETING:
        return
    try:
        _close(platform, found)
    except Exception as error:
        reason = named(error)
        register.change(platform, request, lambda value: {**value, "error": reason})
        print(f"{request}: not finished: {reason}")
        raise


def _close(platform, found: dict) -> None:
    if found["outcome"]:
        post.to_person_once(platform, found, "answered", found["outcome"], erased=found["erasedBefore"] or "")
        _finish(platform, found, found["outcome"])
        return
    if found["kind"] == Kind.ERASURE:
        _close_erasure(platform, found)
        return
    steps = {Kind.ACCESS: _export, Kind.PORTABILITY: _export, Kind.RECTIFICATION: _rectify}
    steps.get(register.kind(found), _tell_done)(platform, found)
    outcome = register.read(platform, found["id"])["outcome"]  # not so for data that went meanwhile
    _finish(platform, found, outcome or "fulfilled")


def _export(platform, found: dict) -> None:
    """One archive with everything that was answered."""
    evidence = _evidence(platform, found)
    if len(evidence) < len(found["systems"]) and not found["archive"]:
        _erased_meanwhile(platform, found)
        return
    if all("data" in answer for answer in evidence):  # else an earlier try had come further
        body = pack.archive(platform.settings.controller, found, evidence, text(platform.now()))
        key = f"exports/{found['id']}/data.zip"
        platform.requests.put(key, body, "application/zip")
        expires = text(platform.now() + timedelta(days=EXPORT_DAYS))
        archive = {"key": key, "sha256": pack.sha256(body), "bytes": len(body), "expiresAt": expires}
        found = register.change(platform, found["id"], lambda value: {**value, "archive": archive})
    url = intake.link(platform, found["id"], "/archive", "archive")
    post.to_person_once(platform, found, "answered", "archive", link=url, expires=found["archive"]["expiresAt"][:10])


def _erased_meanwhile(platform, found: dict) -> None:
    """Another request of the person's, under another address, erased what had been answered."""
    at = locate.erased_at(platform, found["contactHash"]) or text(platform.now())
    gone = {"outcome": "already-erased", "erasedBefore": at}
    register.change(platform, found["id"], lambda value: {**value, **gone})
    post.to_person_once(platform, found, "answered", "already-erased", erased=at)


def _rectify(platform, found: dict) -> None:
    """A statement for each field beats what the systems say, now and later."""
    for person in _persons_now(platform, found):
        for name, value in found["details"]["fields"].items():
            statement = {"person": person, "kind": "field", "name": name, "value": value}
            why = {"by": found["decidedBy"], "why": f"Art. 16, {found['id']}", "at": found["confirmedAt"]}
            merge.ask_if_known(platform, state=statement | why)
        locate.index_stated(platform, person)
    _tell_done(platform, found)


def _tell_done(platform, found: dict) -> None:
    post.to_person_once(platform, found, "answered", "done", link=intake.link(platform, found["id"], "", "status"))


def _close_erasure(platform, found: dict) -> None:
    """Looks again for everything; only when nothing is left is it certified, and the person's address goes, too."""
    if there := erasure.left(platform, found):
        _reopen(platform, found, len(there))
        return
    erasure.forget_requests(platform, found)
    evidence = _evidence(platform, found)
    key = f"certificates/{found['id']}.json"
    certificate = sign(platform.settings, found, evidence, text(platform.now()))
    platform.requests.create(
        "certificate-key.json", {"algorithm": "Ed25519", "publicKey": public_key(platform.settings)}
    )
    platform.requests.create(key, certificate)
    found = register.change(platform, found["id"], lambda value: {**value, "certificate": key})
    url = intake.link(platform, found["id"], "/certificate", "certificate")
    kept = sum(entry["count"] for answer in evidence for entry in answer.get("kept", []))
    post.to_person_once(platform, found, "answered", "erased", link=url, kept=str(kept))
    _finish(platform, found, "fulfilled")


def _reopen(platform, found: dict, left: int) -> None:
    """Erases again what has come back; when that goes on, with pauses, and the officer is told."""
    error = f"{left} objects are there again after {found['round']} rounds"
    if found["round"] >= QUICK_ROUNDS:
        register.change(platform, found["id"], lambda value: {**value, "error": error})
        post.to_officer_once(platform, found, "told-stuck", "stuck", f"The erasure finds no end: {error}.")
        if platform.now() < instant(found["stateAt"]) + ROUND_PAUSE:
            return  # the sweep comes back to it
    if register.move(platform, found["id"], Event.REOPEN, "requests", left=left):
        erasure.anew(platform, found["id"], found["subject"])


def _finish(platform, found: dict, outcome: str) -> None:
    def close(value: dict) -> None:
        value["outcome"], value["error"] = outcome, None
        if value["kind"] == Kind.ERASURE:
            value.update(erasure.without_person(value))

    register.move(platform, found["id"], Event.FINISH, "requests", close, outcome=outcome)
    register.release(platform, found)


def _evidence(platform, found: dict) -> list[dict]:
    paths = [register.evidence_path(found["id"], name) for name in found["systems"]]
    return [stored.value for path in paths if (stored := platform.requests.get(path))]


def _persons_now(platform, found: dict) -> list[str]:
    return sorted({locate.followed(platform, person) for person in found["subject"]["persons"]})
