"""Whose data it is: what a proven mailbox opens, what joins meanwhile, what is held, and what only an officer decides."""

import io
import json
import unittest
import zipfile
from datetime import timedelta
from unittest import mock

from requests.service import erasure, locate, register, sources, staff, sweep

from .memory import SOURCES
from .people import AT, person
from .test_flow import ADA, Case

EVE = "eve@example.com"


class Scope(Case):
    def account(self, name: str, belongs_to: str, email: str | None = None, at=AT, source="orders") -> dict:
        """An account that is one with a person by its name and address."""
        keys = self.platform.settings.keys
        account = {"source": source, "account": name, "token": keys.token(source, name)}
        index = [f"email/{keys.token('email', email)}"] if email else []
        said = {"email": {"value": email, "at": at, "event": "e"}} if email else {}
        stored = {**account, "format": 1, "person": belongs_to, "said": said, "before": [], "facts": {}}
        self.platform.data.create(locate.account_path(account), {**stored, "index": index, "first": at, "last": at})
        self.platform.keys.put(f"{source}/{account['token']}", b"k" * 32)
        for entry in index:
            place = self.place(account)
            add = lambda known, place=place: {"accounts": [*(known or {"accounts": []})["accounts"], place]}
            self.platform.data.update(f"index/{entry}.json", add)
        return account

    @staticmethod
    def place(account: dict) -> dict:
        return {"source": account["source"], "token": account["token"]}

    def join(self, account: dict, golden: str) -> None:
        add = lambda value: {**value, "accounts": [*value["accounts"], account]}
        self.platform.data.update(locate.person_path(golden), add)

    def merge(self, one: str, into: str) -> None:
        """What `merge` does with a person who goes into another."""
        data = self.platform.data
        accounts = data.get(locate.person_path(one)).value["accounts"]
        grown = lambda value: {**value, "accounts": [*value["accounts"], *accounts], "was": [one]}
        data.update(locate.person_path(into), grown)
        data.create(f"merged/{one}.json", {"format": 1, "id": one, "into": into, "at": AT})
        data.erase(locate.person_path(one))

    def later(self, times=4) -> None:
        for _ in range(times):
            self.platform.clock += timedelta(minutes=10)
            sweep.run(self.platform)
            self.platform.run()

    def approve(self, request: str, **more) -> None:
        staff.act(self.platform, request, {"action": "approve", "by": "officer", **more})
        self.platform.run()


