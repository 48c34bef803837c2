"""The host's side of the frame channel, for the tests of the bootstraps.

A ``Function`` writes a package to a temporary folder, starts a bootstrap on it the way the engine
does (pipes as fds 3 and 4, one pipe as fds 1 and 2) and speaks frames to it. See ``../README.md``.
"""

import fcntl
import json
import os
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

INVOKE, READY, INIT_ERROR, RESPONSE, ERROR = 1, 16, 17, 18, 19
STREAM_BEGIN, STREAM_CHUNK, STREAM_END, STEM_READY, PREPARED = 20, 21, 22, 23, 24
SPECIALISE = 2
RUNTIMES = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 60
MAX_RESPONSE_BYTES = 6 * 1024 * 1024 + 100
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:shop-api"

PROGRAMS = {
    "node": (shutil.which("node"), "node/bootstrap.cjs"),
    "python": (sys.executable, "python/bootstrap.py"),
    "ruby": (shutil.which("ruby"), "ruby/bootstrap.rb"),
    "java": (shutil.which("java"), "java/bootstrap.jar"),
}
FLAGS = {"java": ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Xmx256m", "-jar"]}

ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "AWS_LAMBDA_FUNCTION_NAME": "shop-api",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/shop-api",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2030/01/01/[$LATEST]0123456789abcdef",
}


# A stem knows no function, and is not started in its folder.
STEM_ENVIRONMENT = {
    "_TRADEWIND_STEM": "1",
    "PATH": ENVIRONMENT["PATH"],
    "LANG": ENVIRONMENT["LANG"],
    "TZ": "Asia/Tokyo",
    "LEFT_OVER": "of the stem",
}


LAZY_NODE_MODULES = ("code-cache.cjs", "function-compute.cjs", "response-stream.cjs", "stem.cjs")


def join_node_modules():
    """The Node bootstrap as the engine ships it: one file (`crates/compute/src/bootstraps.rs`)."""
    folder = RUNTIMES / "node"
    modules = sorted(path for path in folder.glob("*.cjs") if path.name != "bootstrap.cjs")
    joined = ["'use strict';", "const modules = {"]
    for path in modules:
        opening, closing = ("", "") if path.name in LAZY_NODE_MODULES else ("(", ")")
        joined.append("'./%s': %sfunction (module, require) {\n%s}%s," % (path.name, opening, path.read_text(), closing))
    joined += [
        "};",
        "require = ((real, loaded) => (name) => {",
        "if (!modules[name]) return real(name);",
        "if (!loaded[name]) modules[name](loaded[name] = { exports: {} }, require);",
        "return loaded[name].exports;",
        "})(require, {});",
        (folder / "bootstrap.cjs").read_text(),
    ]
    return "\n".join(joined)


def bootstrap_file(language):
    """Where the bootstrap is that an interpreter is started with."""
    if language != "node":
        return RUNTIMES / PROGRAMS[language][1]
    if "node" not in shipped:
        shipped["folder"] = tempfile.TemporaryDirectory()
        shipped["node"] = Path(shipped["folder"].name) / "bootstrap.cjs"
        shipped["node"].write_text(join_node_modules())
    return shipped["node"]


shipped = {}


def requires(language):
    """Skips a test class, and says so, where the interpreter is missing."""
    program, _ = PROGRAMS[language]
    return unittest.skipUnless(program, "no %s on PATH: its bootstrap is not tested" % language)


def string(text):
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def invoke_frame(event, request_id="req-1", deadline=None, trace="", client_context="", identity=""):
    """An INVOKE frame; ``event`` is any JSON value, or the bytes to send in its place."""
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    deadline = int(time.time() * 1000) + 30_000 if deadline is None else deadline
    strings = (request_id, ARN, trace, client_context, identity)
    body = struct.pack("<Bq", INVOKE, deadline) + b"".join(map(string, strings)) + payload
    return struct.pack("<I", len(body)) + body


def specialise_frame(environment):
    """SPECIALISE: what a stem becomes."""
    pairs = b"".join(string(name) + string(value) for name, value in environment.items())
    body = struct.pack("<BI", SPECIALISE, len(environment)) + pairs
    return struct.pack("<I", len(body)) + body


class Answer:
    """A frame from the function; the body of an answer stands after its request id."""

    def __init__(self, data):
        self.kind = data[0]
        self.request_id = None
        self.body = data[1:]
        if self.kind in (RESPONSE, ERROR, STREAM_BEGIN, STREAM_CHUNK, STREAM_END):
            (length,) = struct.unpack_from("<I", data, 1)
            self.request_id = data[5 : 5 + length].decode()
            self.body = data[5 + length :]

    @property
    def json(self):
        return json.loads(self.body)


