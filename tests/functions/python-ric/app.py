"""A function on the official Python client; ../README.md says what all of these fixtures do."""


class boom(Exception):  # Lambda reports the name of the class
    pass


def handler(event, context):
    if "log" in event:
        print(event["log"])
    if event.get("fail"):
        raise boom("boom")
    return {"hello": event.get("name"), "requestId": context.aws_request_id}
