import json
import os
import re
import time
import unittest

from host import ARN, BootstrapTest, ChannelTests, ERROR, RESPONSE, invoke_frame, requires


class PythonTest(BootstrapTest):
    language = "python"
    main_file = "app.py"
    handler = "app.handler"

    def body(self, *lines, env=None):
        """A function whose handler has these lines."""
        source = "def handler(event, context):\n" + "\n".join("    " + line for line in lines)
        return self.function(source, env=env)


@requires("python")
class Channel(ChannelTests, PythonTest):
    echo_source = "def handler(event, context): return event"
    sized_source = "def handler(event, context): return 'x' * event"
    failing_source = "def handler(event, context): raise ValueError('x' * event)"


@requires("python")
class HandlerForms(PythonTest):
    RETURN_ONE = "def get(event, context):\n    return 1\n"

    def test_a_handler_in_a_folder(self):
        self.assert_result(self.function({"src/api/cart.py": self.RETURN_ONE}, "src/api/cart.get"), 1)

    def test_a_module_of_a_package(self):
        files = {"api/__init__.py": "", "api/v1/__init__.py": "", "api/v1/cart.py": "from .. import v1\n" + self.RETURN_ONE}
        self.assert_result(self.function(files, "api.v1.cart.get"), 1)

    def test_any_callable(self):
        source = "class App:\n    def __call__(self, event, context):\n        return 'called'\nhandler = App()"
        self.assert_result(self.function(source), "called")

    def test_dependencies_beside_the_handler(self):
        files = {"app.py": "import greet\ndef handler(event, context): return greet.hello", "greet.py": "hello = 'hello'"}
        self.assert_result(self.function(files), "hello")

    def test_user_code_comes_first_on_the_path(self):
        function = self.body("import sys, os", "return [sys.path[0] == os.getcwd(), 'bootstrap' in sys.modules]")
        self.assert_result(function, [True, False])
        files = {"app.py": "import bootstrap\ndef handler(event, context): return bootstrap.mine", "bootstrap.py": "mine = True"}
        self.assert_result(self.function(files), True)

    def test_state_stays_between_invocations(self):
        function = self.function("n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return n")
        for expected in (1, 2, 3):
            self.assert_result(function, expected)