class Whose(Scope):
    def test_who_ordered_in_anothers_name_gets_and_erases_nothing_of_theirs(self):
        self.join(self.account("guest", self.ada, EVE), self.ada)
        for kind in ("access", "erasure"):
            request = self.ask(kind, EVE)
            self.platform.run()
            found = self.read(request)
            self.assertEqual((found["state"], found["subject"], found["systems"]), ("review", None, {}))
            self.assertEqual(self.platform.data.keys("suppressed/"), [])
            self.assertEqual(list(self.platform.requests.keys("e")), [])
            self.later(2)
            self.assertEqual(self.read(request)["state"], "review")
            staff.act(self.platform, request, {"action": "refuse", "by": "officer", "reason": "not identified"})
        told = [subject for subject in self.platform.subjects("dpo@retail.example") if "[decide]" in subject]
        self.assertEqual(len(told), 2)

    def test_the_officer_may_find_that_all_of_it_is_theirs(self):
        self.join(self.account("P-1", self.ada, source="delivery"), self.ada)
        request = self.ask()
        self.platform.run()
        self.assertIn("1 of 6 accounts", self.read(request)["doubt"]["why"])
        self.approve(request)
        self.assertEqual((self.read(request)["outcome"], self.read(request)["doubt"]), ("fulfilled", None))
        self.assertEqual(len(self.read(request)["subject"]["accounts"]), len(SOURCES) + 1)

    def test_an_address_that_somebody_had_once_opens_nothing(self):
        for source in SOURCES:
            path = f"accounts/{source}/{self.platform.settings.keys.token(source, f'{source}-Ada')}.json"
            moved = {"email": {"value": "new@example.com", "at": AT, "event": "e"}}
            self.platform.data.update(path, lambda value: {**value, "said": moved})
        request = self.ask()
        self.platform.run()
        self.assertEqual(self.read(request)["state"], "review")

    def test_of_two_with_one_address_the_officer_names_who_is_meant(self):
        person(self.platform, "Otto", ADA, systems=("calls",))
        request = self.ask()
        self.platform.run()
        self.assertIn("2 persons", self.read(request)["doubt"]["why"])
        for code, persons in (("wrong-type", "p-1"), ("wrong-type", []), ("unknown-person", [f"p-{'0' * 32}"])):
            self.refused(code, staff.act, request, {"action": "approve", "by": "officer", "persons": persons})
        self.approve(request, persons=[self.ada])
        archive = self.platform.requests.get(self.read(request)["archive"]["key"]).body
        data = zipfile.ZipFile(io.BytesIO(archive)).read("data.json").decode()
        self.assertNotIn("Otto", data)
        self.assertEqual(len(json.loads(data)["systems"]["calls"]["records"]), 1)

    def test_who_shares_a_mailbox_keeps_their_archive_when_the_other_is_erased(self):
        otto = person(self.platform, "Otto", ADA, systems=("calls",))
        theirs = self.ask()
        self.platform.run()
        self.approve(theirs, persons=[otto])
        request = self.ask("erasure")
        self.platform.run()
        self.approve(request, persons=[self.ada])
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertIsNotNone(self.platform.requests.get(self.read(theirs)["archive"]["key"]))
        self.assertIsNotNone(self.platform.data.get(locate.person_path(otto)))

    def test_what_joins_before_the_view_answers_is_decided_first(self):
        self.platform.broken["view"] = 1
        request = self.ask()
        self.platform.run()
        self.join(self.account("late", self.ada), self.ada)
        self.later(2)
        self.assertEqual(self.read(request)["state"], "review")
        self.approve(request)
        self.later(2)
        self.assertEqual(self.read(request)["outcome"], "fulfilled")

    def test_a_corrected_address_is_found_and_the_wrong_one_opens_nothing(self):
        right = "ada.right@example.com"
        statement = {"kind": "field", "name": "email", "value": right, "by": "o", "why": "", "at": AT}
        golden = self.platform.data.get(locate.person_path(self.ada)).value
        statements = [{**statement, "token": account["token"]} for account in golden["accounts"]]
        self.platform.data.update(locate.person_path(self.ada), lambda value: {**value, "statements": statements})
        locate.index_stated(self.platform, self.ada)
        wrong = self.ask()
        request = self.ask(email=right)
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertEqual(self.read(wrong)["state"], "review")
        erased = self.ask("erasure", right)
        staff.act(self.platform, wrong, {"action": "refuse", "by": "officer", "reason": "no"})
        self.later(2)
        self.assertEqual(self.read(erased)["outcome"], "fulfilled")
        token = self.platform.settings.keys.token("email", right)
        self.assertIsNotNone(self.platform.data.get(f"suppressed/email/{token}.json"))
        self.assertEqual(self.platform.data.get(locate.stated_path(token)).value["accounts"], [])

    def test_a_correction_makes_the_new_address_findable(self):
        request = self.ask("rectification", fields={"email": "Ada.Right@example.com"})
        self.platform.run()
        token = self.platform.settings.keys.token("shop", "shop-Ada")
        merge = self.platform.merge
        tokened = lambda question: merge({"state": {**question["state"], "token": token}})
        with mock.patch.object(self.platform, "merge", tokened):
            self.approve(request)
        path = locate.stated_path(self.platform.settings.keys.token("email", "ada.right@example.com"))
        self.assertEqual(self.platform.data.get(path).value["accounts"], [{"source": "shop", "token": token}])


