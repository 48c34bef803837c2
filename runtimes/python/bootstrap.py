"""Runs a Python handler for Tradewind.

Loads the function that ``_HANDLER`` names, then answers one invocation after another over the
inherited pipes (frames: ``runtimes/README.md``). A handler must not be able to tell this file
from AWS's runtime; what that means here:

- stdout and stderr are flushed before an answer is sent, because the host reads the pipe when the
  answer arrives. Each line is written when it ends, so that a timeout does not swallow it.
- A record of ``logging`` is one line: newlines inside become carriage returns, which the host
  turns back.
- ``logging``, ``traceback`` and the like are imported when they are needed, not at the start:
  many functions use none of them and every one waits for its first answer.

Runs on Python 3.7 and newer, with the standard library only.
"""

import json
import os
import sys
import time
from struct import Struct

INVOKE, SPECIALISE = 1, 2
READY, INIT_ERROR, RESPONSE, ERROR, STEM_READY, PREPARED = 16, 17, 18, 19, 23, 24
# What of the compiled code goes into one frame.
PART_BYTES = 1024 * 1024
# What Lambda lets a synchronous invocation return: 6 MiB and 100 bytes.
MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100
TOO_LARGE = (
    b'{"errorType": "Function.ResponseSizeTooLarge", "errorMessage": '
    b'"Response payload size exceeded maximum allowed payload size (%d bytes)."}' % MAX_RESPONSE_BYTES
)
READ_BYTES = 64 * 1024
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# Leading spaces of a stack trace survive in log viewers as no-break spaces.
NO_BREAK_SPACE = "\u00a0"

OWN_FOLDER = os.path.dirname(os.path.abspath(__file__))
# Read when the function is known: see ``read_environment``.
logs_json = False
environment = {}

# The invocation that runs, for records of ``logging``.
current_request_id = ""


class Fault(Exception):
    """An error that the runtime, not the handler, raises; ``error_type`` is Lambda's name for it."""

    def __init__(self, error_type, message, trace=None):
        super().__init__(message)
        self.error_type = "Runtime." + error_type
        self.trace = trace


# ---- The channel to the host --------------------------------------------------------------------

FRAME_HEADER = Struct("<IB")
LENGTH = Struct("<I")
INVOKE_HEAD = Struct("<Bq")


class Channel:
    """Whole frames over a pair of blocking pipes."""

    def __init__(self, input_fd, output_fd):
        self.input_fd = input_fd
        self.output_fd = output_fd
        self.pending = b""
        os.set_inheritable(input_fd, False)
        os.set_inheritable(output_fd, False)

    def receive(self):
        """Blocks until the host has work; ends the process when the host closes its side."""
        return Invoke(*self._receive_frame())

    def receive_environment(self):
        """Blocks until the host says what a stem becomes."""
        data, end = self._receive_frame()
        if data[LENGTH.size] != SPECIALISE:
            raise RuntimeError("the host sent a frame of kind %d to a stem" % data[LENGTH.size])
        at = FRAME_HEADER.size + LENGTH.size
        variables = {}
        while at < end:
            name, at = take_string(data, at)
            variables[name], at = take_string(data, at)
        return variables

    def send_stem_ready(self):
        self.send(STEM_READY, b"")

    def _receive_frame(self):
        """Bytes that begin with a whole frame, and where it ends."""
        data = self.pending or self._read(READ_BYTES)
        while len(data) < LENGTH.size:
            data += self._read(READ_BYTES)
        end = LENGTH.size + LENGTH.unpack_from(data)[0]
        if len(data) < end:
            data = self._read_rest(data, end)
        self.pending = data[end:]
        return data, end

    def _read_rest(self, data, end):
        chunks, missing = [data], end - len(data)
        while missing > 0:
            chunk = self._read(missing)
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)

    def _read(self, count):
        data = os.read(self.input_fd, count)
        if not data:
            flush_output()
            os._exit(0)
        return data

    def send(self, kind, body):
        frame = FRAME_HEADER.pack(1 + len(body), kind) + body
        sent = os.write(self.output_fd, frame)
        while sent < len(frame):
            frame = memoryview(frame)[sent:]
            sent = os.write(self.output_fd, frame)

    def answer(self, kind, request_id, body):
        request_id = request_id.encode()
        self.send(kind, LENGTH.pack(len(request_id)) + request_id + body)


