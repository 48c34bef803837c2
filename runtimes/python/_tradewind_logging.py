"""What Lambda makes of ``logging``: one handler at the root, in Text or JSON ("Advanced logging controls").

Imported when user code imports ``logging``, and not before: functions that do not log do not wait for it.
"""

import json
import os
import time

DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# Fields of a record that are not the user's own.
RESERVED = frozenset(
    "name msg args levelname levelno pathname filename module exc_info exc_text stack_info lineno funcName created msecs "
    "relativeCreated thread threadName processName process taskName aws_request_id tenant_id".split()
)


def configure(logging, write_record, request_id, as_json):
    """Gives the root logger its handler, and the level that the environment asks for."""

    class Handler(logging.Handler):
        def emit(self, record):
            write_record(self.format(record))

    class RequestId(logging.Filter):
        def filter(self, record):
            record.aws_request_id = request_id()
            record.tenant_id = None
            return True

    logging.Formatter.converter = time.gmtime
    handler = Handler()
    handler.setFormatter(json_formatter(logging) if as_json else text_formatter(logging))
    handler.addFilter(RequestId())
    root = logging.getLogger()
    root.addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)


def text_formatter(logging):
    return logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )


def json_formatter(logging):
    # what JSON has no form for is shown as its text, and loses no record
    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            record.levelno = min(50, max(0, record.levelno)) // 10 * 10
            record.levelname = logging.getLevelName(record.levelno)
            is_object = isinstance(record.msg, dict) and not record.args
            fields = {
                "timestamp": self.formatTime(record, DATE_FORMAT),
                "level": record.levelname,
                "message": record.msg if is_object else record.getMessage(),
                "logger": record.name,
            }
            failed = bool(record.exc_info and record.exc_info[0])
            if failed:
                fields.update(exception_fields(record.exc_info))
            fields["requestId"] = record.aws_request_id
            if failed:
                fields["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            own = {key: value for key, value in vars(record).items() if key not in RESERVED and key not in fields}
            fields.update(own)
            return encode({key: value for key, value in fields.items() if value is not None})

    return JsonFormatter()


def exception_fields(exc_info):
    import traceback

    kind, value, tb = exc_info
    return {"stackTrace": traceback.format_tb(tb), "errorType": kind.__name__, "errorMessage": str(value)}
