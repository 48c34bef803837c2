"""What the requests need of the platform: buckets, a topic, a bus, schedules, mail, one function and the clock."""

import json
import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from zoneinfo import ZoneInfo

import boto3
from botocore.exceptions import ClientError

from ..domain.calendar import Calendar
from ..domain.deadline import Rules
from ..domain import staff
from ..domain.keys import Keys
from .objects import Bucket
from .problem import Told


STAFF_SECONDS = 60
PUBLIC = "only-good-on-your-own-machine"  # what the secrets are where nobody set them: for the stage `dev` alone


def secret(name: str) -> str:
    """A secret of the environment. Outside the stage `dev` neither nothing nor what stands in the app's files."""
    value = os.environ[name]
    if os.environ.get("STAGE") != "dev" and (not value.strip() or PUBLIC in value):
        raise Told(
            f"set {name}: outside the stage `dev` it may be neither empty nor the word that stands in the app's files"
        )
    return value


def own(name: str) -> str:
    """A secret that this function may have of its own; nothing where the pepper serves."""
    return secret(name) if os.environ.get(name) else ""


@dataclass(frozen=True)
class Settings:
    """Who answers, and how. From the environment of the functions."""

    controller: str
    officer: str
    sender: str
    address: str
    keys: Keys
    staff: str
    rules: Rules
    per_source: int = 30

    @classmethod
    def from_environment(cls) -> "Settings":
        days = frozenset(date.fromisoformat(day) for day in os.environ.get("HOLIDAYS", "").split())
        calendar = Calendar(os.environ.get("COUNTRY") or None, days)
        return cls(
            controller=os.environ["CONTROLLER"],
            officer=os.environ["OFFICER_EMAIL"],
            sender=os.environ["SENDER_EMAIL"],
            address=_address(),
            keys=Keys(secret("CUSTOMER_VIEW_PEPPER"), audit=own("AUDIT_KEY"), certificate=own("CERTIFICATE_KEY")),
            staff="" if os.environ.get("STAFF_SECRET") else secret("STAFF_TOKENS"),
            rules=Rules(ZoneInfo(os.environ["TIME_ZONE"]), calendar),
            per_source=_per_source(),
        )


def _per_source() -> int:
    """How often a source may, as set: 30 without a word, 0 for no limit."""
    text = os.environ.get("REQUESTS_PER_SOURCE") or "30"
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Told("set REQUESTS_PER_SOURCE: it is a whole number, 0 for no limit")
    return int(text)


def _address() -> str:
    """How links begin: as set, else the API's own. Never what a request says of its host: that could be anybody's."""
    if url := os.environ.get("PUBLIC_URL"):
        return url.rstrip("/")
    api = os.environ["HTTP_API_ID"]
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        return f"{endpoint.rstrip('/')}/_api/{api}"
    return f"https://{api}.execute-api.{os.environ['AWS_REGION']}.amazonaws.com"


class Platform:
    """The platform by its SDK."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self._staff: tuple[float, list[tuple[str, str]]] | None = None
        self.data = self._bucket("DATA_BUCKET")
        self.keys = self._bucket("KEYS_BUCKET")
        self.requests = self._bucket("REQUESTS_BUCKET")

    @cached_property
    def _s3(self):
        return boto3.client("s3")

    def _bucket(self, variable: str) -> Bucket:
        return Bucket(self._s3, os.environ[variable])

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> str:
        return f"r-{secrets.token_hex(16)}"

    def staff_tokens(self) -> list[tuple[str, str]]:
        """Who has which token: of the secret, read once a minute, or of the environment."""
        name = os.environ.get("STAFF_SECRET")
        if not name:
            return staff.pairs(self.settings.staff)
        if self._staff is None or time.monotonic() >= self._staff[0]:
            text = boto3.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"]
            self._staff = (time.monotonic() + STAFF_SECONDS, list(json.loads(text).items()))
        return self._staff[1]

    def publish(self, do: str, message: dict) -> None:
        """To the topic; `do` selects who gets it."""
        attributes = {"do": {"DataType": "String", "StringValue": do}}
        boto3.client("sns").publish(
            TopicArn=os.environ["TOPIC_ARN"], Message=json.dumps(message), MessageAttributes=attributes
        )

    def put_event(self, topic: str, detail: dict) -> None:
        """MODEL.md, How functions write to Kafka."""
        entry = {
            "EventBusName": os.environ["BUS"],
            "Source": "customer-view.requests",
            "DetailType": topic,
            "Detail": json.dumps(detail),
        }
        answer = boto3.client("events").put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise Told(f"the bus did not take it: {answer['Entries'][0].get('ErrorCode')}")

    def schedule(self, name: str, at: datetime, message: dict) -> None:
        """Invokes the reminder at that time, once; the same name again moves it."""
        settings = {
            "Name": name,
            "ScheduleExpression": at.astimezone(UTC).strftime("at(%Y-%m-%dT%H:%M:%S)"),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": os.environ["REMIND_ARN"],
                "RoleArn": os.environ["SCHEDULER_ROLE_ARN"],
                "Input": json.dumps(message),
            },
        }
        scheduler = boto3.client("scheduler")
        try:
            scheduler.create_schedule(**settings)
        except scheduler.exceptions.ConflictException:
            scheduler.update_schedule(**settings)

    def unschedule(self, name: str) -> None:
        scheduler = boto3.client("scheduler")
        try:
            scheduler.delete_schedule(Name=name)
        except scheduler.exceptions.ResourceNotFoundException:
            pass  # it has happened, and went with that

    def mail(self, to: str, subject: str, text: str) -> None:
        """Accepted for delivery when this returns."""
        content = {
            "Subject": {"Data": subject, "Charset": "UTF-8"},
            "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
        }
        boto3.client("sesv2").send_email(
            FromEmailAddress=self.settings.sender, Destination={"ToAddresses": [to]}, Content={"Simple": content}
        )

    def merge(self, question: dict) -> dict:
        """MODEL.md, Asking `merge`: the one writer of persons."""
        answer = boto3.client("lambda").invoke(
            FunctionName=os.environ["MERGE_FUNCTION"], Payload=json.dumps(question).encode()
        )
        if "FunctionError" in answer:
            raise Told("the function merge failed")
        return json.loads(answer["Payload"].read())


@cache
def platform() -> Platform:
    """The platform of this function, made at its first use."""
    return Platform(Settings.from_environment())


def named(error: Exception) -> str:
    """An error without what it says of anybody: its kind, and AWS's code."""
    if isinstance(error, ClientError):
        return f"{error.operation_name}: {error.response['Error']['Code']}"
    return str(error) if isinstance(error, Told) else type(error).__name__
