"""What one system does for a request: it answers with data or with proof, as evidence of its own.

All five keep their accounts in the same form (MODEL.md), so they share this; each is a function of its own, which
knows no other system's accounts.
"""

from ..domain.states import CLOSED, State
from ..domain.systems import NOT_PROVIDED, VIEW, Kind
from . import collect, erasure, locate, merge, register, trail
from .platform import named
from .problem import Told
from .times import text


def answer(platform, system: str, message: dict) -> None:
    """Does what a message of the topic asks of this system. What fails is noted and asked again."""
    if system not in message["systems"]:
        return
    request = register.read(platform, message["request"])
    asked = request["systems"].get(system)
    if request["state"] != State.COLLECTING or asked is None or asked["state"] == "answered":
        return
    try:
        body = _work(platform, system, request)
    except Exception as error:  # whatever it is, it is this system's answer for now
        collect.failed(platform, request["id"], system, named(error))
        print(f"{request['id']}: {system} failed: {named(error)}")
        return
    head = {"format": 1, "request": request["id"], "round": request["round"], "system": system}
    head |= {"kind": request["kind"], "at": text(platform.now())}
    _tell(platform, system, request, body)
    _store(platform, request, register.evidence_path(request["id"], system), head | body)


def _store(platform, request: dict, path: str, evidence: dict) -> None:
    """The first answer of a round counts. One that comes when all is over leaves no data behind."""

    def first(before: dict | None) -> dict | None:
        return None if before and before["round"] >= evidence["round"] else evidence

    platform.requests.update(path, first)
    if register.read(platform, request["id"])["state"] in CLOSED:
        platform.requests.update(path, register.without_data)


def _work(platform, system: str, request: dict) -> dict:
    if request["kind"] == Kind.ERASURE:
        return erasure.erase(platform, system, request)
    if request["kind"] == Kind.PORTABILITY and system in NOT_PROVIDED:
        return {"records": 0, "data": None, "excluded": "not-provided"}
    if request["kind"] in (Kind.ACCESS, Kind.PORTABILITY, Kind.RECTIFICATION):
        _is_whole(platform, system, request)
        data = _view(platform, request) if system == VIEW else _accounts(platform, system, request)
        return {"records": len(data), "data": data}
    return _change(platform, system, request)


def _is_whole(platform, system: str, request: dict) -> None:
    """The view speaks only of persons all of whose accounts were located: what joined since may be another's."""
    known = {account["token"] for account in request["subject"]["accounts"]}
    for person in locate.persons_of(platform, request) if system == VIEW else ():
        if any(account["token"] not in known for account in person["accounts"]):
            raise Told("accounts have joined the person")


def _accounts(platform, system: str, request: dict) -> list[dict]:
    shown = ("account", "first", "last", "said", "before", "consents", "facts")
    hidden = ("before",) if request["kind"] == Kind.PORTABILITY else ()
    accounts = locate.accounts_of(platform, request, system)
    return [{name: account.get(name) for name in shown if name not in hidden} for account in accounts]


def _view(platform, request: dict) -> list[dict]:
    shown = ("id", "updated", "fields", "consents", "links", "statements", "restricted", "history")
    return [{name: person.get(name) for name in shown} for person in locate.persons_of(platform, request)]


def _change(platform, system: str, request: dict) -> dict:
    """Restriction and objection are made in the view, which everybody asks; sources say what they hold."""
    if system != VIEW:
        return {"records": len(list(locate.accounts_of(platform, request, system))), "data": None}
    _is_whole(platform, system, request)
    do = _restrict if request["kind"] == Kind.RESTRICTION else _object
    proof = [do(platform, request, locate.followed(platform, person)) for person in request["subject"]["persons"]]
    return {"records": len(proof), "data": None, "proof": proof}


def _restrict(platform, request: dict, person: str) -> dict:
    at = request["confirmedAt"]
    merge.ask(platform, restrict={"person": person, "request": request["id"], "at": at})
    return {"person": person, "what": "restricted", "at": at}


def _object(platform, request: dict, person: str) -> dict:
    at, purposes = request["confirmedAt"], request["details"]["purposes"]
    for purpose in purposes:
        statement = {"person": person, "kind": "consent", "name": purpose, "value": "withdrawn"}
        merge.ask(platform, state=statement | {"by": "person", "why": f"Art. 21, {request['id']}", "at": at})
    return {"person": person, "what": "withdrawn", "purposes": purposes, "at": at}


def _tell(platform, system: str, request: dict, body: dict) -> None:
    detail = {"system": system, "records": body["records"]}
    what = "data.erased" if request["kind"] == Kind.ERASURE else "data.read"
    trail.note(platform, f"requests.{system}", what, request=request["id"], detail=detail)
