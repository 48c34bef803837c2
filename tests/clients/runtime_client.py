"""A function on an official runtime client. argv: endpoint, name, package folder, handler."""
import base64
import io
import json
import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config

endpoint, name, folder, handler = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint, config=Config(max_pool_connections=32))

buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for base, _folders, files in os.walk(folder):
        for file in files:
            path = os.path.join(base, file)
            archive.write(path, os.path.relpath(path, folder))

client.create_function(FunctionName=name, Runtime="provided.al2023", Handler=handler, Timeout=30,
                       Role="arn:aws:iam::000000000000:role/any", Code={"ZipFile": buffer.getvalue()})


def invoke(event):
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    return answer, json.loads(answer["Payload"].read()), base64.b64decode(answer["LogResult"]).decode()


answer, result, _log = invoke({"name": "shop"})
assert "FunctionError" not in answer, result
assert result == {"hello": "shop", "requestId": answer["ResponseMetadata"]["RequestId"]}, result
answer, error, _log = invoke({"fail": True})
assert answer["FunctionError"] == "Unhandled", answer
assert error["errorMessage"] == "boom", error
answer, _result, log = invoke({"log": "a line of its own"})
assert "a line of its own" in log, log
with ThreadPoolExecutor(16) as pool:
    results = list(pool.map(lambda n: invoke({"name": str(n)})[1]["hello"], range(200)))
assert results == [str(n) for n in range(200)], results
print("ok", name)
