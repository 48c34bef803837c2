"""The right to be forgotten (Art. 17): what goes, what the law keeps, what stops it, and the proof.

Everything here may run again after a stop at any place, in MODEL.md's order: first nothing may come back
(`suppressed/`), then the keys go, then what they opened, and an account's own object, from which the rest can be
found, goes last.
"""

from collections.abc import Iterator
from datetime import date

from ..domain.keys import Keys
from ..domain.states import CLOSED, Event, State
from ..domain.systems import INVOICE_YEARS, SOURCES, VIEW
from . import collect, locate, merge, register, trail
from .times import instant, text

KEPT_WHY = "invoices are kept for ten years (§ 147 AO, § 257 HGB; Art. 17(3)(b) GDPR)"


def hold_path(person: str) -> str:
    return f"holds/{person}.json"


def hold_of(platform, subject: dict) -> dict | None:
    """The legal hold on any of the subject's persons: its reason and who set it."""
    for person in subject["persons"]:
        if found := platform.requests.get(hold_path(person)):
            return {name: found.value[name] for name in ("reason", "by", "at")}
    return None


def suppress(platform, request: dict, subject: dict) -> dict:
    """No late event may bring anything of this subject back: its accounts, e-mails and phones, as keyed hashes.

    Gives the subject with the tokens of all its e-mails, under which there may be more of it.
    """
    keys, entry = platform.settings.keys, {"format": 1, "at": text(platform.now()), "request": request["id"]}
    names = [f"account/{account['token']}" for account in subject["accounts"]]
    for account in _stored(platform, subject["accounts"]):
        names += [f"{kind}/{token}" for kind, token in _values(keys, account)]
    names += [f"email/{token}" for token in (request["contactHash"], *subject.get("emails", []))]
    for name in dict.fromkeys(names):
        platform.data.create(f"suppressed/{name}.json", entry)
    emails = sorted({name.removeprefix("email/") for name in names if name.startswith("email/")})
    return {**subject, "emails": emails}


def grew(platform, request: dict) -> bool:
    """Whether accounts joined the subject since it was located. They are suppressed, and all are asked anew."""
    before = {(account["source"], account["token"]) for account in request["subject"]["accounts"]}
    golden = [account for person in locate.persons_of(platform, request) for account in person["accounts"]]
    new = {(account["source"], account["token"]) for account in golden} - before
    if not new:
        return False
    accounts = [{"source": source, "token": token} for source, token in sorted(before | new)]
    subject = {**request["subject"], "accounts": accounts}
    anew(platform, request["id"], suppress(platform, request, subject))
    return True


def anew(platform, request: str, subject: dict) -> None:
    """Asks the first systems again, in a new round: what was answered before does not count."""

    def next_round(value: dict) -> dict:
        return {**value, "subject": subject, "round": value["round"] + 1, "systems": {}}

    found = register.change(platform, request, next_round)
    collect.ask(platform, found, collect.waves(register.kind(found))[0])


def erase(platform, system: str, request: dict) -> dict:
    """Erases what one system has of the subject; gives the evidence."""
    if system == VIEW:
        return _forget_persons(platform, request)
    proof, kept = [], []
    for account in request["subject"]["accounts"]:
        if account["source"] == system:
            kept += _keep_invoices(platform, request, account)
            proof += _erase_account(platform, account)
    return {"records": len({entry["of"] for entry in proof}), "data": None, "proof": proof, "kept": kept}


def left(platform, request: dict) -> list[str]:
    """Asks again for everything that was to go; the objects that are there all the same. Any version counts."""
    subject = request["subject"]
    names = [(platform.keys, f"{a['source']}/{a['token']}") for a in subject["accounts"]]
    names += [(platform.data, locate.account_path(account)) for account in subject["accounts"]]
    names += [(platform.keys, f"person/{person}") for person in subject["persons"]]
    names += [(platform.data, locate.person_path(person)) for person in subject["persons"]]
    there = [key for bucket, key in names if bucket.versions(key)]
    tokens = {account["token"] for account in subject["accounts"]}
    for path in (f"index/email/{email}.json" for email in subject["emails"]):
        index = platform.data.get(path)
        if index and tokens & {account["token"] for account in index.value["accounts"]}:
            there.append(path)
    return there


def look_again(platform, request: dict) -> int:
    """Looks once more after the end, for what a step that was slow may have written; gives how much there was.

    It is erased at once: the person was told that it is gone.
    """
    there = left(platform, request)
    if there:
        for system in (*SOURCES, VIEW):
            erase(platform, system, request)
    trail.note(platform, "requests", "erasure.looked-again", request=request["id"], detail={"left": len(there)})
    return len(there)


def forget_requests(platform, request: dict) -> int:
    """What earlier requests of the same person still hold: exports, answers, addresses. Gives how many objects went."""
    gone = 0
    for other in _requests_of(platform, request):
        for place in (f"exports/{other}/", f"evidence/{other}/"):
            gone += sum(platform.requests.erase(name) for name in list(platform.requests.keys(place)))
        _forget_request(platform, other)
    return gone


