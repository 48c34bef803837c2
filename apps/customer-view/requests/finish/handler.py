"""All systems have answered: make the answer, and close the request."""

import json

from ..service import finish
from ..service.platform import platform


def handler(event: dict, _context) -> None:
    for record in event["Records"]:
        finish.run(platform(), json.loads(record["Sns"]["Message"])["request"])
