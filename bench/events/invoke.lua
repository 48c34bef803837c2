-- Asynchronous invocations, signed by nobody.
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["X-Amz-Invocation-Type"] = "Event"
