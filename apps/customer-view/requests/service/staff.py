"""What the data-protection officer decides: holds, refusals, extensions, approvals, the end of a restriction."""

from ..domain.deadline import ExtensionRefused
from ..domain.states import OPEN, Event, NotAllowed, State
from ..domain.systems import Kind
from . import collect, erasure, intake, locate, merge, post, register, trail
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
    if found["kind"] == Kind.ERASURE and found["state"] == State.COMPLETING:
        raise Problem(409, "erasure-begun", "the erasure has begun: accounts are suppressed and keys destroyed")

    def refuse(value: dict) -> None:
        value["outcome"], value["reason"] = "refused", reason

    if register.move(platform, found["id"], Event.REFUSE, by, refuse):
        register.release(platform, found)
    collect.notices(platform, register.read(platform, found["id"]))


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
    step = {"at": extended["at"], "by": by, "what": "request.extended", "detail": {"due": due.isoformat()}}

    def extend(value: dict) -> dict | None:
        if value["deadline"]["extended"] or value["state"] not in OPEN:
            return None  # another was quicker
        return {**value, "deadline": deadline, "history": [*value["history"], step]}

    found = register.change(platform, found["id"], extend)
    register.tell(platform, found)
    collect.schedule(platform, found)
    collect.notices(platform, register.read(platform, found["id"]))


def _approve(platform, found: dict, by: str, body: dict) -> None:
    if found["state"] == State.REVIEW and found.get("doubt"):
        _identify(platform, found, by, body)
        return

    def decide(value: dict) -> None:
        value["decidedBy"] = by

    register.move(platform, found["id"], Event.APPROVE, by, decide)
    platform.publish("finish", {"request": found["id"]})


def _identify(platform, found: dict, by: str, body: dict) -> None:
    """What was found is the asking person's: the officer knows. `persons` leaves others out, or adds some."""
    persons = _persons(platform, body.get("persons", found["doubt"]["persons"]), found["doubt"]["persons"])
    identity = _identity(platform, found, by, persons)
    accounts = identity["accounts"]

    def identify(value: dict) -> bool | None:
        if value.get("doubt") != found["doubt"]:
            return False
        value.update(identity=identity, doubt=None)
        return None

    if register.move(platform, found["id"], Event.IDENTIFY, by, identify, persons=len(persons), accounts=len(accounts)):
        platform.publish("collect", {"request": found["id"]})


def _persons(platform, persons: object, offered: list[str] = ()) -> list[str]:
    """The ids that the officer names: of those that are offered, or of anybody who is known."""
    if not isinstance(persons, list) or not persons or not all(isinstance(person, str) for person in persons):
        raise Problem(400, "wrong-type", "`persons` must be a list of ids of persons")
    for person in set(persons) - set(offered):
        if not locate.is_person(platform, person):
            raise Problem(404, "unknown-person", "there is no such person among `persons`")
    return sorted(set(persons))


def _identity(platform, found: dict, by: str, persons: list[str]) -> dict:
    """Who the officer says that it is, with the accounts that are theirs now."""
    subject = locate.subject(platform, found["contactHash"], found["subject"], persons)
    accounts = [account["token"] for account in subject["accounts"]]
    return {"at": text(platform.now()), "by": by, "persons": persons, "accounts": accounts}


def file(platform, body: object) -> dict:
    """A request that came by letter, by telephone or at a counter: the officer has made sure whose it is, and files it.

    No link is mailed to begin with. The answer goes to the e-mail all the same.
    """
    if not isinstance(body, dict):
        raise Problem(400, "wrong-type", "the request must be a JSON object")
    asked = dict(body)
    by, persons = _text(asked, "by"), _persons(platform, asked.pop("persons", None))
    del asked["by"]
    found = intake.store(platform, asked)
    identity = _identity(platform, found, by, persons)

    def identify(value: dict) -> None:
        value["confirmedAt"] = value["link"]["usedAt"] = identity["at"]
        value["identity"] = identity

    facts = {"persons": len(persons), "accounts": len(identity["accounts"])}
    try:
        moved = register.move(platform, found["id"], Event.CONFIRM, by, identify, **facts)
    except NotAllowed as error:
        raise Problem(409, "not-allowed", str(error)) from error
    if not moved:
        raise Problem(409, "not-allowed", "the same was asked already, and is being worked on")
    platform.publish("collect", {"request": found["id"]})
    found = register.read(platform, found["id"])
    return {"id": found["id"], "kind": found["kind"], "state": found["state"], "due": found["deadline"]["due"]}


def _retry(platform, found: dict, by: str, _body: dict) -> None:
    """Asks those that have not answered again, now; all of them where the answer cannot be made."""
    if found["state"] == State.COMPLETING and found["subject"] and found["subject"]["accounts"]:
        if register.move(platform, found["id"], Event.REOPEN, by):
            erasure.anew(platform, found["id"], found["subject"], found["round"])
        return
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
    golden = next(locate.persons_of(platform, {"subject": {"persons": [person]}}), None)
    if golden is None:
        raise Problem(404, "unknown-person", "there is no such person")
    hold |= {"at": text(platform.now()), "person": golden["id"]}
    person = golden["id"]
    platform.requests.update(erasure.hold_path(person), lambda _before: hold)
    for account in golden["accounts"]:  # the hold stays with them when the person is merged or parted
        mark = {"format": 1, "person": person}
        platform.requests.update(erasure.held_path(account["token"]), lambda _before, mark=mark: mark)
    trail.note(platform, hold["by"], "hold.set", person=person)
    return hold


def lift_hold(platform, person: str, by: str) -> dict:
    """Ends a legal hold. Held requests go on when they are released."""
    goldens = locate.persons_of(platform, {"subject": {"persons": [person]}})
    accounts = [account for golden in goldens for account in golden["accounts"]]
    holds = erasure.holds_on(platform, {"persons": [person], "accounts": accounts})
    if not holds:
        raise Problem(404, "no-hold", "there is no hold on that person")
    for held in holds:
        platform.requests.erase(erasure.hold_path(held))  # a mark that leads nowhere holds nothing
    trail.note(platform, by, "hold.lifted", person=person)
    return {"person": person, "held": False}


def _text(body: dict, member: str) -> str:
    value = body.get(member)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= REASON_LIMIT:
        raise Problem(400, "missing", f"`{member}` must be text of at most {REASON_LIMIT} characters")
    return value.strip()
