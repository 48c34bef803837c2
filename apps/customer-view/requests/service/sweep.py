"""What keeps requests going when an event was lost, a function failed, or the platform was away.

It runs every few minutes over the requests that are not yet at rest (`active/`), and does for each what should have
happened by now. It is the safety net; nothing waits for it when all is well.

What does not fit into the time of one run is the next one's: it goes on where this one stopped, so that no number of
requests, which anybody may make, keeps the sweep from the others.
"""

from datetime import timedelta

from ..domain.deadline import REMINDER_DAYS
from ..domain.states import CLOSED, OPEN, Event, State
from ..domain.systems import Kind
from . import collect, erasure, post, register
from .platform import named
from .times import instant, text

UNVERIFIED_DAYS = 30
PATIENCE = timedelta(minutes=1)
LOOK_AGAIN_AFTER = timedelta(hours=1)
RUN_TIME = timedelta(minutes=3)  # of the five that the function has
CURSOR = "sweep.json"


def run(platform) -> dict:
    """Looks after every active request; one that fails stops no other."""
    stopped = ""
    seen, failures, end = 0, {}, platform.now() + RUN_TIME
    for key in _round(platform):
        if platform.now() >= end:
            break
        request = key.removeprefix("active/")
        seen += 1
        try:
            _one(platform, request)
        except Exception as error:
            failures[request] = named(error)
            print(f"{request}: {named(error)}")
        stopped = key
    else:
        stopped = ""
    platform.requests.update(CURSOR, lambda before: {"format": 1, "after": stopped} if before or stopped else None)
    return {"active": seen, "failures": failures}


def _round(platform) -> list[str]:
    """All that is active, those first that the last run did not come to."""
    found = platform.requests.get(CURSOR)
    after = found.value["after"] if found else ""
    keys = list(platform.requests.keys("active/"))
    return [key for key in keys if key > after] + [key for key in keys if key <= after]


def _one(platform, request: str) -> None:
    if platform.requests.get(register.path(request)) is None:
        return  # being stored at this moment
    found = register.read(platform, request)
    register.tell(platform, found)
    _look(platform, found)
    found = register.read(platform, request)
    if found["state"] in CLOSED:  # a stop may have come between its end and this
        register.once(platform, found, "released", lambda: register.release(platform, found))
    elif found["confirmedAt"]:
        _dates(platform, found)
    collect.notices(platform, found)
    if found["state"] in CLOSED and _is_at_rest(platform, found):
        platform.requests.erase(register.active_path(request))


def _look(platform, found: dict) -> None:
    """Does the next step of a request that has not moved for a while."""
    now, request = platform.now(), found["id"]
    if found["state"] == State.UNVERIFIED and now >= instant(found["receivedAt"]) + timedelta(UNVERIFIED_DAYS):
        register.move(platform, request, Event.EXPIRE, "requests", lambda value: value.update(outcome="expired"))
        register.release(platform, found)
    if now < instant(found["stateAt"]) + PATIENCE:
        return
    if found["state"] == State.COLLECTING and found["subject"] is None:
        platform.publish("collect", {"request": request})
    elif found["state"] == State.COLLECTING:
        collect.answered(platform, request)
        collect.again(platform, register.read(platform, request))
    elif found["state"] == State.COMPLETING:
        platform.publish("finish", {"request": request})


def _dates(platform, found: dict) -> None:
    """Reminders that nobody sent (the platform was away), and the notice that it is late."""
    for days in sorted(REMINDER_DAYS):
        if collect.remind(platform, found["id"], days):
            break  # the nearer one says it all
    if platform.now() >= register.due_at(found):
        why = f"The answer was due on {found['deadline']['due']}. {collect.why_open(found)}"
        post.to_officer_once(platform, found, f"late-{found['deadline']['due']}", "late", why)


def _is_at_rest(platform, found: dict) -> bool:
    """Whether nothing is left to do. When an export's time is over it goes, and with it the address."""
    if found["kind"] == Kind.ERASURE and found["outcome"] == "fulfilled" and not _is_gone_for_good(platform, found):
        return False
    archive = found["archive"]
    if archive and platform.now() < instant(archive["expiresAt"]):
        return False
    if found["kind"] == Kind.RESTRICTION and found["state"] == State.DONE and not register.marked(found, "lifted"):
        return False  # its end has to be announced
    if archive:
        platform.requests.erase(archive["key"])
    if found["contact"]:
        register.change(platform, found["id"], erasure.without_person)
    return True


def _is_gone_for_good(platform, found: dict) -> bool:
    """Whether nothing was there any more an hour after an erasure; until then it is looked for again."""
    if register.marked(found, "looked-again"):
        return True
    if platform.now() < instant(found["closedAt"]) + LOOK_AGAIN_AFTER:
        return False
    if left := erasure.look_again(platform, found):
        why = f"{len(left)} objects were there again after the end of the erasure. "
        still = erasure.left(platform, register.read(platform, found["id"]))
        decide = f"{len(still)} of them need your decision: they may be somebody else's, or are held."
        why += decide if still else "They were erased."
        post.to_officer_once(platform, found, "told-came-back", "came back", why)
        return False
    register.once(platform, found, "looked-again", lambda: None)
    return True


def report(platform) -> dict:
    """What is open, what is late and why, and how quickly requests are answered."""
    now = platform.now()
    requests = list(register.every(platform))
    confirmed = [found for found in requests if found["confirmedAt"]]
    closed = [found for found in confirmed if found["closedAt"]]
    late = [found for found in confirmed if register.is_late(found, now)]
    return {
        "at": text(now),
        "handled": len(closed),
        "open": sum(found["state"] in OPEN for found in requests),
        "medianDays": _median([_days(found) for found in closed]),
        "late": [_late(platform, found, now) for found in late],
    }


def _late(platform, found: dict, now) -> dict:
    why = "It was answered late." if found["closedAt"] else collect.why_open(found)
    days = -platform.settings.rules.days_left(register.due_day(found), now) if not found["closedAt"] else None
    head = {name: found[name] for name in ("id", "kind", "state", "closedAt")}
    return head | {"due": found["deadline"]["due"], "daysLate": days, "why": why}


def _days(found: dict) -> float:
    return (instant(found["closedAt"]) - instant(found["receivedAt"])) / timedelta(days=1)


def _median(values: list[float]) -> float | None:
    values = sorted(values)
    middle = len(values) // 2
    if not values:
        return None
    median = values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2
    return round(median, 2)
