import json
import time
import unittest

from host import ARN, BootstrapTest, ChannelTests, ERROR, RESPONSE, invoke_frame, requires


class RubyTest(BootstrapTest):
    language = "ruby"
    main_file = "function.rb"
    handler = "function.handler"

    def body(self, *lines):
        """A function whose handler has these lines."""
        return self.function("def handler(event:, context:)\n%s\nend" % "\n".join(lines))


@requires("ruby")
class Channel(ChannelTests, RubyTest):
    echo_source = "def handler(event:, context:) = event"
    sized_source = "def handler(event:, context:) = 'x' * event"
    failing_source = "def handler(event:, context:) = raise('x' * event)"


@requires("ruby")
class HandlerForms(RubyTest):
    def test_a_handler_in_a_folder(self):
        files = {"src/cart.rb": "require_relative 'name'\ndef get(event:, context:) = NAME", "src/name.rb": "NAME = 'cart'"}
        self.assert_result(self.function(files, "src/cart.get"), "cart")

    def test_a_method_of_a_class_in_a_module(self):
        source = "module Shop\n  class Api\n    def self.get(event:, context:) = 'api'\n  end\nend"
        self.assert_result(self.function(source, "function.Shop::Api.get"), "api")

    def test_files_of_the_package_can_be_required(self):
        files = {"function.rb": "require 'lib/name'\ndef handler(event:, context:) = NAME", "lib/name.rb": "NAME = 'Ada'"}
        self.assert_result(self.function(files), "Ada")

    def test_json_and_logger_are_there(self):
        self.assert_result(self.body("[JSON.parse('1'), Logger.name]"), [1, "Logger"])

    def test_state_stays_between_invocations(self):
        function = self.body("$n = ($n || 0) + 1")
        for expected in (1, 2, 3):
            self.assert_result(function, expected)


@requires("ruby")
class Context(RubyTest):
    def test_all_fields(self):
        names = (
            "function_name function_version invoked_function_arn memory_limit_in_mb aws_request_id log_group_name "
            "log_stream_name identity client_context deadline_ms"
        )
        function = self.body("%%w[%s].to_h { |name| [name, context.public_send(name)] }" % names)
        expected = {
            "function_name": "shop-api",
            "function_version": "$LATEST",
            "invoked_function_arn": ARN,
            "memory_limit_in_mb": "256",
            "aws_request_id": "req-7",
            "log_group_name": "/aws/lambda/shop-api",
            "log_stream_name": "2030/01/01/[$LATEST]0123456789abcdef",
            "identity": None,
            "client_context": None,
            "deadline_ms": 1700000000000,
        }
        self.assert_result(function, expected, request_id="req-7", deadline=1700000000000)

    def test_client_context_and_identity(self):
        function = self.body("[context.client_context, context.identity]")
        self.assert_result(function, [{"custom": "ž"}, {"cognitoIdentityId": "i"}],
                           client_context=json.dumps({"custom": "ž"}), identity='{"cognitoIdentityId": "i"}')

    def test_remaining_time(self):
        function = self.body("context.get_remaining_time_in_millis")
        self.assertTrue(0 < function.invoke(deadline=int(time.time() * 1000) + 600_000).json <= 600_000)
        self.assert_result(function, 0, deadline=1)

    def test_trace_id_is_in_the_environment_while_there_is_one(self):
        function = self.body("ENV['_X_AMZN_TRACE_ID']")
        self.assert_result(function, "Root=1-a;Sampled=1", trace="Root=1-a;Sampled=1")
        self.assert_result(function, None)

    def test_programs_and_whole_environments_see_the_trace_id(self):
        name = "_X_AMZN_TRACE_ID"
        for seen in (
            "`printenv %s`.chomp" % name,
            "IO.popen(['printenv', '%s'], &:read).chomp" % name,
            "require 'open3'; Open3.capture2('printenv %s').first.chomp" % name,
            "r, w = IO.pipe; Process.wait(spawn('printenv %s', out: w)); w.close; r.read.chomp" % name,
            "ENV.to_h['%s'].to_s" % name,
            "ENV.fetch('%s', '')" % name,
            "ENV.key?('%s') ? ENV.values_at('%s').first : ''" % (name, name),
        ):
            with self.subTest(seen):
                function = self.body(seen)
                for trace in ("Root=1-a", "Root=1-b", ""):
                    self.assert_result(function, trace, trace=trace)

    def test_the_channel_is_invisible(self):
        function = self.body("[ENV.key?('_TRADEWIND_FD'), `readlink /proc/self/fd/3`.include?('socket')]")
        self.assert_result(function, [False, False])

    def test_a_broken_event_is_an_error_and_the_next_one_works(self):
        function = self.body("event")
        self.assertEqual(function.invoke(b"{broken").json["errorType"], "Function<JSON::ParserError>")
        self.assert_result(function, 1, 1)


