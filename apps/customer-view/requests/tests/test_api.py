"""The HTTP API: routes, what persons and staff may do, how problems look."""

import base64
import io
import json
import unittest
import zipfile
from unittest import mock
from urllib.parse import urlencode

from requests import handlers
from requests.api import handler as api
from requests.domain import audit
from requests.service import access, trail
from requests.service.platform import named

from .memory import MemoryPlatform
from .people import person
from .test_flow import ADA

STAFF = {"authorization": "Bearer staff", "x-purpose": "audit"}
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}


class ApiCase(unittest.TestCase):
    def setUp(self):
        self.platform = MemoryPlatform()
        self.ada = person(self.platform, "Ada", ADA)
        for module in (api, handlers):
            patch = mock.patch.object(module, "platform", lambda: self.platform)
            patch.start()
            self.addCleanup(patch.stop)

    def call(self, route, id=None, body=None, query=None, headers=None):
        event = {"routeKey": route, "pathParameters": {"id": id} if id else None, "queryStringParameters": query}
        event |= {"headers": headers or {}, "isBase64Encoded": False}
        event |= getattr(self, "event", {})
        event["body"] = body if isinstance(body, str) or body is None else json.dumps(body)
        answer = api.handler(event, None)
        is_json = answer["headers"].get("content-type", "").startswith("application/json")
        return answer["statusCode"], json.loads(answer["body"]) if is_json else answer

    def begin(self, kind="access"):
        self.call("POST /requests", body={"kind": kind, "email": ADA})
        return self.platform.link()


