"""How often somebody may ask and look."""

import unittest
from datetime import timedelta

from .test_api import ApiCase
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

    def test_wrong_links_and_tokens_are_counted_and_right_ones_are_not(self):
        request, token = self.begin()
        limit = self.platform.settings.per_source
        for _ in range(limit - 1):
            self.assertEqual(self.call("GET /requests/{id}/archive", request, query={"token": "guess"})[0], 403)
        for _ in range(3):
            self.assertEqual(self.call("GET /requests/certificate-key")[0], 404)
        wrong = {"authorization": "Bearer guess"}
        self.assertEqual(self.call("GET /requests/report", headers=wrong)[0], 403)
        self.assertEqual(self.call("GET /requests/{id}/confirm", request, query={"token": token})[0], 429)
        self.source = THERE
        self.assertEqual(self.call("GET /requests/{id}/confirm", request, query={"token": token})[0], 200)

    def test_it_is_switched_off_by_zero(self):
        self.platform.settings = self.platform.settings.__class__(**vars(self.platform.settings) | {"per_source": 0})
        self.assertEqual({self.ask(number) for number in range(40)}, {202})


if __name__ == "__main__":
    unittest.main()