class Erasures(Scope):
    def erase_up_to_the_view(self) -> str:
        self.platform.broken["view"] = 1
        request = self.ask("erasure")
        self.platform.run()
        return request

    def test_an_account_merged_before_the_person_is_forgotten_goes_too_when_it_has_the_address(self):
        request = self.erase_up_to_the_view()
        late = self.account("late", self.ada, ADA)
        self.join(late, self.ada)
        self.later()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertIsNone(self.platform.data.get(locate.account_path(late)))

    def test_one_that_may_be_anothers_is_decided_before_it_goes(self):
        request = self.erase_up_to_the_view()
        late = self.account("late", self.ada)
        self.join(late, self.ada)
        self.later()
        self.assertEqual(self.read(request)["state"], "review")
        self.assertIsNotNone(self.platform.data.get(locate.account_path(late)))
        self.approve(request)
        self.later()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertIsNone(self.platform.data.get(locate.account_path(late)))

    def test_a_person_merged_into_a_lesser_id_goes(self):
        lesser = person(self.platform, "Zoe", ADA, systems=("delivery",))
        data = self.platform.data
        request = self.ask("erasure")
        self.platform.broken["view"] = 1
        self.platform.run()
        self.approve(request)
        self.merge(self.ada, lesser)
        self.later()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        for one in (self.ada, lesser):
            self.assertEqual(data.versions(locate.person_path(one)) + data.versions(f"merged/{one}.json"), [])

    def test_a_person_made_anew_after_the_end_goes_or_is_told(self):
        for email, gone in ((ADA, True), (None, False)):
            with self.subTest(gone=gone):
                self.setUp()
                golden = self.platform.data.get(locate.person_path(self.ada)).value
                request = self.ask("erasure")
                self.platform.run()
                late = self.account("late", self.ada, email)
                again = {**golden, "accounts": [late]}
                self.platform.data.create(locate.person_path(self.ada), again)
                for _ in range(3):
                    self.platform.clock += timedelta(hours=1)
                    self.assertEqual(sweep.run(self.platform)["failures"], {})
                self.assertEqual(self.platform.data.get(locate.account_path(late)) is None, gone)
                self.assertIn("[came back]", " ".join(self.platform.subjects("dpo@retail.example")))
                decide = "need your decision" in self.platform.mails[-1][2]
                self.assertEqual((decide, "looked-again" in self.read(request)["marks"]), (not gone, gone))

    def test_a_new_beginning_after_the_erasure_is_left_alone(self):
        request = self.ask("erasure")
        self.platform.run()
        new = self.account("S-new", "p-new", ADA, "2026-03-05T10:30:00Z", "shop")
        self.later(8)
        self.assertIn("looked-again", self.read(request)["marks"])
        self.assertIsNotNone(self.platform.data.get(locate.account_path(new)))

    def test_a_later_erasure_keeps_out_what_came_between(self):
        self.ask("erasure")
        self.platform.run()
        name = f"suppressed/email/{self.platform.settings.keys.token('email', ADA)}.json"
        before = self.platform.data.get(name).value
        self.account("S-new", "p-new", ADA, "2026-03-05T10:30:00Z", "shop")
        self.platform.clock += timedelta(days=40)
        second = self.ask("erasure")
        self.platform.run()
        after = self.platform.data.get(name).value
        self.assertEqual(self.read(second)["outcome"], "fulfilled")
        self.assertGreater(after["at"], before["at"])

    def test_every_kind_of_object_that_could_stay_is_asked_for(self):
        data, keys = self.platform.data, self.platform.settings.keys
        index = lambda value: {**value, "index": [*value["index"], "block/b1"]}
        token = keys.token("shop", "shop-Ada")
        data.update(f"accounts/shop/{token}.json", index)
        data.create("index/block/b1.json", {"format": 1, "accounts": [{"source": "shop", "token": token}]})
        data.create(f"named/{self.ada}.json", {"format": 1, "words": ["w1"]})
        data.create(f"names/w1/{self.ada}", {})
        data.create("merged/p-old.json", {"format": 1, "id": "p-old", "into": self.ada, "at": AT})
        data.update(locate.person_path(self.ada), lambda value: {**value, "was": ["p-old"]})
        request = self.ask("erasure")
        self.platform.run()
        found = self.read(request)
        self.assertEqual((found["outcome"], erasure.left(self.platform, found)), ("fulfilled", []))
        for path in (f"named/{self.ada}.json", f"names/w1/{self.ada}", "merged/p-old.json", "persons/p-old.json"):
            self.assertEqual(data.versions(path), [], path)
            data.create(path, {"into": "p-x"} if "merged" in path else {"accounts": []})
            self.assertEqual(erasure.left(self.platform, found), [path])
            data.erase(path)
        data.create("index/block/b1.json", {}) if data.get("index/block/b1.json") is None else None
        data.update("index/block/b1.json", lambda _: {"accounts": [{"source": "shop", "token": token}]})
        self.assertEqual(erasure.left(self.platform, found), ["index/block/b1.json"])

    def test_an_impossible_date_stops_nothing(self):
        path = f"accounts/orders/{self.platform.settings.keys.token('orders', 'orders-Ada')}.json"
        fact = {"type": "order", "id": "O-1", "at": "2026-02-30T00:00:00Z", "cents": 1}
        self.platform.data.update(path, lambda value: {**value, "facts": {"e": fact}})
        request = self.ask("erasure")
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")


