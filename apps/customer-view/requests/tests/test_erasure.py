"""The right to be forgotten: nothing is left, what the law keeps is kept, and no stop in between changes that."""

import base64
import json
import unittest
from datetime import timedelta

from requests.archive.certificate import is_genuine, public_key
from requests.domain.states import State
from requests.service import access, collect, erasure, intake, locate, register, staff, sweep

from .memory import SOURCES, MemoryPlatform, Stopped
from .people import person
from .test_flow import ADA, Case


def everything(platform) -> bytes:
    """Every byte that the platform keeps, also in the names."""
    buckets = (platform.data, platform.keys, platform.requests)
    return b"".join(key.encode() + found.body for bucket in buckets for key, found in bucket.objects.items())


class Erasure(Case):
    def erase(self, **more) -> str:
        request = self.ask("erasure", **more)
        self.platform.run()
        return request

    def test_nothing_of_the_person_is_left_and_everything_of_others_is(self):
        before = {key: found.body for key, found in self.platform.data.objects.items() if b"Bob" in found.body}
        request = self.erase()
        self.assertEqual(self.read(request)["state"], State.DONE)
        left = everything(self.platform)
        for trace in (ADA, "Ada", "+4930123456", "O-Ada"):
            self.assertNotIn(trace.encode(), left, trace)
        self.assertEqual({key: self.platform.data.get(key).body for key in before}, before)
        keys = [key for key in self.platform.keys.keys("") if self.platform.keys.get(key)]
        self.assertEqual(len(keys), 6, "only Bob's keys are there")

    def test_all_versions_go(self):
        path = f"accounts/shop/{self.platform.settings.keys.token('shop', 'shop-Ada')}.json"
        self.platform.data.update(path, lambda value: {**value, "last": "2026-02-02T00:00:00Z"})
        self.assertEqual(len(self.platform.data.versions(path)), 2)
        self.erase()
        self.assertEqual(self.platform.data.versions(path), [])

    def test_tombstones_go_to_every_source_and_to_the_changes(self):
        self.erase()
        tombstones = [(topic, detail["key"]) for topic, detail in self.platform.events if detail["value"] is None]
        expected = [(f"source.{system}", f"{system}-Ada") for system in SOURCES] + [("view.changes", self.ada)]
        self.assertEqual(set(tombstones), set(expected))

    def test_late_events_are_kept_out_by_keyed_hashes(self):
        request = self.erase()
        keys = self.platform.settings.keys
        for name in (
            f"account/{keys.token('shop', 'shop-Ada')}",
            f"email/{keys.token('email', ADA)}",
            f"phone/{keys.token('phone', '+4930123456')}",
        ):
            self.assertEqual(self.platform.data.get(f"suppressed/{name}.json").value["request"], request)
        phone = self.platform.data.get(f"suppressed/phone/{keys.token('phone', '+4930123456')}.json").value
        self.assertEqual(phone["names"], [keys.token("given", "ada")])

    def test_names_of_a_shared_value_add_up_and_none_stays_everybody(self):
        def greatest(known: list[str], names: list[str], request: str = "r-2") -> list[str]:
            before = {"at": "2026-01-01T00:00:00Z", "request": "r-1", "names": known}
            entry = {"at": "2026-02-01T00:00:00Z", "request": request, "names": names}
            return erasure._greatest(before, entry)["names"]

        self.assertEqual(greatest(["a"], ["b"]), ["a", "b"])
        self.assertEqual(greatest([], ["b"]), [])
        self.assertEqual(greatest(["a"], []), [])
        self.assertEqual(greatest(["a"], [], "r-1"), ["a"])
        self.assertEqual(greatest(["a"], ["b"], "r-1"), ["a", "b"])

    def test_nothing_may_come_back_before_anything_goes(self):
        self.ask("erasure")
        self.platform.stops_at = None
        order = []
        change = self.platform.change
        self.platform.change = lambda what: (order.append(what), change(what))
        self.platform.run()
        first_gone = next(n for n, what in enumerate(order) if what.startswith("erase ") and "open/" not in what)
        last_kept_out = max(n for n, what in enumerate(order) if what.startswith("put suppressed/"))
        self.assertLess(last_kept_out, first_gone)

    def test_invoices_are_kept_under_a_pseudonym_with_the_reason(self):
        request = self.erase()
        (key,) = self.platform.requests.keys("retained/")
        kept = self.platform.requests.get(key).value
        self.assertEqual((kept["until"], len(kept["invoices"]), kept["invoices"][0]["cents"]), ("2036-12-31", 1, 4990))
        self.assertIn("§ 147 AO", kept["reason"])
        (entry,) = self.platform.requests.get(register.evidence_path(request, "orders")).value["kept"]
        self.assertEqual((entry["count"], entry["pseudonym"]), (1, kept["pseudonym"]))

    def test_the_certificate_is_signed_and_lists_every_system(self):
        request = self.erase()
        found, token = self.platform.link("/certificate")
        document = access.certificate(self.platform, found, token)
        key = public_key(self.platform.settings)
        self.assertEqual(found, request)
        self.assertTrue(is_genuine(document, key))
        systems = {system["system"]: system for system in document["certificate"]["systems"]}
        self.assertEqual(set(systems), {*SOURCES, "view"})
        self.assertEqual([entry["what"] for entry in systems["shop"]["proof"]], ["key destroyed", "account erased"])
        self.assertNotIn("Ada", json.dumps(document))
        forged = json.loads(json.dumps(document).replace("key destroyed", "key preserved"))
        self.assertFalse(is_genuine(forged, key))
        self.assertFalse(is_genuine(document, base64.b64encode(b"0" * 32).decode()))
        self.assertFalse(is_genuine({}, key))

    def test_a_legal_hold_stops_it_with_the_reason_until_it_is_released(self):
        staff.set_hold(self.platform, self.ada, {"reason": "Weiß ./. Example, 3 O 17/26", "by": "officer"})
        request = self.erase()
        self.assertEqual(self.read(request)["state"], State.HELD)
        self.assertIn("3 O 17/26", self.platform.mails[-1][2])
        self.assertIsNotNone(self.platform.data.get(locate.person_path(self.ada)))
        self.assertEqual(self.platform.data.keys("suppressed/"), [])
        staff.lift_hold(self.platform, self.ada, "officer")
        staff.act(self.platform, request, {"action": "release", "by": "officer"})
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")

    def test_an_erasure_that_has_begun_cannot_be_held(self):
        request = self.ask("erasure")
        self.platform.broken["calls"] = 1
        self.platform.run()
        action = {"action": "hold", "by": "officer", "reason": "late"}
        self.refused("erasure-begun", staff.act, request, action)

    def test_somebody_already_erased_is_told_when(self):
        self.erase()
        request = self.erase()
        self.assertEqual(self.read(request)["outcome"], "already-erased")
        self.assertIn("Your data was erased already", self.platform.subjects(ADA))

    def test_somebody_unknown(self):
        request = self.erase(email="nobody@example.com")
        self.assertEqual(self.read(request)["outcome"], "no-data")
        self.platform.clock += timedelta(minutes=5)
        sweep.run(self.platform)
        self.assertNotIn(b"nobody@example.com", everything(self.platform))

    def test_earlier_archives_and_addresses_go_too(self):
        first = self.ask("access")
        self.platform.run()
        self.erase()
        self.assertEqual(list(self.platform.requests.keys(f"exports/{first}/")), [])
        self.assertIsNone(self.read(first)["contact"])

    def test_what_was_never_confirmed_is_forgotten_with_it(self):
        other = intake.receive(self.platform, {"kind": "objection", "email": ADA})["id"]
        self.erase()
        self.assertEqual((self.read(other)["state"], self.read(other)["contact"]), (State.EXPIRED, None))

    def test_what_was_asked_before_is_answered_first(self):
        self.platform.broken["calls"] = 1
        first, second = self.ask("access"), self.ask("erasure")
        self.platform.run()
        self.assertIsNone(self.read(second)["subject"])
        for _ in range(4):
            self.platform.clock += timedelta(minutes=10)
            sweep.run(self.platform)
            self.platform.run()
        self.assertEqual(self.read(first)["outcome"], "fulfilled")
        self.assertEqual(self.read(second)["outcome"], "fulfilled")

    def test_a_second_beginning_that_finds_nobody_left_changes_nothing(self):
        request = self.ask("erasure")
        locating = locate.subject

        def slow(platform, contact_hash, *more, **named):
            locate.subject = locating
            platform.run()  # the first is through before the second has looked
            return locating(platform, contact_hash, *more, **named)

        locate.subject = slow
        self.addCleanup(setattr, locate, "subject", locating)
        self.platform.broken["view"] = 1
        collect.begin(self.platform, request)
        self.assertEqual((self.read(request)["state"], self.read(request)["outcome"]), (State.COLLECTING, None))
        self.platform.clock += timedelta(minutes=10)
        sweep.run(self.platform)
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")

    def test_an_account_that_joins_meanwhile_goes_too(self):
        self.platform.broken["calls"] = 1
        request = self.ask("erasure")
        self.platform.run()
        late = {"source": "shop", "account": "S-late", "token": self.platform.settings.keys.token("shop", "S-late")}
        said = {"email": {"value": ADA, "at": "2026-01-01T00:00:00Z", "event": "e"}}
        stored = {**late, "person": self.ada, "said": said, "before": [], "facts": {}, "index": [], "format": 1}
        self.platform.data.create(locate.account_path(late), stored)
        join = lambda value: {**value, "accounts": [*value["accounts"], late]}
        self.platform.data.update(locate.person_path(self.ada), join)
        for _ in range(4):
            self.platform.clock += timedelta(minutes=10)
            sweep.run(self.platform)
            self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertIsNone(self.platform.data.get(locate.account_path(late)))

    def test_what_comes_back_before_the_end_is_erased_again(self):
        request = self.ask("erasure")
        path = f"accounts/shop/{self.platform.settings.keys.token('shop', 'shop-Ada')}.json"
        body = self.platform.data.get(path).value
        left = erasure.left
        calls = []

        def meanwhile(platform, found):
            if not calls:
                platform.data.create(path, body)
            calls.append(1)
            return left(platform, found)

        erasure.left = meanwhile
        self.addCleanup(setattr, erasure, "left", left)
        self.platform.run()
        self.assertEqual(len(calls), 2)
        self.assertIsNone(self.platform.data.get(path))
        self.assertEqual((self.read(request)["round"], self.read(request)["outcome"]), (2, "fulfilled"))

    def test_what_comes_back_after_the_end_is_found_an_hour_later(self):
        path = f"accounts/orders/{self.platform.settings.keys.token('orders', 'orders-Ada')}.json"
        body = self.platform.data.get(path).value
        body["facts"] = {"e9": {"type": "order", "id": "O-9", "at": "2026-03-01T00:00:00Z", "cents": 1}}
        request = self.erase()
        self.platform.data.create(path, body)
        for _ in range(3):
            self.platform.clock += timedelta(hours=1)
            sweep.run(self.platform)
        self.assertIsNone(self.platform.data.get(path))
        self.assertIn("looked-again", self.read(request)["marks"])
        self.assertEqual(self.platform.requests.keys("active/"), [])
        self.assertIn("[came back]", " ".join(self.platform.subjects("dpo@retail.example")))
        (key,) = self.platform.requests.keys("retained/")
        self.assertEqual(len(self.platform.requests.get(key).value["invoices"]), 2, "what was kept stays kept")

    def test_what_comes_back_for_ever_is_tried_with_pauses_and_told(self):
        left = erasure.left
        erasure.left = lambda *_: ["accounts/shop/x.json"]
        self.addCleanup(setattr, erasure, "left", left)
        request = self.erase()
        for _ in range(3):
            self.platform.clock += timedelta(minutes=6)
            sweep.run(self.platform)
            self.platform.run()
        found = self.read(request)
        self.assertEqual((found["state"], found["round"]), (State.COMPLETING, 7))
        self.assertIn("1 objects are there again", found["error"])
        told = [subject for subject in self.platform.subjects("dpo@retail.example") if "[stuck]" in subject]
        self.assertEqual(len(told), 1)

    def test_everything_may_come_twice(self):
        request = self.ask("erasure")
        self.platform.run(twice=True)
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertEqual(self.platform.subjects(ADA).count("Your data has been erased"), 1)


