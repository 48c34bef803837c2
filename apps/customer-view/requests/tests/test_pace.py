"""How often somebody may ask and look."""

import json
import unittest
from datetime import timedelta
from pathlib import Path

from ..domain.pace import network
from .test_api import STAFF, ApiCase
from .test_flow import ADA

HERE, THERE = "203.0.113.7", "203.0.113.8"


class Pace(ApiCase):
    def setUp(self):
        super().setUp()
        self.source = HERE

    def call(self, route, *arguments, **more):
        self.event = {"requestContext": {"http": {"sourceIp": self.source}}}
        return super().call(route, *arguments, **more)

    def ask(self, number: int) -> int:
        return self.call("POST /requests", body={"kind": "access", "email": f"a{number}@example.com"})[0]

    def test_a_source_asks_so_often_within_an_hour(self):
        limit = self.platform.settings.per_source
        self.assertEqual([self.ask(number) for number in range(limit + 2)], [202] * limit + [429] * 2)
        self.source = THERE
        self.assertEqual(self.ask(99), 202)
        self.source = HERE
        self.platform.clock += timedelta(hours=1)
        self.assertEqual(self.ask(100), 202)
        self.assertNotIn(HERE, str(self.platform.requests.objects))

    def test_an_address_gets_few_links_an_hour_whatever_is_asked(self):
        kinds = ("access", "erasure", "portability", "restriction", "objection", "access", "erasure")
        for kind in kinds:
            self.platform.clock += timedelta(minutes=2)
            self.assertEqual(self.call("POST /requests", body={"kind": kind, "email": ADA})[0], 202)
        links = [to for to, _, text in self.platform.mails if "/confirm?token=" in text]
        self.assertEqual(links, [ADA] * 5)

    def look(self, request: str, token: str) -> int:
        return self.call("GET /requests/{id}", request, query={"token": token})[0]

    def report(self, token: str) -> int:
        return self.call("GET /requests/report", headers={"authorization": f"Bearer {token}"})[0]

    def confirmed(self) -> tuple[str, str]:
        """A request, and the right link to its state."""
        request, token = self.begin()
        answer = self.call("POST /requests/{id}/confirm", request, {"token": token})[1]
        return request, answer["statusToken"]

    def test_wrong_links_are_counted_and_a_right_one_is_always_good(self):
        request, token = self.confirmed()
        limit = self.platform.settings.per_source
        self.assertEqual([self.look(request, "guess") for _ in range(limit - 1)], [403] * (limit - 1))
        self.assertEqual(self.look("r-guess", token), 404)
        self.assertEqual([self.look(request, "guess"), self.look("r-guess", token)], [429, 429])
        self.assertEqual(self.look(request, token), 200)
        for route in ("POST /requests/{id}/confirm", "GET /requests/{id}/archive", "GET /requests/{id}/certificate"):
            wrong = {"query": {"token": "guess"}, "body": {"token": "guess"}, "headers": {"authorization": "Bearer x"}}
            self.assertEqual(self.call(route, request, **wrong)[0], 429, route)
        self.source = THERE
        self.assertEqual(self.look(request, "guess"), 403)
        self.source = HERE
        self.platform.clock += timedelta(hours=1)
        self.assertEqual(self.look(request, "guess"), 403)

    def test_who_tried_many_links_may_do_all_that_takes_none(self):
        request, _ = self.confirmed()
        while self.look(request, "guess") != 429:
            pass
        self.assertEqual(self.call("GET /requests/form")[0], 200)
        self.assertEqual(self.call("GET /requests/certificate-key")[0], 404)
        self.assertEqual(self.ask(1), 202)
        self.assertEqual(self.report("guess"), 403)

    def test_wrong_tokens_are_counted_apart_and_a_right_one_is_always_good(self):
        request, token = self.confirmed()
        limit = self.platform.settings.per_source
        self.assertEqual([self.report("guess") for _ in range(limit + 2)], [403] * limit + [429] * 2)
        self.assertEqual(self.report("staff"), 200)
        self.assertEqual([self.look(request, token), self.look(request, "guess")], [200, 403])
        for _ in range(limit + 1):  # who has a right token guesses nothing
            self.assertEqual(self.call("GET /requests/{id}", "r-guess", headers=STAFF)[0], 404)

    def test_loopback_is_a_proxy_that_stands_for_everybody(self):
        self.source = "127.0.0.1"
        self.assertEqual({self.ask(number) for number in range(40)}, {202})
        self.assertEqual({self.report("guess") for _ in range(40)}, {403})
        self.assertNotIn("pace/ask", str(self.platform.requests.objects))

    def test_what_is_one_source(self):
        cases = json.loads(Path(__file__).parents[2].joinpath("staff/test/networks.json").read_text())
        self.assertEqual({source: network(source) for source in cases}, cases)

    def test_it_is_switched_off_by_zero(self):
        self.platform.settings = self.platform.settings.__class__(**vars(self.platform.settings) | {"per_source": 0})
        self.assertEqual({self.ask(number) for number in range(40)}, {202})


if __name__ == "__main__":
    unittest.main()
