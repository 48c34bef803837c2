"""Routes of the HTTP API (payload format 2.0), and how problems look on the wire."""

import base64
import json
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

from ..domain.staff import OFFICER, PURPOSES, holder, is_purpose
from ..domain.states import CLOSED, OPEN, State
from ..service import access, intake, pace, register, staff, sweep, trail
from ..service.platform import platform
from ..service.problem import Problem
from . import pages

HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
}
BODY_LIMIT = 20_000
# What somebody sees who guesses: a link's secret, a request's id.
WRONG = ("wrong-token", "unknown-request")


class Call:
    """One request to the API."""

    def __init__(self, event: dict):
        self._event = event
        self.route = event["routeKey"]
        self.id = (event.get("pathParameters") or {}).get("id", "")
        query = event.get("queryStringParameters") or {}
        self.query: dict[str, str] = query
        self.token = query.get("token", "")
        self.headers = event.get("headers") or {}
        self.source = ((event.get("requestContext") or {}).get("http") or {}).get("sourceIp", "")

    def text(self) -> str:
        body = self._event.get("body") or ""
        if len(body) > BODY_LIMIT:
            raise Problem(413, "too-large", f"a body may have {BODY_LIMIT} bytes")
        try:
            return base64.b64decode(body).decode() if self._event.get("isBase64Encoded") else body
        except ValueError as error:
            raise Problem(400, "not-text", "the body must be UTF-8") from error

    def is_form(self) -> bool:
        return self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.text(), max_num_fields=50).items()}

    def json(self):
        try:
            return json.loads(self.text())
        except ValueError as error:
            raise Problem(400, "not-json", "the body must be JSON") from error

    def language(self) -> str:
        asked = self.query.get("lang") or self.headers.get("accept-language", "")
        return "zh" if asked.lower().startswith("zh") else "en"


def handler(event: dict, _context) -> dict:
    """One request, one answer; what is wrong has a name."""
    call = Call(event)
    try:
        return _ROUTES[call.route](call)
    except Problem as problem:
        if "text/html" in call.headers.get("accept", ""):
            return _page(problem.status, pages.problem(call.language(), problem))
        return _json(problem.status, {"error": problem.code, "message": problem.message})


def _by_link(route: Callable[[Call], dict]) -> Callable[[Call], dict]:
    """A route for who has a link. A right one is always good; wrong ones are counted, and refused when they are many."""

    def bounded(call: Call) -> dict:
        try:
            return route(call)
        except Problem as problem:
            if problem.code in WRONG:
                pace.looked_wrong(platform(), call.source)
            raise

    return bounded


def _receive(call: Call) -> dict:
    if "authorization" in call.headers:
        by = _staff(call)
        return _json(202, staff.file(platform(), _said_by(by, call.json())))
    pace.asking(platform(), call.source)
    if not call.is_form():
        return _json(202, intake.receive(platform(), call.json()))
    form = call.form()
    language = form.get("language", "en")
    answer = intake.receive(platform(), pages.from_form(form))
    return _page(202, pages.received("zh" if language == "zh" else "en", answer))


def _form(call: Call) -> dict:
    return _page(200, pages.form(call.language(), platform().settings.controller))


@_by_link
def _ask_confirm(call: Call) -> dict:
    """Only a page with a button: mail scanners open links, and must not use them up."""
    found = register.read(platform(), call.id)
    return _page(200, pages.confirm(found["language"], found, call.token))


@_by_link
def _confirm(call: Call) -> dict:
    if not call.is_form():
        body = call.json()
        token = body.get("token") if isinstance(body, dict) else None
        return _json(200, intake.confirm(platform(), call.id, token if isinstance(token, str) else ""))
    answer = intake.confirm(platform(), call.id, call.form().get("token", ""))
    return _page(200, pages.confirmed(register.read(platform(), call.id)["language"], answer))


def _show(call: Call) -> dict:
    if "authorization" in call.headers:
        by, why = _staff(call), _purpose(call)
        found = register.read(platform(), call.id)
        trail.note(platform(), by, "data.read", request=call.id, detail={"what": "request", "why": why})
        return _json(200, found | {"audit": trail.entries(platform(), call.id)})
    return _show_own(call)


@_by_link
def _show_own(call: Call) -> dict:
    found = intake.status(platform(), call.id, call.token)
    if "text/html" in call.headers.get("accept", ""):
        return _page(200, pages.status(register.read(platform(), call.id)["language"], found))
    return _json(200, found)


