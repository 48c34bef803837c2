"""Secrets Manager as boto3 sees it: `secrets_api.py ENDPOINT PART`. Each part prints `ok PART` when all of it held."""

import io
import json
import sys
import uuid
import zipfile

import boto3
from botocore.exceptions import ClientError

ENDPOINT, PART = sys.argv[1], sys.argv[2]
secrets = boto3.client("secretsmanager", endpoint_url=ENDPOINT)
functions = boto3.client("lambda", endpoint_url=ENDPOINT)

FUNCTION = """
import boto3

def handler(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId=event["id"])["SecretString"]
"""


def refused(code, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found == code, (found, error)
        return error.response["Error"]["Message"]
    raise AssertionError(f"{code} was expected")


def text(name, **more):
    return secrets.get_secret_value(SecretId=name, **more)["SecretString"]


def values():
    made = secrets.create_secret(Name="shop/db", SecretString="one", Tags=[{"Key": "team", "Value": "blue"}])
    assert text("shop/db") == text(made["ARN"]) == text(made["ARN"][:-7]) == "one"
    refused("ResourceExistsException", secrets.create_secret, Name="shop/db", SecretString="one")
    pending = secrets.put_secret_value(SecretId="shop/db", SecretString="two", VersionStages=["AWSPENDING"])
    assert text("shop/db") == "one" and text("shop/db", VersionStage="AWSPENDING") == "two"
    secrets.update_secret_version_stage(
        SecretId="shop/db",
        VersionStage="AWSCURRENT",
        MoveToVersionId=pending["VersionId"],
        RemoveFromVersionId=made["VersionId"],
    )
    assert text("shop/db") == "two" and text("shop/db", VersionStage="AWSPREVIOUS") == "one"
    secrets.update_secret(SecretId="shop/db", Description="the database", SecretString="three")
    described = secrets.describe_secret(SecretId="shop/db")
    assert described["Description"] == "the database" and described["LastAccessedDate"].hour == 0
    assert sorted(stage for stages in described["VersionIdsToStages"].values() for stage in stages) == [
        "AWSCURRENT",
        "AWSPENDING",
        "AWSPREVIOUS",
    ]
    binary = secrets.create_secret(Name="binary", SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId=binary["ARN"])["SecretBinary"] == b"\x00\xff"
    found = secrets.batch_get_secret_value(SecretIdList=["shop/db", "nowhere"])
    assert [value["SecretString"] for value in found["SecretValues"]] == ["three"]
    assert found["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"
    tagged = secrets.list_secrets(Filters=[{"Key": "tag-key", "Values": ["team"]}])["SecretList"]
    assert [secret["Name"] for secret in tagged] == ["shop/db"]
    assert len(secrets.get_random_password(PasswordLength=20)["RandomPassword"]) == 20
    refused("ResourceNotFoundException", secrets.get_secret_value, SecretId="nowhere")


def deletion():
    secrets.create_secret(Name="old", SecretString="one")
    secrets.delete_secret(SecretId="old", RecoveryWindowInDays=7)
    refused("InvalidRequestException", secrets.get_secret_value, SecretId="old")
    secrets.restore_secret(SecretId="old")
    assert text("old") == "one"
    secrets.delete_secret(SecretId="old", ForceDeleteWithoutRecovery=True)
    refused("ResourceNotFoundException", secrets.describe_secret, SecretId="old")
    secrets.create_secret(Name="old", SecretString="two")


def function():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("index.py", FUNCTION)
    functions.create_function(
        FunctionName="reader",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/reader",
        Code={"ZipFile": archive.getvalue()},
        Timeout=20,
    )
    name = str(uuid.uuid4())
    secrets.create_secret(Name=name, SecretString="for functions")
    answer = functions.invoke(FunctionName="reader", Payload=json.dumps({"id": name}))
    result = json.loads(answer["Payload"].read())
    assert result == "for functions", result


def keep():
    secrets.create_secret(Name="kept", SecretString="after a kill")
    secrets.put_secret_value(SecretId="kept", SecretString="also this")


def find():
    assert text("kept") == "also this" and text("kept", VersionStage="AWSPREVIOUS") == "after a kill"


globals()[PART]()
print(f"ok {PART}")
