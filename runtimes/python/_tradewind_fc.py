"""Alibaba Function Compute's conventions for Python.

``handler(event: bytes, context)``; ``initializer(context)`` once before the first event; answers that
are bytes or text as they are, and other values as JSON; errors with ``stackTrace``; its lines in the log.
"""

import json
import logging
import os
import sys
import time
import traceback


class Fields:
    """An object with the given attributes."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def to_dict(self):
        return dict(self.__dict__)


class Dialect:
    """One function: what its environment says, and the request that runs."""

    def __init__(self, write_record, runtime_folder):
        self.write_record = write_record
        self.runtime_folder = runtime_folder
        self.request_id = ""
        variable = os.environ.get
        self.credentials = Fields(
            access_key_id=variable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            access_key_secret=variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            security_token=variable("ALIBABA_CLOUD_SECURITY_TOKEN"),
        )
        self.function = Fields(
            name=variable("FC_FUNCTION_NAME"),
            handler=variable("FC_FUNCTION_HANDLER"),
            memory=int(variable("FC_FUNCTION_MEMORY_SIZE", "0")),
            timeout=int(os.environ.pop("_TRADEWIND_TIMEOUT", "0")),
        )
        self.region, self.account_id = variable("FC_REGION"), variable("FC_ACCOUNT_ID")
        self.logger = self._configure_logging()

    def _configure_logging(self):
        dialect = self

        class Handler(logging.Handler):
            def emit(self, record):
                dialect.write_record(self.format(record))

        class Formatter(logging.Formatter):
            converter = time.gmtime

            def format(self, record):
                record.request_id = dialect.request_id
                return super().format(record)

        handler = Handler()
        handler.setFormatter(
            Formatter("%(asctime)s.%(msecs)03dZ %(request_id)s [%(levelname)s] %(message)s", "%Y-%m-%dT%H:%M:%S")
        )
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        return root

    def context(self):
        return Fields(
            request_id=self.request_id,
            requestId=self.request_id,
            credentials=self.credentials,
            function=self.function,
            region=self.region,
            account_id=self.account_id,
            logger=self.logger,
            tracing=Fields(span_context="", jaeger_endpoint="", span_baggages={}),
        )

    def initialise(self, initializer):
        self.write_record("FC Initialize Start RequestId: ")
        try:
            initializer(self.context())
        finally:
            self.write_record("FC Initialize End RequestId: ")

    def invoke(self, handler, request_id, payload):
        """Whether the handler succeeded, and the body of its answer."""
        self.request_id = request_id
        self.write_record("FC Invoke Start RequestId: %s" % request_id)
        try:
            return True, encode(handler(payload, self.context()))
        except Exception:
            self.write_record(traceback.format_exc())
            return False, json.dumps(self.describe_exception()).encode()
        finally:
            self.write_record("FC Invoke End RequestId: %s" % request_id)

    def describe_exception(self):
        kind, value, tb = sys.exc_info()
        frames = [frame for frame in traceback.extract_tb(tb) if not frame.filename.startswith(self.runtime_folder)]
        trace = [
            ['File "%s"' % frame.filename, "line %d" % frame.lineno, "in %s" % frame.name, frame.line] for frame in frames
        ]
        return {"errorMessage": str(value), "errorType": kind.__name__, "stackTrace": trace}


def encode(result):
    if isinstance(result, bytes):
        return result
    return (result if isinstance(result, str) else json.dumps(result)).encode()
