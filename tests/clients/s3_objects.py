"""S3's objects through boto3, unmodified. argv: the node's endpoint, and what to do:
`all` tries every operation; `fill` puts objects until the node dies and prints what was acknowledged;
`check` reads that from standard input and finds every byte of it. Any failed expectation raises."""
import hashlib
import io
import os
import random
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

endpoint, task = sys.argv[1:3]
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="x",
                  region_name="us-east-1", config=Config(retries={"max_attempts": 1}))


def code(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def content(key):
    """The bytes that belong to a key: small ones, which are rows, and large ones, which are files."""
    size = int(hashlib.md5(key.encode()).hexdigest()[:4], 16)
    return hashlib.sha256(key.encode()).digest() * (1 + size // 16)


def fill():
    s3.create_bucket(Bucket="crash")
    number = 0
    while True:
        key = f"{random.randint(0, 20)}/{number}"
        try:
            s3.put_object(Bucket="crash", Key=key, Body=content(key))
        except (BotoCoreError, ClientError):
            return
        print(key, flush=True)
        number += 1


def check():
    acknowledged = sys.stdin.read().split()
    for key in acknowledged:
        assert s3.get_object(Bucket="crash", Key=key)["Body"].read() == content(key), key
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="crash")
    listed = {found["Key"] for page in pages for found in page.get("Contents", [])}
    assert set(acknowledged) <= listed
    for key in listed - set(acknowledged):
        assert s3.get_object(Bucket="crash", Key=key)["Body"].read() == content(key), key
    print("ok", len(acknowledged))


def parts():
    bucket = "parts"
    s3.create_bucket(Bucket=bucket)
    data = os.urandom(11 * 1024 * 1024 + 5)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(data), bucket, "whole", Config=config)
    head = s3.head_object(Bucket=bucket, Key="whole")
    assert head["ContentLength"] == len(data) and head["ETag"].endswith('-3"'), head
    got = io.BytesIO()
    s3.download_fileobj(bucket, "whole", got)
    assert got.getvalue() == data
    for first, last in [(0, 9), (5242870, 5242890), (10485700, 11000000), (len(data) - 3, len(data) - 1)]:
        part = s3.get_object(Bucket=bucket, Key="whole", Range=f"bytes={first}-{last}")["Body"].read()
        assert part == data[first:last + 1], (first, last)
    second = s3.get_object(Bucket=bucket, Key="whole", PartNumber=2)
    assert second["Body"].read() == data[5 << 20:10 << 20] and second["PartsCount"] == 3
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    etags = [s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=n, Body=b"x" * 100)["ETag"] for n in (1, 2)]

    def complete(*numbers):
        listed = [{"PartNumber": n, "ETag": etags[n - 1]} for n in numbers]
        return code(lambda: s3.complete_multipart_upload(Bucket=bucket, Key="u", UploadId=upload,
                                                         MultipartUpload={"Parts": listed}))

    assert complete(1, 2) == "EntityTooSmall"
    assert complete(2, 1) == "InvalidPartOrder"
    assert complete(2) == "ok"
    assert complete(2) == "NoSuchUpload"
    assert s3.get_object(Bucket=bucket, Key="u")["Body"].read() == b"x" * 100
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "whole"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    print("ok parts", flush=True)


def versions():
    bucket = "versions"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = [s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2")]
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert code(lambda: s3.get_object(Bucket=bucket, Key="k")) == "NoSuchKey"
    assert code(lambda: s3.get_object(Bucket=bucket, Key="k", VersionId=marker)) == "MethodNotAllowed"
    listed = s3.list_object_versions(Bucket=bucket)
    assert [version["VersionId"] for version in listed["Versions"]] == [second, first, "null"], listed
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert len(list(pages)) == 4
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    # a page goes on although what it follows was deleted meanwhile
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    rest = s3.list_object_versions(Bucket=bucket, KeyMarker="k", VersionIdMarker=second)
    assert [version["VersionId"] for version in rest["Versions"]] == [first, "null"], rest
    assert code(lambda: s3.delete_bucket(Bucket=bucket)) == "BucketNotEmpty"
    print("ok versions", flush=True)


def conditions():
    bucket = "conditions"
    s3.create_bucket(Bucket=bucket)
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    put = lambda **more: code(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"2", **more))
    assert put(IfNoneMatch="*") == "PreconditionFailed"
    assert put(IfMatch='"00"') == "PreconditionFailed"
    assert put(ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==") == "BadDigest"
    assert put(ChecksumSHA256="A" * 43 + "=") == "BadDigest"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    assert code(lambda: s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=etag)) == "304"
    assert put(IfMatch=etag) == "ok"
    copy = lambda key, **more: code(lambda: s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/k", **more))
    assert copy("new", IfNoneMatch="*") == "ok"
    assert copy("new", IfNoneMatch="*") == "PreconditionFailed"
    print("ok conditions", flush=True)


def keys():
    bucket = "keys"
    s3.create_bucket(Bucket=bucket)
    odd = ["a/../b", "../x", "a//b", "/lead", "%2F", "%", "é/ü", "日本", "a b+c", "x" * 1024, " sp ", ".", "..", "a/./b",
           "q?x=1&y", "#h", "\x01ctl", "trail/"]
    for key in odd:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in odd:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode(), key
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    listed = [found["Key"] for page in pages for found in page["Contents"]]
    assert listed == sorted(odd, key=str.encode), listed
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in odd], "Quiet": True})
    s3.delete_bucket(Bucket=bucket)
    print("ok keys", flush=True)


def lists():
    """Lists of random keys, against a model of what S3 rolls up."""
    bucket = "lists"
    s3.create_bucket(Bucket=bucket)
    random.seed(7)
    stored = sorted({"".join(random.choice("ab/") for _ in range(random.randint(1, 7))) for _ in range(150)})
    for key in stored:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

    def rolled(key, prefix, delimiter):
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        return key if at < 0 else key[:at + len(delimiter)]

    for prefix in ["", "a", "a/", "b/a", "//"]:
        for delimiter in ["/", "ab", ""]:
            for size in [3, 1000]:
                more = {"Delimiter": delimiter} if delimiter else {}
                pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix,
                                                                     PaginationConfig={"PageSize": size}, **more)
                got = [entry.get("Key", entry.get("Prefix")) for page in pages
                       for entry in page.get("Contents", []) + page.get("CommonPrefixes", [])]
                expected = {rolled(key, prefix, delimiter) for key in stored if key.startswith(prefix)}
                assert sorted(got) == sorted(expected), (prefix, delimiter, size)
    print("ok lists", flush=True)


if task == "all":
    for part in (parts, versions, conditions, keys, lists):
        part()
else:
    {"fill": fill, "check": check}[task]()
