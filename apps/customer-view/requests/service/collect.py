"""Asks every system, waits for all, asks again who does not answer, and tells the officer when that does not help."""

from datetime import timedelta

from ..domain.states import OPEN, Event, State
from ..domain.systems import Kind, waves
from . import erasure, intake, locate, post, register
from .times import instant, text

ESCALATE_AFTER = 4
LONGEST_PAUSE = timedelta(hours=6)


def begin(platform, request: str) -> None:
    """Finds out who asked, and asks the first systems. Does nothing for what has begun."""
    found = register.read(platform, request)
    if found["state"] != State.COLLECTING or found["subject"] is not None or _waits(platform, found):
        return
    subject = locate.subject(platform, found["contactHash"], only=meant(found))
    _greet(platform, found)
    if doubt := locate.doubt(platform, found, subject):
        doubtful(platform, request, doubt)
        return
    if found["kind"] == Kind.ERASURE and (hold := erasure.hold_of(platform, subject)):
        held(platform, request, hold, "requests")
        return
    if not subject["accounts"]:
        _nobody(platform, found)
        return
    if found["kind"] == Kind.ERASURE:
        subject = erasure.suppress(platform, found, subject)
    found = register.change(platform, request, lambda value: _first(value, subject))
    if not found["systems"]:  # else another was quicker, and asked
        ask(platform, found, waves(register.kind(found))[0])


def _first(value: dict, subject: dict) -> dict | None:
    """The first to find out who asked is right: later there may be nobody left to be found."""
    return None if value["subject"] is not None else {**value, "subject": subject}


def meant(found: dict) -> list[str] | None:
    """The persons that the officer says are meant; `None` where nobody had to say."""
    return (found.get("identity") or {}).get("persons")


def doubtful(platform, request: str, doubt: dict) -> None:
    """Asks the officer whether all that was found is the person's; nothing of it goes anywhere before."""
    register.move(platform, request, Event.REVIEW, "requests", lambda value: value.update(doubt=doubt))
    notices(platform, register.read(platform, request))


def held(platform, request: str, hold: dict, actor: str) -> None:
    """Stops a request with a reason, and tells the person."""
    register.move(platform, request, Event.HOLD, actor, lambda value: value.update(hold=hold))
    notices(platform, register.read(platform, request))


def notices(platform, found: dict) -> None:
    """The letters that the request's state calls for, each once. The sweep sends what a stop kept back."""
    extended = found["deadline"]["extended"]
    if extended and found["state"] in OPEN:
        facts = {"reason": extended["reason"], "due": found["deadline"]["due"]}
        post.to_person_once(platform, found, "told-extended", "extended", **facts)
    if found["state"] == State.HELD:
        mark = f"told-held-{found['stateAt']}"
        post.to_person_once(platform, found, mark, "held", reason=found["hold"]["reason"])
    if found["state"] == State.REFUSED:
        post.to_person_once(platform, found, "told-refused", "refused", reason=found["reason"])
    if found["state"] == State.REVIEW:
        mark = f"told-identity-{found['doubt']['at']}" if found.get("doubt") else "told-decide"
        post.to_officer_once(platform, found, mark, "decide", why_open(found))


def ask(platform, found: dict, systems: tuple[str, ...]) -> None:
    """Asks systems, once more if they were asked before."""
    at = text(platform.now())

    def asked(value: dict) -> dict:
        for name in systems:
            attempts = value["systems"].get(name, {}).get("attempts", 0) + 1
            entry = {"state": "asked", "attempts": attempts, "askedAt": at, "answeredAt": None, "error": None}
            value["systems"][name] = entry
        return value

    register.change(platform, found["id"], asked)
    platform.publish("ask", {"request": found["id"], "systems": list(systems), "round": found["round"]})


def failed(platform, request: str, system: str, error: str) -> None:
    """Notes why a system could not answer; it is asked again later."""

    def note(value: dict) -> dict | None:
        entry = value["systems"].get(system)
        if entry is None or entry["state"] == "answered":
            return None
        return {**value, "systems": {**value["systems"], system: {**entry, "state": "failed", "error": error}}}

    register.change(platform, request, note)


def answered(platform, request: str) -> None:
    """Takes in what evidence there is; goes on when all have answered. May be called at any time."""
    found = register.read(platform, request)
    if found["state"] != State.COLLECTING or found["subject"] is None:
        return
    if erasure.grew(platform, found):
        return  # asked anew, or somebody decides
    found = register.change(platform, request, lambda value: _take_in(platform, value))
    if any(system["state"] != "answered" for system in found["systems"].values()):
        return
    missing = [wave for wave in waves(register.kind(found)) if not set(wave) <= set(found["systems"])]
    if missing:
        ask(platform, found, missing[0])
        return
    event = Event.REVIEW if found["kind"] == Kind.RECTIFICATION else Event.ANSWERED
    if register.move(platform, request, event, "requests"):
        _after_answers(platform, request)


def _after_answers(platform, request: str) -> None:
    found = register.read(platform, request)
    if found["state"] == State.COMPLETING:
        platform.publish("finish", {"request": request})
    if found["state"] == State.REVIEW:
        notices(platform, found)


