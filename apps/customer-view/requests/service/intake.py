"""How a request comes in, and how we know that it is the person's: a link to the address, good once."""

import re
from datetime import timedelta

from ..domain.keys import normal_email
from ..domain.letters import LANGUAGES, letter
from ..domain.states import OPEN, Event, NotAllowed, State
from ..domain.systems import FIELDS, PURPOSES, Kind
from . import pace, register, trail
from .platform import named
from .problem import Problem, wrong_token
from .times import instant, text

LINK_MINUTES = 30
LINK_PAUSE = timedelta(minutes=1)
EMAIL = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
GROUNDS = ("accuracy", "unlawful", "claims", "objection")
TEXT_LIMIT = 400


def receive(platform, body: dict) -> dict:
    """Takes a request in, or finds the open one, and mails a link. What it answers does not tell who we know."""
    request = store(platform, body)
    _send_link(platform, request["id"])
    return {"id": request["id"], "kind": request["kind"], "state": State.UNVERIFIED, "due": request["deadline"]["due"]}


def store(platform, body: object) -> dict:
    """The request as it is stored, new or open already."""
    asked = _with_hash(platform, _parse(body))
    return _open(platform, asked) or _begin(platform, asked)


def confirm(platform, request: str, token: str) -> dict:
    """Takes the link's secret: the person is who owns the address. Good once, for a while, for this request."""
    found = register.read(platform, request)
    _check(platform, found, token)
    at = text(platform.now())

    def use(value: dict) -> None:
        _check(platform, value, token)  # another link may have been issued, or this one used, in between
        value["link"]["usedAt"] = value["confirmedAt"] = at

    try:
        moved = register.move(platform, request, Event.CONFIRM, "person", use)
    except NotAllowed as error:
        raise Problem(409, "not-allowed", str(error)) from error
    if not moved:
        raise _used()
    platform.publish("collect", {"request": request})
    status = platform.settings.keys.link("status", request, 1)
    return {"id": request, "state": State.COLLECTING, "due": found["deadline"]["due"], "statusToken": status}


def status(platform, request: str, token: str) -> dict:
    """What the person may see of their request."""
    found = authorised(platform, request, "status", token)
    shown = ("id", "kind", "state", "outcome", "receivedAt", "confirmedAt", "closedAt", "reason")
    answer = {name: found.get(name) for name in shown} | {"due": found["deadline"]["due"]}
    answer["systems"] = {name: system["state"] for name, system in found["systems"].items()}
    return answer


def authorised(platform, request: str, purpose: str, token: str) -> dict:
    """The request, if the link is one of this purpose and of this request."""
    found = register.read(platform, request)
    if not platform.settings.keys.link_is(token, purpose, request, 1):
        raise wrong_token()
    return found


def link(platform, request: str, what: str, purpose: str, number: int = 1) -> str:
    """An address with its secret, for a letter."""
    secret = platform.settings.keys.link(purpose, request, number)
    return f"{platform.settings.address}/requests/{request}{what}?token={secret}"


def _check(platform, found: dict, token: str) -> None:
    if not platform.settings.keys.link_is(token, "confirm", found["id"], found["link"]["number"]):
        raise wrong_token()
    if found["link"]["usedAt"]:
        raise _used()
    if platform.now() >= instant(found["link"]["expiresAt"]):
        raise Problem(410, "expired-token", f"this link was good for {LINK_MINUTES} minutes; ask again for a new one")


def _used() -> Problem:
    return Problem(409, "used-token", "this link was used already; your request is being worked on")


def _open(platform, asked: dict) -> dict | None:
    """The open request of that address and kind. A marker whose request was never stored begins it now."""
    marker = platform.requests.get(register.open_path(asked))
    if marker is None:
        return None
    found = platform.requests.get(register.path(marker.value["id"]))
    if found is None:
        return _store(platform, asked, marker.value["id"])
    if found.value["state"] in OPEN:
        return found.value
    platform.requests.erase(register.open_path(asked))
    return None


def _begin(platform, asked: dict) -> dict:
    request = platform.new_id()
    if platform.requests.create(register.open_path(asked), {"format": 1, "id": request}):
        return _store(platform, asked, request)
    return _open(platform, asked) or _begin(platform, asked)  # another of the same came between


def _store(platform, asked: dict, request: str) -> dict:
    now = platform.now()
    value = {"format": 1, "id": request, **asked, "state": State.UNVERIFIED, "outcome": None, "reason": None}
    value |= {"receivedAt": text(now), "stateAt": text(now), "confirmedAt": None, "closedAt": None}
    value |= {"deadline": register.deadline(platform, platform.settings.rules.due_day(now))}
    value |= {"link": {"number": 0, "issuedAt": None, "expiresAt": None, "usedAt": None}}
    value |= {"subject": None, "round": 1, "systems": {}, "hold": None, "escalations": [], "marks": {}}
    received = {"at": text(now), "by": "person", "what": "request.received", "detail": {"kind": asked["kind"]}}
    value |= {"history": [received], "told": 0}
    value |= {"archive": None, "certificate": None, "error": None, "erasedBefore": None, "decidedBy": None}
    value |= {"identity": None, "doubt": None}
    platform.requests.create(register.active_path(request), {"format": 1})
    platform.requests.create(f"by-contact/{asked['contactHash']}/{request}", {"format": 1})
    platform.requests.create(register.path(request), value)
    stored = register.read(platform, request)
    register.tell(platform, stored)
    return stored


