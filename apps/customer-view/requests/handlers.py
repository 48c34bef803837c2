"""What the platform invokes behind the API: one entry point for each kind of event. No logic of its own."""

import json
from collections.abc import Callable
from urllib.parse import unquote_plus

from .domain.systems import SOURCES, VIEW
from .service import collect, sources
from .service import sweep as sweeping
from .service.platform import platform
from .service.problem import Problem


def _messages(event: dict):
    return (json.loads(record["Sns"]["Message"]) for record in event["Records"])


def begin(event: dict, _context) -> None:
    """A request was confirmed: find out who asked, and ask the systems."""
    for message in _messages(event):
        collect.begin(platform(), message["request"])
        collect.answered(platform(), message["request"])


def _answer(system: str) -> Callable[[dict, object], None]:
    """The function of one system: the topic asks all, each answers for itself alone."""

    def handler(event: dict, _context: object) -> None:
        for message in _messages(event):
            sources.answer(platform(), system, message)

    return handler


shop, orders, delivery, marketing, calls = map(_answer, SOURCES)
view = _answer(VIEW)


def gather(event: dict, _context) -> None:
    """Evidence lies in the bucket: `evidence/<request>/<system>.json`."""
    keys = (unquote_plus(record["s3"]["object"]["key"]) for record in event["Records"])
    for request in sorted({key.split("/")[1] for key in keys}):
        collect.answered(platform(), request)


def remind(event: dict, _context) -> None:
    """A schedule is due. A request that is gone needs no reminder."""
    try:
        collect.remind(platform(), event["request"], event["days"])
    except Problem as problem:
        print(f"{event['request']}: {problem.code}")


def sweep(_event: dict, _context) -> dict:
    """Every few minutes."""
    return sweeping.run(platform())
