"""A request from its form to its answer, on the platform in memory."""

import io
import json
import unittest
import zipfile
from datetime import timedelta
from unittest import mock

from requests.service import access, collect, erasure, intake, register, staff, sweep, trail
from requests.service.problem import Problem

from .memory import MemoryPlatform
from .people import person

ADA = "ada.weiss@example.com"


class Case(unittest.TestCase):
    def setUp(self):
        self.platform = MemoryPlatform()
        self.ada = person(self.platform, "Ada", ADA, phone="+4930123456")
        self.bob = person(self.platform, "Bob", "bob@example.com")

    def ask(self, kind="access", email=ADA, **details) -> str:
        """Asks, and uses the link."""
        body = {"kind": kind, "email": email} | ({"details": details} if details else {})
        self.platform.clock += timedelta(minutes=2)
        request = intake.receive(self.platform, body)["id"]
        intake.confirm(self.platform, request, self.platform.link()[1])
        return request

    def read(self, request: str) -> dict:
        return register.read(self.platform, request)

    def refused(self, code: str, do, *arguments):
        with self.assertRaises(Problem) as caught:
            do(self.platform, *arguments)
        self.assertEqual(caught.exception.code, code)
        return caught.exception


class Access(Case):
    def archive(self, request: str) -> zipfile.ZipFile:
        return zipfile.ZipFile(io.BytesIO(self.platform.requests.get(self.read(request)["archive"]["key"]).body))

    def test_the_archive_has_what_all_systems_hold(self):
        request = self.ask()
        self.platform.run()
        found = self.read(request)
        self.assertEqual((found["state"], found["outcome"]), ("done", "fulfilled"))
        archive = self.archive(request)
        names = ["data.json", "report.en.html", "report.en.pdf", "report.zh.html", "report.zh.pdf"]
        self.assertEqual(sorted(archive.namelist()), names)
        data = json.loads(archive.read("data.json"))
        self.assertEqual(data["systems"]["shop"]["records"][0]["said"]["email"]["value"], ADA)
        self.assertEqual(data["systems"]["view"]["records"][0]["id"], self.ada)
        self.assertNotIn("bob", archive.read("data.json").decode())
        self.assertIn("统一客户视图", archive.read("report.zh.html").decode())

    def test_what_was_collected_gives_up_its_data_when_the_archive_is_there(self):
        request = self.ask()
        self.platform.run()
        for key in self.platform.requests.keys(f"evidence/{request}/"):
            self.assertNotIn("data", self.platform.requests.get(key).value)

    def test_the_download_is_noted_once(self):
        self.ask()
        self.platform.run()
        request, token = self.platform.link("/archive")
        for _ in range(2):
            body, parts = access.download(self.platform, request, token)
            self.assertEqual((body[:2], parts), (b"PK", 1))
        actions = [entry["action"] for entry in trail.entries(self.platform, request)]
        self.assertEqual(actions.count("archive.downloaded"), 1)

    def test_an_archive_expires_and_the_address_goes_with_it(self):
        request = self.ask()
        self.platform.run()
        token = self.platform.link("/archive")[1]
        self.platform.clock += timedelta(days=14)
        self.refused("archive-expired", access.download, request, token)
        key = self.read(request)["archive"]["key"]
        sweep.run(self.platform)
        self.assertIsNone(self.platform.requests.get(key))
        self.assertIsNone(self.read(request)["contact"])
        self.assertEqual(self.platform.requests.keys("active/"), [])

    def test_what_the_call_centre_wrote_down_is_in_the_archive_and_in_both_reports(self):
        token = self.platform.settings.keys.token("calls", "calls-Ada")
        call = {"type": "call", "id": "K-3", "at": "2026-02-25T16:00:00Z", "note": "asks <where> the parcel is"}
        path = f"accounts/calls/{token}.json"
        self.platform.data.update(path, lambda account: {**account, "facts": {"e-3": call}})
        request = self.ask()
        self.platform.run()
        archive = self.archive(request)
        (kept,) = json.loads(archive.read("data.json"))["systems"]["calls"]["records"]
        self.assertEqual(kept["facts"]["e-3"]["note"], call["note"])
        for language in ("en", "zh"):
            self.assertIn("asks &lt;where&gt; the parcel is", archive.read(f"report.{language}.html").decode())

    def test_a_copy_to_take_with_you_has_only_what_the_person_provided(self):
        request = self.ask("portability")
        self.platform.run()
        systems = json.loads(self.archive(request).read("data.json"))["systems"]
        self.assertEqual(systems["calls"]["excluded"], "not-provided")
        self.assertEqual(systems["view"]["excluded"], "not-provided")
        self.assertNotIn("before", systems["shop"]["records"][0])

    def test_somebody_unknown_is_told_so(self):
        request = self.ask(email="nobody@example.com")
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "no-data")
        self.assertIn("We hold no data about you", self.platform.subjects("nobody@example.com"))

    def test_markup_in_names_stays_text(self):
        person(self.platform, "<script>alert(1)</script>", "eve@example.com")
        request = self.ask(email="eve@example.com")
        self.platform.run()
        page = self.archive(request).read("report.en.html").decode()
        self.assertNotIn("<script>", page)
        self.assertIn("&lt;script&gt;alert(1)", page)

    def test_merged_persons_are_followed(self):
        new = f"p-{'f' * 32}"
        golden = self.platform.data.get(f"persons/{self.ada}.json").value
        self.platform.data.erase(f"persons/{self.ada}.json")
        self.platform.data.create(f"persons/{new}.json", {**golden, "id": new})
        self.platform.data.create(f"merged/{self.ada}.json", {"id": self.ada, "into": new})
        request = self.ask()
        self.platform.run()
        self.assertEqual(self.read(request)["subject"]["persons"], [new])