class Holds(Scope):
    def test_a_hold_stays_when_its_person_is_merged_or_loses_its_name(self):
        lesser = person(self.platform, "Zoe", ADA, systems=("delivery",))
        staff.set_hold(self.platform, self.ada, {"reason": "a lawsuit", "by": "officer"})
        self.merge(self.ada, lesser)
        request = self.ask("erasure")
        self.platform.run()
        self.assertEqual(self.read(request)["state"], "held")
        staff.lift_hold(self.platform, lesser, "officer")
        self.assertEqual(self.platform.requests.keys("holds/"), [])

    def test_a_hold_stays_with_the_accounts_when_the_person_is_parted(self):
        staff.set_hold(self.platform, self.ada, {"reason": "a lawsuit", "by": "officer"})
        golden = self.platform.data.get(locate.person_path(self.ada)).value
        self.platform.data.erase(locate.person_path(self.ada))
        self.platform.data.create("persons/p-part.json", {**golden, "id": "p-part"})
        for source in SOURCES:
            path = f"accounts/{source}/{self.platform.settings.keys.token(source, f'{source}-Ada')}.json"
            self.platform.data.update(path, lambda value: {**value, "person": "p-part"})
        request = self.ask("erasure")
        self.platform.run()
        self.assertEqual(self.read(request)["state"], "held")

    def test_a_held_account_that_joins_stops_an_erasure(self):
        late = self.account("late", self.bob, ADA)
        self.join(late, self.bob)
        staff.set_hold(self.platform, self.bob, {"reason": "a lawsuit", "by": "officer"})
        self.platform.data.update(locate.account_path(late), lambda value: {**value, "person": self.ada})
        path = f"index/email/{self.platform.settings.keys.token('email', ADA)}.json"
        others = lambda value: {**value, "accounts": [a for a in value["accounts"] if a["token"] != late["token"]]}
        self.platform.data.update(path, others)
        self.platform.broken["view"] = 1
        request = self.ask("erasure")
        self.platform.run()
        self.join(late, self.ada)
        self.later(2)
        self.assertEqual(self.read(request)["state"], "held")
        self.assertIsNotNone(self.platform.data.get(locate.account_path(late)))

    def test_a_hold_on_nobody_is_refused(self):
        self.refused("unknown-person", staff.set_hold, "p-nobody", {"reason": "x", "by": "officer"})