class Function:
    """A running bootstrap."""

    def __init__(self, language, files, handler, env=None, stem=False):
        program, _ = PROGRAMS[language]
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        write_files(Path(self.root), files)
        input_end, self.to_function = os.pipe()
        self.channel, output_end = os.pipe()
        self.log, log_end = os.pipe()
        os.set_blocking(self.log, False)
        environment = {**ENVIRONMENT, "LAMBDA_TASK_ROOT": self.root, "_HANDLER": handler, **(env or {})}
        channel = {"_TRADEWIND_FD": "3", "_TRADEWIND_OUT_FD": "4"}
        self.process = subprocess.Popen(
            [program, *FLAGS.get(language, []), str(bootstrap_file(language))],
            cwd="/" if stem else self.root,
            env={**channel, **(STEM_ENVIRONMENT if stem else environment)},
            stdin=subprocess.DEVNULL,
            stdout=log_end,
            stderr=log_end,
            close_fds=False,
            preexec_fn=lambda: pass_as_channel(input_end, output_end),
        )
        for end in (input_end, output_end, log_end):
            os.close(end)
        self.buffer = b""
        self.logged = b""
        self.stem_is_silent = stem
        if stem:
            self.send(specialise_frame(environment))

    def close(self):
        self.hang_up()
        self.process.kill()
        self.process.wait()
        os.close(self.channel)
        os.close(self.log)
        self.folder.cleanup()

    def hang_up(self):
        """The host goes away: nothing more will come."""
        if self.to_function is not None:
            os.close(self.to_function)
            self.to_function = None

    def receive(self):
        if self.stem_is_silent:
            self.stem_is_silent = False
            assert self.receive().kind == STEM_READY
        while len(self.buffer) < 4 or len(self.buffer) < 4 + self._length():
            self._read()
        end = 4 + self._length()
        frame, self.buffer = self.buffer[4:end], self.buffer[end:]
        return Answer(frame)

    def _length(self):
        return struct.unpack_from("<I", self.buffer)[0]

    def _read(self):
        """Reads what comes first, of the channel or of the log, which must never be full."""
        ready, _, _ = select.select([self.channel, self.log], [], [], PATIENCE_SECONDS)
        if not ready:
            raise TimeoutError("the function says nothing; its output: %r" % self.logged)
        if self.log in ready:
            self._drain_log()
        if self.channel in ready:
            data = os.read(self.channel, 1 << 20)
            if not data:
                self._drain_log()
                raise EOFError("the function closed the channel; its output: %r" % self.logged)
            self.buffer += data

    def _drain_log(self):
        try:
            while True:
                data = os.read(self.log, 1 << 20)
                if not data:
                    return
                self.logged += data
        except BlockingIOError:
            return

    def output(self):
        """What the function has written and nobody has asked for, without waiting for more."""
        self._drain_log()
        logged, self.logged = self.logged, b""
        return logged.decode()

    def send(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.to_function, view) :]

    def invoke(self, event=None, **fields):
        """Sends an invocation and waits for its answer."""
        self.send(invoke_frame(event, **fields))
        return self.receive()

    def stream(self, event=None, **fields):
        """Sends an invocation: content type, body and final error (None if there is none) of its streamed answer."""
        self.send(invoke_frame(event, **fields))
        begin = self.receive()
        assert begin.kind == STREAM_BEGIN, begin.body
        (length,) = struct.unpack_from("<I", begin.body)
        content_type, body = begin.body[4 : 4 + length].decode(), begin.body[4 + length :]
        while True:
            frame = self.receive()
            if frame.kind == STREAM_END:
                return content_type, body, json.loads(frame.body) if frame.body else None
            assert frame.kind == STREAM_CHUNK, frame.kind
            body += frame.body

    def heap_bytes(self):
        """What `malloc` has of the memory below the program break."""
        size = 0
        in_heap = False
        with open("/proc/%d/smaps" % self.process.pid) as smaps:
            for line in smaps:
                if "-" in line.split(" ")[0]:
                    in_heap = line.rstrip().endswith("[heap]")
                elif in_heap and line.startswith("Rss:"):
                    size += int(line.split()[1]) * 1024
        return size

    def exit_code(self):
        return self.process.wait(PATIENCE_SECONDS)


def pass_as_channel(input_end, output_end):
    """Neither may be overwritten before it is in its place, so both go out of the way first."""
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (input_end, output_end)]
    for number, end in zip((3, 4), ends):
        os.dup2(end, number)
        os.close(end)


