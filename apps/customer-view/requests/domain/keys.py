"""What is derived from the pepper: tokens of MODEL.md and links; and the keys of the audit trail and of certificates,
each of a secret of its own where there is one.

Every use has a label of its own, so none can be mistaken for another.
"""

import base64
import hashlib
import hmac


class Keys:
    """Derives; never shows the secrets. `own`: by label, what a key is derived from in the pepper's place."""

    def __init__(self, pepper: str, **own: str):
        self._pepper = pepper.encode()
        self._own = {label: secret.encode() for label, secret in own.items() if secret}

    def __repr__(self) -> str:
        return "Keys(***)"

    def token(self, kind: str, value: str) -> str:
        """MODEL.md, Tokens: the name under which a value may be stored."""
        return self._mac(self._pepper, f"{kind}|{value}").hex()[:32]

    def subkey(self, label: str) -> bytes:
        """A key of 32 bytes of its own for one purpose."""
        return self._mac(self._own.get(label, self._pepper), f"key/{label}")

    def link(self, purpose: str, request: str, number: int) -> str:
        """The secret of a link: good for one purpose, one request and one issue of it."""
        digest = self._mac(self.subkey("link"), f"{purpose}|{request}|{number}")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def link_is(self, presented: str, purpose: str, request: str, number: int) -> bool:
        """Whether the presented text is that link's secret; takes the same time whatever differs."""
        return hmac.compare_digest(presented.encode(), self.link(purpose, request, number).encode())

    @staticmethod
    def _mac(key: bytes, text: str) -> bytes:
        return hmac.new(key, text.encode(), hashlib.sha256).digest()


def normal_email(text: str) -> str:
    """MODEL.md's normal form of an e-mail address."""
    return text.strip().lower()