class Invoke:
    """What an INVOKE frame says."""

    __slots__ = ("deadline", "request_id", "arn", "trace", "client_context", "identity", "payload")

    def __init__(self, data, end):
        kind, self.deadline = INVOKE_HEAD.unpack_from(data, LENGTH.size)
        if kind != INVOKE:
            raise RuntimeError("the host sent a frame of kind %d" % kind)
        at = LENGTH.size + INVOKE_HEAD.size
        self.request_id, at = take_string(data, at)
        self.arn, at = take_string(data, at)
        self.trace, at = take_string(data, at)
        self.client_context, at = take_string(data, at)
        self.identity, at = take_string(data, at)
        self.payload = data[at:end]


def take_string(data, at):
    """The string at ``at`` and where it ends."""
    start = at + LENGTH.size
    end = start + LENGTH.unpack_from(data, at)[0]
    return data[start:end].decode(), end


# ---- Output and errors --------------------------------------------------------------------------

# User code may replace ``sys.stdout``; log records always go to the real one.
stdout = sys.stdout


def prepare_output():
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", line_buffering=True)


def flush_output():
    try:
        stdout.flush()
        sys.stderr.flush()
        if sys.stdout is not stdout:
            sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        pass  # closed or replaced by user code: nothing of it can be shown


def write_record(text):
    try:
        stdout.write(text.replace("\n", "\r") + "\n")
    except UnicodeEncodeError:
        write_record(text.encode("utf-8", "backslashreplace").decode())
    except (OSError, ValueError):
        pass  # closed by user code


