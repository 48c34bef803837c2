"""Who an address belongs to: its accounts, their persons, and all accounts of these. By MODEL.md's objects."""

from collections.abc import Iterator

from ..domain.systems import SOURCES


def account_path(account: dict) -> str:
    return f"accounts/{account['source']}/{account['token']}.json"


def person_path(person: str) -> str:
    return f"persons/{person}.json"


def subject(platform, contact_hash: str) -> dict:
    """The persons and accounts behind an address, in a fixed order; both empty for somebody unknown.

    The index says which accounts have the address; each says its person, who may have been merged since.
    """
    index = _value(platform, f"index/email/{contact_hash}.json")
    accounts = {_name(account) for account in (index or {}).get("accounts", [])}
    persons = {person for account in accounts if (person := _person_of(platform, account))}
    for person in persons:
        golden = _value(platform, person_path(person)) or {}
        accounts |= {_name(account) for account in golden.get("accounts", [])}
    return {
        "persons": sorted(persons),
        "accounts": [{"source": source, "token": token} for source, token in sorted(accounts)],
    }


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
    for person in request["subject"]["persons"]:
        if found := _value(platform, person_path(person)):
            yield found


def followed(platform, person: str) -> str:
    """Who the person became: `merged/` is followed until there is none."""
    seen = set()
    while person not in seen and (redirect := _value(platform, f"merged/{person}.json")):
        seen.add(person)
        person = redirect["into"]
    return person


def _person_of(platform, account: tuple[str, str]) -> str | None:
    found = _value(platform, account_path({"source": account[0], "token": account[1]}))
    return followed(platform, found["person"]) if found and found.get("person") else None


def _name(account: dict) -> tuple[str, str]:
    if account["source"] not in SOURCES:
        raise ValueError("an account of an unknown source")
    return account["source"], account["token"]


def _value(platform, key: str) -> dict | None:
    found = platform.data.get(key)
    return found.value if found else None