@requires("python")
class Context(PythonTest):
    def test_all_fields(self):
        names = (
            "function_name function_version invoked_function_arn memory_limit_in_mb aws_request_id log_group_name "
            "log_stream_name client_context tenant_id"
        )
        function = self.body("names = %r.split()" % names, "return {name: getattr(context, name) for name in names}")
        expected = {
            "function_name": "shop-api",
            "function_version": "$LATEST",
            "invoked_function_arn": ARN,
            "memory_limit_in_mb": "256",
            "aws_request_id": "req-7",
            "log_group_name": "/aws/lambda/shop-api",
            "log_stream_name": "2030/01/01/[$LATEST]0123456789abcdef",
            "client_context": None,
            "tenant_id": None,
        }
        self.assert_result(function, expected, request_id="req-7")

    def test_identity_without_one(self):
        function = self.body("i = context.identity", "return [i.cognito_identity_id, i.cognito_identity_pool_id]")
        self.assert_result(function, [None, None])

    def test_client_context_and_identity(self):
        function = self.body(
            "c, i = context.client_context, context.identity",
            "return [c.custom, c.env, c.client.app_title, c.client.installation_id, i.cognito_identity_id, i.cognito_identity_pool_id]",
        )
        self.assert_result(
            function,
            [{"k": "ž"}, {"e": 1}, "shop", None, "i", "p"],
            client_context=json.dumps({"custom": {"k": "ž"}, "env": {"e": 1}, "client": {"app_title": "shop"}}),
            identity=json.dumps({"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}),
        )

    def test_a_broken_client_context_is_an_error(self):
        answer = self.body("return 1").invoke(client_context="{")
        self.assertEqual(answer.json["errorType"], "Runtime.LambdaContextUnmarshalError")

    def test_remaining_time(self):
        function = self.body("return context.get_remaining_time_in_millis()")
        self.assertTrue(0 < function.invoke(deadline=int(time.time() * 1000) + 600_000).json <= 600_000)
        self.assert_result(function, 0, deadline=1)

    def test_repr_names_the_fields(self):
        function = self.body("return repr(context)")
        text = function.invoke().json
        self.assertTrue(text.startswith("LambdaContext([aws_request_id=req-1,log_group_name=/aws/lambda/shop-api,"), text)
        self.assertIn("identity=CognitoIdentity([cognito_identity_id=None,cognito_identity_pool_id=None])", text)

    def test_trace_id_is_in_the_environment_while_there_is_one(self):
        function = self.body("import os", "return os.environ.get('_X_AMZN_TRACE_ID')")
        self.assert_result(function, "Root=1-a;Sampled=1", trace="Root=1-a;Sampled=1")
        self.assert_result(function, None)

    def test_children_see_the_trace_id(self):
        source = """
import os, subprocess
SHOW = "echo $_X_AMZN_TRACE_ID"
def handler(event, context):
    return [
        subprocess.check_output(SHOW, shell=True).decode().strip(),
        os.popen(SHOW).read().strip(),
        os.system('[ "$_X_AMZN_TRACE_ID" = "%s" ]' % os.environ.get("_X_AMZN_TRACE_ID", "")),
        dict(os.environ).get("_X_AMZN_TRACE_ID"),
    ]
"""
        function = self.function(source)
        for trace in ("Root=1-a", "Root=1-b"):
            self.assert_result(function, [trace, trace, 0, trace], trace=trace)
        self.assert_result(function, ["", "", 0, None])

    def test_the_channel_is_invisible(self):
        function = self.body("import os", "return ['_TRADEWIND_FD' in os.environ, os.get_inheritable(3)]")
        self.assert_result(function, [False, False])

    def test_a_broken_event_is_an_error_and_the_next_one_works(self):
        function = self.body("return event")
        answer = function.invoke(b"{broken")
        self.assertEqual((answer.kind, answer.json["errorType"]), (ERROR, "Runtime.UnmarshalError"))
        self.assertTrue(answer.json["errorMessage"].startswith("Unable to unmarshal input: Expecting property name"))
        self.assert_result(function, 1, 1)


@requires("python")
class Results(PythonTest):
    def test_json_as_lambda_writes_it(self):
        function = self.body("return {'a': [1, 2.5, None, True], 'b': 'ž'}")
        self.assertEqual(function.invoke().body, b'{"a": [1, 2.5, null, true], "b": "\\u017e"}')

    def test_newer_runtimes_keep_unicode(self):
        function = self.body("return 'ž'", env={"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"})
        self.assertEqual(function.invoke().body, '"ž"'.encode())

    def test_decimals_are_numbers(self):
        function = self.body("from decimal import Decimal", "return {'price': Decimal('10.10'), 'n': [Decimal(3)], 'nan': Decimal('NaN')}")
        for _ in range(2):
            self.assertEqual(function.invoke().body, b'{"price": 10.10, "n": [3], "nan": NaN}')

    def test_bytes_are_the_response_itself(self):
        self.assertEqual(self.body("return b'raw \\xff'").invoke().body, b"raw \xff")

    def test_nothing_is_null(self):
        self.assert_result(self.body("pass"), None)

    def test_what_cannot_be_json_is_a_marshal_error(self):
        function = self.body("return {'when': object()}")
        message = "Unable to marshal response: Object of type object is not JSON serializable"
        for _ in range(2):
            error = self.assert_error(function, "Runtime.MarshalError", message)
            self.assertEqual(error["stackTrace"], [])


@requires("python")
class Logging(PythonTest):
    RECORD = r"^\[%s\]\t\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\t%s\t%s$"

    def log_of(self, *lines, env=None):
        function = self.body(*lines, env=env)
        self.assertEqual(function.invoke(request_id="req-9").kind, RESPONSE)
        return function.output()

    def test_print_is_there_when_the_answer_is_and_in_order(self):
        output = self.log_of("import sys", "print('1')", "print('2', file=sys.stderr)", "print('3', end='')")
        self.assertEqual(output, "1\n2\n3")

    def test_a_line_does_not_wait_for_the_answer(self):
        function = self.body("import os, sys", "print('before')", "os.kill(os.getpid(), 9)")
        function.send(invoke_frame(None))
        self.assert_end(function, -9)
        self.assertEqual(function.output(), "before\n")

    def test_logging_has_level_time_and_request_id(self):
        output = self.log_of("import logging", "logging.warning('low %s', 'stock')", "logging.getLogger('a.b').error('x')", "logging.info('no')")
        lines = output.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], self.RECORD % ("WARNING", "req-9", "low stock"))
        self.assertRegex(lines[1], self.RECORD % ("ERROR", "req-9", "x"))

    def test_logging_of_the_whole_module(self):
        source = "import logging\nlog = logging.getLogger()\nlog.setLevel('INFO')\nlog.info('init')\ndef handler(event, context):\n    log.info('run')"
        function = self.function(source)
        function.invoke(request_id="req-2")
        lines = function.output().splitlines()
        self.assertRegex(lines[0], self.RECORD % ("INFO", "", "init"))
        self.assertRegex(lines[1], self.RECORD % ("INFO", "req-2", "run"))

    def test_basic_config_does_not_double_the_records(self):
        output = self.log_of("import logging", "logging.basicConfig(level=logging.INFO)", "logging.warning('once')")
        self.assertEqual(output.count("once"), 1)

    def test_several_lines_are_one_record(self):
        output = self.log_of("import logging", "try: 1 / 0", "except ZeroDivisionError: logging.exception('a\\nb')")
        self.assertEqual(output.count("\n"), 1)
        parts = output.rstrip("\n").split("\t")[3].split("\r")
        self.assertEqual((parts[:3], parts[-1]), (["a", "b", "Traceback (most recent call last):"], "ZeroDivisionError: division by zero"))

    def test_the_module_looks_untouched(self):
        function = self.body("import logging, sys", "spec = logging.__spec__", "return [type(spec.loader).__module__ != '__main__', logging.__loader__ is spec.loader, any('Finder' in type(f).__name__ and type(f).__module__ == '__main__' for f in sys.meta_path)]")
        self.assert_result(function, [True, True, False])

    def test_json_records(self):
        env = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        output = self.log_of(
            "import logging", "logging.info('a %s', 'b', extra={'sku': 7})", "logging.debug('no')",
            "try: 1 / 0", "except ZeroDivisionError: logging.exception('failed')", env=env)
        first, second = [json.loads(line) for line in output.splitlines()]
        self.assertRegex(first.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(first, {"level": "INFO", "message": "a b", "logger": "root", "requestId": "req-9", "sku": 7})
        self.assertEqual((second["level"], second["errorType"], second["errorMessage"]), ("ERROR", "ZeroDivisionError", "division by zero"))
        self.assertRegex(second["location"], r"app\.py:handler:\d+$")
        self.assertIn("1 / 0", second["stackTrace"][0])

    def test_json_records_of_objects_and_of_what_json_has_no_form_for(self):
        source = """
import logging
def handler(event, context):
    logging.warning({"order": 7, "kind": {1}.__class__})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("failed", extra={"cart": object})
"""
        function = self.function(source, env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        function.invoke()
        first, second = map(json.loads, function.output().splitlines())
        self.assertEqual(first["message"], {"order": 7, "kind": "<class 'set'>"})
        order = ["timestamp", "level", "message", "logger", "stackTrace", "errorType", "errorMessage", "requestId", "location", "cart"]
        self.assertEqual(list(second), order)
        self.assertEqual(second["cart"], "<class 'object'>")

    def test_the_level_can_be_set_from_outside(self):
        output = self.log_of("import logging", "logging.debug('d')", env={"AWS_LAMBDA_LOG_LEVEL": "TRACE"})
        self.assertRegex(output.rstrip("\n"), self.RECORD % ("DEBUG", "req-9", "d"))

    def test_context_log(self):
        self.assertEqual(self.log_of("context.log('x\\n')", "context.log(1)"), "x\n1")


@requires("python")
class Errors(PythonTest):
    def test_an_error_has_type_message_request_id_and_trace(self):
        source = "class OutOfStock(Exception):\n    pass\n\ndef take():\n    raise OutOfStock('no more')\n\ndef handler(event, context):\n    take()\n"
        function = self.function(source)
        error = self.assert_error(function, "OutOfStock", "no more", request_id="req-3")
        self.assertEqual(list(error), ["errorMessage", "errorType", "requestId", "stackTrace"])
        self.assertEqual(error["requestId"], "req-3")
        path = os.path.join(function.root, "app.py")
        self.assertEqual(
            error["stackTrace"],
            ['  File "%s", line 8, in handler\n    take()\n' % path, '  File "%s", line 5, in take\n    raise OutOfStock(\'no more\')\n' % path],
        )
        output = function.output()
        self.assertTrue(output.startswith("[ERROR] OutOfStock: no more\rTraceback (most recent call last):\r\u00a0\u00a0File "), output)
        self.assertEqual(output.count("\n"), 1)
        self.assert_error(function, "OutOfStock", "no more")

    def test_sys_exit_is_seen_by_the_host_as_the_end(self):
        function = self.body("import sys", "print('bye', end='')", "sys.exit(3)")
        function.send(invoke_frame(None))
        self.assert_end(function, 3)
        self.assertEqual(function.output(), "bye")

    def test_too_deep_recursion(self):
        function = self.body("return handler(event, context)")
        answer = function.invoke()
        self.assertEqual((answer.kind, answer.json["errorType"]), (ERROR, "RecursionError"))

    def test_messages_that_cannot_be_shown(self):
        function = self.function(
            "class Bad(Exception):\n    def __str__(self): raise KeyError\n"
            "def handler(event, context): raise Bad if event else ValueError('\\ud800')"
        )
        self.assert_error(function, "Bad", "the message of this Bad cannot be shown: KeyError", True)
        self.assert_error(function, "ValueError", "\ud800", False)
        self.assertIn("[ERROR] ValueError: \\ud800\r", function.output())

    def test_a_closed_stdout_harms_nobody(self):
        function = self.body("import sys", "sys.stdout.close()", "raise ValueError('x')")
        for _ in range(2):
            self.assert_error(function, "ValueError", "x")

    def test_a_log_of_errors_in_json(self):
        function = self.body("raise KeyError('k')", env={"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        self.assert_error(function, "KeyError", "'k'")
        record = json.loads(function.output())
        self.assertEqual((record["log_level"], record["errorType"], record["requestId"]), ("ERROR", "KeyError", "req-1"))


@requires("python")
class InitErrors(PythonTest):
    def test_a_missing_module(self):
        error, output = self.init_error("import left_pad")
        self.assertEqual(error, {"errorMessage": "Unable to import module 'app': No module named 'left_pad'",
                                 "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []})
        self.assertTrue(output.startswith("[ERROR] Runtime.ImportModuleError: Unable to import module 'app'"), output)

    def test_a_missing_file(self):
        error, _ = self.init_error({"other.py": ""}, "src/app.handler")
        self.assertEqual(error["errorMessage"], "Unable to import module 'src/app': No module named 'src'")

    def test_a_syntax_error_says_where(self):
        error, _ = self.init_error("x = 1\ndef handler(:\n")
        self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError")
        self.assertTrue(re.match(r"Syntax error in module 'app': invalid syntax \(app\.py, line 2\)$", error["errorMessage"]), error)
        self.assertRegex(error["stackTrace"][0], r'^  File ".*/app\.py" Line 2\n    def handler\(:\n$')

    def test_a_handler_that_is_not_there(self):
        error, _ = self.init_error("def other(): pass")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"))

    def test_a_malformed_handler_name(self):
        error, _ = self.init_error("", "app")
        self.assertEqual(error["errorType"], "Runtime.MalformedHandlerName")
        self.assertEqual(error["errorMessage"], "Bad handler 'app': not enough values to unpack (expected 2, got 1)")

    def test_a_built_in_module(self):
        error, _ = self.init_error({"time.py": ""}, "time.handler")
        self.assertEqual((error["errorType"], error["errorMessage"]),
                         ("Runtime.BuiltInModuleConflict", "Cannot use built-in module time as a handler module"))

    def test_an_error_of_the_users_own(self):
        error, _ = self.init_error("def setup():\n    raise ValueError('no configuration')\nsetup()")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("ValueError", "no configuration"))
        self.assertEqual(len(error["stackTrace"]), 2, error)

    def test_sys_exit_while_loading(self):
        function = self.started("import sys\nsys.exit(4)")
        self.assert_end(function, 4)


if __name__ == "__main__":
    unittest.main()
