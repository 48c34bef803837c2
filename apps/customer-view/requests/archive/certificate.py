"""The certificate of an erasure: every system, when it was done and by what proof, signed with Ed25519.

Ed25519 and not an HMAC: the person, their lawyer or a supervisory authority can check it with the public key that
stands in it and at `GET /requests/certificate-key`, without being able to write one. The signing key is derived
from the app's secret. No personal data is in it, so it can be shown to anybody.
"""

import base64
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LABEL = "certificate"


def sign(settings, request: dict, evidence: list[dict], at: str) -> dict:
    """The signed certificate of a request whose systems have all answered."""
    certificate = {
        "format": 1,
        "certificate": "erasure of personal data, Art. 17 GDPR",
        "controller": settings.controller,
        "request": request["id"],
        "receivedAt": request["receivedAt"],
        "confirmedAt": request["confirmedAt"],
        "issuedAt": at,
        "requeried": {"at": at, "left": 0},
        "systems": [_system(answer) for answer in evidence],
    }
    key = _private_key(settings)
    signature = {"algorithm": "Ed25519", "publicKey": public_key(settings), "over": "certificate, as canonical JSON"}
    return {"certificate": certificate, "signature": signature | {"value": _text(key.sign(canonical(certificate)))}}


def public_key(settings) -> str:
    """The key that certificates are checked with: 32 bytes in base64."""
    return _text(_private_key(settings).public_key().public_bytes_raw())


def is_genuine(document: dict, trusted_key: str) -> bool:
    """Whether the certificate is as it was signed with that key; never trusts the key in the document."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(trusted_key))
        key.verify(base64.b64decode(document["signature"]["value"]), canonical(document["certificate"]))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def canonical(value: dict) -> bytes:
    """JSON in one form: members by name, no spaces, UTF-8."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _system(answer: dict) -> dict:
    shown = ("system", "at", "records", "proof", "kept")
    return {name: answer[name] for name in shown if name in answer}


def _private_key(settings) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(settings.keys.subkey(LABEL))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