def write_files(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            path.write_bytes(text)
        else:
            path.write_text(text)


class BootstrapTest(unittest.TestCase):
    """What the tests of all languages need."""

    language = None
    main_file = None
    handler = None
    stem = False

    def function(self, source, handler=None, env=None):
        """A started function that has said READY; ``source`` is the main file or several files."""
        function = self.started(source, handler, env)
        first = function.receive()
        self.assertEqual(first.kind, READY, first.body)
        return function

    def started(self, source, handler=None, env=None):
        files = source if isinstance(source, dict) else {self.main_file: source}
        function = Function(self.language, files, handler or self.handler, env, self.stem)
        self.addCleanup(function.close)
        return function

    def init_error(self, source, handler=None):
        """The error of a function that cannot start, and its output."""
        function = self.started(source, handler)
        answer = function.receive()
        self.assertEqual(answer.kind, INIT_ERROR, answer.body)
        self.assertNotEqual(function.exit_code(), 0)
        return answer.json, function.output()

    def assert_result(self, function, expected, event=None, **fields):
        answer = function.invoke(event, **fields)
        self.assertEqual((answer.kind, answer.json), (RESPONSE, expected))

    def assert_error(self, function, error_type, message, event=None, **fields):
        answer = function.invoke(event, **fields)
        self.assertEqual(answer.kind, ERROR, answer.body)
        self.assertEqual((answer.json["errorType"], answer.json["errorMessage"]), (error_type, message))
        return answer.json

    def assert_end(self, function, exit_code):
        """The function closes the channel without an answer."""
        self.assertRaises(EOFError, function.receive)
        self.assertEqual(function.exit_code(), exit_code)

    def assert_too_large(self, answer):
        self.assertEqual(answer.kind, ERROR)
        message = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        self.assertEqual(answer.json, {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message})


class ChannelTests:
    """What holds for every bootstrap. ``echo_source`` returns its event; ``sized_source`` a string
    as long as the event says; ``failing_source`` fails with a message of that length."""

    echo_source = None
    sized_source = None
    failing_source = None

    def test_answers_carry_the_request_id(self):
        function = self.function(self.echo_source)
        answer = function.invoke({"a": [1, 2.5, None, True]}, request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.assertEqual(answer.request_id, "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        self.assertEqual(answer.json, {"a": [1, 2.5, None, True]})

    def test_text_of_any_script_survives(self):
        function = self.function(self.echo_source)
        for text in ("žluťoučký kůň", "日本語", "🛒 cart", "line\nbreak", ""):
            self.assert_result(function, {"text": text}, {"text": text})

    def test_an_event_may_come_in_pieces(self):
        function = self.function(self.echo_source)
        frame = invoke_frame({"name": "Ada"})
        for piece in (frame[:2], frame[2:9], frame[9:]):
            function.send(piece)
        self.assertEqual(function.receive().json, {"name": "Ada"})

    def test_events_that_wait_in_the_socket_are_answered_in_order(self):
        function = self.function(self.echo_source)
        function.send(b"".join(invoke_frame(n, request_id="req-%d" % n) for n in range(3)))
        answers = [function.receive() for _ in range(3)]
        self.assertEqual([(a.request_id, a.json) for a in answers], [("req-%d" % n, n) for n in range(3)])

    def test_the_largest_event_and_the_largest_response_pass(self):
        function = self.function(self.echo_source)
        text = "x" * (6 * 1024 * 1024)
        self.assert_result(function, text, text)
        self.assert_result(function, "small", "small")

    def test_a_response_over_the_limit_is_lambdas_error(self):
        function = self.function(self.sized_source)
        fits = MAX_RESPONSE_BYTES - len('""')
        self.assertEqual(len(function.invoke(fits).body), MAX_RESPONSE_BYTES)
        self.assert_too_large(function.invoke(fits + 1))
        self.assert_result(function, "xxx", 3)

    def test_an_error_over_the_limit_is_lambdas_error_too(self):
        function = self.function(self.failing_source)
        self.assertIn("x" * 1000, function.invoke(1000).json["errorMessage"])
        self.assert_too_large(function.invoke(8 * 1024 * 1024))

    def test_a_new_trace_id_an_invocation_costs_no_memory(self):
        """setenv would leak about 170 bytes a call: 3.4 MB here, all of it in the process's heap.

        Half of that is more than a heap grows by itself, and less than the leak."""
        function = self.function(self.echo_source)
        for number in range(3_000):
            function.invoke(trace="Root=1-%032d" % number)
        before = function.heap_bytes()
        for number in range(20_000):
            function.invoke(trace="Root=1-%033d" % number)
        self.assertLess(function.heap_bytes() - before, 1_700_000)

    def test_the_end_of_the_channel_ends_the_process(self):
        function = self.function(self.echo_source)
        function.hang_up()
        self.assertEqual(function.exit_code(), 0)
