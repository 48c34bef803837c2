"""Handlers in Function Compute's dialect."""

import unittest

from host import ERROR, INIT_ERROR, BootstrapTest, requires

ENVIRONMENT = {
    "_TRADEWIND_DIALECT": "fc",
    "_TRADEWIND_TIMEOUT": "10",
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "STS.key",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "token",
    "FC_FUNCTION_NAME": "orders",
    "FC_FUNCTION_HANDLER": "index.handler",
    "FC_FUNCTION_MEMORY_SIZE": "512",
    "FC_REGION": "cn-hangzhou",
    "FC_ACCOUNT_ID": "123456789012",
}
CONTEXT = {
    "credentials": ["STS.key", "secret", "token"],
    "function": ["orders", "index.handler", 512, 10],
    "region": "cn-hangzhou",
    "account": "123456789012",
    "request": "req-1",
}


class FunctionComputeTest(BootstrapTest):
    handler = "index.handler"

    def fc(self, source, **env):
        return self.function(source, env={**ENVIRONMENT, **env})

    def assert_body(self, source, body, event=None):
        answer = self.fc(source).invoke(event)
        self.assertEqual(answer.body, body)


@requires("node")
class Node(FunctionComputeTest):
    language = "node"
    main_file = "index.js"

    def test_the_event_is_a_buffer_and_bytes_and_text_are_the_answer(self):
        self.assert_body("exports.handler = (event, context, callback) => callback(null, event.toString() + Buffer.isBuffer(event));", b"\xc5\xbetrue", "ž".encode())
        self.assert_body("exports.handler = async (event) => event;", b"\x00\xff", b"\x00\xff")
        self.assert_body("exports.handler = async () => ({ a: 1 });", b'{"a":1}')
        self.assert_body("exports.handler = async () => undefined;", b"")

    def test_the_context(self):
        source = """
            exports.handler = async (event, { credentials: c, function: f, ...context }) => ({
              credentials: [c.accessKeyId, c.accessKeySecret, c.securityToken], function: [f.name, f.handler, f.memory, f.timeout],
              region: context.region, account: context.accountId, request: context.requestId });"""
        function = self.fc(source)
        self.assert_result(function, CONTEXT)

    def test_errors(self):
        for source in ("(e, c, callback) => callback(new TypeError('oops'))", "async () => { throw new TypeError('oops'); }"):
            answer = self.fc("exports.handler = %s;" % source).invoke()
            self.assertEqual(answer.kind, ERROR)
            self.assertEqual(list(answer.json), ["errorMessage", "errorType", "stackTrace"])
            self.assertEqual(answer.json["stackTrace"][0], "TypeError: oops")
        answer = self.fc("exports.handler = (e, c, callback) => callback('oops');").invoke()
        self.assertEqual((answer.kind, answer.json), (ERROR, {"errorMessage": "oops"}))

    def test_the_initializer_runs_once_before_the_first_event(self):
        source = """
            let count = 0;
            exports.start = (context, callback) => setTimeout(() => { count += 1; callback(null, ''); }, 1);
            exports.handler = async () => count;"""
        function = self.fc(source, _TRADEWIND_INITIALIZER="index.start")
        self.assert_result(function, 1)
        self.assert_result(function, 1)

    def test_an_initializer_that_fails(self):
        source = "exports.start = async () => { throw new Error('no database'); }; exports.handler = async () => 1;"
        function = self.started(source, env={**ENVIRONMENT, "_TRADEWIND_INITIALIZER": "index.start"})
        answer = function.receive()
        self.assertEqual((answer.kind, answer.json["errorMessage"]), (INIT_ERROR, "no database"))

    def test_the_log(self):
        function = self.fc("exports.handler = async (e, context) => { console.log('a', 1); context.logger.warn('b'); };")
        function.invoke()
        lines = function.output().splitlines()
        self.assertEqual((lines[0], lines[-1]), ("FC Invoke Start RequestId: req-1", "FC Invoke End RequestId: req-1"))
        self.assertRegex(lines[1], r"^[-0-9]+T[:.0-9]+Z req-1 \[verbose\] a 1$")
        self.assertRegex(lines[2], r" req-1 \[warn\] b$")


@requires("python")
class Python(FunctionComputeTest):
    language = "python"
    main_file = "index.py"

    def test_the_event_is_bytes_and_bytes_and_text_are_the_answer(self):
        self.assert_body("def handler(event, context): return event", b"\x00\xff", b"\x00\xff")
        self.assert_body("def handler(event, context): return event.decode() + '!'", b"x!", b"x")
        self.assert_body("def handler(event, context): return {'a': 1}", b'{"a": 1}')

    def test_the_context(self):
        source = """
def handler(event, context):
    c, f = context.credentials, context.function
    return {
        "credentials": [c.access_key_id, c.access_key_secret, c.security_token], "function": [f.name, f.handler, f.memory, f.timeout],
        "region": context.region, "account": context.account_id, "request": context.request_id,
    }
"""
        self.assert_result(self.fc(source), CONTEXT)

    def test_errors(self):
        function = self.fc("def handler(event, context):\n    raise ValueError('something is wrong')\n")
        answer = function.invoke()
        trace = [['File "%s/index.py"' % function.root, "line 2", "in handler", "raise ValueError('something is wrong')"]]
        self.assertEqual(answer.kind, ERROR)
        self.assertEqual(answer.json, {"errorMessage": "something is wrong", "errorType": "ValueError", "stackTrace": trace})

    def test_the_initializer_runs_once_before_the_first_event(self):
        source = "count = 0\ndef start(context):\n    global count\n    count += 1\ndef handler(event, context): return count"
        function = self.fc(source, _TRADEWIND_INITIALIZER="index.start")
        self.assert_result(function, 1)
        self.assert_result(function, 1)

    def test_an_initializer_that_fails(self):
        source = "def start(context): raise ValueError('no database')\ndef handler(event, context): return 1"
        function = self.started(source, env={**ENVIRONMENT, "_TRADEWIND_INITIALIZER": "index.start"})
        answer = function.receive()
        self.assertEqual((answer.kind, answer.json["errorMessage"]), (INIT_ERROR, "no database"))

    def test_the_log(self):
        function = self.fc("import logging\ndef handler(event, context):\n    logging.getLogger().info('a %d', 1)\n    context.logger.warning('b')\n")
        function.invoke()
        lines = function.output().splitlines()
        self.assertEqual((lines[0], lines[-1]), ("FC Invoke Start RequestId: req-1", "FC Invoke End RequestId: req-1"))
        self.assertRegex(lines[1], r"^[-0-9]+T[:.0-9]+Z req-1 \[INFO\] a 1$")
        self.assertRegex(lines[2], r" req-1 \[WARNING\] b$")


if __name__ == "__main__":
    unittest.main()
