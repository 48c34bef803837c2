"""The right to be forgotten (Art. 17): what goes, what the law keeps, what stops it, and the proof.

Everything here may run again after a stop at any place, in MODEL.md's order: first nothing may come back
(`suppressed/`), then the keys go, then what they opened, and an account's own object, from which the rest can be
found, goes last.
"""

import re
from collections.abc import Iterator
from datetime import date

from ..domain.keys import Keys, normal_email
from ..domain.states import CLOSED, Event, State
from ..domain.systems import INVOICE_YEARS, SOURCES, VIEW, Kind
from . import collect, locate, merge, register, trail
from .times import text

KEPT_WHY = "invoices are kept for ten years (§ 147 AO, § 257 HGB; Art. 17(3)(b) GDPR)"


def hold_path(person: str) -> str:
    return f"holds/{person}.json"


def held_path(token: str) -> str:
    """The mark of a held person's account: it leads to the hold, whatever becomes of the person."""
    return f"held/{token}.json"


def holds_on(platform, subject: dict) -> dict[str, dict]:
    """The legal holds on the subject: set on one of its persons, on who they were, or when they had its accounts."""
    persons = {name for person in subject["persons"] for name in (person, locate.followed(platform, person))}
    persons |= {was for golden in locate.persons_of(platform, {"subject": subject}) for was in golden.get("was", [])}
    marks = (platform.requests.get(held_path(account["token"])) for account in subject["accounts"])
    persons |= {mark.value["person"] for mark in marks if mark}
    found = {person: platform.requests.get(hold_path(person)) for person in sorted(persons)}
    return {person: hold.value for person, hold in found.items() if hold}


def hold_of(platform, subject: dict) -> dict | None:
    """A legal hold on the subject: its reason and who set it."""
    for hold in holds_on(platform, subject).values():
        return {name: hold[name] for name in ("reason", "by", "at")}
    return None


def suppress(platform, request: dict, subject: dict) -> dict:
    """No late event may bring anything of this subject back: its accounts, e-mails and phones, as keyed hashes.

    Gives the subject with all tokens under which there may be more of it, or which have to go with it.
    """
    keys, at = platform.settings.keys, text(platform.now())
    goldens = list(locate.persons_of(platform, {"subject": subject}))
    names = [f"account/{account['token']}" for account in subject["accounts"]]
    given = [golden.get("fields", {}).get("given", {}).get("value", "") for golden in goldens]
    for account in _stored(platform, subject["accounts"]):
        names += [f"{kind}/{token}" for kind, token in _values(keys, account)]
        subject = _more(subject, "index", account.get("index", []))
        given += _given(account)
    for golden in goldens:
        stated = locate.stated_values(golden)
        names += [f"{kind}/{keys.token(kind, _normal(kind, value))}" for _, kind, value in stated]
        subject = _more(subject, "was", golden.get("was", []))
        subject = _more(subject, "words", _words(platform, golden["id"]))
    names.append(f"email/{request['contactHash']}")
    for kind in ("email", "phone"):
        names += [f"{kind}/{token}" for token in subject.get(f"{kind}s", [])]
        tokens = [name.removeprefix(f"{kind}/") for name in names if name.startswith(f"{kind}/")]
        subject = _more(subject, f"{kind}s", tokens)
    called = sorted({keys.token("given", word) for word in map(_first_word, given) if len(word) > 1})
    for name in dict.fromkeys(names):
        entry = {"format": 1, "at": at, "request": request["id"]}
        if not name.startswith("account/"):
            entry["names"] = called
        platform.data.update(f"suppressed/{name}.json", lambda before, entry=entry: _greatest(before, entry))
    return {"at": at, **subject}


