"""What the clients of `cargo xtask chaos` share: boto3 against a node that keeps dying, and journals.

Every write is noted in a journal of its writer twice: before it is sent, and when it was acknowledged. A write
without an acknowledgement may have happened or not.
"""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, HTTPClientError

CONFIG = Config(
    retries={"max_attempts": 0, "mode": "standard"},
    connect_timeout=2,
    read_timeout=20,
    s3={"addressing_style": "path"},
)
LOST = (BotoCoreError, HTTPClientError, ConnectionError)


def client(service, endpoint):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIACHAOS",
        aws_secret_access_key="chaos",
        config=CONFIG,
    )


class Journal:
    """What one writer did, a line each; read back when it is verified."""

    def __init__(self, folder, name):
        self.file = open(folder / f"{name}.journal", "a", encoding="utf-8")

    def note(self, **entry):
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()


def journal_lines(folder, kind):
    for path in sorted(folder.glob(f"{kind}-*.journal")):
        with open(path, encoding="utf-8") as file:
            yield path, [json.loads(line) for line in file]


def answered(answer):
    """An answer that came. Where a connection ends instead, botocore may repeat the status of the answer before it
    (its AWSHTTPResponse keeps it for a request with `Expect: 100-continue`): a 200 without a single header."""
    if not answer["ResponseMetadata"]["HTTPHeaders"]:
        raise ConnectionError("the connection ended before the answer")
    return answer
