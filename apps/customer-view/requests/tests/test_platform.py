"""The calls to the SDK, as botocore's stubber checks them against AWS's own shapes."""

import json
import os
import unittest
from datetime import UTC, datetime
from unittest import mock

import boto3
from botocore.stub import ANY, Stubber

from requests.service.objects import Bucket, Contended
from requests.service.platform import PUBLIC, Platform, Settings, named
from requests.service.problem import Told

ENVIRONMENT = {
    "DATA_BUCKET": "data",
    "KEYS_BUCKET": "keys",
    "REQUESTS_BUCKET": "requests",
    "CONTROLLER": "Example",
    "OFFICER_EMAIL": "dpo@retail.example",
    "SENDER_EMAIL": "privacy@retail.example",
    "CUSTOMER_VIEW_PEPPER": "pepper",
    "STAFF_TOKENS": "officer=staff",
    "TIME_ZONE": "Europe/Berlin",
    "COUNTRY": "DE",
    "HOLIDAYS": "2026-05-22",
    "HTTP_API_ID": "abc",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "BUS": "bus",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:topic",
    "REMIND_ARN": "arn:aws:lambda:us-east-1:000000000000:function:remind",
    "MERGE_FUNCTION": "merge",
    "SCHEDULER_ROLE_ARN": "arn:aws:iam::000000000000:role/scheduler",
}
AT = datetime(2026, 3, 31, 7, 0, tzinfo=UTC)


class Calls(unittest.TestCase):
    def setUp(self):
        patch = mock.patch.dict(os.environ, ENVIRONMENT)
        patch.start()
        self.addCleanup(patch.stop)
        self.platform = Platform(Settings.from_environment())

    def test_a_limit_is_a_number(self):
        for text, limit in {"": 30, "7": 7, "0": 0}.items():
            with mock.patch.dict(os.environ, {"REQUESTS_PER_SOURCE": text}):
                self.assertEqual(Settings.from_environment().per_source, limit)
        for text in ("many", "-1", "3.5", "1e3", " 7", "٣", "1" * 10):
            with mock.patch.dict(os.environ, {"REQUESTS_PER_SOURCE": text}):
                self.assertRaisesRegex(Told, "^set REQUESTS_PER_SOURCE:", Settings.from_environment)

    def stub(self, service: str) -> Stubber:
        client = boto3.client(service)
        stubber = Stubber(client)
        stubber.activate()
        patch = mock.patch.object(boto3, "client", lambda _: client)
        patch.start()
        self.addCleanup(patch.stop)
        self.addCleanup(stubber.assert_no_pending_responses)
        return stubber

    def test_tokens_are_of_the_secret_where_there_is_one(self):
        self.assertEqual(self.platform.staff_tokens(), [("officer", "staff")])
        with mock.patch.dict(os.environ, STAFF_SECRET="staff", STAFF_TOKENS=PUBLIC):
            platform = Platform(Settings.from_environment())
            answer = {"SecretString": '{"anna/officer": "t"}'}
            self.stub("secretsmanager").add_response("get_secret_value", answer, {"SecretId": "staff"})
            for _ in range(2):  # read once
                self.assertEqual(platform.staff_tokens(), [("anna/officer", "t")])

    def test_mail(self):
        body = {"Subject": {"Data": "S", "Charset": "UTF-8"}, "Body": {"Text": {"Data": "T", "Charset": "UTF-8"}}}
        expected = {"FromEmailAddress": "privacy@retail.example", "Destination": {"ToAddresses": ["a@b.example"]}}
        self.stub("sesv2").add_response("send_email", {"MessageId": "1"}, expected | {"Content": {"Simple": body}})
        self.platform.mail("a@b.example", "S", "T")

    def test_a_schedule_that_is_there_is_moved(self):
        stubber = self.stub("scheduler")
        stubber.add_client_error("create_schedule", "ConflictException")
        target = {
            "Arn": ENVIRONMENT["REMIND_ARN"],
            "RoleArn": ENVIRONMENT["SCHEDULER_ROLE_ARN"],
            "Input": '{"days": 7}',
        }
        expected = {"Name": "n", "ScheduleExpression": "at(2026-03-31T07:00:00)", "ScheduleExpressionTimezone": "UTC"}
        expected |= {"FlexibleTimeWindow": {"Mode": "OFF"}, "ActionAfterCompletion": "DELETE", "Target": target}
        stubber.add_response(
            "update_schedule", {"ScheduleArn": "arn:aws:scheduler:us-east-1:000000000000:schedule/default/n"}, expected
        )
        self.platform.schedule("n", AT, {"days": 7})

    def test_a_schedule_that_is_gone_needs_no_deletion(self):
        self.stub("scheduler").add_client_error("delete_schedule", "ResourceNotFoundException")
        self.platform.unschedule("n")

    def test_an_event_that_the_bus_refuses_is_an_error(self):
        answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        self.stub("events").add_response("put_events", answer, {"Entries": ANY})
        with self.assertRaisesRegex(Told, "InternalFailure"):
            self.platform.put_event("source.shop", {"key": "a", "value": None})

    def test_the_topic_selects_by_attribute(self):
        attributes = {"do": {"DataType": "String", "StringValue": "ask"}}
        expected = {
            "TopicArn": ENVIRONMENT["TOPIC_ARN"],
            "Message": json.dumps({"a": 1}),
            "MessageAttributes": attributes,
        }
        self.stub("sns").add_response("publish", {"MessageId": "1"}, expected)
        self.platform.publish("ask", {"a": 1})

    def test_links_never_begin_with_what_a_request_says_of_its_host(self):
        self.assertEqual(self.platform.settings.address, "http://127.0.0.1:1/_api/abc")
        with mock.patch.dict(os.environ, PUBLIC_URL="https://privacy.retail.example/"):
            self.assertEqual(Settings.from_environment().address, "https://privacy.retail.example")

    def test_a_public_word_is_a_secret_nowhere_but_in_the_stage_dev(self):
        for name in ("CUSTOMER_VIEW_PEPPER", "STAFF_TOKENS"):
            for value in (PUBLIC, "", " "):
                for stage in ({}, {"STAGE": "prod"}):
                    with mock.patch.dict(os.environ, {name: value, **stage}), self.assertRaisesRegex(Told, name):
                        Settings.from_environment()
            with mock.patch.dict(os.environ, {name: PUBLIC, "STAGE": "dev"}):
                Settings.from_environment()

    def test_the_secret_is_not_shown(self):
        self.assertNotIn("pepper", repr(self.platform.settings))