@requires("ruby")
class Output(RubyTest):
    def test_an_io_is_the_response_itself(self):
        function = self.body("require 'stringio'", "StringIO.new('raw')")
        self.assertEqual(function.invoke().body, b"raw")

    def test_puts_makes_one_record_and_is_there_when_the_answer_is(self):
        function = self.body("puts \"a\\nb\", ['c', 1]", "puts", "$stderr.puts 'd'", "print 'e'")
        self.assertEqual(function.invoke().kind, RESPONSE)
        self.assertEqual(function.output(), "a\rb\rc\r1\n\nd\ne")

    def test_loggers_name_the_request(self):
        function = self.body("Logger.new($stdout).info(\"two\\nlines\")", "Logger.new(nil).warn('w')")
        function.invoke(request_id="req-9")
        info, warning, end = function.output().split("\n")
        self.assertRegex(info, r"^I, \[\d{4}-\S+ #\d+\]  INFO req-9 -- : two\rlines$")
        self.assertRegex(warning, r"^W, .+ WARN req-9 -- : w$")
        self.assertEqual(end, "")

    def test_loggers_to_elsewhere_stay_as_they_are(self):
        function = self.body("require 'stringio'", "io = StringIO.new", "Logger.new(io).info('x')", "io.string")
        self.assertNotIn("req-1", function.invoke().json)


@requires("ruby")
class Errors(RubyTest):
    def test_an_error_has_message_type_and_trace(self):
        function = self.function("def take = raise('no more')\ndef handler(event:, context:)\n  take\nend")
        error = self.assert_error(function, "Function<RuntimeError>", "no more")
        self.assertEqual(list(error), ["errorMessage", "errorType", "stackTrace"])
        self.assertEqual([frame.split("/")[-1] for frame in error["stackTrace"]], ["function.rb:1:in `take'", "function.rb:3:in `handler'"])
        self.assertTrue(function.output().startswith('Error raised from handler method\n{\r  "errorMessage": "no more"'))
        self.assert_error(function, "Function<RuntimeError>", "no more")

    def test_a_class_of_the_users_own(self):
        self.assert_error(self.function("module Shop; class Empty < StandardError; end; end\ndef handler(event:, context:) = raise(Shop::Empty, 'e')"),
                          "Function<Shop::Empty>", "e")

    def test_exit_is_an_error_and_the_end(self):
        function = self.body("exit 3")
        self.assert_error(function, "Function<SystemExit>", "exit")
        self.assertEqual(function.exit_code(), 255)

    def test_exit_at_once_is_seen_by_the_host_as_the_end(self):
        function = self.body("exit! 3")
        function.send(invoke_frame(None))
        self.assert_end(function, 3)


@requires("ruby")
class InitErrors(RubyTest):
    def test_a_missing_file(self):
        error, output = self.init_error({"other.rb": ""})
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Init<LoadError>", "cannot load such file -- function"))
        self.assertTrue(output.startswith("Init error when loading handler function.handler\n"), output)

    def test_a_syntax_error(self):
        error, _ = self.init_error("def handler(\n")
        self.assertEqual(error["errorType"], "Init<SyntaxError>")
        self.assertIn("function.rb:1", error["errorMessage"])

    def test_an_error_of_the_users_own(self):
        error, _ = self.init_error("raise ArgumentError, 'no configuration'")
        self.assertEqual((error["errorType"], error["errorMessage"]), ("Init<ArgumentError>", "no configuration"))
        self.assertIn("function.rb:1", error["stackTrace"][0])

    def test_a_malformed_handler_name(self):
        error, _ = self.init_error("", "function")
        self.assertEqual(error["errorType"], "Init<ArgumentError>")
        self.assertTrue(error["errorMessage"].startswith('Invalid handler ["function"], must be of form FILENAME.METHOD'))

    def test_a_method_that_is_not_there_fails_when_called(self):
        function = self.function("")
        answer = function.invoke()
        self.assertEqual((answer.kind, answer.json["errorType"]), (ERROR, "Function<NoMethodError>"))


if __name__ == "__main__":
    unittest.main()