def _take_in(platform, value: dict) -> dict:
    for name, entry in value["systems"].items():
        if entry["state"] == "answered":
            continue
        found = platform.requests.get(register.evidence_path(value["id"], name))
        if found and found.value["round"] == value["round"]:
            answered_at, error = found.value["at"], None
            value["systems"][name] = {**entry, "state": "answered", "answeredAt": answered_at, "error": error}
    return value


def again(platform, found: dict) -> None:
    """Asks those again who did not answer in time, and tells the officer when that has not helped."""
    now = platform.now()
    due = [name for name, entry in found["systems"].items() if _is_due(entry, now)]
    if not due:
        return
    stuck = [name for name in due if found["systems"][name]["attempts"] >= ESCALATE_AFTER]
    if stuck:
        escalate(platform, found, stuck)
    ask(platform, found, tuple(due))


def _is_due(entry: dict, now) -> bool:
    pause = min(timedelta(minutes=2 ** min(entry["attempts"], 10)), LONGEST_PAUSE)
    return entry["state"] != "answered" and now >= instant(entry["askedAt"]) + pause


def escalate(platform, found: dict, systems: list[str]) -> None:
    """Tells the officer which systems do not answer, once for each set of them."""
    reasons = {name: found["systems"][name]["error"] or "no answer" for name in systems}
    why = "; ".join(f"`{name}`: {reason}" for name, reason in sorted(reasons.items()))

    mark = f"escalated-{'-'.join(sorted(systems))}"
    if register.marked(found, mark):
        return
    entry = {"at": text(platform.now()), "systems": sorted(systems), "why": why}
    register.change(platform, found["id"], lambda value: {**value, "escalations": [*value["escalations"], entry]})
    post.to_officer_once(platform, found, mark, "stuck", f"These systems do not answer: {why}.")


def remind(platform, request: str, days: int) -> bool:
    """A reminder to the officer, once; nothing for what is closed, nor when the date has moved away.

    Gives whether the time of this reminder has come.
    """
    found = register.read(platform, request)
    due = next((at for left, at in reminders(platform, found) if left == days), None)
    if found["state"] not in OPEN or not found["confirmedAt"] or due is None or platform.now() < due:
        return False
    mark = f"reminded-{days}-{found['deadline']['due']}"
    left = platform.settings.rules.days_left(register.due_day(found), platform.now())
    why = f"Days left: {left}. {why_open(found)}"
    post.to_officer_once(platform, found, mark, f"{left} days", why)
    return True


def reminders(platform, found: dict):
    return platform.settings.rules.reminders(register.due_day(found))


def schedule(platform, found: dict) -> None:
    """A schedule for each reminder that is still to come."""
    for days, at in reminders(platform, found):
        if at > platform.now():
            message = {"request": found["id"], "days": days}
            platform.schedule(f"{found['id']}-{days}", at, message)


def why_open(found: dict) -> str:
    """Why the request is not closed, in a sentence without personal data."""
    if found["state"] == State.UNVERIFIED:
        return "The person has not used the link yet."
    if found["state"] == State.HELD:
        return f"It is held: {found['hold']['reason']}"
    if found["state"] == State.REVIEW and found.get("doubt"):
        why = found["doubt"]["why"]
        return f"Is all of this the person's who asked? {why}. It waits for a decision of the officer."
    if found["state"] == State.REVIEW:
        return "All systems have answered. The correction waits for a decision of the officer."
    if found["state"] == State.COMPLETING:
        return f"All systems have answered; the answer is being made ({found.get('error') or 'no error'})."
    open_systems = {name: entry for name, entry in found["systems"].items() if entry["state"] != "answered"}
    parts = [
        f"`{name}` was asked {entry['attempts']} times ({entry['error'] or 'no answer yet'})"
        for name, entry in sorted(open_systems.items())
    ]
    return "Systems that have not answered: " + ("; ".join(parts) or "none was asked yet") + "."


def _waits(platform, found: dict) -> bool:
    """An erasure waits for what the same person asked for before: else there would be nothing left to answer with."""
    if found["kind"] != Kind.ERASURE:
        return False
    prefix = f"by-contact/{found['contactHash']}/"
    for key in platform.requests.keys(prefix):
        other = platform.requests.get(register.path(key.removeprefix(prefix)))
        if other and other.value["id"] != found["id"] and _goes_first(other.value, found):
            return True
    return False


def _goes_first(other: dict, found: dict) -> bool:
    begun = other["state"] in OPEN - {State.UNVERIFIED} and other["kind"] != Kind.ERASURE
    return begun and other["confirmedAt"] <= found["confirmedAt"]


def _nobody(platform, found: dict) -> None:
    """Nobody is known under this address: said so, or when what was known went."""
    erased = locate.erased_at(platform, found["contactHash"])

    def nothing(value: dict) -> bool:
        if value["subject"] is not None:
            return False  # another began, and has erased what could be found
        value["subject"] = {"persons": [], "accounts": []}
        value["outcome"] = "already-erased" if erased else "no-data"
        value["erasedBefore"] = erased
        return True

    if register.move(platform, found["id"], Event.ANSWERED, "requests", nothing):
        platform.publish("finish", {"request": found["id"]})


def _greet(platform, found: dict) -> None:
    schedule(platform, found)
    url = intake.link(platform, found["id"], "", "status")
    post.to_person_once(platform, found, "greeted", "confirmed", due=found["deadline"]["due"], link=url)