class Objects(unittest.TestCase):
    def setUp(self):
        self.client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        self.stubber = Stubber(self.client)
        self.stubber.activate()
        self.bucket = Bucket(self.client, "b")

    def test_a_condition_that_does_not_hold_is_false_and_other_errors_are_errors(self):
        for code in ("PreconditionFailed", "ConditionalRequestConflict"):
            self.stubber.add_client_error("put_object", code)
            self.assertFalse(self.bucket.create("k", {}))
        self.stubber.add_client_error("put_object", "AccessDenied")
        with self.assertRaises(Exception) as caught:
            self.bucket.create("k", {})
        self.assertEqual(named(caught.exception), "PutObject: AccessDenied")

    def test_an_update_gives_up_by_name(self):
        for _ in range(20):
            self.stubber.add_client_error("get_object", "NoSuchKey")
            self.stubber.add_client_error("put_object", "PreconditionFailed")
        with self.assertRaisesRegex(Contended, "`k` changed 20 times"):
            self.bucket.update("k", lambda _: {"a": 1})

    def test_only_the_object_itself_is_erased_with_all_versions(self):
        listing = {
            "Versions": [{"Key": "k", "VersionId": "1"}, {"Key": "k2", "VersionId": "2"}],
            "DeleteMarkers": [{"Key": "k", "VersionId": "3"}],
        }
        self.stubber.add_response("list_object_versions", listing, {"Bucket": "b", "Prefix": "k"})
        for version in ("1", "3"):
            self.stubber.add_response("delete_object", {}, {"Bucket": "b", "Key": "k", "VersionId": version})
        self.assertEqual(self.bucket.erase("k"), 2)
        self.stubber.assert_no_pending_responses()


if __name__ == "__main__":
    unittest.main()