def _greatest(before: dict | None, entry: dict) -> dict:
    """A later erasure suppresses what came since the earlier one; the same one, asking anew, moves no date.

    Names add up, for a family may share the value. None means everybody, which stays so; a new round of the same
    erasure finds fewer accounts, and so may find none.
    """
    if before is None:
        return entry
    same = before["request"] == entry["request"]
    chosen = before if same or before["at"] >= entry["at"] else entry
    known, new = before.get("names", []), entry.get("names", [])
    names = sorted({*known, *new}) if known and (new or same) else []
    return {**chosen, "names": names} if "names" in entry else chosen


def _given(account: dict) -> list[str]:
    """The given names that the account has or had."""
    said = account.get("said", {}).get("given")
    before = [old["value"] for old in account.get("before", []) if old["field"] == "given"]
    return [said["value"], *before] if said else before


def _first_word(given: str) -> str:
    """By which `resolve` tells who else has the same e-mail or telephone."""
    return next((word for word in re.split(r"[\s.-]+", given) if word), "").lower()


def _normal(kind: str, value: str) -> str:
    return normal_email(value) if kind == "email" else value


def _more(subject: dict, member: str, tokens: list[str]) -> dict:
    return {**subject, member: sorted({*subject.get(member, []), *tokens})}


def _words(platform, person: str) -> list[str]:
    named = platform.data.get(_named_path(person))
    return named.value["words"] if named else []


def _named_path(person: str) -> str:
    return f"named/{person}.json"


def grew(platform, request: dict) -> bool:
    """Whether something joined the subject since it was located, which is asked anew, with everybody; or decided first.

    What joined may be somebody else's, or be held: then the officer decides, and nothing of it is touched before.
    """
    before = request["subject"]
    subject = located_anew(platform, request)
    if all(subject[what] == before[what] for what in ("accounts", "persons")):
        return False
    if doubt := locate.doubt(platform, request, subject):
        collect.doubtful(platform, request["id"], doubt)
        return True
    if request["kind"] == Kind.ERASURE:
        if hold := hold_of(platform, subject):
            collect.held(platform, request["id"], hold, "requests")
            return True
        subject = suppress(platform, request, subject)
    anew(platform, request["id"], subject, request["round"])
    return True


def located_anew(platform, request: dict) -> dict:
    """The subject with what has joined it since: under its addresses, in its persons, and in those they went into."""
    return locate.subject(platform, request["contactHash"], request["subject"], collect.meant(request))


def anew(platform, request: str, subject: dict, after: int | None = None) -> None:
    """Asks the first systems again, in a new round: what was answered before does not count.

    `after` is the round that was looked at: another may have begun the next one already.
    """

    def next_round(value: dict) -> dict | None:
        if after not in (None, value["round"]) or value["state"] != State.COLLECTING:
            return None
        return {**value, "subject": subject, "round": value["round"] + 1, "systems": {}}

    found = register.change(platform, request, next_round)
    if not found["systems"]:
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
    before = {account["token"] for account in subject["accounts"]}
    joined = [account for account in located_anew(platform, request)["accounts"] if account["token"] not in before]
    names = [(platform.keys, f"{a['source']}/{a['token']}") for a in subject["accounts"]]
    names += [(platform.data, locate.account_path(account)) for account in (*subject["accounts"], *joined)]
    names += _of_persons(platform, subject)
    there = [key for bucket, key in names if bucket.versions(key)]
    return there + [path for path in _indexes(subject) if _stands_in(platform, path, before)]


def _of_persons(platform, subject: dict) -> list[tuple]:
    """All objects that are of the subject's persons alone, and of those who went into them."""
    names = []
    for person in sorted({*subject["persons"], *subject.get("was", [])}):
        paths = (locate.person_path(person), f"merged/{person}.json", _named_path(person))
        names += [(platform.data, path) for path in paths]
        names += [(platform.data, f"names/{word}/{person}") for word in subject.get("words", [])]
        names.append((platform.keys, f"person/{person}"))
    return names


def _indexes(subject: dict) -> list[str]:
    """The index objects in which the subject stood."""
    values = [f"{kind}/{token}" for kind in ("email", "phone") for token in subject.get(f"{kind}s", [])]
    stated = [locate.stated_path(token) for token in subject.get("emails", [])]
    return [f"index/{name}.json" for name in sorted({*values, *subject.get("index", [])})] + stated


