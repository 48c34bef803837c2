"""What callers did wrong, by name."""


class Problem(Exception):
    """An answer that is no success: status, a code that programs read, a text that people read."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Told(RuntimeError):
    """A failure whose text has no personal data in it, and may be shown and stored."""


def unknown_request() -> Problem:
    return Problem(404, "unknown-request", "there is no request with that reference")


def wrong_token() -> Problem:
    return Problem(403, "wrong-token", "this link does not belong to this request, or a newer one was sent")
