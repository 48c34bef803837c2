"""What the data-protection officer decides: holds, refusals, extensions, approvals, the end of a restriction."""

from ..domain.deadline import ExtensionRefused
from ..domain.states import OPEN, Event, NotAllowed, State
from ..domain.systems import Kind
from . import collect, erasure, locate, merge, post, register, trail
from .problem import Problem
from .times import instant, text

REASON_LIMIT = 1_000


def act(platform, request: str, body: object) -> dict:
    """Does one action; answers with the request as it is then."""
    if not isinstance(body, dict) or (do := _ACTIONS.get(body.get("action"))) is None:
        raise Problem(400, "unknown-action", f"`action` must be one of {', '.join(_ACTIONS)}")
    found, by = register.read(platform, request), _text(body, "by")
    try:
        do(platform, found, by, body)
    except NotAllowed as error:
        raise Problem(409, "not-allowed", str(error)) from error
    return register.read(platform, request)


def _hold(platform, found: dict, by: str, body: dict) -> None:
    """A legal hold. What has begun to be erased cannot be held any more."""
    if found["kind"] == Kind.ERASURE and found["subject"] is not None:
        raise Problem(409, "erasure-begun", "the erasure has begun: accounts are suppressed and keys destroyed")
    hold = {"reason": _text(body, "reason"), "by": by, "at": text(platform.now())}
    collect.held(platform, found["id"], hold, by)


def _release(platform, found: dict, by: str, _body: dict) -> None:
    def free(value: dict) -> None:
        value["hold"] = None

    register.move(platform, found["id"], Event.RELEASE, by, free)
    platform.publish("collect", {"request": found["id"]})


def _refuse(platform, found: dict, by: str, body: dict) -> None:
    """Art. 12(4) and (5): with the reason, which the person is told with their remedies."""
    reason = _text(body, "reason")

    def refuse(value: dict) -> None:
        value["outcome"], value["reason"] = "refused", reason

    if register.move(platform, found["id"], Event.REFUSE, by, refuse):
        post.to_person(platform, found, "refused", reason=reason)
        register.release(platform, found)


def _extend(platform, found: dict, by: str, body: dict) -> None:
    """Two further months, once, with the notice that the law wants."""
    reason = _text(body, "reason")
    if found["state"] not in OPEN:
        raise NotAllowed(f"a request that is `{found['state']}` cannot be extended")
    if found["deadline"]["extended"]:
        raise Problem(409, "extended-already", "a request is extended once (Art. 12(3))")
    try:
        due = platform.settings.rules.extend(instant(found["receivedAt"]), platform.now(), reason)
    except ExtensionRefused as error:
        raise Problem(409, "too-late", str(error)) from error
    extended = {"at": text(platform.now()), "by": by, "reason": reason, "dueBefore": found["deadline"]["due"]}
    deadline = register.deadline(platform, due) | {"extended": extended}
    found = register.change(platform, found["id"], lambda value: {**value, "deadline": deadline})
    trail.note(platform, by, "request.extended", request=found["id"], detail={"due": due.isoformat()})
    collect.schedule(platform, found)
    post.to_person(platform, found, "extended", reason=reason, due=due.isoformat())


def _approve(platform, found: dict, by: str, _body: dict) -> None:
    def decide(value: dict) -> None:
        value["decidedBy"] = by

    register.move(platform, found["id"], Event.APPROVE, by, decide)
    platform.publish("finish", {"request": found["id"]})


def _retry(platform, found: dict, by: str, _body: dict) -> None:
    """Asks those that have not answered again, now."""
    if found["state"] != State.COLLECTING:
        raise NotAllowed(f"a request that is `{found['state']}` asks nobody")
    trail.note(platform, by, "request.retried", request=found["id"])
    open_systems = [name for name, entry in found["systems"].items() if entry["state"] != "answered"]
    if open_systems:
        collect.ask(platform, found, tuple(open_systems))
    else:
        platform.publish("collect", {"request": found["id"]})


def _lift(platform, found: dict, by: str, body: dict) -> None:
    """Ends a restriction; the person is told before (Art. 18(3))."""
    if found["kind"] != Kind.RESTRICTION or found["state"] != State.DONE or register.marked(found, "lifted"):
        raise NotAllowed("only a restriction that was carried out, and not lifted, can be lifted")
    reason = _text(body, "reason")
    post.to_person_once(platform, found, "told-lifted", "lifted", reason=reason)

    def release() -> None:
        for person in found["subject"]["persons"]:
            now = {"person": locate.followed(platform, person), "request": found["id"], "at": text(platform.now())}
            merge.ask_if_known(platform, release=now)
        trail.note(platform, by, "request.lifted", request=found["id"])

    register.once(platform, found, "lifted", release)


_ACTIONS = {
    "hold": _hold,
    "release": _release,
    "refuse": _refuse,
    "extend": _extend,
    "approve": _approve,
    "retry": _retry,
    "lift": _lift,
}


def set_hold(platform, person: str, body: object) -> dict:
    """A legal hold on a person: erasure requests of theirs stop with its reason."""
    if not isinstance(body, dict):
        raise Problem(400, "wrong-type", "the hold must be a JSON object")
    hold = {"format": 1, "person": person, "reason": _text(body, "reason"), "by": _text(body, "by")}
    hold["at"] = text(platform.now())
    platform.requests.update(erasure.hold_path(person), lambda _before: hold)
    trail.note(platform, hold["by"], "hold.set", person=person)
    return hold


def lift_hold(platform, person: str, by: str) -> dict:
    """Ends a legal hold. Held requests go on when they are released."""
    gone = platform.requests.erase(erasure.hold_path(person))
    if not gone:
        raise Problem(404, "no-hold", "there is no hold on that person")
    trail.note(platform, by, "hold.lifted", person=person)
    return {"person": person, "held": False}


def _text(body: dict, member: str) -> str:
    value = body.get(member)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= REASON_LIMIT:
        raise Problem(400, "missing", f"`{member}` must be text of at most {REASON_LIMIT} characters")
    return value.strip()
