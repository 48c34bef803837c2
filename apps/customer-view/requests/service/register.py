"""The requests themselves: `requests/<id>.json`, their markers, and every change of state."""

from collections.abc import Callable
from datetime import date

from ..domain.states import CLOSED, TRANSITIONS, Event, State, after
from ..domain.systems import Kind
from . import trail
from .problem import unknown_request
from .times import instant, text


def path(request: str) -> str:
    return f"requests/{request}.json"


def evidence_path(request: str, system: str) -> str:
    return f"evidence/{request}/{system}.json"


def open_path(request: dict) -> str:
    """The marker of the one open request of a kind that an address has."""
    return f"open/{request['contactHash']}-{request['kind']}.json"


def active_path(request: str) -> str:
    """The marker of a request that the sweep has still to look after."""
    return f"active/{request}"


def read(platform, request: str) -> dict:
    """The request; `Problem` where there is none."""
    found = platform.requests.get(path(request)) if _is_id(request) else None
    if found is None:
        raise unknown_request()
    return found.value


def _is_id(request: str) -> bool:
    return request.startswith("r-") and request[2:].isalnum() and len(request) <= 40


def change(platform, request: str, how: Callable[[dict], dict | None]) -> dict:
    """Changes the request conditionally; `how` gets a copy that is its own and may run many times."""

    def checked(before: dict | None) -> dict | None:
        if before is None:
            raise unknown_request()
        return how(before)

    return platform.requests.update(path(request), checked)


def move(platform, request: str, event: Event, actor: str, how=None, **detail) -> bool:
    """Lets an event happen to the request: its state changes, and `how` may change more of it, in one write.

    False if the event had happened already, so that what came twice is done once, or if `how` says `False`: what it
    was decided by is no longer so. Raises `NotAllowed` where it cannot happen.
    """
    moved = False

    def step(value: dict) -> dict | None:
        nonlocal moved
        moved = value["state"] not in _results(event)
        if not moved:
            return None
        value["state"] = after(value["state"], event)
        value["stateAt"] = text(platform.now())
        if value["state"] in CLOSED:
            value["closedAt"] = value["stateAt"]
        if how and how(value) is False:
            moved = False
            return None
        facts = {"state": value["state"], **detail}
        value["history"].append({"at": value["stateAt"], "by": actor, "what": f"request.{event}", "detail": facts})
        return value

    tell(platform, change(platform, request, step))
    return moved


def tell(platform, value: dict) -> None:
    """Puts what the request went through, and the audit trail was not told, into the trail.

    The history is written with the change itself; a stop before the trail has it leaves it to the next call. So a
    step may be told twice, but not forgotten; its number tells.
    """
    untold = value["history"][value["told"] :]
    for step, entry in enumerate(untold, value["told"] + 1):
        trail.note(platform, entry["by"], entry["what"], request=value["id"], step=step, detail=entry["detail"])
    if untold:
        told = len(value["history"])
        change(platform, value["id"], lambda now: {**now, "told": max(now["told"], told)})


def _results(event: Event) -> set[State]:
    return {result for (_, other), result in TRANSITIONS.items() if other == event}


def marked(request: dict, mark: str) -> bool:
    return mark in request["marks"]


def once(platform, request: dict, mark: str, do: Callable[[], None]) -> None:
    """Does something that may not be done again after it was noted (mails, reminders)."""
    if marked(request, mark) or marked(read(platform, request["id"]), mark):
        return
    do()
    at = text(platform.now())
    request["marks"][mark] = at
    change(platform, request["id"], lambda value: {**value, "marks": {**value["marks"], mark: at}})


def every(platform, prefix="requests/"):
    """All requests."""
    for key in platform.requests.keys(prefix):
        if found := platform.requests.get(key):
            yield found.value


def due_at(request: dict):
    return instant(request["deadline"]["dueAt"])


def due_day(request: dict) -> date:
    return date.fromisoformat(request["deadline"]["due"])


def is_late(request: dict, now) -> bool:
    """Whether the answer came, or will come, after its time."""
    end = instant(request["closedAt"]) if request["closedAt"] else now
    return end >= due_at(request)


def deadline(platform, due: date) -> dict:
    return {"due": due.isoformat(), "dueAt": text(platform.settings.rules.end_of(due)), "extended": None}


def kind(request: dict) -> Kind:
    return Kind(request["kind"])


def release(platform, found: dict) -> None:
    """Lets go of what an open request holds: the data of its answers, its reminders, and its marker.

    Unless a later request has the marker.
    """
    for name in found["systems"]:
        platform.requests.update(evidence_path(found["id"], name), without_data)
    marker = platform.requests.get(open_path(found))
    if marker and marker.value["id"] == found["id"]:
        platform.requests.erase(open_path(found))
    for days, _ in platform.settings.rules.reminders(due_day(found)):
        platform.unschedule(f"{found['id']}-{days}")


def without_data(evidence: dict | None) -> dict | None:
    return evidence and {name: value for name, value in evidence.items() if name != "data"}