class Stops(unittest.TestCase):
    """The process is killed at every change that it makes, one after the other; the sweep brings it to its end."""

    def run_once(self, kind: str, stops_at: int | None) -> MemoryPlatform:
        platform = MemoryPlatform()
        person(platform, "Ada", ADA, phone="+4930123456")
        request = intake.receive(platform, {"kind": kind, "email": ADA})["id"]
        token = platform.link()[1]
        platform.changes, platform.stops_at = 0, stops_at
        self.go_on(platform, lambda: intake.confirm(platform, request, token))
        if register.read(platform, request)["state"] == State.UNVERIFIED:
            intake.confirm(platform, request, token)  # the person tries again
        for _ in range(8):
            self.go_on(platform, platform.run)
            platform.clock += timedelta(minutes=10)
            self.go_on(platform, lambda: sweep.run(platform))
        self.found = register.read(platform, request)
        return platform

    @staticmethod
    def go_on(platform, do) -> None:
        try:
            do()
        except Stopped:
            platform.queue.clear()  # what was under way is lost with it

    def test_an_erasure_ends_the_same_wherever_it_is_stopped(self):
        whole = self.run_once("erasure", None)
        total = whole.changes
        self.assertGreater(total, 60)
        for stops_at in range(1, total + 1):
            platform = self.run_once("erasure", stops_at)
            case = f"stopped at change {stops_at} of {total}"
            self.assertEqual(self.found["outcome"], "fulfilled", case)
            left = everything(platform)
            for trace in (ADA, "+4930123456", "O-Ada"):
                self.assertNotIn(trace.encode(), left, case)
            self.assertEqual(len(platform.requests.keys("retained/")), 1, case)
            tombstones = {(topic, detail["key"]) for topic, detail in platform.events if detail["value"] is None}
            self.assertEqual(len(tombstones), 6, case)
            self.assertIn("Your data has been erased", platform.subjects(ADA), case)

    def test_an_access_ends_the_same_wherever_it_is_stopped(self):
        total = self.run_once("access", None).changes
        for stops_at in range(1, total + 1, 3):
            platform = self.run_once("access", stops_at)
            self.assertEqual(self.found["outcome"], "fulfilled", stops_at)
            self.assertIsNotNone(platform.requests.get(self.found["archive"]["key"]), stops_at)
            self.assertIn("Your data is ready", platform.subjects(ADA), stops_at)


if __name__ == "__main__":
    unittest.main()