def error_body(message, error_type, trace, request_id=""):
    return {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": trace}


def describe_exception(request_id=""):
    """The error body for the exception that is being handled."""
    import traceback

    kind, value, tb = sys.exc_info()
    if isinstance(value, Fault):
        return error_body(str(value), value.error_type, value.trace or [], request_id)
    frames = [(frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(tb)]
    while frames and is_runtime_file(frames[0][0]):
        del frames[0]
    return error_body(message_of(value), kind.__name__, traceback.format_list(frames), request_id)


def message_of(value):
    try:
        return str(value)
    except Exception as error:
        return "the message of this %s cannot be shown: %s" % (type(value).__name__, type(error).__name__)


def encode_error(error):
    """An error body as bytes that fit into an answer."""
    body = json.dumps(error).encode()
    return body if len(body) <= MAX_RESPONSE_BYTES else TOO_LARGE


def is_runtime_file(filename):
    return filename.startswith(OWN_FOLDER) or filename.startswith("<frozen importlib")


def log_error(error):
    if logs_json:
        record = {"timestamp": time.strftime(DATE_FORMAT, time.gmtime()), "log_level": "ERROR"}
        record.update(error)
        write_record(json.dumps(record))
        return
    title = ": ".join(part for part in (error["errorType"], error["errorMessage"]) if part)
    lines = ["[ERROR] " + title, "Traceback (most recent call last):"]
    for element in error["stackTrace"]:
        lines.extend(keep_indent(line) for line in element.splitlines() or [""])
    write_record("\n".join(lines))


def keep_indent(line):
    text = line.lstrip(" ")
    return NO_BREAK_SPACE * (len(line) - len(text)) + text


def load_own(name):
    """A module that lies beside this file, where user code cannot find it."""
    sys.path.insert(0, OWN_FOLDER)
    try:
        __import__(name)
    finally:
        sys.path.remove(OWN_FOLDER)
    return sys.modules.pop(name)


# ---- logging ------------------------------------------------------------------------------------


class LoggingFinder:
    """Configures the root logger at the moment at which user code first imports ``logging``."""

    def find_spec(self, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = LoggingLoader(spec.loader)
                return spec
        return None


class LoggingLoader:
    """The real loader, with a step after it."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        configure_logging(module)


def configure_logging(logging):
    load_own("_tradewind_logging").configure(logging, write_record, lambda: current_request_id, logs_json)


def prepare_logging():
    if "logging" in sys.modules:
        configure_logging(sys.modules["logging"])
    else:
        sys.meta_path.insert(0, LoggingFinder())


# ---- Context ------------------------------------------------------------------------------------


class Record:
    """An object with fixed fields, ``None`` where the client sent nothing."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (type(self).__name__, fields)


class CognitoIdentity(Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, identity_id=None, pool_id=None):
        self.cognito_identity_id = identity_id
        self.cognito_identity_pool_id = pool_id


class Client(Record):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        self.client = None if self.client is None else Client(self.client)


class LambdaContext:
    def __init__(self, invoke):
        self.aws_request_id = invoke.request_id
        self.__dict__.update(environment)
        self.invoked_function_arn = invoke.arn
        self.tenant_id = None
        self.client_context = None
        self.identity = CognitoIdentity()
        if invoke.client_context:
            self.client_context = ClientContext(parse_header(invoke.client_context, "Client Context"))
        if invoke.identity:
            identity = parse_header(invoke.identity, "Cognito Identity")
            self.identity = CognitoIdentity(identity.get("cognitoIdentityId"), identity.get("cognitoIdentityPoolId"))
        self._epoch_deadline_time_in_ms = invoke.deadline

    def get_remaining_time_in_millis(self):
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, msg):
        stdout.write(str(msg))

    def __repr__(self):
        shown = (
            "aws_request_id log_group_name log_stream_name function_name memory_limit_in_mb "
            "function_version invoked_function_arn client_context identity tenant_id"
        )
        fields = ",".join("%s=%s" % (name, getattr(self, name)) for name in shown.split())
        return "LambdaContext([%s])" % fields


def parse_header(text, name):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Fault("LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)) from None


# ---- Handler ------------------------------------------------------------------------------------


def load_handler(name):
    """``dir/file.function`` or ``package.module.function`` → the function."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        message = "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name
        raise Fault("MalformedHandlerName", message)
    module = import_module(module_name)
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault("HandlerNotFound", message) from None


def import_module(name):
    if name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % name
        raise Fault("BuiltInModuleConflict", message)
    dotted = name.replace("/", ".")
    try:
        __import__(dotted)
        return sys.modules[dotted]
    except ImportError as error:
        raise Fault("ImportModuleError", "Unable to import module '%s': %s" % (name, error)) from error
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        message = "Syntax error in module '%s': %s" % (name, error)
        raise Fault("UserCodeSyntaxError", message, trace) from error


class Marshaller:
    """Results as JSON the way Lambda writes them, which for ``Decimal`` means digits."""

    def __init__(self):
        execution_env = os.environ.get("AWS_EXECUTION_ENV", "")
        version = execution_env.rpartition("python3.")[2]
        keeps_unicode = version.isdigit() and int(version) >= 12
        self.encoder = json.JSONEncoder(ensure_ascii=not keeps_unicode, default=self._encode_other)
        self.decimals = {}

    def encode(self, result):
        if isinstance(result, bytes):
            return result
        try:
            text = self.encoder.encode(result)
            if self.decimals:
                text = self._restore_decimals(text)
            return text.encode()
        except Exception as error:
            self.decimals = {}
            raise Fault("MarshalError", "Unable to marshal response: %s" % error) from None

    def _encode_other(self, value):
        decimal = sys.modules.get("decimal")
        if decimal is None or not isinstance(value, decimal.Decimal):
            raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)
        if value.is_nan():
            return float("nan")
        # The encoder has no way to say "these characters": a stand-in holds the place.
        stand_in = "decimal-%s" % os.urandom(16).hex()
        self.decimals[stand_in] = str(value)
        return stand_in

    def _restore_decimals(self, text):
        import re

        decimals, self.decimals = self.decimals, {}
        return re.sub('"(decimal-[0-9a-f]{32})"', lambda found: decimals.get(found[1], found[0]), text)


def parse_event(payload):
    try:
        return json.loads(payload.decode())
    except ValueError as error:
        raise Fault("UnmarshalError", "Unable to unmarshal input: %s" % error) from None


def run(handler, invoke, marshaller):
    """One invocation: the kind and the body of its answer."""
    try:
        context = LambdaContext(invoke)
        body = marshaller.encode(handler(parse_event(invoke.payload), context))
    except Exception:
        error = describe_exception(invoke.request_id)
        log_error(error)
        return ERROR, encode_error(error)
    return (RESPONSE, body) if len(body) <= MAX_RESPONSE_BYTES else (ERROR, TOO_LARGE)


def serve(channel, handler):
    global current_request_id
    marshaller = Marshaller()
    trace = Trace()
    while True:
        invoke = channel.receive()
        current_request_id = invoke.request_id
        trace.set(invoke.trace)
        kind, body = run(handler, invoke, marshaller)
        flush_output()
        channel.answer(kind, invoke.request_id, body)


def serve_function_compute(channel, handler, dialect):
    """The same in Function Compute's dialect."""
    while True:
        invoke = channel.receive()
        succeeded, body = dialect.invoke(handler, invoke.request_id, invoke.payload)
        flush_output()
        if len(body) > MAX_RESPONSE_BYTES:
            succeeded, body = False, TOO_LARGE
        channel.answer(RESPONSE if succeeded else ERROR, invoke.request_id, body)


class Trace:
    """``_X_AMZN_TRACE_ID``: in ``os.environ`` at once, in the process's environment when a child needs it.

    Because glibc never frees what ``setenv`` replaces: about 170 bytes an invocation. Not covered:
    native code that calls ``getenv``, and children that ``multiprocessing`` spawns.
    """

    NAME = "_X_AMZN_TRACE_ID"
    CHILD_EVENTS = frozenset(("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty"))

    def __init__(self):
        self.current = ""
        self.published = ""
        self.watching = False

    def set(self, trace):
        if trace == self.current:
            return
        self.current = trace
        if not hasattr(os.environ, "_data") or not hasattr(sys, "addaudithook"):
            self._set_for_good()
            return
        if not self.watching:
            self.watching = True
            sys.addaudithook(self._on_event)
        if trace:
            os.environ._data[self.NAME.encode()] = trace.encode()
        else:
            os.environ._data.pop(self.NAME.encode(), None)

    def _on_event(self, event, _arguments):
        if event in self.CHILD_EVENTS and self.published != self.current:
            self.published = self.current
            if self.current:
                os.putenv(self.NAME, self.current)
            else:
                os.unsetenv(self.NAME)

    def _set_for_good(self):
        if self.current:
            os.environ[self.NAME] = self.current
        else:
            os.environ.pop(self.NAME, None)


def use_task_root():
    """User code comes before everything; the folder of this file is none of its business."""
    sys.path[:] = [entry for entry in sys.path if entry != OWN_FOLDER]
    sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", os.getcwd()))


def read_environment():
    global logs_json, environment
    logs_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
    environment = {
        "log_group_name": os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "function_name": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "memory_limit_in_mb": os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
    }


def become_a_function(channel):
    """What a stem does first; see ``_tradewind_stem.py``."""
    load_own("_tradewind_stem").wait_for_function(channel)


def take_variables():
    """The variables from the host that are not for user code."""
    return os.environ.pop("_TRADEWIND_CACHE", None), os.environ.pop("_TRADEWIND_PREPARE", None)


def prepare_package(channel):
    """Sends the package's compiled code to the host, and ends."""
    code = memoryview(load_own("_tradewind_cache").compiled())
    for at in range(0, len(code), PART_BYTES):
        channel.send(PREPARED, code[at : at + PART_BYTES].tobytes())
    channel.send(READY, b"")
    os._exit(0)


def main():
    channel = Channel(int(os.environ.pop("_TRADEWIND_FD")), int(os.environ.pop("_TRADEWIND_OUT_FD")))
    if os.environ.pop("_TRADEWIND_STEM", None):
        become_a_function(channel)
    cache, prepares = take_variables()
    if prepares:
        prepare_package(channel)
    if cache:
        load_own("_tradewind_cache").use(cache)
    read_environment()
    use_task_root()
    prepare_output()
    dialect, initializer = os.environ.pop("_TRADEWIND_DIALECT", None), os.environ.pop("_TRADEWIND_INITIALIZER", None)
    if dialect == "fc":
        dialect = load_own("_tradewind_fc").Dialect(write_record, OWN_FOLDER)
    else:
        prepare_logging()
    try:
        handler = load_handler(os.environ.get("_HANDLER", ""))
        if initializer:
            dialect.initialise(load_handler(initializer))
    except Exception:
        error = describe_exception()
        log_error(error)
        flush_output()
        channel.send(INIT_ERROR, encode_error(error))
        os._exit(1)
    flush_output()
    channel.send(READY, b"")
    if dialect:
        serve_function_compute(channel, handler, dialect)
    serve(channel, handler)


if __name__ == "__main__":
    main()