class Api(ApiCase):
    def test_from_the_form_to_the_archive(self):
        status, page = self.call("GET /requests/form", query={"lang": "zh"})
        self.assertEqual(status, 200)
        self.assertIn('<html lang="zh-CN">', page["body"])
        status, page = self.call(
            "POST /requests", body=urlencode({"kind": "access", "email": ADA, "language": "zh"}), headers=FORM
        )
        self.assertEqual(status, 202)
        self.assertIn("请查收邮件", page["body"])
        request, token = self.platform.link()
        status, page = self.call("GET /requests/{id}/confirm", request, query={"token": token})
        self.assertIn(f'value="{token}"', page["body"])
        status, page = self.call("POST /requests/{id}/confirm", request, urlencode({"token": token}), headers=FORM)
        self.assertEqual(status, 200)
        self.platform.run()
        request, token = self.platform.link("/archive")
        status, answer = self.call("GET /requests/{id}/archive", request, query={"token": token})
        self.assertEqual((status, answer["headers"]["content-type"]), (200, "application/zip"))
        self.assertIn("data.json", zipfile.ZipFile(io.BytesIO(base64.b64decode(answer["body"]))).namelist())
        self.assertEqual(self.call("GET /requests/{id}/archive", request, query={"token": "guess"})[0], 403)

    def test_a_large_archive_comes_in_parts(self):
        request, token = self.begin()
        self.call("POST /requests/{id}/confirm", request, {"token": token})
        self.platform.run()
        request, token = self.platform.link("/archive")
        route = "GET /requests/{id}/archive"
        whole = base64.b64decode(self.call(route, request, query={"token": token})[1]["body"])
        with mock.patch.object(access, "PART_BYTES", len(whole) // 2):
            count = -(-len(whole) // access.PART_BYTES)
            page = self.call(route, request, query={"token": token})[1]["body"]
            self.assertEqual(page.count("<li>"), count)
            parts = [self.call(route, request, query={"token": token, "part": n})[1] for n in map(str, range(1, count + 1))]
            self.assertEqual(b"".join(base64.b64decode(part["body"]) for part in parts), whole)
            self.assertIn(".zip.001", parts[0]["headers"]["content-disposition"])
            for part in ("0", str(count + 1), "x", "-1", "²"):
                self.assertEqual(self.call(route, request, query={"token": token, "part": part})[0], 404, part)
            self.assertEqual(self.call(route, request, query={"token": "x", "part": "1"})[0], 403)

    def test_a_certificate_is_a_page_for_browsers_and_json_for_programs(self):
        request, token = self.begin("erasure")
        self.call("POST /requests/{id}/confirm", request, {"token": token})
        self.platform.run()
        request, token = self.platform.link("/certificate")
        page = self.call(
            "GET /requests/{id}/certificate", request, query={"token": token}, headers={"accept": "text/html"}
        )[1]
        self.assertIn("Certificate of erasure", page["body"])
        self.assertIn("1 invoices kept under a pseudonym until 2036-12-31", page["body"])
        document = self.call("GET /requests/{id}/certificate", request, query={"token": token})[1]
        self.assertEqual(document["signature"]["algorithm"], "Ed25519")
        key = self.call("GET /requests/certificate-key")[1]
        self.assertEqual(key["publicKey"], document["signature"]["publicKey"])
        self.assertEqual(self.call("GET /requests/{id}/certificate", request, query={"token": "x"})[0], 403)

    def test_looking_at_the_link_does_not_use_it_up(self):
        request, token = self.begin()
        for _ in range(3):
            self.call("GET /requests/{id}/confirm", request, query={"token": token})
        self.assertEqual(self.call("POST /requests/{id}/confirm", request, {"token": token})[0], 200)

    def test_who_has_no_staff_token_gets_nothing_of_staff(self):
        for route in (
            "GET /requests",
            "GET /requests/report",
            "GET /requests/audit",
            "POST /requests/{id}/actions",
            "PUT /requests/holds/{id}",
            "DELETE /requests/holds/{id}",
        ):
            self.assertEqual(self.call(route, "p-1", {})[1]["error"], "unauthorised", route)
            wrong = {"authorization": "Bearer guess"}
            self.assertEqual(self.call(route, "p-1", {}, headers=wrong)[0], 403, route)
            agent = {"authorization": "Bearer agent"}
            self.assertEqual(self.call(route, "p-1", {}, headers=agent)[1]["error"], "role-missing", route)
            basic = {"authorization": "Basic staff"}
            self.assertEqual(self.call(route, "p-1", {}, headers=basic)[0], 401, route)

    def test_a_person_sees_only_their_own_request(self):
        request, token = self.begin()
        status = self.call("POST /requests/{id}/confirm", request, {"token": token})[1]["statusToken"]
        shown = self.call("GET /requests/{id}", request, query={"token": status})[1]
        self.assertEqual(shown["state"], "collecting")
        self.assertNotIn("contact", shown)
        other = self.call("POST /requests", body={"kind": "erasure", "email": "bob@example.com"})[1]["id"]
        self.assertEqual(self.call("GET /requests/{id}", other, query={"token": status})[0], 403)
        self.assertEqual(self.call("GET /requests/{id}", other)[0], 403)
        self.assertEqual(self.call("GET /requests/{id}", "r-none")[0], 404)

    def test_what_is_answered_does_not_tell_who_is_known(self):
        known = self.call("POST /requests", body={"kind": "access", "email": ADA})
        unknown = self.call("POST /requests", body={"kind": "access", "email": "nobody@example.com"})
        self.assertEqual(known[0], unknown[0])
        self.assertEqual({**known[1], "id": ""}, {**unknown[1], "id": ""})

    def test_staff_list_act_and_verify(self):
        request, _ = self.begin()
        listed = self.call("GET /requests", query={"state": "open"}, headers=STAFF)[1]["requests"]
        self.assertEqual([one["id"] for one in listed], [request])
        self.assertEqual(self.call("GET /requests", query={"state": "closed"}, headers=STAFF)[1]["requests"], [])
        action = {"action": "refuse", "reason": "unfounded"}
        self.assertEqual(
            self.call("POST /requests/{id}/actions", request, action, headers=STAFF)[1]["state"], "refused"
        )
        shown = self.call("GET /requests/{id}", request, headers=STAFF)[1]
        self.assertEqual(shown["audit"][-2]["action"], "request.refuse")
        self.assertTrue(self.call("GET /requests/audit", headers=STAFF)[1]["whole"])
        self.assertEqual(self.call("POST /requests/{id}/actions", request, {"action": "sell"}, headers=STAFF)[0], 400)

    def test_who_reads_says_why_and_is_recorded_by_the_name_of_the_token(self):
        request, _ = self.begin()
        for purpose in ({}, {"x-purpose": "curious"}, {"x-purpose": "request r-<b>"}):
            headers = {"authorization": "Bearer staff", **purpose}
            for route in ("GET /requests", "GET /requests/{id}"):
                self.assertEqual(self.call(route, request, headers=headers)[1]["error"], "purpose-missing")
        before = trail.verify(self.platform)["records"]
        self.call("GET /requests", headers=STAFF)
        self.call("GET /requests/{id}", request, headers=STAFF | {"x-purpose": f"request%20{request}"})
        looks = [self.platform.requests.get(audit.name(before + n)).value for n in (1, 2)]
        self.assertEqual([look["actor"] for look in looks], ["officer", "officer"])
        self.assertEqual(looks[0]["detail"], {"what": "requests", "requests": 1, "why": "audit"})
        self.assertEqual(looks[1]["detail"], {"what": "request", "why": f"request {request}"})
        self.assertEqual(looks[1]["request"], request)

    def test_nobody_acts_in_the_name_of_another(self):
        request, _ = self.begin()
        action = {"action": "refuse", "by": "somebody", "reason": "unfounded"}
        route = "POST /requests/{id}/actions"
        self.assertEqual(self.call(route, request, action, headers=STAFF)[1]["error"], "unknown-field")
        del action["by"]
        self.assertEqual(self.call(route, request, action, headers=STAFF)[1]["history"][-1]["by"], "officer")

    def test_holds(self):
        hold = {"reason": "a lawsuit"}
        self.assertEqual(self.call("PUT /requests/holds/{id}", self.ada, hold, headers=STAFF)[0], 200)
        self.assertEqual(self.call("DELETE /requests/holds/{id}", self.ada, headers=STAFF)[0], 200)
        self.assertEqual(self.call("DELETE /requests/holds/{id}", self.ada, headers=STAFF)[1]["error"], "no-hold")

    def test_bad_bodies_are_named(self):
        self.assertEqual(self.call("POST /requests", body="{")[1]["error"], "not-json")
        self.assertEqual(self.call("POST /requests", body=" " * 30_000)[0], 413)
        self.assertEqual(self.call("POST /requests", body="[1]")[1]["error"], "wrong-type")
        request, _ = self.begin()
        for body in ("[]", '{"token": 7}', "null", "{}"):
            self.assertEqual(self.call("POST /requests/{id}/confirm", request, body)[1]["error"], "wrong-token")

    def test_a_problem_is_a_page_for_browsers_and_stays_text(self):
        status, page = self.call("GET /requests/{id}/confirm", "<script>", headers={"accept": "text/html"})
        self.assertEqual(status, 404)
        self.assertNotIn("<script>", page["body"])
        request, _ = self.begin()
        page = self.call("GET /requests/{id}/confirm", request, query={"token": '"><script>'})[1]["body"]
        self.assertNotIn("<script>", page)

    def test_answers_are_kept_by_nobody_and_run_nothing(self):
        headers = self.call("GET /requests/form")[1]["headers"]
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertTrue(headers["content-security-policy"].startswith("default-src 'none'"))
        self.assertEqual(headers["referrer-policy"], "no-referrer")

    def test_the_entry_points_take_the_platforms_events(self):
        request, token = self.begin()
        self.call("POST /requests/{id}/confirm", request, {"token": token})
        sns = lambda message: {"Records": [{"Sns": {"Message": json.dumps(message)}}]}
        handlers.begin(sns({"request": request}), None)
        asked = json.loads(self.platform.queue[-1][1])
        for name in ("shop", "orders", "delivery", "marketing", "calls", "view"):
            getattr(handlers, name)(sns(asked), None)
        handlers.gather({"Records": [{"s3": {"object": {"key": f"evidence/{request}/shop.json"}}}]}, None)
        self.assertEqual(handlers.sweep({}, None), {"active": 1, "failures": {}})
        handlers.remind({"request": "r-gone", "days": 7}, None)
        self.assertEqual(self.call("GET /requests/{id}", request, headers=STAFF)[1]["state"], "completing")

    def test_a_base64_body_is_read(self):
        event = {"routeKey": "POST /requests", "isBase64Encoded": True, "headers": {}}
        event["body"] = base64.b64encode(json.dumps({"kind": "access", "email": ADA}).encode()).decode()
        self.assertEqual(api.handler(event, None)["statusCode"], 202)

    def test_errors_are_noted_without_what_they_say(self):
        self.assertEqual(named(ValueError(ADA)), "ValueError")


if __name__ == "__main__":
    unittest.main()
