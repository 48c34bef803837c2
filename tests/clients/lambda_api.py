"""Lambda's API through boto3, unmodified. argv: the node's endpoint. Any failed expectation raises."""
import base64
import io
import json
import sys
import time
import urllib.request
import zipfile

import boto3
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
session = boto3.Session("000000000000", "secret", region_name="us-east-1")
client = session.client("lambda", endpoint_url=endpoint)

SOURCE = """
import json, time

def handler(event, context):
    if event.get("raise"):
        raise ValueError("no such basket")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    print("seen", json.dumps(event))
    return {"event": event, "request": context.aws_request_id, "arn": context.invoked_function_arn,
            "client": context.client_context.custom if context.client_context else None}
"""


def package(source=SOURCE, name="index.py"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


def fails_with(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{call.__name__} should have failed with {code}")


def payload(answer):
    return json.loads(answer["Payload"].read())


def create():
    created = client.create_function(
        FunctionName="basket", Runtime="python3.11", Handler="index.handler",
        Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": package()}, Timeout=2,
        Environment={"Variables": {"SHOP": "tradewind"}}, Tags={"team": "shop"},
    )
    assert created["FunctionArn"] == "arn:aws:lambda:us-east-1:000000000000:function:basket", created
    assert created["Version"] == "$LATEST" and len(base64.b64decode(created["CodeSha256"])) == 32
    client.get_waiter("function_active_v2").wait(FunctionName="basket")
    fails_with("ResourceConflictException", client.create_function, FunctionName="basket",
               Runtime="python3.11", Handler="index.handler", Role="arn:aws:iam::000000000000:role/any",
               Code={"ZipFile": package()})


def invoke():
    answer = client.invoke(FunctionName="basket", Payload=json.dumps({"a": 1}), LogType="Tail")
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
    assert "FunctionError" not in answer
    log = base64.b64decode(answer["LogResult"]).decode()
    result = payload(answer)
    assert result["event"] == {"a": 1}
    assert f"START RequestId: {result['request']} Version: $LATEST" in log, log
    assert 'seen {"a": 1}' in log and "REPORT RequestId: " in log and "Billed Duration: " in log, log
    assert result["request"] == answer["ResponseMetadata"]["RequestId"], answer["ResponseMetadata"]
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    assert payload(client.invoke(FunctionName="basket", Payload="{}", ClientContext=context))["client"] == {"k": "v"}
    for name in ("basket:$LATEST", "000000000000:function:basket", "arn:aws:lambda:us-east-1:000000000000:function:basket"):
        assert payload(client.invoke(FunctionName=name, Payload="{}"))["event"] == {}


def invoke_errors():
    answer = client.invoke(FunctionName="basket", Payload='{"raise": true}')
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled", answer
    error = payload(answer)
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such basket"), error
    answer = client.invoke(FunctionName="basket", Payload='{"sleep": 30}')
    error = payload(answer)
    assert answer["FunctionError"] == "Unhandled" and "Task timed out after 2.00 seconds" in error["errorMessage"], error
    assert payload(client.invoke(FunctionName="basket", Payload="{}"))["event"] == {}
    fails_with("ResourceNotFoundException", client.invoke, FunctionName="nobody", Payload="{}")
    fails_with("ResourceNotFoundException", client.invoke, FunctionName="basket", Qualifier="7", Payload="{}")
    fails_with("InvalidRequestContentException", client.invoke, FunctionName="basket", Payload="{nope")
    fails_with("RequestTooLargeException", client.invoke, FunctionName="basket", Payload=json.dumps("x" * 6_400_000))


def other_types():
    assert client.invoke(FunctionName="basket", InvocationType="DryRun")["StatusCode"] == 204
    assert client.invoke(FunctionName="basket", InvocationType="Event", Payload="{}")["StatusCode"] == 202


def change():
    before = client.get_function_configuration(FunctionName="basket")
    changed = client.update_function_configuration(FunctionName="basket", Timeout=5, MemorySize=256, Description="d")
    assert (changed["Timeout"], changed["MemorySize"], changed["Description"]) == (5, 256, "d")
    assert changed["RevisionId"] != before["RevisionId"]
    client.get_waiter("function_updated_v2").wait(FunctionName="basket")
    source = "def handler(event, context):\n    return 'second'\n"
    client.update_function_code(FunctionName="basket", ZipFile=package(source))
    client.get_waiter("function_updated_v2").wait(FunctionName="basket")
    assert payload(client.invoke(FunctionName="basket", Payload="{}")) == "second"
    fails_with("PreconditionFailedException", client.update_function_code, FunctionName="basket",
               ZipFile=package(), RevisionId=before["RevisionId"])


def versions():
    first = client.publish_version(FunctionName="basket", Description="one")
    assert first["Version"] == "1", first
    assert client.publish_version(FunctionName="basket")["Version"] == "1", "nothing changed"
    client.update_function_code(FunctionName="basket", ZipFile=package())
    assert payload(client.invoke(FunctionName="basket", Qualifier="1", Payload="{}")) == "second"
    assert payload(client.invoke(FunctionName="basket", Payload="{}"))["event"] == {}
    listed = client.list_versions_by_function(FunctionName="basket")["Versions"]
    assert [v["Version"] for v in listed] == ["$LATEST", "1"], listed


def aliases():
    second = client.publish_version(FunctionName="basket")
    client.get_waiter("published_version_active").wait(FunctionName="basket", Qualifier=second["Version"])
    made = client.create_alias(FunctionName="basket", Name="live", FunctionVersion="1", Description="the one")
    assert made["AliasArn"].endswith(":function:basket:live") and "RoutingConfig" not in made, made
    answer = client.invoke(FunctionName="basket", Qualifier="live", Payload="{}")
    assert (answer["ExecutedVersion"], payload(answer)) == ("1", "second")
    routing = {"AdditionalVersionWeights": {"2": 0.5}}
    client.update_alias(FunctionName="basket", Name="live", RoutingConfig=routing, RevisionId=made["RevisionId"])
    assert client.get_alias(FunctionName="basket", Name="live")["RoutingConfig"] == routing
    ran = {client.invoke(FunctionName="basket:live", Payload="{}")["ExecutedVersion"] for _ in range(40)}
    assert ran == {"1", "2"}, ran
    fails_with("PreconditionFailedException", client.update_alias, FunctionName="basket", Name="live",
               RevisionId=made["RevisionId"])
    client.update_alias(FunctionName="basket", Name="live", FunctionVersion="2", RoutingConfig={})
    answer = payload(client.invoke(FunctionName="basket", Qualifier="live", Payload="{}"))
    assert answer["arn"] == made["AliasArn"], answer
    fails_with("ResourceConflictException", client.create_alias, FunctionName="basket", Name="live", FunctionVersion="1")
    fails_with("ResourceConflictException", client.delete_function, FunctionName="basket", Qualifier="2")
    client.add_permission(FunctionName="basket", Qualifier="live", StatementId="s", Action="lambda:InvokeFunction",
                          Principal="s3.amazonaws.com")
    assert "basket:live" in client.get_policy(FunctionName="basket", Qualifier="live")["Policy"]
    pages = client.get_paginator("list_aliases").paginate(FunctionName="basket", PaginationConfig={"PageSize": 1})
    assert [alias["Name"] for page in pages for alias in page["Aliases"]] == ["live"]
    client.delete_alias(FunctionName="basket", Name="live")
    fails_with("ResourceNotFoundException", client.get_alias, FunctionName="basket", Name="live")
    client.delete_function(FunctionName="basket", Qualifier="2")


def concurrency():
    assert client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"] >= 100
    client.put_function_concurrency(FunctionName="basket", ReservedConcurrentExecutions=0)
    throttled = fails_with("TooManyRequestsException", client.invoke, FunctionName="basket", Payload="{}")
    assert throttled["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", throttled
    client.delete_function_concurrency(FunctionName="basket")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="basket")
    put = client.put_provisioned_concurrency_config(FunctionName="basket", Qualifier="1", ProvisionedConcurrentExecutions=1)
    assert put["Status"] == "IN_PROGRESS", put
    deadline = time.monotonic() + 60
    while True:
        shown = client.get_provisioned_concurrency_config(FunctionName="basket", Qualifier="1")
        if shown["Status"] == "READY" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert (shown["Status"], shown["AvailableProvisionedConcurrentExecutions"]) == ("READY", 1), shown
    pages = client.get_paginator("list_provisioned_concurrency_configs").paginate(FunctionName="basket")
    arns = [config["FunctionArn"] for page in pages for config in page["ProvisionedConcurrencyConfigs"]]
    assert arns == ["arn:aws:lambda:us-east-1:000000000000:function:basket:1"], arns
    client.delete_provisioned_concurrency_config(FunctionName="basket", Qualifier="1")
    fails_with("ProvisionedConcurrencyConfigNotFoundException", client.get_provisioned_concurrency_config,
               FunctionName="basket", Qualifier="1")


def urls_and_streams():
    import urllib.request

    source = """exports.handler = awslambda.streamifyResponse(async (event, stream) => {
        if (event.raise) throw new Error('no');
        stream.write('one '); stream.write('two'); stream.end(); })"""
    client.create_function(FunctionName="stream", Runtime="nodejs20.x", Handler="index.handler",
                           Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": package(source, "index.js")})
    answer = client.invoke_with_response_stream(FunctionName="stream", Payload="{}", LogType="Tail")
    events = list(answer["EventStream"])
    assert b"".join(e["PayloadChunk"]["Payload"] for e in events[:-1]) == b"one two", events
    assert "REPORT" in base64.b64decode(events[-1]["InvokeComplete"]["LogResult"]).decode()
    events = list(client.invoke_with_response_stream(FunctionName="stream", Payload='{"raise": 1}')["EventStream"])
    assert events[-1]["InvokeComplete"]["ErrorCode"] == "Error", events
    made = client.create_function_url_config(FunctionName="stream", AuthType="NONE", InvokeMode="RESPONSE_STREAM")
    assert urllib.request.urlopen(made["FunctionUrl"]).read() == b"one two"
    client.update_function_url_config(FunctionName="stream", AuthType="AWS_IAM")
    try:
        urllib.request.urlopen(made["FunctionUrl"])
    except urllib.error.HTTPError as error:
        assert error.code == 403
    else:
        raise AssertionError("an unsigned request passed")
    assert client.get_function_url_config(FunctionName="stream")["AuthType"] == "AWS_IAM"
    assert len(client.list_function_url_configs(FunctionName="stream")["FunctionUrlConfigs"]) == 1
    client.delete_function_url_config(FunctionName="stream")
    fails_with("ResourceNotFoundException", client.get_function_url_config, FunctionName="stream")
    client.delete_function(FunctionName="stream")


def permissions():
    client.add_permission(FunctionName="basket", StatementId="s1", Action="lambda:InvokeFunction",
                          Principal="apigateway.amazonaws.com", SourceArn="arn:aws:execute-api:us-east-1:000000000000:x/*")
    policy = json.loads(client.get_policy(FunctionName="basket")["Policy"])
    statement = policy["Statement"][0]
    assert statement["Sid"] == "s1" and statement["Effect"] == "Allow", policy
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}, policy
    fails_with("ResourceConflictException", client.add_permission, FunctionName="basket", StatementId="s1",
               Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com")
    client.remove_permission(FunctionName="basket", StatementId="s1")
    fails_with("ResourceNotFoundException", client.get_policy, FunctionName="basket")


def tags_and_lists():
    arn = client.get_function(FunctionName="basket")["Configuration"]["FunctionArn"]
    client.tag_resource(Resource=arn, Tags={"stage": "dev"})
    assert client.list_tags(Resource=arn)["Tags"] == {"team": "shop", "stage": "dev"}
    client.untag_resource(Resource=arn, TagKeys=["team"])
    assert client.list_tags(Resource=arn)["Tags"] == {"stage": "dev"}
    for number in range(3):
        client.create_function(FunctionName=f"more-{number}", Runtime="nodejs20.x", Handler="index.handler",
                               Role="arn:aws:iam::000000000000:role/any",
                               Code={"ZipFile": package("exports.handler = async () => 1", "index.js")})
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [f["FunctionName"] for page in pages for f in page["Functions"]]
    assert names == ["basket", "more-0", "more-1", "more-2"], names


def accounts():
    sts = session.client("sts", endpoint_url=endpoint)
    assert sts.get_caller_identity()["Account"] == "000000000000"
    other = boto3.Session("123456789012", "secret", region_name="us-east-1")
    assert other.client("sts", endpoint_url=endpoint).get_caller_identity()["Account"] == "123456789012"


def code_location():
    import urllib.request

    location = client.get_function(FunctionName="basket")["Code"]["Location"]
    archive = zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(location).read()))
    assert archive.namelist() == ["index.py"], archive.namelist()


def layers():
    def publish(value):
        archive = package(f"value = {value!r}", "python/shelf.py")
        return client.publish_layer_version(LayerName="shelf", Content={"ZipFile": archive}, Description="things",
                                            CompatibleRuntimes=["python3.11"])
    first, second = publish("first"), publish("second")
    assert (first["Version"], second["Version"]) == (1, 2) and first["LayerArn"] == second["LayerArn"]
    arn = second["LayerVersionArn"]
    got = client.get_layer_version(LayerName="shelf", VersionNumber=2)
    assert got["Content"]["CodeSha256"] == client.get_layer_version_by_arn(Arn=arn)["Content"]["CodeSha256"]
    versions = client.get_paginator("list_layer_versions").paginate(LayerName="shelf", PaginationConfig={"PageSize": 1})
    assert [v["Version"] for page in versions for v in page["LayerVersions"]] == [2, 1]
    assert client.list_layers(CompatibleRuntime="python3.11")["Layers"][0]["LayerName"] == "shelf"
    code = package("import shelf\ndef handler(event, context): return shelf.value")
    made = client.create_function(FunctionName="layered", Runtime="python3.11", Handler="index.handler",
                                  Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": code}, Layers=[arn])
    assert made["Layers"] == [{"Arn": arn, "CodeSize": second["Content"]["CodeSize"]}], made["Layers"]
    assert payload(client.invoke(FunctionName="layered", Payload="{}")) == "second"
    client.update_function_configuration(FunctionName="layered", Layers=[first["LayerVersionArn"]])
    assert payload(client.invoke(FunctionName="layered", Payload="{}")) == "first"
    client.delete_layer_version(LayerName="shelf", VersionNumber=1)
    assert payload(client.invoke(FunctionName="layered", Payload="{}")) == "first"
    fails_with("ResourceNotFoundException", client.get_layer_version, LayerName="shelf", VersionNumber=1)
    fails_with("InvalidParameterValueException", client.update_function_configuration, FunctionName="layered",
               Layers=[first["LayerVersionArn"]])
    client.add_layer_version_permission(LayerName="shelf", VersionNumber=2, StatementId="all",
                                        Action="lambda:GetLayerVersion", Principal="*")
    assert "GetLayerVersion" in client.get_layer_version_policy(LayerName="shelf", VersionNumber=2)["Policy"]
    client.remove_layer_version_permission(LayerName="shelf", VersionNumber=2, StatementId="all")
    fails_with("ResourceNotFoundException", client.get_layer_version_policy, LayerName="shelf", VersionNumber=2)
    client.delete_function(FunctionName="layered")


def apply_stack(template):
    request = urllib.request.Request(f"{endpoint}/_tradewind/stacks/packed", method="POST",
                                     data=json.dumps({"template": template}).encode())
    return json.loads(urllib.request.urlopen(request).read().splitlines()[-1])


def answering(number):
    return package(f"def handler(event, context):\n    return {number}\n")


def code_in_buckets():
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket="packages")
    s3.put_bucket_versioning(Bucket="packages", VersioningConfiguration={"Status": "Enabled"})
    place = {"S3Bucket": "packages", "S3Key": "deploys/1/code.zip"}
    first = s3.put_object(Bucket="packages", Key=place["S3Key"], Body=answering(1))["VersionId"]
    s3.put_object(Bucket="packages", Key=place["S3Key"], Body=answering(2))
    role = "arn:aws:iam::000000000000:role/any"
    client.create_function(FunctionName="packed", Runtime="python3.11", Handler="index.handler", Role=role, Code=place)
    assert payload(client.invoke(FunctionName="packed")) == 2
    client.update_function_code(FunctionName="packed", S3ObjectVersion=first, **place)
    assert payload(client.invoke(FunctionName="packed")) == 1
    layer = client.publish_layer_version(LayerName="packed", Content=place)
    assert layer["Content"]["CodeSize"] == len(answering(2)), layer
    refused = fails_with("InvalidParameterValueException", client.update_function_code, FunctionName="packed",
                         S3Bucket="packages", S3Key="nothing.zip")
    assert "S3 Error Code: NoSuchKey" in refused["Error"]["Message"], refused
    assert payload(client.invoke(FunctionName="packed")) == 1
    function = {"Type": "AWS::Lambda::Function", "Properties": {
        "FunctionName": "of-stack", "Runtime": "python3.11", "Handler": "index.handler", "Role": role, "Code": place}}
    assert apply_stack({"Resources": {"Packed": function}})["status"] == "CREATE_COMPLETE"
    assert payload(client.invoke(FunctionName="of-stack")) == 2
    # what is undone is what ran, whatever stands under the key by now
    s3.put_object(Bucket="packages", Key=place["S3Key"], Body=answering(3))
    broken = {"Type": "AWS::Lambda::Function", "DependsOn": "Packed", "Properties": {
        **function["Properties"], "FunctionName": "broken", "Code": {**place, "S3Key": "nothing.zip"}}}
    undone = apply_stack({"Resources": {"Packed": function, "Broken": broken}})
    assert undone["status"] == "UPDATE_ROLLBACK_COMPLETE" and "NoSuchKey" in undone["reason"], undone
    assert payload(client.invoke(FunctionName="of-stack")) == 2
    assert apply_stack({"Resources": {"Packed": function}})["status"] == "UPDATE_COMPLETE"
    assert payload(client.invoke(FunctionName="of-stack")) == 3


def refusals():
    role = "arn:aws:iam::000000000000:role/any"
    fails_with("InvalidParameterValueException", client.create_function, FunctionName="x", Runtime="python3.11",
               Handler="index.handler", Role=role, Code={"ZipFile": b"this is no zip"})
    fails_with("InvalidParameterValueException", client.create_function, FunctionName="x", Runtime="cobol74",
               Handler="index.handler", Role=role, Code={"ZipFile": package()})
    fails_with("InvalidParameterValueException", client.create_function, FunctionName="x", Runtime="python3.11",
               Handler="index.handler", Role=role, Code={"ZipFile": package()},
               Environment={"Variables": {"AWS_REGION": "here"}})
    fails_with("ResourceNotFoundException", client.get_function, FunctionName="x")


def delete():
    client.delete_function(FunctionName="basket")
    fails_with("ResourceNotFoundException", client.get_function, FunctionName="basket")
    fails_with("ResourceNotFoundException", client.delete_function, FunctionName="basket")


for step in (create, invoke, invoke_errors, other_types, change, versions, aliases, concurrency, urls_and_streams, permissions, tags_and_lists,
             accounts, code_location, layers, code_in_buckets, refusals, delete):
    step()
    print("ok", step.__name__)
