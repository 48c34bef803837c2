"""Requests that the officer files for somebody, and persons whom no address leads to."""

import unittest

from requests.domain.states import State
from requests.service import intake, locate, staff

from .people import person
from .test_flow import ADA, Case


class Filed(Case):
    def setUp(self):
        super().setUp()
        self.parcels = person(self.platform, "Adaa", "adaa@example.com", systems=("delivery",))

    def file(self, kind="erasure", email=ADA, **more) -> str:
        body = {"kind": kind, "email": email, "by": "anna", "persons": [self.ada, self.parcels]} | more
        answer = staff.file(self.platform, body)
        self.platform.run()
        return answer["id"]

    def test_persons_whom_the_address_does_not_lead_to_are_erased_with_those_it_does(self):
        request = self.file()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        for gone in (self.ada, self.parcels):
            self.assertIsNone(self.platform.data.get(locate.person_path(gone)))
        self.assertIsNotNone(self.platform.data.get(locate.person_path(self.bob)))
        self.assertEqual([to for to, subject, _ in self.platform.mails if "link" in subject.lower()], [])
        confirmed = next(step for step in self.read(request)["history"] if step["what"] == "request.confirm")
        self.assertEqual((confirmed["by"], confirmed["detail"]["persons"]), ("anna", 2))

    def test_an_open_request_that_was_not_confirmed_is_the_one_that_is_filed(self):
        asked = intake.receive(self.platform, {"kind": "erasure", "email": ADA})["id"]
        self.assertEqual(self.file(), asked)
        self.refused("used-token", intake.confirm, asked, self.platform.link()[1])

    def test_what_is_being_worked_on_is_not_filed_again(self):
        self.platform.broken["calls"] = 99
        self.ask("erasure")
        self.platform.run()
        body = {"kind": "erasure", "email": ADA, "by": "anna", "persons": [self.ada]}
        self.refused("not-allowed", staff.file, body)

    def test_nobody_and_the_unknown_are_refused_before_anything_is_stored(self):
        for code, persons in (("wrong-type", None), ("wrong-type", []), ("unknown-person", ["p-7"])):
            body = {"kind": "access", "email": ADA, "by": "anna", "persons": persons}
            self.refused(code, staff.file, body)
        self.assertEqual(list(self.platform.requests.keys("requests/")), [])

    def test_an_access_filed_for_two_persons_has_both(self):
        found = self.read(self.file("access"))
        self.assertEqual((found["state"], found["outcome"]), (State.DONE, "fulfilled"))
        self.assertEqual(found["subject"]["persons"], sorted([self.ada, self.parcels]))

    def test_the_officer_adds_a_person_to_those_in_doubt(self):
        person(self.platform, "Otto", ADA, systems=("calls",))
        request = self.ask("erasure")
        self.platform.run()
        named = {"action": "approve", "by": "anna", "persons": [self.ada, self.parcels]}
        staff.act(self.platform, request, named)
        self.platform.run()
        self.assertEqual(self.read(request)["outcome"], "fulfilled")
        self.assertIsNone(self.platform.data.get(locate.person_path(self.parcels)))


if __name__ == "__main__":
    unittest.main()