class Links(Case):
    def receive(self, kind="access", email=ADA) -> tuple[str, str]:
        intake.receive(self.platform, {"kind": kind, "email": email})
        return self.platform.link()

    def test_a_link_is_good_once(self):
        request, token = self.receive()
        intake.confirm(self.platform, request, token)
        self.refused("used-token", intake.confirm, request, token)
        self.platform.run()
        self.assertEqual(self.read(request)["state"], "done")
        self.refused("used-token", intake.confirm, request, token)

    def test_a_link_is_good_for_half_an_hour(self):
        request, token = self.receive()
        self.platform.clock += timedelta(minutes=30)
        self.assertEqual(self.refused("expired-token", intake.confirm, request, token).status, 410)
        intake.receive(self.platform, {"kind": "access", "email": ADA})
        again, newer = self.platform.link()
        self.assertEqual(again, request)
        intake.confirm(self.platform, again, newer)

    def test_a_link_of_another_request_is_refused(self):
        mine, _ = self.receive()
        _, theirs = self.receive(email="bob@example.com")
        self.assertEqual(self.refused("wrong-token", intake.confirm, mine, theirs).status, 403)
        for token in ("", "x", "ü"):
            self.refused("wrong-token", intake.confirm, mine, token)

    def test_a_link_of_another_purpose_is_refused(self):
        request, token = self.receive()
        self.refused("wrong-token", access.download, request, token)
        self.refused("wrong-token", intake.status, request, token)

    def test_asking_twice_finds_the_open_request_and_a_new_link_ends_the_old_one(self):
        request, old = self.receive()
        self.platform.clock += timedelta(minutes=2)
        again, new = self.receive()
        self.assertEqual(request, again)
        self.refused("wrong-token", intake.confirm, request, old)
        intake.confirm(self.platform, request, new)

    def test_nobodys_mailbox_is_flooded(self):
        for _ in range(20):
            self.receive()
        self.assertEqual(len(self.platform.subjects(ADA)), 1)

    def test_when_no_mail_can_be_sent_it_is_said_and_the_next_try_sends_one(self):
        with mock.patch.object(self.platform, "mail", side_effect=OSError(ADA)):
            self.assertEqual(
                self.refused("mail-unavailable", intake.receive, {"kind": "access", "email": ADA}).status, 503
            )
        self.receive()
        self.assertEqual(len(self.platform.subjects(ADA)), 1)

    def test_after_the_answer_one_may_ask_again(self):
        first = self.ask()
        self.platform.run()
        self.assertNotEqual(self.ask(), first)

    def test_an_unknown_request_is_refused_by_name(self):
        for request in ("r-none", "../x", "", "r-" + "a" * 99):
            self.refused("unknown-request", intake.confirm, request, "x")

    def test_bad_input_is_named(self):
        for body, code in [
            ([], "wrong-type"),
            ({}, "missing"),
            ({"kind": "sell", "email": ADA}, "unknown-kind"),
            ({"kind": "access"}, "bad-email"),
            ({"kind": "access", "email": "no"}, "bad-email"),
            ({"kind": "access", "email": "a@b.example\r\nBcc: c@d.example"}, "bad-email"),
            ({"kind": "access", "email": 7}, "bad-email"),
            ({"kind": ["access"], "email": ADA}, "unknown-kind"),
            ({"kind": "access", "email": ADA, "more": 1}, "unknown-field"),
            ({"kind": "access", "email": ADA, "language": "fr"}, "unknown-language"),
            ({"kind": "access", "email": ADA, "details": {"fields": {}}}, "unknown-field"),
            ({"kind": "rectification", "email": ADA}, "missing"),
            ({"kind": "rectification", "email": ADA, "details": {"fields": {"shoe": "42"}}}, "unknown-field"),
            ({"kind": "rectification", "email": ADA, "details": {"fields": {"phone": 7}}}, "wrong-type"),
            ({"kind": "objection", "email": ADA, "details": {"purposes": ["spam"]}}, "wrong-type"),
        ]:
            self.refused(code, intake.receive, body)
        self.assertEqual(self.platform.mails, [])

    def test_an_unconfirmed_request_expires_and_forgets_the_address(self):
        request, _ = self.receive()
        self.platform.clock += timedelta(days=31)
        sweep.run(self.platform)
        found = self.read(request)
        self.assertEqual((found["state"], found["contact"]), ("expired", None))
        self.assertNotIn(ADA, self.platform.requests.get(register.path(request)).body.decode())


