import json
import re
import time
import unittest

from host import ARN, BootstrapTest, ChannelTests, ERROR, INIT_ERROR, RESPONSE, invoke_frame, requires


class NodeTest(BootstrapTest):
    language = "node"
    main_file = "index.js"
    handler = "index.handler"


@requires("node")
class Channel(ChannelTests, NodeTest):
    echo_source = "exports.handler = async (event) => event;"
    sized_source = "exports.handler = async (size) => 'x'.repeat(size);"
    failing_source = "exports.handler = async (size) => { throw new Error('x'.repeat(size)); };"


@requires("node")
class HandlerForms(NodeTest):
    RETURN_ONE = "exports.handler = async () => 1;"

    def test_a_handler_in_a_folder(self):
        function = self.function({"src/api/cart.js": "exports.get = async () => 'cart';"}, "src/api/cart.get")
        self.assert_result(function, "cart")

    def test_a_nested_export(self):
        function = self.function("exports.api = { v1: { get: async () => 'nested' } };", "index.api.v1.get")
        self.assert_result(function, "nested")

    def test_an_es_module_by_extension_with_top_level_await(self):
        source = "const name = await Promise.resolve('Ada');\nexport const handler = async () => name;"
        self.assert_result(self.function({"index.mjs": source}), "Ada")

    def test_an_es_module_by_package_type(self):
        files = {
            "package.json": '{"type": "module"}',
            "src/index.js": "import { name } from './name.js';\nexport const handler = async () => name;",
            "src/name.js": "export const name = 'Ada';",
        }
        self.assert_result(self.function(files, "src/index.handler"), "Ada")

    def test_a_package_type_of_node_modules_does_not_count(self):
        files = {
            "package.json": '{"type": "module"}',
            "node_modules/pkg/index.js": self.RETURN_ONE,
            "node_modules/pkg/package.json": "{}",
        }
        self.assert_result(self.function(files, "node_modules/pkg/index.handler"), 1)

    def test_an_es_module_in_a_folder_with_special_characters(self):
        files = {"a b#c/index.mjs": "export const handler = async () => 1;"}
        self.assert_result(self.function(files, "a b#c/index.handler"), 1)

    def test_a_cjs_file_beside_a_package_of_modules(self):
        files = {"package.json": '{"type": "module"}', "index.cjs": self.RETURN_ONE}
        self.assert_result(self.function(files), 1)

    def test_js_comes_before_mjs_and_mjs_before_cjs(self):
        other = {"index.mjs": "export const handler = async () => 'mjs';", "index.cjs": "exports.handler = async () => 'cjs';"}
        self.assert_result(self.function({"index.js": "exports.handler = async () => 'js';", **other}), "js")
        self.assert_result(self.function(other), "mjs")

    def test_a_folder_with_an_index(self):
        self.assert_result(self.function({"app/index.js": self.RETURN_ONE}, "app.handler"), 1)

    def test_typescript_compiled_to_commonjs(self):
        source = (
            '"use strict";\nObject.defineProperty(exports, "__esModule", { value: true });\n'
            "exports.handler = void 0;\nconst handler = async (event) => ({ statusCode: 200 });\nexports.handler = handler;\n"
        )
        self.assert_result(self.function(source), {"statusCode": 200})

    def test_a_getter_export_as_bundlers_write_it(self):
        source = (
            "var target = {};\nObject.defineProperty(target, 'handler', { get: () => handler, enumerable: true });\n"
            "module.exports = target;\nvar handler = async () => 'bundled';"
        )
        self.assert_result(self.function(source), "bundled")

    def test_dependencies_are_found_from_the_handlers_folder(self):
        files = {
            "index.js": "const greet = require('greet'); exports.handler = async () => greet('Ada');",
            "node_modules/greet/index.js": "module.exports = (name) => 'hello ' + name;",
        }
        self.assert_result(self.function(files), "hello Ada")

    def test_user_code_is_not_a_child_of_our_entry(self):
        source = "exports.handler = async () => [String(require.main), Object.keys(require.cache).length];"
        self.assert_result(self.function(source), ["undefined", 1])


