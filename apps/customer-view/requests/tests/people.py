"""People as the pipeline stores them (MODEL.md), for tests here and end to end."""

from requests.domain.systems import SOURCES

AT = "2026-01-02T03:04:05Z"


def person(platform, name: str, email: str, systems=SOURCES, **said) -> str:
    """A person with one account in each system; gives the person's id."""
    keys = platform.settings.keys
    accounts = [{"source": s, "account": f"{s}-{name}", "token": keys.token(s, f"{s}-{name}")} for s in systems]
    id, values = f"p-{accounts[0]['token']}", {"email": email, "given": name, **said}
    index = f"email/{keys.token('email', email)}"
    for account in accounts:
        _store_account(platform, account, id, values, index, name)
    _store_index(platform, index, accounts)
    golden = {
        "format": 1,
        "id": id,
        "version": 1,
        "updated": AT,
        "accounts": accounts,
        "consents": {},
        "restricted": None,
    }
    golden |= {"fields": {field: {"value": value, "source": "shop", "at": AT} for field, value in values.items()}}
    platform.data.create(f"persons/{id}.json", golden | {"links": [], "never": [], "statements": [], "history": []})
    platform.keys.put(f"person/{id}", b"k" * 32, "application/octet-stream")
    return id


def _store_account(platform, account: dict, person: str, values: dict, index: str, name: str) -> None:
    stored = {
        "format": 1,
        **account,
        "person": person,
        "before": [],
        "links": [],
        "index": [index],
        "first": AT,
        "last": AT,
    }
    stored["said"] = {field: {"value": value, "at": AT, "event": "e"} for field, value in values.items()}
    stored["consents"] = {"newsletter": {"state": "granted", "at": AT, "event": "e"}}
    order = {"e1": {"type": "order", "id": f"O-{name}", "at": AT, "cents": 4990}}
    stored["facts"] = order if account["source"] == "orders" else {}
    place = f"{account['source']}/{account['token']}"
    platform.data.create(f"accounts/{place}.json", stored)
    platform.keys.put(place, b"k" * 32, "application/octet-stream")


def _store_index(platform, index: str, accounts: list[dict]) -> None:
    entries = [{"source": account["source"], "token": account["token"]} for account in accounts]

    def join(value: dict | None) -> dict:
        return {"format": 1, "accounts": [*(value or {"accounts": []})["accounts"], *entries]}

    platform.data.update(f"index/{index}.json", join)
