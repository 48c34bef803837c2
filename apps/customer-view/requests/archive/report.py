"""The report as a structure, once; `html` and `pdf` draw it."""

from dataclasses import dataclass, field

from ..domain.systems import ARTICLES, Kind
from .words import WORDS


@dataclass(frozen=True)
class Table:
    """Rows under headings; `title` may be empty."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """A chapter: what stands below its title, then tables."""

    title: str
    lead: str = ""
    tables: list[Table] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """Everything that one language's report says."""

    language: str
    title: str
    subtitle: str
    facts: list[tuple[str, str]]
    sections: list[Section]
    glyphs: str


def build(language: str, controller: str, request: dict, evidence: list[dict], at: str) -> Report:
    """The report of a request's answers."""
    words = WORDS[language]
    subtitle = words["subtitle"].format(article=ARTICLES[Kind(request["kind"])])
    facts = [
        (words["controller"], controller),
        (words["reference"], request["id"]),
        (words["received"], _time(request["receivedAt"])),
        (words["prepared"], _time(at)),
    ]
    sections = [_summary(words, evidence), *(_system(words, answer) for answer in evidence), _information(words)]
    return Report(words["lang"], words["title"][request["kind"]], subtitle, facts, sections, words["glyphs"])


def _summary(words: dict, evidence: list[dict]) -> Section:
    rows = [
        (words["system-names"][answer["system"]], words["purposes"][answer["system"]], str(answer["records"]))
        for answer in evidence
    ]
    return Section(words["summary"], tables=[Table("", (words["system"], words["what"], words["records"]), rows)])


def _information(words: dict) -> Section:
    return Section(words["information"], texts=words["rights"])


def _system(words: dict, answer: dict) -> Section:
    title = words["system-names"][answer["system"]]
    if "excluded" in answer:
        return Section(title, words[answer["excluded"]])
    if not answer["data"]:
        return Section(title, words["nothing"])
    draw = _person if answer["system"] == "view" else _account
    return Section(
        title, words["purposes"][answer["system"]], [table for one in answer["data"] for table in draw(words, one)]
    )


def _account(words: dict, account: dict) -> list[Table]:
    title = f"{words['account']} {account['account']}"
    said = [(_field(words, name), _text(entry["value"]), _time(entry["at"])) for name, entry in _said(account)]
    earlier = [
        (_field(words, old["field"]), _text(old["value"]), _time(old["at"])) for old in account.get("before") or []
    ]
    heads = (words["field"], words["value"], words["since"])
    facts = sorted((account.get("facts") or {}).values(), key=lambda fact: fact["at"], reverse=True)
    tables = [Table(title, heads, said), Table(words["earlier"], heads, earlier), _consents(words, account)]
    return _filled([*tables, _events(words, facts)])


def _said(account: dict):
    order = list(WORDS["en"]["fields"])
    entries = (account.get("said") or {}).items()
    return sorted(entries, key=lambda entry: order.index(entry[0]) if entry[0] in order else len(order))


def _person(words: dict, person: dict) -> list[Table]:
    names = words["system-names"]
    rows = [
        (_field(words, name), _text(entry["value"]), names.get(entry.get("source"), entry.get("source", "")))
        for name, entry in (person.get("fields") or {}).items()
    ]
    if person.get("restricted"):
        rows.append((words["restricted"], _time(person["restricted"]["since"]), ""))
    heads = (words["field"], words["value"], words["source"])
    return _filled(
        [Table("", heads, rows), _consents(words, person), _links(words, person), _statements(words, person)]
    )


def _links(words: dict, person: dict) -> Table:
    rows = []
    for link in person.get("links") or []:
        reasons = ", ".join(f"{reason['rule']} ({reason['weight']:+.1f})" for reason in link.get("reasons") or [])
        rows.append((f"{link['a'][:8]} – {link['b'][:8]}", f"{link['score']:.2f}", reasons))
    return Table(words["links"], (words["accounts"], words["score"], words["reasons"]), rows)


def _statements(words: dict, person: dict) -> Table:
    rows = [
        (_field(words, entry["name"]), _text(entry["value"]), _time(entry["at"]))
        for entry in person.get("statements") or []
    ]
    return Table(words["statements"], (words["field"], words["value"], words["since"]), rows)


def _consents(words: dict, holder: dict) -> Table:
    rows = [
        (
            words["consent-names"].get(name, name),
            words["consent-states"].get(entry["state"], entry["state"]),
            _time(entry["at"]),
        )
        for name, entry in sorted((holder.get("consents") or {}).items())
    ]
    return Table(words["consents"], (words["purpose"], words["state"], words["since"]), rows)


def _events(words: dict, facts: list[dict]) -> Table:
    rows = [
        (
            _time(fact["at"]),
            words["types"].get(fact["type"], fact["type"]),
            fact.get("id", ""),
            _money(fact.get("cents")),
            _content(words, fact),
        )
        for fact in facts
    ]
    heads = (words["when"], words["kind"], words["number"], words["sum"], words["content"])
    return Table(words["events"], heads, rows)


def _content(words: dict, fact: dict) -> str:
    """What was ordered, what became of a parcel, and what the call centre wrote down (Art. 15 has no exception for it)."""
    parts = [f"{item.get('quantity', 1)} × {item.get('sku', '')}" for item in fact.get("items") or []]
    parts += [words["statuses"].get(fact["status"], fact["status"])] if "status" in fact else []
    parts += [fact[name] for name in ("order", "note") if fact.get(name)]
    return ", ".join(parts)


def _filled(tables: list[Table]) -> list[Table]:
    return [table for table in tables if table.rows]


def _field(words: dict, name: str) -> str:
    return words["fields"].get(name) or words["consent-names"].get(name, name)


def _text(value) -> str:
    if isinstance(value, dict):
        return ", ".join(str(part) for part in value.values() if part)
    return str(value)


def _money(cents: int | None) -> str:
    return "" if cents is None else f"{cents / 100:,.2f}"


def _time(at: str) -> str:
    return at.replace("T", " ").removesuffix(":00Z").removesuffix("Z") + " UTC" if "T" in at else at