def _stands_in(platform, path: str, tokens: set[str]) -> bool:
    index = platform.data.get(path)
    return index is not None and any(account["token"] in tokens for account in index.value["accounts"])


def look_again(platform, request: dict) -> list[str]:
    """Looks once more after the end, for what a step that was slow may have written; gives what there was.

    It is erased at once: the person was told that it is gone. What may be somebody else's, or is held, is left, and
    so are persons who have such accounts; the officer is told of all of it.
    """
    there = left(platform, request)
    if there:
        subject = located_anew(platform, request)
        if not locate.doubt(platform, request, subject) and not hold_of(platform, subject):
            subject = suppress(platform, request, subject)
            request = register.change(platform, request["id"], lambda value: {**value, "subject": subject})
        try:
            for system in (*SOURCES, VIEW):
                erase(platform, system, request)
        except merge.MergeRefused as error:
            print(f"{request['id']}: {error}")
    if not there or not register.marked(request, "told-came-back"):
        detail = {"left": len(there)}
        trail.note(platform, "requests", "erasure.looked-again", request=request["id"], detail=detail)
    return there


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
    return sorted(other for other in found - {request["id"]} if not _is_anothers(platform, request, other))


def _is_anothers(platform, request: dict, other: str) -> bool:
    """Whether a request under the same address was of somebody else, with whom the person shares it."""
    subject = register.read(platform, other)["subject"] or {"accounts": []}
    theirs = {account["token"] for account in subject["accounts"]}
    return bool(theirs) and theirs.isdisjoint(account["token"] for account in request["subject"]["accounts"])


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
    year = int(at[:4])  # the day may be one that no calendar has: it passed through five systems
    return date(year + INVOICE_YEARS, 12, 31).isoformat()


def _erase_account(platform, account: dict) -> list[dict]:
    token, path = account["token"], locate.account_path(account)
    key = f"{account['source']}/{token}"
    stored = platform.data.get(path)
    proof = [_gone(platform.keys, "key destroyed", token, key)]
    if stored:
        for entry in stored.value.get("index", []):
            _leave_index(platform, f"index/{entry}.json", {token})
        platform.put_event(f"source.{account['source']}", {"key": stored.value["account"], "value": None})
    proof.append(_gone(platform.data, "account erased", token, path))
    return [{**entry, "at": text(platform.now())} for entry in proof]


def _gone(bucket, what: str, whose: str, key: str) -> dict:
    return {"of": whose, "what": what, "object": f"{bucket.name}/{key}", "versions": bucket.erase(key)}


def _leave_index(platform, path: str, gone: set[str]) -> None:
    """Takes accounts out of an index object. An empty one stays: its removal could lose who is just being added."""

    def leave(value: dict | None) -> dict | None:
        if value is None:
            return None
        return {**value, "accounts": [other for other in value["accounts"] if other["token"] not in gone]}

    platform.data.update(path, leave)


def _forget_persons(platform, request: dict) -> dict:
    """`merge` forgets the persons. What a stop of its own, half-way, may have left is taken away here."""
    subject, proof = request["subject"], []
    for person in subject["persons"]:
        merge.ask_if_known(platform, forget={"person": person, "at": text(platform.now())})
        gone = [_gone(platform.data, "person erased", person, locate.person_path(person))]
        gone.append(_gone(platform.keys, "key destroyed", person, f"person/{person}"))
        platform.put_event("view.changes", {"key": person, "value": None})
        proof += [{**entry, "at": text(platform.now())} for entry in gone]
    for bucket, key in _of_persons(platform, subject):
        if bucket.versions(key):
            bucket.erase(key)
    for path in _indexes(subject):
        _leave_index(platform, path, {account["token"] for account in subject["accounts"]})
    return {"records": len(subject["persons"]), "data": None, "proof": proof}


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