@requires("node")
class Completion(NodeTest):
    def test_a_promise_that_is_not_ours(self):
        source = "exports.handler = () => ({ then: (resolve) => resolve('thenable') });"
        self.assert_result(self.function(source), "thenable")

    def test_an_async_handler_may_wait_for_timers_and_files(self):
        source = """
            const fs = require('fs').promises;
            exports.handler = async () => {
              await new Promise((resolve) => setTimeout(resolve, 5));
              return (await fs.readFile(__filename, 'utf8')).length > 0;
            };"""
        self.assert_result(self.function(source), True)

    def test_an_async_handler_does_not_wait_for_what_it_left_running(self):
        source = "exports.handler = async () => { setInterval(() => {}, 1000); return 'done'; };"
        self.assert_result(self.function(source), "done")

    def test_no_result_is_null(self):
        self.assert_result(self.function("exports.handler = async () => {};"), None)

    def test_a_result_that_is_neither_promise_nor_callback_is_ignored(self):
        self.assert_result(self.function("exports.handler = () => 'lost';"), None)

    def test_a_promise_that_never_settles_is_null_when_nothing_is_left_to_do(self):
        function = self.function("exports.handler = () => new Promise(() => {});")
        self.assert_result(function, None)
        self.assert_result(function, None)

    def test_a_callback_waits_for_an_empty_event_loop(self):
        source = """
            exports.handler = (event, context, callback) => {
              const result = { later: false };
              setTimeout(() => { result.later = true; }, 5);
              callback(null, result);
            };"""
        self.assert_result(self.function(source), {"later": True})

    def test_a_callback_need_not_wait(self):
        source = """
            exports.handler = (event, context, callback) => {
              context.callbackWaitsForEmptyEventLoop = false;
              setInterval(() => {}, 1000);
              callback(null, 'at once');
            };"""
        self.assert_result(self.function(source), "at once")

    def test_a_callback_may_come_later(self):
        source = "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, event.n), 2); };"
        function = self.function(source)
        self.assert_result(function, 1, {"n": 1})
        self.assert_result(function, 2, {"n": 2})

    def test_the_first_completion_wins(self):
        source = """
            exports.handler = (event, context, callback) => {
              context.succeed('first');
              context.fail(new Error('second'));
              callback(null, 'third');
            };"""
        function = self.function(source)
        self.assert_result(function, "first")
        self.assert_result(function, "first")

    def test_the_old_functions_of_the_context(self):
        source = """
            exports.handler = (event, context) => {
              setInterval(() => {}, 1000); // none of the three waits for an empty event loop
              context[event.call](...event.args);
            };"""
        function = self.function(source)
        self.assert_result(function, {"ok": 1}, {"call": "succeed", "args": [{"ok": 1}]})
        self.assert_result(function, {"ok": 2}, {"call": "done", "args": [None, {"ok": 2}]})
        self.assert_error(function, "string", "no", {"call": "fail", "args": ["no"]})
        self.assert_error(function, "string", "handled", {"call": "fail", "args": []})
        self.assert_error(function, "string", "bad", {"call": "done", "args": ["bad"]})

    def test_a_completion_after_the_answer_is_reported(self):
        source = """
            let stale;
            exports.handler = (event, context, callback) => {
              if (!stale) { stale = callback; return; }
              stale(null, 'too late');
              context.succeed('new');
            };"""
        function = self.function(source)
        self.assert_result(function, None)
        self.assert_result(function, "new")

    def test_work_left_over_goes_on_in_the_next_invocation(self):
        source = """
            let ran = false;
            exports.handler = async () => { const before = ran; setImmediate(() => { ran = true; }); return before; };"""
        function = self.function(source)
        function.send(b"".join(invoke_frame(None) for _ in range(3)))
        self.assertEqual([function.receive().json for _ in range(3)], [False, True, True])

    def test_state_stays_between_invocations(self):
        function = self.function("let n = 0; exports.handler = async () => ++n;")
        for expected in (1, 2, 3):
            self.assert_result(function, expected)


