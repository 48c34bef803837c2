"""What is configured at buckets, and what acts on it, through boto3 and plain HTTP. argv: the node's endpoint.
Any failed expectation raises."""
import datetime
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint = sys.argv[1]
options = dict(endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="x", region_name="us-east-1",
               config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}))
s3 = boto3.client("s3", **options)
sqs = boto3.client("sqs", **options)
SHOP = "https://shop.example"


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


class StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def http(method, path, body=None, **headers):
    """Status, headers and body; redirects are not followed."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(endpoint + path, method=method, data=body, headers=headers)
    try:
        answer = urllib.request.build_opener(StayHere).open(request)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.headers, answer.read()


def cors(bucket):
    rule = {"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": [SHOP], "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 5}
    assert code(s3.get_bucket_cors, Bucket=bucket) == "NoSuchCORSConfiguration"
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    wrong = {"CORSRules": [{"AllowedMethods": ["PATCH"], "AllowedOrigins": ["*"]}]}
    assert code(s3.put_bucket_cors, Bucket=bucket, CORSConfiguration=wrong) == "InvalidRequest"
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    asks = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "content-type"}
    status, headers, _ = http("OPTIONS", f"/{bucket}/a", Origin=SHOP, **asks)
    assert (status, headers["access-control-allow-origin"]) == (200, SHOP)
    assert http("OPTIONS", f"/{bucket}/a", Origin="https://other.example", **asks)[0] == 403
    status, headers, body = http("GET", f"/{bucket}/a", Origin=SHOP)
    assert (status, headers["access-control-expose-headers"], body) == (200, "ETag", b"hello")
    s3.delete_bucket_cors(Bucket=bucket)
    assert http("OPTIONS", f"/{bucket}/a", Origin=SHOP, **asks)[0] == 403


def policies(bucket):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    public = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert code(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy=public) == "AccessDenied"
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == public
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    assert code(s3.put_bucket_policy, Bucket=bucket, Policy="{}") == "MalformedPolicy"
    assert code(s3.put_bucket_acl, Bucket=bucket, ACL="public-read") == "AccessControlListNotSupported"
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 2


def tags(bucket):
    pair = [{"Key": "team", "Value": "shop"}]
    assert code(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pair})
    assert code(s3.put_bucket_tagging, Bucket=bucket, Tagging={"TagSet": pair + pair}) == "InvalidTag"
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == pair


def encryption(bucket):
    by_default = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert by_default["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    body = b"secret" * 50_000
    s3.put_object(Bucket=bucket, Key="e", Body=body, ServerSideEncryption="AES256")
    got = s3.get_object(Bucket=bucket, Key="e", Range="bytes=70000-140000")
    assert (got["ServerSideEncryption"], got["Body"].read()) == ("AES256", body[70_000:140_001])
    assert code(s3.put_object, Bucket=bucket, Key="e", Body=b"", ServerSideEncryption="aws:kms") == "NotImplemented"
    # read anew: the caller looks for the plain text below the data folder
    upload = dict(Bucket=bucket, Key="copy", UploadId=s3.create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"])
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{bucket}/e")["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": copied}]})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == body


def lifecycle(bucket):
    old = {"Status": "Enabled", "Filter": {"Prefix": "old/"}}
    freeze = {"Rules": [{**old, "Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}]}
    put = s3.put_bucket_lifecycle_configuration
    assert code(put, Bucket=bucket, LifecycleConfiguration=freeze) == "NotImplemented"
    for key in ("old/1", "young"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    put(Bucket=bucket, LifecycleConfiguration={
        "Rules": [{**old, "Expiration": {"Date": datetime.datetime(2026, 1, 1)}}]})
    until = time.monotonic() + 30
    while s3.list_objects_v2(Bucket=bucket, Prefix="old/")["KeyCount"]:
        assert time.monotonic() < until, "the expired object stays"
    s3.head_object(Bucket=bucket, Key="young")


def lock(bucket):
    held = bucket + "-held"
    assert code(s3.get_object_lock_configuration, Bucket=bucket) == "ObjectLockConfigurationNotFoundError"
    s3.create_bucket(Bucket=held, ObjectLockEnabledForBucket=True)
    s3.put_object_lock_configuration(Bucket=held, ObjectLockConfiguration={
        "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}})
    version = s3.put_object(Bucket=held, Key="k", Body=b"1")["VersionId"]
    assert s3.head_object(Bucket=held, Key="k")["ObjectLockMode"] == "GOVERNANCE"
    of_version = dict(Bucket=held, Key="k", VersionId=version)
    assert code(s3.delete_object, **of_version) == "AccessDenied"
    many = s3.delete_objects(Bucket=held, Delete={"Objects": [{"Key": "k", "VersionId": version}]})
    assert many["Errors"][0]["Code"] == "AccessDenied"
    s3.delete_object(**of_version, BypassGovernanceRetention=True)
    until = datetime.datetime(2030, 1, 1)
    version = s3.put_object(Bucket=held, Key="c", Body=b"1", ObjectLockMode="COMPLIANCE",
                            ObjectLockRetainUntilDate=until)["VersionId"]
    of_version = dict(Bucket=held, Key="c", VersionId=version)
    assert code(s3.delete_object, **of_version, BypassGovernanceRetention=True) == "AccessDenied"
    s3.put_object_legal_hold(Bucket=held, Key="c", LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(Bucket=held, Key="c")["LegalHold"]["Status"] == "ON"
    assert code(s3.put_bucket_versioning, Bucket=held,
                VersioningConfiguration={"Status": "Suspended"}) == "InvalidBucketState"
    # what is copied or uploaded in parts is held, too
    s3.copy_object(Bucket=held, Key="copy", CopySource={"Bucket": held, "Key": "c"})
    upload = s3.create_multipart_upload(Bucket=held, Key="parts")["UploadId"]
    part = dict(Bucket=held, Key="parts", UploadId=upload)
    etag = s3.upload_part(**part, PartNumber=1, Body=b"1")["ETag"]
    s3.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    for key in ("copy", "parts"):
        assert s3.get_object_retention(Bucket=held, Key=key)["Retention"]["Mode"] == "GOVERNANCE"


def website(bucket):
    assert code(s3.get_bucket_website, Bucket=bucket) == "NoSuchWebsiteConfiguration"
    moved = {"Condition": {"KeyPrefixEquals": "was/"}, "Redirect": {"ReplaceKeyPrefixWith": "is/"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration={
        "IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "err.html"}, "RoutingRules": [moved]})
    for key in ("index.html", "d/index.html", "err.html"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="go", Body=b"", WebsiteRedirectLocation="/elsewhere")

    def visit(path):
        status, headers, body = http("GET", path, Host=f"{bucket}.s3-website-us-east-1.localhost")
        return status, headers["location"] or body.decode()

    assert visit("/") == (200, "index.html")
    assert visit("/d") == (302, "/d/")
    assert visit("/d/") == (200, "d/index.html")
    assert visit("/none") == (404, "err.html")
    assert visit("/go") == (301, "/elsewhere")
    status, place = visit("/was/x")
    assert status == 301 and place.endswith("/is/x")
    s3.delete_object(Bucket=bucket, Key="err.html")
    status, page = visit("/none")
    assert status == 404 and "<li>Code: NoSuchKey</li>" in page, page
    s3.delete_bucket_website(Bucket=bucket)
    status, page = visit("/")
    assert status == 404 and "<li>Code: NoSuchWebsiteConfiguration</li>" in page, page


def notifications(bucket):
    def configure(**configuration):
        return dict(Bucket=bucket, NotificationConfiguration=configuration)

    put = s3.put_bucket_notification_configuration
    nowhere = {"QueueArn": "arn:aws:sqs:us-east-1:000000000000:none", "Events": ["s3:ObjectCreated:*"]}
    assert code(put, **configure(QueueConfigurations=[nowhere])) == "InvalidArgument"
    queue = sqs.create_queue(QueueName=bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    put(**configure(QueueConfigurations=[{
        "QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]))
    s3.put_object(Bucket=bucket, Key="in/a b", Body=b"123")
    s3.put_object(Bucket=bucket, Key="out/a", Body=b"123")
    s3.copy_object(Bucket=bucket, Key="in/copy", CopySource={"Bucket": bucket, "Key": "out/a"})
    s3.delete_object(Bucket=bucket, Key="in/a b")
    seen = []
    until = time.monotonic() + 30
    while len(seen) < 4 and time.monotonic() < until:
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            record = body.get("Records", [None])[0]
            seen.append(body.get("Event") or (record["eventName"], record["s3"]["object"]["key"]))
    expected = ["s3:TestEvent", ("ObjectCreated:Put", "in/a+b"), ("ObjectCreated:Copy", "in/copy"),
                ("ObjectRemoved:Delete", "in/a+b")]
    assert sorted(map(str, seen)) == sorted(map(str, expected)), seen


def form(fields, content):
    """A body of multipart/form-data, and its type."""
    parts = [f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'
    return ("".join(parts) + head).encode() + content + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"


def forms(bucket):
    fields = {"x-amz-meta-a": "1", "success_action_status": "201"}
    conditions = [{name: value} for name, value in fields.items()] + [["content-length-range", 1, 10]]
    post = s3.generate_presigned_post(bucket, "up/${filename}", Fields=dict(fields), Conditions=conditions)
    path = urllib.parse.urlparse(post["url"]).path

    def send(content, **more):
        body, kind = form({**post["fields"], **more}, content)
        return http("POST", path, body, Content_Type=kind)[0]

    assert send(b"12345") == 201
    assert s3.get_object(Bucket=bucket, Key="up/f.txt")["Body"].read() == b"12345"
    assert send(b"1" * 11) == 400
    assert send(b"1", **{"x-amz-meta-b": "2"}) == 403
    assert s3.get_object(Bucket=bucket, Key="up/f.txt")["Body"].read() == b"12345"


for number, task in enumerate((cors, policies, tags, encryption, lifecycle, lock, website, notifications, forms)):
    name = f"{task.__name__}-{number}-bucket"
    s3.create_bucket(Bucket=name)
    task(name)
    print("ok", task.__name__)