def _send_link(platform, request: str) -> None:
    """A new link makes the old one worthless. One a minute and a few an hour: nobody floods another's mailbox."""
    issued = None

    def issue(value: dict) -> dict | None:
        nonlocal issued
        issued, now = None, platform.now()
        last = value["link"]["issuedAt"]
        if value["state"] != State.UNVERIFIED or last and now < instant(last) + LINK_PAUSE:
            return None
        issued = value["link"]["number"] + 1
        expires = text(now + timedelta(minutes=LINK_MINUTES))
        value["link"] = {"number": issued, "issuedAt": text(now), "expiresAt": expires, "usedAt": None}
        return value

    value = register.read(platform, request)
    if issue(value) is None or not pace.bounded(platform, "link", value["contactHash"], pace.LINKS_PER_ADDRESS):
        return
    value = register.change(platform, request, issue)
    if issued is None:
        return
    url = link(platform, request, "/confirm", "confirm", issued)
    facts = {"link": url, "id": request, "minutes": str(LINK_MINUTES)}
    try:
        platform.mail(value["contact"]["email"], *letter("link", value["language"], register.kind(value), **facts))
    except Exception as error:
        print(f"{request}: no link was mailed: {named(error)}")
        register.change(platform, request, _not_issued)  # the next try need not wait
        raise Problem(503, "mail-unavailable", "the mail with the link could not be sent; try again later") from error
    trail.note(platform, "requests", "link.sent", request=request, detail={"number": issued})


def _not_issued(value: dict) -> dict:
    return {**value, "link": {**value["link"], "issuedAt": None}}


def _parse(body: object) -> dict:
    """The request as it will be stored, or a `Problem` that names the member."""
    if not isinstance(body, dict):
        raise Problem(400, "wrong-type", "the request must be a JSON object")
    if unknown := sorted(set(body) - {"kind", "email", "language", "details"}):
        raise Problem(400, "unknown-field", f"unknown member `{unknown[0][:40]}`")
    kind = _one_of(body, "kind", tuple(Kind))
    language = _one_of({"language": "en"} | body, "language", LANGUAGES)
    email = body.get("email")
    if not isinstance(email, str) or len(email) > 254 or not EMAIL.fullmatch(normal_email(email)):
        raise Problem(400, "bad-email", "`email` must be an e-mail address")
    details = body.get("details") or {}
    if not isinstance(details, dict):
        raise Problem(400, "wrong-type", "`details` must be an object")
    contact = {"email": normal_email(email)}
    return {"kind": kind, "language": language, "contact": contact, "details": _details(Kind(kind), details)}


def _with_hash(platform, asked: dict) -> dict:
    return asked | {"contactHash": platform.settings.keys.token("email", asked["contact"]["email"])}


def _one_of(body: dict, member: str, allowed: tuple) -> str:
    if member not in body:
        raise Problem(400, "missing", f"`{member}` is missing")
    value = body[member]
    if not isinstance(value, str) or value not in tuple(allowed):
        raise Problem(400, f"unknown-{member}", f"`{member}` must be one of {', '.join(allowed)}")
    return value


def _details(kind: Kind, details: dict) -> dict:
    allowed = {Kind.RECTIFICATION: "fields", Kind.OBJECTION: "purposes", Kind.RESTRICTION: "ground"}.get(kind)
    if unknown := sorted(set(details) - {allowed}):
        raise Problem(400, "unknown-field", f"unknown member `details.{unknown[0][:40]}` of a request of this kind")
    if kind == Kind.RECTIFICATION:
        return {"fields": _fields(details.get("fields"))}
    if kind == Kind.OBJECTION:
        purposes = details.get("purposes") or list(PURPOSES)
        if not isinstance(purposes, list) or not set(map(str, purposes)) <= set(PURPOSES):
            raise Problem(400, "wrong-type", f"`details.purposes` must be a list of {', '.join(PURPOSES)}")
        return {"purposes": sorted(set(purposes))}
    if kind == Kind.RESTRICTION:
        return {"ground": _one_of({"ground": "accuracy"} | details, "ground", GROUNDS)}
    return {}


def _fields(fields: object) -> dict:
    if not isinstance(fields, dict) or not fields:
        raise Problem(400, "missing", "`details.fields` must name what is to be corrected")
    for name, value in fields.items():
        if name not in FIELDS:
            raise Problem(400, "unknown-field", f"`details.fields` may have {', '.join(FIELDS)}")
        if name == "address":
            _address(value)
        elif not _is_text(value):
            raise Problem(400, "wrong-type", f"`details.fields.{name}` must be text of at most {TEXT_LIMIT} characters")
    if "email" in fields:
        if len(fields["email"]) > 254 or not EMAIL.fullmatch(normal_email(fields["email"])):
            raise Problem(400, "bad-email", "`details.fields.email` must be an e-mail address")
        return {**fields, "email": normal_email(fields["email"])}
    return fields


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= TEXT_LIMIT


def _address(value: object) -> None:
    """As the view keeps it; text would be refused only after the officer's decision."""
    parts = ("street", "postcode", "city", "country")
    if not isinstance(value, dict) or not value or not all(map(_is_text, value.values())) or set(value) - set(parts):
        raise Problem(400, "wrong-type", f"`details.fields.address` must be an object of texts: {', '.join(parts)}")