@requires("node")
class Context(NodeTest):
    def test_all_fields(self):
        function = self.function("exports.handler = async (event, context) => context;")
        expected = {
            "callbackWaitsForEmptyEventLoop": True,
            "functionVersion": "$LATEST",
            "functionName": "shop-api",
            "memoryLimitInMB": "256",
            "logGroupName": "/aws/lambda/shop-api",
            "logStreamName": "2030/01/01/[$LATEST]0123456789abcdef",
            "invokedFunctionArn": ARN,
            "awsRequestId": "req-7",
        }
        answer = function.invoke(request_id="req-7")
        self.assertEqual(answer.json, expected)
        self.assertEqual(list(answer.json), list(expected), "the order is AWS's")

    def test_client_context_and_identity(self):
        source = "exports.handler = async (event, { clientContext, identity }) => ({ clientContext, identity });"
        client, identity = {"custom": {"k": "ž"}}, {"cognitoIdentityId": "i"}
        self.assert_result(
            self.function(source),
            {"clientContext": client, "identity": identity},
            client_context=json.dumps(client, ensure_ascii=False),
            identity=json.dumps(identity),
        )

    def test_a_broken_client_context_is_an_error(self):
        function = self.function("exports.handler = async () => 1;")
        answer = function.invoke(client_context="{")
        self.assertEqual(answer.kind, ERROR)
        self.assertTrue(answer.json["errorMessage"].startswith("Cannot parse ClientContext as json: SyntaxError"))
        self.assert_result(function, 1)

    def test_remaining_time(self):
        function = self.function("exports.handler = async (event, context) => context.getRemainingTimeInMillis();")
        deadline = int(time.time() * 1000) + 600_000
        self.assertTrue(0 < function.invoke(deadline=deadline).json <= 600_000)

    def test_trace_id_is_in_the_environment_while_there_is_one(self):
        function = self.function("exports.handler = async () => process.env._X_AMZN_TRACE_ID || null;")
        self.assert_result(function, "Root=1-a;Sampled=1", trace="Root=1-a;Sampled=1")
        self.assert_result(function, None)

    def test_children_copies_and_the_console_see_the_trace_id(self):
        source = """
            const { execFileSync } = require('child_process');
            const shown = () => execFileSync('sh', ['-c', 'echo $_X_AMZN_TRACE_ID']).toString().trim();
            exports.handler = async () => {
              console.log(process.env);
              const before = [shown(), { ...process.env }._X_AMZN_TRACE_ID, '_X_AMZN_TRACE_ID' in process.env];
              delete process.env._X_AMZN_TRACE_ID;
              return [...before, shown(), Object.keys(process.env).includes('_X_AMZN_TRACE_ID')];
            };"""
        function = self.function(source)
        for trace in ("Root=1-a", "Root=1-b"):
            self.assert_result(function, [trace, trace, True, "", False], trace=trace)
            self.assertIn("_X_AMZN_TRACE_ID: '%s'" % trace, function.output())

    def test_the_environment_behaves_like_itself(self):
        source = """
            exports.handler = async () => {
              process.env.COUNT = 1;
              const set = process.env.COUNT;
              delete process.env.COUNT;
              return [set, process.env.COUNT === undefined, typeof process.env.PATH, Object.keys(process.env).length > 5];
            };"""
        self.assert_result(self.function(source), ["1", True, "string", True], trace="Root=1-a")

    def test_the_channel_is_invisible(self):
        source = """
            const { execFileSync } = require('child_process');
            exports.handler = async () => ({
              env: '_TRADEWIND_FD' in process.env,
              child: execFileSync('sh', ['-c', '[ -e /proc/self/fd/3 ] && readlink /proc/self/fd/3 || echo none']).toString(),
            });"""
        answer = self.function(source).invoke().json
        self.assertFalse(answer["env"])
        self.assertNotIn("pipe", answer["child"])

    def test_a_broken_event_is_an_error_and_the_next_one_works(self):
        function = self.function("exports.handler = async (event) => event;")
        self.assertEqual(function.invoke(b"{broken").json["errorType"], "SyntaxError")
        self.assert_result(function, 1, 1)


