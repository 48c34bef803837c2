"""GET / and GET /hello/{name}"""

import json


def hello(event, context):
    name = (event.get("pathParameters") or {}).get("name", "world")
    print("saying hello to", name)
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"Hello, {name}!", "function": context.function_name}),
    }
