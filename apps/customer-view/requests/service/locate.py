"""Who an address belongs to: its accounts, their persons, and all accounts of these. By MODEL.md's objects."""

import re
from collections.abc import Iterator

from ..domain.keys import normal_email
from ..domain.systems import SOURCES
from .times import text

# So many accounts an index object has at most (MODEL.md): whose further accounts share the value is not known.
CROWDED = 50
PERSON = re.compile("p-[0-9a-f]{32}")


def account_path(account: dict) -> str:
    return f"accounts/{account['source']}/{account['token']}.json"


def person_path(person: str) -> str:
    return f"persons/{person}.json"


def is_person(platform, person: str) -> bool:
    """Whether there is, or was until they were merged, a person of that id."""
    known = PERSON.fullmatch(person)
    return bool(known) and _value(platform, person_path(followed(platform, person))) is not None


def subject(platform, contact_hash: str, known: dict | None = None, only: list[str] | None = None) -> dict:
    """The persons and accounts behind an address, in a fixed order; both empty for somebody unknown.

    The index, and what staff stated, say which accounts have or had the address; each says its person, who may have
    been merged since. `known` is what was located before: it stays, and what joined it, by any e-mail or phone that it
    had, is found with it. `only` are the persons that the officer says are meant, whether the address leads to them or
    not.
    """
    known = known or {"persons": [], "accounts": []}
    accounts = {_name(account) for account in known["accounts"]}
    persons = {person for known_one in known["persons"] for person in (known_one, followed(platform, known_one))}
    meant = None if only is None else {followed(platform, person) for person in only}
    persons |= {person for person in meant or () if _value(platform, person_path(person))}
    begun = known.get("at")
    for account in _indexed(platform, "email", contact_hash):
        stored = _value(platform, account_path(_place(account)))
        if stored is None or begun and stored.get("first", "") >= begun:
            continue  # not written yet, or a new beginning after the erasure
        person = followed(platform, stored["person"]) if stored.get("person") else None
        if meant is None or person in meant:
            accounts.add(account)
            persons |= {person} - {None}
    for kind, token in ((kind, token) for kind in ("email", "phone") for token in known.get(f"{kind}s", [])):
        accounts |= {one for one in _indexed(platform, kind, token) if _person_of(platform, one) in persons}
    for person in persons:
        golden = _value(platform, person_path(person)) or {}
        accounts |= {_name(account) for account in golden.get("accounts", [])}
    located = [_place(account) for account in sorted(accounts)]
    return {**known, "persons": sorted(persons), "accounts": located}


def doubt(platform, request: dict, subject: dict) -> dict | None:
    """Why it is not certain that all of the subject is the person who owns the address; `None` where it is.

    The link proves the mailbox and nothing else. Accounts whose e-mail it is, now, are its owner's. What hangs on them
    by likeness of name and address, or had the address once, may be somebody else's: anyone can write an order in
    another's name. The officer decides on those.
    """
    before = {account["token"] for account in (request["subject"] or {"accounts": []})["accounts"]}
    new = [account for account in subject["accounts"] if account["token"] not in before]
    why = []
    if identity := request.get("identity"):
        if strange := [account for account in new if account["token"] not in identity["accounts"]]:
            why.append(f"{len(strange)} accounts joined after the officer had decided")
    else:
        if strange := [account for account in new if not _is_proven(platform, account, request["contactHash"])]:
            why.append(f"{len(strange)} of {len(subject['accounts'])} accounts do not have the confirmed address")
        several = {followed(platform, person) for person in subject["persons"]}
        if new and len(several) > 1:
            why.append(f"{len(several)} persons have it")
        if new and len(_indexed(platform, "email", request["contactHash"])) >= CROWDED:
            why.append(f"more accounts have it than the {CROWDED} that the index holds")
    return {"at": text(platform.now()), "why": "; ".join(why), "persons": subject["persons"]} if why else None


def _is_proven(platform, account: dict, contact_hash: str) -> bool:
    """Whether the account's e-mail is the confirmed one: as staff stated it, else as its system says it."""
    stored = _value(platform, account_path(account)) or {}
    golden = _value(platform, person_path(followed(platform, stored["person"]))) if stored.get("person") else None
    said = stored.get("said", {}).get("email", {}).get("value")
    whose = (account["token"], "email")
    stated = [value for token, name, value in stated_values(golden or {}) if (token, name) == whose]
    email = stated[-1] if stated else said
    return email is not None and platform.settings.keys.token("email", normal_email(email)) == contact_hash


def stated_values(golden: dict) -> Iterator[tuple[str, str, str]]:
    """The e-mails and phones that staff stated: account, field, value; the latest last."""
    for statement in sorted(golden.get("statements", []), key=lambda statement: statement["at"]):
        if statement["kind"] == "field" and statement["name"] in ("email", "phone"):
            yield statement.get("token", ""), statement["name"], statement["value"]


def stated_path(token: str) -> str:
    """The accounts for which staff stated an e-mail; of the form of an index object."""
    return f"stated/email/{token}.json"


def index_stated(platform, person: str) -> None:
    """Makes the e-mails that staff stated of a person findable: `index/` has what the systems said only."""
    golden = _value(platform, person_path(followed(platform, person))) or {}
    sources = {account["token"]: account["source"] for account in golden.get("accounts", [])}
    for token, name, value in stated_values(golden):
        if name == "email" and token in sources:
            entry = {"source": sources[token], "token": token}
            path = stated_path(platform.settings.keys.token("email", normal_email(value)))
            platform.data.update(path, lambda known, entry=entry: _with(known, entry))


def _with(index: dict | None, entry: dict) -> dict:
    accounts = (index or {"accounts": []})["accounts"]
    return {"format": 1, "accounts": accounts if entry in accounts else [*accounts, entry]}


def erased_at(platform, contact_hash: str) -> str | None:
    """When the address was erased, if it was."""
    return (_value(platform, f"suppressed/email/{contact_hash}.json") or {}).get("at")


def accounts_of(platform, request: dict, system: str) -> Iterator[dict]:
    """The stored accounts of the request's subject in one system."""
    for account in request["subject"]["accounts"]:
        if account["source"] == system and (found := _value(platform, account_path(account))):
            yield found


def persons_of(platform, request: dict) -> Iterator[dict]:
    """The golden records of the request's subject."""
    for person in sorted({followed(platform, person) for person in request["subject"]["persons"]}):
        if found := _value(platform, person_path(person)):
            yield found


def followed(platform, person: str) -> str:
    """Who the person became: `merged/` is followed until there is none."""
    seen = set()
    while person not in seen and (redirect := _value(platform, f"merged/{person}.json")):
        seen.add(person)
        person = redirect["into"]
    return person


def _indexed(platform, kind: str, token: str) -> set[tuple[str, str]]:
    paths = [f"index/{kind}/{token}.json"] + ([stated_path(token)] if kind == "email" else [])
    found = (_value(platform, path) or {"accounts": []} for path in paths)
    return {_name(account) for index in found for account in index["accounts"]}


def _place(account: tuple[str, str]) -> dict:
    return {"source": account[0], "token": account[1]}


def _person_of(platform, account: tuple[str, str]) -> str | None:
    found = _value(platform, account_path(_place(account)))
    return followed(platform, found["person"]) if found and found.get("person") else None


def _name(account: dict) -> tuple[str, str]:
    if account["source"] not in SOURCES:
        raise ValueError("an account of an unknown source")
    return account["source"], account["token"]


def _value(platform, key: str) -> dict | None:
    found = platform.data.get(key)
    return found.value if found else None
