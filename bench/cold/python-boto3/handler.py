"""A function as users write it: a client made at the top, from the package's own libraries."""

import boto3
import requests

client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


def handler(event, context):
    return {"statusCode": 200, "body": f"{client.meta.service_model.service_id} {requests.__version__}"}
