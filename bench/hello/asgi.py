"""The peer of the Python function: the same answer as an ASGI application."""

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain; charset=utf-8")]}
BODY = {"type": "http.response.body", "body": b"ok"}


async def app(scope, receive, send):
    await send(START)
    await send(BODY)
