"""What a Node handler finds at `awslambda`, and what the host hears of it."""

import time
import unittest

from host import BootstrapTest, STREAM_BEGIN, STREAM_CHUNK, invoke_frame, requires

OCTETS = "application/octet-stream"
HTTP = "application/vnd.awslambda.http-integration-response"
PAST_THE_PIPE = 8 * 1024 * 1024


@requires("node")
class Streaming(BootstrapTest):
    language = "node"
    main_file = "index.js"
    handler = "index.handler"

    def streaming(self, body, options="{}"):
        return self.function("exports.handler = awslambda.streamifyResponse(async (event, stream, context) => { %s }, %s);" % (body, options))

    def assert_stream(self, function, body, error=None, content_type=OCTETS, event=None):
        self.assertEqual(function.stream(event), (content_type, body, error))

    def test_what_is_written_is_the_response(self):
        function = self.streaming(
            "stream.setContentType('text/plain'); stream.write('a'); stream.write(Buffer.from('b')); stream.write({ c: 1 }); stream.end('d');"
        )
        for _ in range(2):
            self.assert_stream(function, b'ab{"c":1}d', content_type="text/plain")

    def test_a_chunk_is_there_before_the_handler_goes_on(self):
        function = self.streaming("stream.write('first'); await new Promise((go) => process.once('SIGUSR2', go)); stream.end('last');")
        function.send(invoke_frame(None))
        self.assertEqual(function.receive().kind, STREAM_BEGIN)
        chunk = function.receive()
        self.assertEqual((chunk.kind, chunk.body), (STREAM_CHUNK, b"first"))

    def test_a_pipeline(self):
        function = self.streaming("await require('util').promisify(require('stream').pipeline)(require('stream').Readable.from(['x', 'y']), stream);")
        self.assert_stream(function, b"xy")

    def test_the_end_may_come_after_the_handler(self):
        self.assert_stream(self.streaming("stream.write('1'); setTimeout(() => stream.end('2'), 2);"), b"12")

    def test_a_kept_connection_does_not_hold_the_instance(self):
        function = self.streaming("setInterval(() => {}, 1000); stream.end('x');")
        for _ in range(2):
            self.assert_stream(function, b"x")

    def test_a_handler_that_ends_its_stream_and_never_returns(self):
        self.assert_stream(self.streaming("stream.end('x'); await new Promise(() => {});"), b"x")

    def test_an_http_prelude(self):
        function = self.streaming("const s = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); s.write('body'); s.end();")
        self.assert_stream(function, b'{"statusCode":201}' + bytes(8) + b"body", content_type=HTTP)

    def test_an_http_prelude_without_a_body(self):
        function = self.streaming("awslambda.HttpResponseStream.from(stream, { statusCode: 204 }).end();")
        self.assert_stream(function, b'{"statusCode":204}' + bytes(8), content_type=HTTP)

    def test_an_empty_response(self):
        self.assert_stream(self.streaming("stream.end();"), b"")

    def test_more_than_the_pipe_and_one_frame_hold(self):
        function = self.streaming("stream.end(Buffer.alloc(event, 'x'));")
        for _ in range(2):
            self.assert_stream(function, b"x" * PAST_THE_PIPE, event=PAST_THE_PIPE)

    def test_a_host_that_does_not_read_stops_the_writer_and_not_the_event_loop(self):
        source = """
            let ticks = 0, made = 0;
            const { Readable, promises } = require('stream');
            exports.handler = awslambda.streamifyResponse(async (event, stream) => {
              const timer = setInterval(() => { if (++ticks === 20) process.stdout.write(`made ${made}\\n`); }, 1);
              const source = new Readable({ read() { made += 65536; this.push(made > event ? null : Buffer.alloc(65536)); } });
              await require('util').promisify(require('stream').pipeline)(source, stream);
              clearInterval(timer);
            });"""
        function = self.function(source)
        function.send(invoke_frame(PAST_THE_PIPE))
        self.assertLess(int(self.wait_for_output(function, "made ").split()[1]), 1024 * 1024)
        self.assertEqual(function.receive().kind, STREAM_BEGIN)

    def wait_for_output(self, function, text):
        deadline = time.monotonic() + 60
        seen = ""
        while text not in seen and time.monotonic() < deadline:
            seen += function.output()
            time.sleep(0.001)
        return seen

    def test_the_high_water_mark(self):
        self.assert_stream(self.streaming("stream.end(String(stream.writableHighWaterMark));", "{ highWaterMark: 1000 }"), b"1000")

    def test_the_context_has_no_completions(self):
        function = self.streaming("stream.end(JSON.stringify([typeof context.succeed, typeof context.done, context.awsRequestId]));")
        self.assert_stream(function, b'["undefined","undefined","req-1"]')

    def test_errors_before_the_first_byte(self):
        self.assert_error(self.streaming("throw new Error('boom');"), "Error", "boom")
        self.assert_error(self.streaming("await 1;"), "Error", "Response stream is not finished.")
        sync = self.function("exports.handler = awslambda.streamifyResponse((event, stream) => { });")
        self.assert_error(sync, "string", "Streaming does not support non-async handlers.")

    def test_an_error_in_the_middle_comes_after_what_was_written(self):
        function = self.streaming("stream.write('half'); throw new TypeError('boom');")
        for _ in range(2):
            content_type, body, error = function.stream()
            self.assertEqual((content_type, body, error["errorType"], error["errorMessage"]), (OCTETS, b"half", "TypeError", "boom"))
            self.assertIn("index.js", error["trace"][1])

    def test_a_source_that_fails_in_the_middle(self):
        function = self.streaming(
            "const { Readable, pipeline } = require('stream');"
            "const source = new Readable({ read() { this.push('half'); setImmediate(() => this.destroy(new Error('torn'))); } });"
            "await require('util').promisify(pipeline)(source, stream);"
        )
        _, body, error = function.stream()
        self.assertEqual((body[:4], error["errorMessage"]), (b"half", "torn"))

    def test_a_stream_that_is_left_open(self):
        _, body, error = self.streaming("stream.write('x');").stream()
        self.assertEqual((body, error["errorMessage"]), (b"x", "Response stream is not finished."))

    def test_an_error_after_the_end_is_for_the_log(self):
        function = self.streaming("stream.end('x'); await new Promise((go) => stream.on('finish', go)); throw new Error('late');")
        self.assert_stream(function, b"x")
        self.assertIn("late", function.output())

    def test_an_uncaught_exception_in_the_middle_ends_stream_and_process(self):
        function = self.streaming("stream.write('x'); setImmediate(() => { throw new Error('lost'); }); await new Promise(() => setTimeout(() => {}, 60000));")
        _, body, error = function.stream()
        self.assertEqual((body, error["errorMessage"]), (b"x", "lost"))
        self.assertEqual(function.exit_code(), 129)

    def test_the_content_type_cannot_change_after_the_first_write(self):
        function = self.streaming("stream.write('x'); stream.setContentType('text/plain');")
        _, _, error = function.stream()
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."))

    def test_a_handler_of_an_unknown_streaming_mode(self):
        error, _ = self.init_error(
            "exports.handler = async () => 1; exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
        )
        self.assertEqual(error["errorType"], "Runtime.MalformedStreamingHandler")

    def test_an_es_module(self):
        function = self.function({"index.mjs": "export const handler = awslambda.streamifyResponse(async (e, stream) => { stream.end('m'); });"})
        self.assert_stream(function, b"m")


if __name__ == "__main__":
    unittest.main()