@_by_link
def _archive(call: Call) -> dict:
    """The archive itself; one that is larger than an answer may be as a page of its parts."""
    asked = call.query.get("part")
    if asked is not None and not (asked.isascii() and asked.isdigit() and len(asked) < 5):
        raise Problem(404, "unknown-part", "`part` is a number")
    body, parts = access.download(platform(), call.id, call.token, None if asked is None else int(asked))
    if body is None:
        language = register.read(platform(), call.id)["language"]
        return _page(200, pages.parts(language, call.id, call.token, parts))
    name = f"{call.id}.zip" + (f".{int(asked):03}" if asked else "")
    kind = {"content-type": "application/zip", "content-disposition": f'attachment; filename="{name}"'}
    encoded = base64.b64encode(body).decode()
    return {"statusCode": 200, "headers": HEADERS | kind, "body": encoded, "isBase64Encoded": True}


@_by_link
def _certificate(call: Call) -> dict:
    document = access.certificate(platform(), call.id, call.token)
    if "text/html" in call.headers.get("accept", ""):
        return _page(200, pages.certificate(register.read(platform(), call.id)["language"], document))
    return _json(200, document)


def _certificate_key(_call: Call) -> dict:
    found = platform().requests.get("certificate-key.json")
    if found is None:
        raise Problem(404, "no-certificate", "no certificate was issued yet")
    return _json(200, found.value)


def _list(call: Call) -> dict:
    by, why = _staff(call), _purpose(call)
    wanted = call.query.get("state")
    states = {None: frozenset(State), "open": OPEN, "closed": CLOSED}.get(wanted, {wanted})
    chosen = [one for one in register.every(platform()) if one["state"] in states]
    detail = {"what": "requests", "requests": len(chosen), "why": why}
    trail.note(platform(), by, "data.read", detail=detail)
    return _json(200, {"requests": sorted(chosen, key=lambda one: one["deadline"]["due"])})


def _act(call: Call) -> dict:
    by = _staff(call)
    return _json(200, staff.act(platform(), call.id, _said_by(by, call.json())))


def _report(call: Call) -> dict:
    _staff(call)
    return _json(200, sweep.report(platform()))


def _audit(call: Call) -> dict:
    _staff(call)
    after = call.query.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) <= 12):
        raise Problem(400, "wrong-type", "`after` is the number of a record")
    return _json(200, trail.verify(platform(), int(after)))


def _set_hold(call: Call) -> dict:
    by = _staff(call)
    return _json(200, staff.set_hold(platform(), call.id, _said_by(by, call.json())))


def _lift_hold(call: Call) -> dict:
    by = _staff(call)
    return _json(200, staff.lift_hold(platform(), call.id, by))


def _staff(call: Call) -> str:
    """The name of the officer who asks: that of the token, never what the call says of itself."""
    presented = call.headers.get("authorization", "")
    if not presented.startswith("Bearer "):
        raise Problem(401, "unauthorised", "this is for staff: send `Authorization: Bearer <staff token>`")
    member = holder(platform().staff_tokens(), presented[7:])
    if member is None:
        pace.tried_wrong(platform(), call.source)
        raise Problem(403, "forbidden", "no member of staff has this token")
    if member.role != OFFICER:
        raise Problem(403, "role-missing", "this is for the data-protection officer: the token's role is another")
    return member.name


def _purpose(call: Call) -> str:
    """What the personal data are needed for; the audit trail has it before they are shown."""
    why = unquote(call.headers.get("x-purpose", "")).strip()
    if not is_purpose(why):
        known = ", ".join(PURPOSES)
        raise Problem(400, "purpose-missing", f"say in the header `x-purpose`: {known}, or `request` and its id")
    return why


def _said_by(by: str, body: object) -> object:
    if not isinstance(body, dict):
        return body
    if "by" in body:
        raise Problem(400, "unknown-field", "unknown member `by`: it is who has the token")
    return body | {"by": by}


_ROUTES: dict[str, Callable[[Call], dict]] = {
    "POST /requests": _receive,
    "GET /requests/form": _form,
    "GET /requests/{id}/confirm": _ask_confirm,
    "POST /requests/{id}/confirm": _confirm,
    "GET /requests/{id}": _show,
    "GET /requests/{id}/archive": _archive,
    "GET /requests/{id}/certificate": _certificate,
    "GET /requests/certificate-key": _certificate_key,
    "GET /requests": _list,
    "POST /requests/{id}/actions": _act,
    "GET /requests/report": _report,
    "GET /requests/audit": _audit,
    "PUT /requests/holds/{id}": _set_hold,
    "DELETE /requests/holds/{id}": _lift_hold,
}


def _json(status: int, value: dict) -> dict:
    body = json.dumps(value, ensure_ascii=False)
    return {
        "statusCode": status,
        "headers": HEADERS | {"content-type": "application/json; charset=utf-8"},
        "body": body,
    }


def _page(status: int, html: str) -> dict:
    return {"statusCode": status, "headers": HEADERS | {"content-type": "text/html; charset=utf-8"}, "body": html}