@requires("node")
class Logging(NodeTest):
    TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"

    def log_of(self, code, env=None):
        function = self.function("exports.handler = async () => { %s };" % code, env=env)
        self.assertEqual(function.invoke(request_id="req-9").kind, RESPONSE)
        return function.output()

    def test_each_method_has_its_level(self):
        code = "for (const m of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'fatal']) console[m]('%s!', m);"
        lines = self.log_of(code).splitlines()
        self.assertEqual(
            [re.sub(self.TIME, "T", line) for line in lines],
            ["T\treq-9\t%s\t%s!" % (level, method) for method, level in (
                ("log", "INFO"), ("info", "INFO"), ("warn", "WARN"), ("error", "ERROR"),
                ("debug", "DEBUG"), ("trace", "TRACE"), ("fatal", "FATAL"))],
        )

    def test_several_lines_are_one_record(self):
        output = self.log_of("console.log('a\\nb'); console.log({ k: { l: 1 } });")
        self.assertEqual([line.split("\t")[3] for line in output.split("\n") if line], ["a\rb", "{ k: { l: 1 } }"])

    def test_before_the_first_invocation_there_is_no_request_id(self):
        function = self.function("console.log('init'); exports.handler = async () => 1;")
        self.assertRegex(function.output(), "^%s\tundefined\tINFO\tinit\n$" % self.TIME)

    def test_the_output_is_there_when_the_answer_is_and_in_order(self):
        code = "process.stdout.write('x'.repeat(20000)); console.log('1'); process.stderr.write('2\\n'); console.log('3');"
        output = self.log_of(code)
        self.assertEqual([line[-1] for line in output.splitlines()], ["1", "2", "3"])
        self.assertTrue(output.startswith("x" * 20000))

    def test_more_output_than_the_pipe_holds_is_not_lost(self):
        function = self.function(
            "exports.handler = async () => { process.stdout.write('a'.repeat(200000)); console.log('b'.repeat(200000)); process.exit(3); };"
        )
        function.send(invoke_frame(None))
        self.assert_end(function, 3)
        output = function.output()
        self.assertEqual((output.count("a"), output.count("b")), (200000, 200000))

    def test_json_records(self):
        code = "console.warn({ k: 1 }); console.log('a %s', 'b'); console.error('failed', new TypeError('boom'));"
        records = [json.loads(line) for line in self.log_of(code, {"AWS_LAMBDA_LOG_FORMAT": "JSON"}).splitlines()]
        self.assertEqual([(r["level"], r["requestId"]) for r in records], [(l, "req-9") for l in ("WARN", "INFO", "ERROR")])
        self.assertEqual([r["message"] for r in records[:2]], [{"k": 1}, "a b"])
        self.assertEqual((records[2]["errorType"], records[2]["errorMessage"]), ("TypeError", "boom"))
        self.assertTrue(records[2]["stackTrace"][0].startswith("TypeError: boom"))

    def test_nothing_to_log_is_undefined(self):
        function = self.function("exports.handler = async () => { console.log(); };")
        function.invoke()
        self.assertTrue(function.output().endswith("\tINFO\tundefined\n"))

    def test_records_below_the_level_are_dropped(self):
        output = self.log_of("console.debug('d'); console.info('i'); console.warn('w');", {"AWS_LAMBDA_LOG_LEVEL": "WARN"})
        self.assertEqual([line.split("\t")[2] for line in output.splitlines()], ["WARN"])


@requires("node")
class Errors(NodeTest):
    def test_an_error_has_type_message_and_trace(self):
        source = """
            class OutOfStock extends Error { constructor(m) { super(m); this.name = 'OutOfStock'; this.sku = 7; } }
            exports.handler = async () => { throw new OutOfStock('no more'); };"""
        function = self.function(source)
        error = self.assert_error(function, "OutOfStock", "no more", request_id="req-3")
        self.assertEqual(list(error), ["errorType", "errorMessage", "trace"])
        self.assertIn("index.js:3", error["trace"][1])
        record = function.output()
        self.assertRegex(record, r'^\S+\treq-3\tERROR\tInvoke Error \t\{"errorType":"OutOfStock","errorMessage":"no more","name":"OutOfStock","sku":7,"stack":\[')
        self.assert_error(function, "OutOfStock", "no more")

    def test_throwing_at_once_is_the_same(self):
        self.assert_error(self.function("exports.handler = () => { throw new RangeError('sync'); };"), "RangeError", "sync")

    def test_what_is_no_error_is_named_by_its_type(self):
        function = self.function("exports.handler = async (event) => { throw event; };")
        error = self.assert_error(function, "string", "boom", "boom")
        self.assertEqual(error["trace"], [])
        self.assert_error(function, "number", "7", 7)
        self.assert_error(function, "object", "[object Object]", {"a": 1})

    def test_an_error_given_to_the_callback_does_not_wait(self):
        source = "exports.handler = (e, c, callback) => { setInterval(() => {}, 1000); callback(new Error('now')); };"
        self.assert_error(self.function(source), "Error", "now")

    def test_a_result_that_is_no_json(self):
        for source in (
            "exports.handler = async () => { const a = {}; a.a = a; return a; };",
            "exports.handler = async () => 10n;",
            "exports.handler = (e, c, callback) => { const a = {}; a.a = a; callback(null, a); };",
        ):
            function = self.function(source)
            self.assert_error(function, "Error", "Unable to stringify response body")
            self.assert_error(function, "Error", "Unable to stringify response body")

    def test_an_unhandled_rejection_ends_the_process_after_the_error(self):
        source = "exports.handler = () => { Promise.reject(new Error('lost')); return new Promise(() => {}); };"
        function = self.function(source)
        error = self.assert_error(function, "Runtime.UnhandledPromiseRejection", "Error: lost")
        self.assertEqual(error["trace"][0], "Runtime.UnhandledPromiseRejection: Error: lost")
        self.assertEqual(function.exit_code(), 128)
        self.assertIn("\tERROR\tUnhandled Promise Rejection \t", function.output())

    def test_an_uncaught_exception_ends_the_process_after_the_error(self):
        source = "exports.handler = () => { setTimeout(() => { throw new Error('thrown later'); }, 1); return new Promise(() => {}); };"
        function = self.function(source)
        self.assert_error(function, "Error", "thrown later")
        self.assertEqual(function.exit_code(), 129)
        self.assertIn("\tERROR\tUncaught Exception \t", function.output())

    def test_process_exit_is_seen_by_the_host_as_the_end(self):
        function = self.function("exports.handler = async () => { console.log('bye'); process.exit(3); };")
        function.send(invoke_frame(None))
        self.assert_end(function, 3)
        self.assertIn("bye", function.output())


