"""The platform in memory: buckets with conditions and versions, a topic that delivers at least once, a clock to turn.

It may also stop: `stops_at` raises at the n-th change of anything outside, as a crash would, before the change is made.
"""

import hashlib
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from requests.domain import staff
from requests.domain.calendar import Calendar
from requests.domain.deadline import Rules
from requests.domain.keys import Keys
from requests.domain.systems import SOURCES
from requests.service import collect, finish, sources
from requests.service.objects import Bucket, Found
from requests.service.platform import Settings
from requests.service.times import instant


class Stopped(BaseException):
    """The process was killed. Not an `Exception`: nothing may catch it and go on."""


class MemoryBucket(Bucket):
    """A versioned bucket; the conditional logic above it is the real one."""

    def __init__(self, platform, name: str):
        self.name, self._platform = name, platform
        self.objects: dict[str, Found] = {}
        self.old: dict[str, int] = {}

    def get(self, key):
        return self.objects.get(key)

    def put(self, key, body, content_type="application/json", metadata=None, **condition):
        self._platform.change(f"put {key}")
        there = self.objects.get(key)
        if (
            "IfNoneMatch" in condition
            and there
            or "IfMatch" in condition
            and (there is None or there.etag != condition["IfMatch"])
        ):
            return False
        self.old[key] = self.old.get(key, 0) + 1
        etag = hashlib.md5(body + str(self.old[key]).encode()).hexdigest()
        self.objects[key] = Found(body, etag, metadata or {})
        if key.startswith("evidence/"):
            self._platform.queue.append(("evidence", key))
        return True

    def keys(self, prefix, after=""):
        return [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]

    def versions(self, key):
        return [str(number) for number in range(self.old.get(key, 0))]

    def erase(self, key):
        self._platform.change(f"erase {key}")
        self.objects.pop(key, None)
        return self.old.pop(key, 0)


class MemoryPlatform:
    """What `service.platform.Platform` is, and a person's mailbox."""

    def __init__(self, now="2026-03-05T10:00:00Z", country="DE"):
        rules = Rules(ZoneInfo("Europe/Berlin"), Calendar(country))
        self.settings = Settings(
            controller="Example Retail GmbH",
            officer="dpo@retail.example",
            sender="privacy@retail.example",
            address="https://api.example",
            keys=Keys("pepper"),
            staff="officer=staff,anna=agent",
            rules=rules,
        )
        self.clock = instant(now)
        self.data, self.keys, self.requests = (MemoryBucket(self, name) for name in ("data", "keys", "requests"))
        self.mails, self.events, self.queue, self.schedules = [], [], [], {}
        self.broken: dict[str, int] = {}
        self.changes, self.stops_at, self.ids = 0, None, 0

    def change(self, what: str) -> None:
        self.changes += 1
        if self.changes == self.stops_at:
            raise Stopped(what)

    def now(self) -> datetime:
        return self.clock.astimezone(UTC)

    def staff_tokens(self):
        return staff.pairs(self.settings.staff)

    def new_id(self) -> str:
        self.ids += 1
        return f"r-{self.ids:032x}"

    def publish(self, do, message):
        self.change(f"publish {do}")
        self.queue.append((do, json.dumps(message)))

    def put_event(self, topic, detail):
        self.change(f"event {topic}")
        self.events.append((topic, detail))

    def schedule(self, name, at, message):
        self.change(f"schedule {name}")
        self.schedules[name] = (at, message)

    def unschedule(self, name):
        self.schedules.pop(name, None)

    def mail(self, to, subject, text):
        self.change(f"mail {subject}")
        self.mails.append((to, subject, text))

    def merge(self, question):
        self.change("merge")
        ((do, facts),) = question.items()
        path = f"persons/{facts['person']}.json"
        found = self.data.get(path)
        if found is None:
            return {"error": "unknown-person", "message": ""}
        person = found.value
        if do == "forget":
            if any(self.data.get(f"suppressed/account/{a['token']}.json") is None for a in person["accounts"]):
                return {"error": "not-suppressed", "message": ""}
            self.data.erase(path)
            self.keys.erase(f"person/{facts['person']}")
            self.events.append(("view.changes", {"key": facts["person"], "value": None}))
            return {"persons": []}
        if do == "restrict":
            person["restricted"] = {"since": facts["at"], "request": facts["request"]}
        if do == "release":
            person["restricted"] = None
        if do == "state" and facts not in person["statements"]:
            person["statements"].append(facts)
        self.data.update(path, lambda _: person)
        return {"persons": [facts["person"]]}

    # ---- what drives it

    def run(self, twice=False, limit=500) -> None:
        """Delivers everything that is under way; twice, if asked, as the platform may."""
        for _ in range(limit):
            if not self.queue:
                return
            do, what = self.queue.pop(0)
            for _ in range(2 if twice else 1):
                self._deliver(do, what)
        raise AssertionError("it never comes to rest")

    def _deliver(self, do, what):
        if do == "evidence":
            collect.answered(self, what.split("/")[1])
            return
        message = json.loads(what)
        if do == "collect":
            collect.begin(self, message["request"])
            collect.answered(self, message["request"])
        elif do == "finish":
            finish.run(self, message["request"])
        elif do == "ask":
            for system in (*SOURCES, "view"):
                self._ask(system, message)

    def _ask(self, system, message):
        if system in message["systems"] and self.broken.get(system, 0) > 0:
            self.broken[system] -= 1
            collect.failed(self, message["request"], system, "GetObject: AccessDenied")
            return
        sources.answer(self, system, message)

    def link(self, what="/confirm", to=None) -> tuple[str, str]:
        """The request and secret of the newest link of that kind in a mailbox."""
        for address, _, text in reversed(self.mails):
            if to in (None, address) and f"{what}?token=" in text:
                url = next(word for word in text.split() if f"{what}?token=" in word)
                return url.split("/requests/")[1].split("?")[0].split("/")[0], url.split("token=")[1]
        raise AssertionError(f"no link {what} was mailed")

    def subjects(self, to) -> list[str]:
        return [subject for address, subject, _ in self.mails if address == to]