class Others(Case):
    def golden(self) -> dict:
        return self.platform.data.get(f"persons/{self.ada}.json").value

    def test_a_restriction_is_made_and_its_end_is_announced(self):
        request = self.ask("restriction", ground="accuracy")
        self.platform.run()
        self.assertEqual(self.golden()["restricted"]["request"], request)
        action = {"action": "lift", "by": "officer", "reason": "checked"}
        staff.act(self.platform, request, action)
        self.assertIsNone(self.golden()["restricted"])
        self.assertIn("The restriction of your data ends", self.platform.subjects(ADA))
        self.refused("not-allowed", staff.act, request, action)

    def test_an_objection_withdraws_the_consents(self):
        self.ask("objection", purposes=["newsletter"])
        self.platform.run()
        statements = self.golden()["statements"]
        self.assertEqual([(s["name"], s["value"]) for s in statements], [("newsletter", "withdrawn")])

    def test_a_correction_waits_for_the_officer(self):
        request = self.ask("rectification", fields={"phone": "+49309999999"})
        self.platform.run()
        self.assertEqual(self.read(request)["state"], "review")
        self.assertEqual(self.golden()["statements"], [])
        staff.act(self.platform, request, {"action": "approve", "by": "officer"})
        self.platform.run()
        self.assertEqual(self.golden()["statements"][0]["value"], "+49309999999")
        self.assertEqual(self.read(request)["state"], "done")

    def test_a_refusal_needs_a_reason_and_tells_it(self):
        request = self.ask("rectification", fields={"phone": "+49309999999"})
        self.platform.run()
        self.refused("missing", staff.act, request, {"action": "refuse", "by": "officer"})
        self.assertIn("data", self.platform.requests.get(f"evidence/{request}/shop.json").value)
        staff.act(self.platform, request, {"action": "refuse", "by": "officer", "reason": "manifestly unfounded"})
        self.assertNotIn("data", self.platform.requests.get(f"evidence/{request}/shop.json").value)
        self.assertIn("manifestly unfounded", self.platform.mails[-1][2])
        self.assertEqual(self.read(request)["outcome"], "refused")
        self.refused("not-allowed", staff.act, request, {"action": "approve", "by": "officer"})