@requires("node")
class InitErrors(NodeTest):
    def test_a_missing_module(self):
        error, output = self.init_error("require('left-pad'); exports.handler = async () => 1;")
        self.assertEqual(error["errorType"], "Runtime.ImportModuleError")
        lines = error["errorMessage"].split("\n")
        self.assertEqual(lines[:2], ["Error: Cannot find module 'left-pad'", "Require stack:"])
        self.assertTrue(lines[2].endswith("/index.js"))
        self.assertEqual(lines[3], "- /var/runtime/index.mjs")
        self.assertEqual(error["trace"][0], "Runtime.ImportModuleError: Error: Cannot find module 'left-pad'")
        self.assertIn("\tundefined\tERROR\tUncaught Exception \t", output)

    def test_a_missing_file(self):
        error, _ = self.init_error({"other.js": ""}, "index.handler")
        self.assertEqual(error["errorType"], "Runtime.ImportModuleError")
        self.assertEqual(error["errorMessage"], "Error: Cannot find module 'index'\nRequire stack:\n- /var/runtime/index.mjs")

    def test_a_missing_package_of_an_es_module(self):
        error, _ = self.init_error({"index.mjs": "import 'left-pad'; export const handler = async () => 1;"})
        self.assertEqual(error["errorType"], "Error")
        self.assertIn("Cannot find package 'left-pad' imported from", error["errorMessage"])

    def test_a_syntax_error_says_where(self):
        error, _ = self.init_error("\nexports.handler = async ( => 1;")
        self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError")
        self.assertTrue(error["errorMessage"].startswith("SyntaxError: "))
        self.assertTrue(any("index.js:2" in line for line in error["trace"]), error)

    def test_import_in_a_commonjs_file(self):
        error, _ = self.init_error({"index.cjs": "import fs from 'fs'; export const handler = async () => 1;"})
        self.assertEqual(error["errorType"], "Runtime.UserCodeSyntaxError")
        self.assertEqual(error["errorMessage"], "SyntaxError: Cannot use import statement outside a module")

    def test_a_handler_that_is_not_exported(self):
        error, _ = self.init_error("exports.other = async () => 1;")
        self.assertEqual(error["errorType"], "Runtime.HandlerNotFound")
        self.assertEqual(error["errorMessage"], "index.handler is undefined or not exported")
        self.assertEqual(error["trace"][0], "Runtime.HandlerNotFound: index.handler is undefined or not exported")

    def test_a_handler_that_is_no_function(self):
        error, _ = self.init_error("exports.handler = 'x';")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.HandlerNotFound", "index.handler is not a function"))

    def test_malformed_handler_names(self):
        source = "exports.handler = async () => 1;"
        error, _ = self.init_error(source, "index")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Runtime.MalformedHandlerName", "Bad handler"))
        error, _ = self.init_error(source, "../index.handler")
        self.assertEqual(error["errorType"], "Runtime.MalformedHandlerName")
        self.assertTrue(error["errorMessage"].startswith("'../index.handler' is not a valid handler name."))

    def test_an_error_of_the_users_own(self):
        error, _ = self.init_error("throw new TypeError('no configuration');")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("TypeError", "no configuration"))
        self.assertIn("index.js:1", error["trace"][1])

    def test_a_rejection_during_init(self):
        function = self.started("Promise.reject(new Error('lost')); exports.handler = async () => 1;")
        answer = function.receive()
        self.assertEqual(answer.kind, INIT_ERROR)
        self.assertEqual(answer.json["errorType"], "Runtime.UnhandledPromiseRejection")
        self.assertEqual(function.exit_code(), 128)


if __name__ == "__main__":
    unittest.main()
