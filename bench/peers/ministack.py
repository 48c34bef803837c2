"""Makes the benchmark's Node function on MiniStack, behind an HTTP API; prints its URL.

usage: ministack.py PORT HANDLER_FILE
"""

import io
import sys
import time
import zipfile

import boto3

port, handler = sys.argv[1:]
endpoint = f"http://127.0.0.1:{port}"
session = boto3.Session("test", "test", region_name="us-east-1")
functions = session.client("lambda", endpoint_url=endpoint)
apis = session.client("apigatewayv2", endpoint_url=endpoint)

package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.write(handler, "handler.js")
arn = functions.create_function(
    FunctionName="hello",
    Runtime="nodejs20.x",
    Role="arn:aws:iam::000000000000:role/bench",
    Handler="handler.handler",
    Code={"ZipFile": package.getvalue()},
    Timeout=30,
)["FunctionArn"]
while functions.get_function(FunctionName="hello")["Configuration"].get("State", "Active") != "Active":
    time.sleep(0.05)

api = apis.create_api(Name="hello", ProtocolType="HTTP")["ApiId"]
integration = apis.create_integration(
    ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
)["IntegrationId"]
apis.create_route(ApiId=api, RouteKey="GET /hello", Target=f"integrations/{integration}")
apis.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
print(f"{endpoint}/_aws/execute-api/{api}/$default/hello")
