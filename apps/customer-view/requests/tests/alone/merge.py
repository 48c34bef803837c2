"""A `merge` for tests of the requests alone: the answers of MODEL.md, with nothing to merge."""

import os

import boto3

from requests.service.objects import Bucket


def handler(event: dict, _context) -> dict:
    """One question, by the name of its only member."""
    s3 = boto3.client("s3")
    data, keys = Bucket(s3, os.environ["DATA_BUCKET"]), Bucket(s3, os.environ["KEYS_BUCKET"])
    ((question, facts),) = event.items()
    path = f"persons/{facts['person']}.json"
    found = data.get(path)
    if found is None:
        return {"error": "unknown-person", "message": "there is no such person"}
    if question == "forget":
        accounts = found.value["accounts"]
        if not all(data.get(f"suppressed/account/{account['token']}.json") for account in accounts):
            return {"error": "not-suppressed", "message": "its accounts are not suppressed"}
        data.erase(path)
        keys.erase(f"person/{facts['person']}")
        return {"persons": []}
    change = {"restrict": {"restricted": facts}, "release": {"restricted": None}}.get(question)
    change = change or {"statements": [*found.value["statements"], facts]}
    data.update(path, lambda value: value | change)
    return {"persons": [facts["person"]]}