def _forget_request(platform, other: str) -> None:
    """An open request that was confirmed keeps its address until it is answered; it finds nothing any more."""
    state = register.read(platform, other)["state"]
    if state == State.UNVERIFIED:
        register.move(platform, other, Event.EXPIRE, "requests", lambda value: value.update(outcome="expired"))
    if state == State.UNVERIFIED or state in CLOSED:
        register.change(platform, other, without_person)


def _requests_of(platform, request: dict) -> list[str]:
    places = [f"by-contact/{email}/" for email in request["subject"]["emails"]]
    found = {key.rpartition("/")[2] for place in places for key in platform.requests.keys(place)}
    return sorted(found - {request["id"]})


def without_person(value: dict) -> dict:
    """The request without what says who it was; the keyed hash stays, to be found by who asks again."""
    details = {name: sorted(what) if isinstance(what, dict) else what for name, what in value["details"].items()}
    return {**value, "contact": None, "details": details, "archive": None}


def _keep_invoices(platform, request: dict, account: dict) -> list[dict]:
    """What the law keeps: number, time and sum under a pseudonym from which nobody leads back without the pepper."""
    if account["source"] != "orders":
        return []
    keys: Keys = platform.settings.keys
    pseudonym = keys.token("retained", f"{request['id']}|{account['token']}")
    path = f"retained/{pseudonym}.json"
    found = platform.data.get(locate.account_path(account))
    if found and (invoices := _invoices(keys, found.value)):
        platform.requests.update(path, lambda before: _retained(pseudonym, before, invoices))
    stored = platform.requests.get(path)  # also after a stop behind the account's deletion
    if stored is None:
        return []
    facts = {name: stored.value[name] for name in ("pseudonym", "reason", "until")}
    return [facts | {"what": "invoices", "count": len(stored.value["invoices"])}]


def _retained(pseudonym: str, before: dict | None, invoices: list[dict]) -> dict:
    """What is kept: also what an earlier round kept, of which the account may know nothing any more."""
    every = {invoice["number"]: invoice for invoice in [*(before or {"invoices": []})["invoices"], *invoices]}
    ordered = sorted(every.values(), key=lambda invoice: (invoice["at"], invoice["number"]))
    until = max(_kept_until(invoice["at"]) for invoice in ordered)
    return {"format": 1, "pseudonym": pseudonym, "reason": KEPT_WHY, "until": until, "invoices": ordered}


def _invoices(keys: Keys, account: dict) -> list[dict]:
    orders = {}
    for fact in account.get("facts", {}).values():
        if fact.get("type") == "order" and "cents" in fact:
            orders[fact["id"]] = {"number": keys.token("order", fact["id"]), "at": fact["at"], "cents": fact["cents"]}
    return list(orders.values())


def _kept_until(at: str) -> str:
    """Ten years from the end of the year of the invoice."""
    return date(instant(at).year + INVOICE_YEARS, 12, 31).isoformat()


def _erase_account(platform, account: dict) -> list[dict]:
    token, path = account["token"], locate.account_path(account)
    key = f"{account['source']}/{token}"
    stored = platform.data.get(path)
    proof = [_gone(platform.keys, "key destroyed", token, key)]
    if stored:
        for entry in stored.value.get("index", []):
            _leave_index(platform, f"index/{entry}.json", account)
        platform.put_event(f"source.{account['source']}", {"key": stored.value["account"], "value": None})
    proof.append(_gone(platform.data, "account erased", token, path))
    return [{**entry, "at": text(platform.now())} for entry in proof]


def _gone(bucket, what: str, whose: str, key: str) -> dict:
    return {"of": whose, "what": what, "object": f"{bucket.name}/{key}", "versions": bucket.erase(key)}


def _leave_index(platform, path: str, account: dict) -> None:
    """Takes the account out of an index object. An empty one stays: its removal could lose who is just being added."""

    def leave(value: dict | None) -> dict | None:
        if value is None:
            return None
        return {**value, "accounts": [other for other in value["accounts"] if other["token"] != account["token"]]}

    platform.data.update(path, leave)


def _forget_persons(platform, request: dict) -> dict:
    """`merge` forgets the persons. What a stop of its own, half-way, may have left is taken away here."""
    proof = []
    for person in request["subject"]["persons"]:
        merge.ask_if_known(platform, forget={"person": person, "at": text(platform.now())})
        gone = [_gone(platform.data, "person erased", person, locate.person_path(person))]
        gone.append(_gone(platform.keys, "key destroyed", person, f"person/{person}"))
        platform.put_event("view.changes", {"key": person, "value": None})
        proof += [{**entry, "at": text(platform.now())} for entry in gone]
    return {"records": len(request["subject"]["persons"]), "data": None, "proof": proof}


def _stored(platform, accounts: list[dict]) -> Iterator[dict]:
    for account in accounts:
        if found := platform.data.get(locate.account_path(account)):
            yield found.value


def _values(keys: Keys, account: dict) -> Iterator[tuple[str, str]]:
    """The tokens of every e-mail and phone that the account has or had."""
    said = account.get("said", {})
    for kind in ("email", "phone"):
        if kind in said:
            yield kind, keys.token(kind, said[kind]["value"])
    for old in account.get("before", []):
        if old["field"] in ("email", "phone"):
            yield old["field"], keys.token(old["field"], old["value"])
