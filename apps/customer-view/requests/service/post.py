"""Letters: to the person in their language, and to the data-protection officer."""

from ..domain.letters import letter, to_officer
from . import register


def to_person(platform, found: dict, name: str, **facts: str) -> None:
    """Writes to the person, unless their address was erased meanwhile."""
    if found["contact"]:
        mail = letter(name, found["language"], register.kind(found), id=found["id"], **facts)
        platform.mail(found["contact"]["email"], *mail)


def to_person_once(platform, found: dict, mark: str, name: str, **facts: str) -> None:
    """The same, but not again once it was noted."""
    register.once(platform, found, mark, lambda: to_person(platform, found, name, **facts))


def to_officer_once(platform, found: dict, mark: str, what: str, why: str) -> None:
    """Tells the officer something about a request, once for each mark."""
    mail = to_officer(what, found, why, platform.settings.address)
    register.once(platform, found, mark, lambda: platform.mail(platform.settings.officer, *mail))
