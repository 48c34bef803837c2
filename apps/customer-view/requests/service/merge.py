"""Asking `merge`, the one writer of persons (MODEL.md, Asking `merge`)."""

from .problem import Told


class MergeRefused(Told):
    """`merge` did not do it; the text is its error's name."""


def ask(platform, **question: dict) -> list[str]:
    """The persons that exist now; raises `MergeRefused` with the error's name."""
    reply = platform.merge(question)
    if "error" in reply:
        raise MergeRefused(reply["error"])
    return reply["persons"]


def ask_if_known(platform, **question: dict) -> bool:
    """The same; false for a person that is not there (any more)."""
    try:
        ask(platform, **question)
    except MergeRefused as error:
        if str(error) == "unknown-person":
            return False
        raise
    return True
