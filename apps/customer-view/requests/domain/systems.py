"""The systems that answer, what each kind of request asks of them, and in which order."""

from enum import StrEnum

SOURCES = ("shop", "orders", "delivery", "marketing", "calls")
VIEW = "view"


class Kind(StrEnum):
    """What a person may ask for, with the article of the GDPR."""

    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    RESTRICTION = "restriction"
    OBJECTION = "objection"


ARTICLES = {
    Kind.ACCESS: "15",
    Kind.RECTIFICATION: "16",
    Kind.ERASURE: "17",
    Kind.RESTRICTION: "18",
    Kind.PORTABILITY: "20",
    Kind.OBJECTION: "21",
}

PURPOSES = ("newsletter", "profiling", "partners", "phone")
FIELDS = ("email", "phone", "given", "family", "address", "born", "language")

# Portable is what the person provided (Art. 20(1)); notes of the call centre and the merged view are ours.
NOT_PROVIDED = ("calls", VIEW)

# Invoices: ten years from the end of the year (§ 147 AO, § 257 HGB as they stood until 2024; some are shorter now).
INVOICE_YEARS = 10


def waves(kind: Kind) -> list[tuple[str, ...]]:
    """Who is asked together; a wave is asked when the one before has answered.

    The view is erased after its sources, so that nothing is left from which it could be made again.
    """
    if kind == Kind.ERASURE:
        return [SOURCES, (VIEW,)]
    return [(*SOURCES, VIEW)]