class Halves(Scope):
    """A stop half-way loses no letter and keeps no data."""

    def test_letters_that_could_not_be_mailed_are_mailed_by_the_sweep(self):
        for action, subject in (
            ("refuse", "We cannot do what you asked for"),
            ("extend", "We need longer for your request"),
            ("hold", "Your request has to wait"),
        ):
            with self.subTest(action):
                self.setUp()
                self.platform.broken["calls"] = 1000
                request = self.ask()
                self.platform.run()
                body = {"action": action, "by": "officer", "reason": "because"}
                with mock.patch.object(self.platform, "mail", side_effect=OSError()), self.assertRaises(OSError):
                    staff.act(self.platform, request, body)
                self.later(3)
                self.assertEqual(self.platform.subjects(ADA).count(subject), 1)

    def test_a_closed_request_that_was_not_released_is_released(self):
        with mock.patch.object(register, "release"):
            request = self.ask()
            self.platform.run()
        self.assertIn("data", self.platform.requests.get(register.evidence_path(request, "shop")).value)
        self.later(1)
        self.assertNotIn("data", self.platform.requests.get(register.evidence_path(request, "shop")).value)

    def test_a_slow_second_answer_leaves_no_data_behind(self):
        request = self.ask()
        work, done = sources._work, []

        def slow(platform, system, found):
            answer = work(platform, system, found)
            if system == "shop" and not done:
                done.append(1)
                for one in (*SOURCES, "view"):
                    sources.answer(platform, one, {"request": request, "systems": [one]})
                platform.run()
                self.assertEqual(self.read(request)["state"], "done")
            return answer

        with mock.patch.object(sources, "_work", slow):
            self.platform.run()
        self.assertEqual(self.read(request)["state"], "done")
        self.assertNotIn("data", self.platform.requests.get(register.evidence_path(request, "shop")).value)

    def test_an_erasure_waits_for_what_is_held_or_decided(self):
        first = self.ask("rectification", fields={"phone": "+49309999999"})
        self.platform.run()
        second = self.ask("erasure")
        self.later(2)
        self.assertIsNone(self.read(second)["subject"])
        self.approve(first)
        self.later(2)
        self.assertEqual(self.read(second)["outcome"], "fulfilled")

    def test_an_answer_that_cannot_be_made_is_refused_or_asked_anew(self):
        for action in ("refuse", "retry"):
            with self.subTest(action):
                self.setUp()
                request = self.ask("rectification", fields={"phone": "+49309999999"})
                self.platform.run()
                with mock.patch.object(self.platform, "merge", lambda _: {"error": "invalid"}):
                    with self.assertRaises(Exception):
                        self.approve(request)
                self.platform.queue.clear()
                self.assertEqual(self.read(request)["state"], "completing")
                staff.act(self.platform, request, {"action": action, "by": "officer", "reason": "no such value"})
                self.platform.run()
                self.assertEqual(self.read(request)["state"], {"refuse": "refused", "retry": "review"}[action])

    def test_answers_that_another_erasure_took_are_told_as_erased(self):
        self.platform.broken["calls"] = 1
        request = self.ask()
        self.platform.run()
        self.platform.clock += timedelta(minutes=10)
        sweep.run(self.platform)
        with mock.patch.object(self.platform, "publish"):
            self.platform.run()
        for key in self.platform.requests.keys(f"evidence/{request}/"):
            self.platform.requests.erase(key)
        self.later(2)
        self.assertEqual((self.read(request)["state"], self.read(request)["outcome"]), ("done", "already-erased"))

    def test_an_address_is_an_object_and_an_email_an_address(self):
        for fields, code in (
            ({"address": "Lindenstraße 12"}, "wrong-type"),
            ({"address": {"planet": "Mars"}}, "wrong-type"),
            ({"email": "no"}, "bad-email"),
        ):
            with self.assertRaises(Exception) as caught:
                self.ask("rectification", fields=fields)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