class Failures(Case):
    def test_a_system_that_fails_is_asked_again_until_it_answers(self):
        self.platform.broken["calls"] = 2
        request = self.ask()
        self.platform.run()
        self.assertEqual(self.read(request)["systems"]["calls"]["error"], "GetObject: AccessDenied")
        for _ in range(3):
            self.platform.clock += timedelta(minutes=10)
            sweep.run(self.platform)
            self.platform.run()
        self.assertEqual(self.read(request)["state"], "done")
        self.assertEqual(self.read(request)["escalations"], [])

    def test_a_system_that_goes_on_failing_is_escalated_once(self):
        self.platform.broken["calls"] = 1000
        request = self.ask()
        self.platform.run()
        for _ in range(20):
            self.platform.clock += timedelta(hours=7)
            sweep.run(self.platform)
            self.platform.run()
        found = self.read(request)
        self.assertEqual([entry["systems"] for entry in found["escalations"]], [["calls"]])
        stuck = [subject for subject in self.platform.subjects("dpo@retail.example") if "[stuck]" in subject]
        self.assertEqual(len(stuck), 1)
        self.assertIn("`calls` was asked", collect.why_open(found))

    def test_answers_of_an_earlier_round_do_not_count(self):
        self.platform.broken["calls"] = 1
        request = self.ask()
        self.platform.run()
        erasure.anew(self.platform, request, self.read(request)["subject"])
        collect.answered(self.platform, request)
        self.assertEqual(self.read(request)["systems"]["shop"]["state"], "asked")

    def test_everything_may_come_twice(self):
        request = self.ask()
        self.platform.run(twice=True)
        self.assertEqual(self.read(request)["state"], "done")
        self.assertEqual(self.platform.subjects(ADA).count("Your data is ready"), 1)


class Sweeps(Case):
    def test_a_sweep_that_does_not_come_to_the_end_is_gone_on_with(self):
        for name in "abcdefg":
            self.platform.requests.create(register.active_path(f"r-{name}"), {"format": 1})
        seen = []

        def slowly(platform, request):
            seen.append(request[2:])
            platform.clock += timedelta(minutes=1)

        with mock.patch.object(sweep, "_one", slowly):
            runs = []
            for _ in range(3):
                sweep.run(self.platform)
                runs.append("".join(seen))
                seen.clear()
            self.assertEqual(runs, ["abc", "def", "gab"])
            with mock.patch.object(sweep, "RUN_TIME", timedelta(hours=1)):
                sweep.run(self.platform)
                sweep.run(self.platform)
        self.assertEqual("".join(seen), "cdefgab" + "abcdefg")


class Dates(Case):
    def test_reminders_are_scheduled_and_sent_once(self):
        self.platform.broken["calls"] = 1000
        request = self.ask()
        self.platform.run()
        self.assertEqual(self.read(request)["deadline"]["due"], "2026-04-07")  # after Easter
        self.assertEqual(sorted(self.platform.schedules), [f"{request}-2", f"{request}-7"])
        for name in (f"{request}-7", f"{request}-2"):
            self.platform.clock, message = self.platform.schedules[name]
            for _ in range(2):
                collect.remind(self.platform, message["request"], message["days"])
        reminders = [subject[:8] for subject in self.platform.subjects("dpo@retail.example") if "days]" in subject]
        self.assertEqual(reminders, ["[7 days]", "[2 days]"])

    def test_when_the_platform_was_away_over_the_deadline_the_sweep_says_that_it_is_late_and_why(self):
        self.platform.broken["calls"] = 1000
        request = self.ask()
        self.platform.run()
        self.platform.clock += timedelta(days=60)
        for _ in range(3):
            sweep.run(self.platform)
        subjects = self.platform.subjects("dpo@retail.example")
        self.assertEqual(sum("[late]" in subject for subject in subjects), 1)
        (late,) = sweep.report(self.platform)["late"]
        self.assertEqual((late["id"], late["due"], late["daysLate"]), (request, "2026-04-07", 27))
        self.assertIn("`calls` was asked", late["why"])

    def test_an_extension_moves_the_date_tells_the_person_and_happens_once(self):
        self.platform.broken["calls"] = 1000
        request = self.ask()
        self.platform.run()
        action = {"action": "extend", "by": "officer", "reason": "many systems"}
        found = staff.act(self.platform, request, action)
        self.assertEqual(found["deadline"]["due"], "2026-06-05")
        self.assertIn("many systems", self.platform.mails[-1][2])
        self.assertEqual(self.platform.schedules[f"{request}-7"][0].isoformat(), "2026-05-29T07:00:00+00:00")
        self.refused("extended-already", staff.act, request, action)

    def test_an_extension_after_the_first_month_is_refused(self):
        self.platform.broken["calls"] = 1000
        request = self.ask()
        self.platform.clock += timedelta(days=40)
        self.refused("too-late", staff.act, request, {"action": "extend", "by": "officer", "reason": "busy"})

    def test_the_report_counts(self):
        self.ask()
        self.platform.run()
        report = sweep.report(self.platform)
        self.assertEqual((report["handled"], report["open"], report["late"]), (1, 0, []))


if __name__ == "__main__":
    unittest.main()
