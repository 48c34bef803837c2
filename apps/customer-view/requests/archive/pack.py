"""The archive: data for machines, reports for people, in one zip that is the same for the same answers."""

import hashlib
import io
import json
import zipfile

from ..domain.systems import ARTICLES, Kind
from . import html, pdf, report

EPOCH = (1980, 1, 1, 0, 0, 0)


def archive(controller: str, request: dict, evidence: list[dict], at: str) -> bytes:
    """The zip with `data.json` and the reports in both languages."""
    files = {"data.json": data(controller, request, evidence, at)}
    for language in ("en", "zh"):
        drawn = report.build(language, controller, request, evidence, at)
        files[f"report.{language}.html"] = html.page(drawn)
        files[f"report.{language}.pdf"] = pdf.document(drawn)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, body in files.items():
            zipped.writestr(zipfile.ZipInfo(name, EPOCH), body, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def data(controller: str, request: dict, evidence: list[dict], at: str) -> bytes:
    """What machines read: `customer-data/1`, every system's answer as it was."""
    kind = Kind(request["kind"])
    value = {
        "schema": "customer-data/1",
        "controller": controller,
        "request": {"id": request["id"], "kind": kind, "article": ARTICLES[kind], "receivedAt": request["receivedAt"]},
        "preparedAt": at,
        "systems": {answer["system"]: _system(answer) for answer in evidence},
    }
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _system(answer: dict) -> dict:
    if "excluded" in answer:
        return {"answeredAt": answer["at"], "excluded": answer["excluded"]}
    return {"answeredAt": answer["at"], "records": answer["data"]}
