"""SES as boto3 sees it: `ses_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import sys
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
ses = boto3.client("ses", endpoint_url=ENDPOINT)
sesv2 = boto3.client("sesv2", endpoint_url=ENDPOINT)


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, (found, error)
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def simple(sender, *to):
    body = {"Text": {"Data": "Bezahlt für 5 €."}, "Html": {"Data": "<p>Bezahlt</p>"}}
    return {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": list(to)},
        "Content": {"Simple": {"Subject": {"Data": "Order 5"}, "Body": body}},
    }


def send():
    refused("MessageRejected", sesv2.send_email, **simple("shop@example.com", "one@example.org"))
    made = sesv2.create_email_identity(EmailIdentity="example.com")
    assert made["VerifiedForSendingStatus"] and made["IdentityType"] == "DOMAIN"
    assert sesv2.get_email_identity(EmailIdentity="example.com")["VerificationStatus"] == "SUCCESS"
    listed = sesv2.list_email_identities()["EmailIdentities"]
    assert [identity["IdentityName"] for identity in listed] == ["example.com"]
    assert sesv2.send_email(**simple("Shop <shop@example.com>", "one@example.org"))["MessageId"]
    mail = MIMEMultipart()
    mail["From"], mail["To"], mail["Subject"] = "shop@example.com", "two@example.org", "Your data"
    mail.attach(MIMEText("attached"))
    attachment = MIMEApplication(bytes(range(256)))
    attachment.add_header("Content-Disposition", "attachment", filename="data.bin")
    mail.attach(attachment)
    assert sesv2.send_email(Content={"Raw": {"Data": mail.as_bytes()}})["MessageId"]
    ses.send_email(
        Source="shop@example.com",
        Destination={"ToAddresses": ["three@example.org"]},
        Message={"Subject": {"Data": "older"}, "Body": {"Text": {"Data": "text"}}},
    )
    raw = {"Data": b"From: shop@example.com\r\nSubject: older raw\r\n\r\nx"}
    ses.send_raw_email(Destinations=["four@example.org"], RawMessage=raw)
    assert ses.list_identities()["Identities"] == ["example.com"]
    refused("NotImplemented", sesv2.list_configuration_sets)
    sesv2.delete_email_identity(EmailIdentity="example.com")
    refused("NotFoundException", sesv2.get_email_identity, EmailIdentity="example.com")


def owe():
    ses.verify_email_identity(EmailAddress="shop@example.com")
    sesv2.send_email(**simple("shop@example.com", "late@example.org"))


def no_relay():
    sesv2.create_email_identity(EmailIdentity="example.com")
    text = refused("SendingPausedException", sesv2.send_email, **simple("shop@example.com", "one@example.org"))
    assert "--smtp-relay" in text, text


globals()[PART]()
print(f"ok {PART}")
