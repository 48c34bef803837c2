import functools
import hashlib
import io
import json
import shutil
import subprocess
import tempfile
import time
import unittest
import zipfile
from pathlib import Path

from host import ARN, BootstrapTest, ChannelTests, ERROR, READY, RESPONSE, RUNTIMES, invoke_frame, requires

JAR = RUNTIMES / "java" / "bootstrap.jar"
SOURCES = RUNTIMES / "java" / "src"
FUNCTIONS = RUNTIMES / "tests" / "java"


def compiled(folder, class_path, *options):
    """The classes of the sources below ``folder``, by file name."""
    with tempfile.TemporaryDirectory() as output:
        sources = [str(path) for path in sorted(folder.rglob("*.java"))]
        command = ["javac", "-encoding", "UTF-8", *options, "-d", output]
        command += ["-cp", class_path] if class_path else []
        subprocess.run([*command, *sources], check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        classes = Path(output).rglob("*.class")
        return {str(path.relative_to(output)): path.read_bytes() for path in classes}


@functools.lru_cache()
def all_functions():
    return compiled(FUNCTIONS, str(JAR), "-Xlint:-options", "--release", "8")


def jar_of(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as jar:
        for name, content in files.items():
            jar.writestr(name, content)
    return data.getvalue()


def requires_compiler(test):
    return unittest.skipUnless(shutil.which("javac"), "no javac on PATH: Java functions cannot be made")(requires("java")(test))


class JavaTest(BootstrapTest):
    """The sources are compiled once; what other tests call a source is the name of the handler here."""

    language = "java"

    def started(self, source, handler=None, env=None, files=None):
        files = all_functions() if files is None else files
        name = source if "." in source else "Functions$" + source
        return super().started(files, name, env)


@requires_compiler
class Channel(ChannelTests, JavaTest):
    echo_source = "Echo"
    sized_source = "Sized"
    failing_source = "Failing"


@requires_compiler
class HandlerForms(JavaTest):
    def test_a_class_in_a_package(self):
        self.assert_result(self.function("shop.Cart"), "cart")

    def test_strings(self):
        self.assert_result(self.function("Upper"), "ABC", "abc")

    def test_streams_get_and_give_bytes(self):
        answer = self.function("Streams").invoke(b"any bytes \xff")
        self.assertEqual(answer.body, b"[any bytes \xff]")

    def test_type_parameters_of_a_superclass(self):
        self.assert_result(self.function("OfBase"), [2, 2 * 10**12], {"a": 1, "b": 10**12})

    def test_methods_of_every_form(self):
        for name, event, expected in [
            ("nothing", None, "nothing 1"),
            ("twice", 21, 42),
            ("withContext", "of", "of shop-api"),
            ("onlyContext", {}, "$LATEST"),
            ("onlyOutput", {}, {"raw": True}),
            ("copy", 7, [7]),
            ("onlyInput", 7, None),
            ("silent", {"a": 1}, None),
            ("overloaded", "x", "long"),
            ("sum", [1, 2, 3], 6),
        ]:
            with self.subTest(name):
                self.assert_result(self.function("Methods::" + name), expected, event)

    def test_state_stays_between_invocations(self):
        function = self.function("Methods::nothing")
        for number in (1, 2, 3):
            self.assert_result(function, "nothing %d" % number)

    def test_classes_come_from_the_package_and_from_jars(self):
        classes = all_functions()
        names = {name: data for name, data in classes.items() if "Names" in name}
        others = {name: data for name, data in classes.items() if "Names" not in name}
        for place in ("lib/names.jar", "names.jar"):
            with self.subTest(place):
                function = self.started("shop.Cart", files={**others, place: jar_of(names)})
                self.assertEqual(function.receive().kind, READY)
                self.assert_result(function, "cart")


@requires_compiler
class LoadErrors(JavaTest):
    def assert_init_error(self, source, message, error_type=None):
        error, output = self.init_error(source)
        expected = {"errorMessage": message}
        if error_type:
            expected["errorType"] = error_type
        self.assertEqual(error, expected)
        self.assertTrue(output.startswith(message), output)

    def test_a_class_that_is_not_there(self):
        self.assert_init_error("shop.Nothing", "Class not found: shop.Nothing", "java.lang.ClassNotFoundException")

    def test_a_name_that_is_none(self):
        self.assert_init_error("shop.Cart::", "Invalid handler: `shop.Cart::'")

    def test_a_class_that_is_no_handler(self):
        message = "Class does not implement an appropriate handler interface: Functions$NoHandler"
        self.assert_init_error("NoHandler", message)

    def test_a_handler_without_types(self):
        message = "Class Functions$Raw does not implement RequestHandler with concrete type parameters"
        self.assert_init_error("Raw", message)

    def test_a_method_that_is_not_there(self):
        for name in ("missing", "hidden", "tooMany"):
            message = "No public method named %s with appropriate method signature found on class Functions$Methods"
            self.assert_init_error("Methods::" + name, message % name)

    def test_constructors(self):
        message = "Class Functions$NoConstructor has no public zero-argument constructor"
        self.assert_init_error("NoConstructor", message, "java.lang.Exception")
        message = "Class Functions$Inner cannot be instantiated because it is a non-static inner class"
        self.assert_init_error("Inner", message, "java.lang.Exception")

    def test_a_constructor_that_throws(self):
        error, output = self.init_error("BrokenConstructor")
        self.assertEqual(error, {"errorMessage": "no database", "errorType": "java.lang.IllegalArgumentException"})
        self.assertIn("constructing\n", output)
        self.assertIn("at Functions$BrokenConstructor.<init>(Functions.java:", output)
        self.assertNotIn("tradewind", output)

    def test_a_class_that_does_not_come_up(self):
        error, output = self.init_error("BrokenClass")
        self.assertEqual(error["errorType"], "java.lang.ExceptionInInitializerError")
        self.assertEqual(error["errorMessage"], "Error loading class Functions$BrokenClass")
        self.assertIn('Caused by: java.lang.NumberFormatException: For input string: "zero"', output)


@requires_compiler
class Errors(JavaTest):
    def test_an_exception_with_its_trace_and_cause(self):
        function = self.function("Methods::failing")
        error = self.assert_error(function, "java.lang.Exception", "checked", {})
        self.assertEqual(list(error), ["errorMessage", "errorType", "stackTrace", "cause"])
        self.assertRegex(error["stackTrace"][0], r"^Functions\$Methods\.failing\(Functions\.java:\d+\)$")
        self.assertFalse([line for line in error["stackTrace"] if "tradewind" in line])
        self.assertEqual((error["cause"]["errorType"], error["cause"]["errorMessage"]), ("java.lang.RuntimeException", "below"))

    def test_the_log_has_it_as_one_record(self):
        function = self.function("Failing")
        function.invoke(3)
        record, rest = function.output().split("\n", 1)
        self.assertEqual(rest, "")
        lines = record.split("\r")
        self.assertEqual(lines[:2], ["xxx: java.lang.IllegalStateException", "java.lang.IllegalStateException: xxx"])
        self.assertTrue(lines[2].startswith("\tat Functions$Failing.handleRequest(Functions.java:"), record)

    def test_an_event_of_another_form(self):
        function = self.function("Sized")
        error = self.assert_error(function, "java.lang.RuntimeException", "An error occurred during JSON parsing", "x")
        self.assertEqual(error["stackTrace"], [])
        self.assertEqual(error["cause"]["errorType"], "java.io.UncheckedIOException")
        for event in (b"", b"{", b"[1, 2]", b"tru", b'{"a": "b}'):
            self.assertEqual(function.invoke(event).kind, ERROR, event)
        self.assert_result(function, "xx", 2)

    def test_an_answer_that_cannot_be_written(self):
        function = self.function("Values")
        message = "An error occurred during JSON serialization of response"
        self.assert_error(function, "java.lang.RuntimeException", message, "cycle")
        self.assert_result(function, None, "nothing")

    def test_an_interrupt_does_not_outlive_its_invocation(self):
        function = self.function("Ends")
        self.assert_result(function, "interrupted", "interrupt")
        self.assert_result(function, {"alive": True}, "")

    def test_exit_ends_the_process(self):
        function = self.function("Ends")
        function.send(invoke_frame("exit"))
        self.assert_end(function, 7)

    def test_no_memory_left_is_an_error_and_the_end(self):
        function = self.function("Ends")
        self.assert_error(function, "java.lang.OutOfMemoryError", "Java heap space", "memory")
        self.assert_end(function, 1)

    def test_endless_recursion_is_an_error_and_the_end(self):
        function = self.function("Ends")
        self.assert_error(function, "java.lang.StackOverflowError", "java.lang.StackOverflowError", "deep")
        self.assert_end(function, 1)


@requires_compiler
class Json(JavaTest):
    def test_objects_of_a_class(self):
        order = {
            "URL": "http://x",
            "items": [{"name": "tea", "count": 2, "gift": True, "price": 2.5, "note": "n"}],
            "sizes": {"SMALL": [1, 2]},
            "more": [{"name": "pot", "count": 0, "gift": False}],
            "made": 1500,
            "at": 1.005,
            "day": [2026, 11, 21],
            "total": 12.50,
            "coupon": "C",
            "signature": "AQI=",
            "size": "LARGE",
            "parent": {"URL": "p", "coupon": None},
        }
        function = self.function("Orders")
        answer = function.invoke(order)
        self.assertEqual(answer.json, order, answer.body)
        self.assertEqual(list(answer.json), list(order))

    def test_members_nobody_asked_for_are_skipped(self):
        event = {"unknown": {"a": [1, {"b": "}"}]}, "unseen": "x", "secret": "x", "name": "tea"}
        self.assert_result(self.function("Items"), {"name": "tea", "count": 0, "gift": False}, event)

    def test_values_are_bent_to_their_types_as_lambda_does(self):
        function = self.function("Items")
        expected = {"name": "5", "count": 2, "gift": True, "price": 3.0}
        self.assert_result(function, expected, {"name": 5, "count": "2", "gift": "true", "price": "3"})
        self.assert_result(function, {"count": 0, "gift": False}, {"count": None, "price": None, "name": None})
        self.assert_result(function, {"name": "a", "count": 2, "gift": False}, [{"name": ["a"], "count": 2.9}])
        self.assert_result(function, None, "")
        self.assert_result(function, None, [])
        self.assertEqual(function.invoke({"count": "many"}).kind, ERROR)
        self.assertEqual(function.invoke({"count": 2**31}).kind, ERROR)
        self.assertEqual(function.invoke("text").kind, ERROR)

    def test_times_are_read_in_several_forms(self):
        function = self.function("Orders")
        event = {"made": "1970-01-01T00:00:01.500Z", "at": "1970-01-01T01:00:01+01:00", "day": "2026-11-21", "size": "HUGE"}
        answer = function.invoke(event)
        self.assertEqual((answer.json["made"], answer.json["at"], answer.json["day"]), (1500, 1.0, [2026, 11, 21]))
        self.assertNotIn("size", answer.json)

    def test_events_of_aws_are_spelt_otherwise_than_their_classes(self):
        record = {"Sns": "hello", "At": 1479499740.5, "object": {"key": "k", "size": 7}}
        event = {"Records": [record], "detail-type": "Scheduled Event"}
        self.assert_result(self.function("Events"), ["Scheduled Event", "hello", 1479499740500, "k", 7], event)

    def test_lenient_texts(self):
        function = self.function("Items")
        event = b"{name: 'it\\'s', \"count\": 007, \"price\": NaN, \"note\": \"a\nb\"}"
        self.assert_result(function, {"name": "it's", "count": 7, "gift": False, "price": "NaN", "note": "a\nb"}, event)

    def test_what_is_returned(self):
        function = self.function("Values")
        for which, expected in [
            ("numbers", [1, 2, 2.5, 2.5, 1.50, "NaN", 3, "c"]),
            ("nulls", {"b": [1, None]}),
            ("arrays", [[1, 2], "AQI=", ["a"], "ab"]),
            ("times", [1500, 1.005, [2026, 11, 21], [2026, 1, 2, 3, 4], 1.5]),
            ("text", '"\\/\b\f\n\r\t\u0001é日🛒'),
            ("nothing", None),
        ]:
            self.assert_result(function, expected, which)
        self.assertIn(b"1.50,", function.invoke("numbers").body)
        self.assertIn("extra", function.invoke("special").json)

    def test_the_declared_type_is_what_is_written(self):
        self.assert_result(self.function("Declared"), {"count": 0, "gift": False}, {})

    def test_deep_events_are_refused_and_harmless(self):
        function = self.function("Echo")
        self.assertEqual(function.invoke(b"[" * 100_000).kind, ERROR)
        self.assert_result(function, [[1]], [[1]])


@requires_compiler
class ContextObject(JavaTest):
    def test_all_fields(self):
        function = self.function("Contexts")
        deadline = int(time.time() * 1000) + 20_000
        answer = function.invoke(deadline=deadline, trace="Root=1-2").json
        remaining = answer.pop("remaining")
        self.assertTrue(0 < remaining <= 20_000, remaining)
        expected = {
            "awsRequestId": "req-1",
            "logGroupName": "/aws/lambda/shop-api",
            "logStreamName": "2030/01/01/[$LATEST]0123456789abcdef",
            "functionName": "shop-api",
            "functionVersion": "$LATEST",
            "invokedFunctionArn": ARN,
            "memoryLimitInMB": 256,
            "identity": "/",
            "trace": "Root=1-2",
        }
        self.assertEqual(answer, expected)
        self.assertEqual(function.invoke(deadline=1).json["remaining"], 0)
        self.assertNotIn("trace", function.invoke().json)

    def test_the_client_and_its_identity(self):
        client = {"client": {"app_title": "Shop", "installation_id": "i"}, "custom": {"a": "b"}, "env": {"c": "d"}}
        identity = {"cognitoIdentityId": "id", "cognitoIdentityPoolId": "pool"}
        function = self.function("Contexts")
        answer = function.invoke(client_context=json.dumps(client), identity=json.dumps(identity)).json
        self.assertEqual(answer["client"], "Shop/i")
        self.assertEqual((answer["custom"], answer["env"], answer["identity"]), ({"a": "b"}, {"c": "d"}, "id/pool"))
        self.assertEqual(function.invoke(client_context="{").kind, ERROR)


@requires_compiler
class Output(JavaTest):
    def test_everything_printed_is_there_before_the_answer(self):
        function = self.function("Logs")
        self.assert_result(function, "x", "x")
        expected = "no end of line é\nto err\na record\rof two lines\n[DEBUG] debugging\n[WARN] warned\nbytes\nthe last words"
        self.assertEqual(function.output(), expected)

    def test_levels_and_json(self):
        env = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        function = self.function("Logs", env=env)
        function.invoke("x")
        lines = function.output().splitlines()
        record = json.loads(lines[2])
        self.assertRegex(record.pop("timestamp"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual(record, {"message": "a record\nof two lines", "level": "UNDEFINED", "AWSRequestId": "req-1"})
        self.assertEqual(json.loads(lines[3])["message"], "warned")


@requires_compiler
class Surroundings(JavaTest):
    def test_what_a_function_sees(self):
        function = self.function("Surroundings", env={"STAGE": "dev"})
        seen = function.invoke().json
        self.assertEqual((seen["stage"], seen["folder"], seen["loader"]), ("dev", function.root, True))
        hidden = [name for name in seen["environment"] if name.startswith("_TRADEWIND")]
        self.assertEqual(hidden, [])

    def test_files_of_the_package_are_resources(self):
        function = self.started("Surroundings", files={**all_functions(), "words.txt": "a"})
        function.receive()
        self.assertTrue(function.invoke().json["resource"])



class TheJar(unittest.TestCase):
    """`runtimes/java/bootstrap.jar` is checked in: it must be what its sources make (`cargo xtask java`)."""

    def manifest(self):
        with zipfile.ZipFile(JAR) as jar:
            lines = jar.read("META-INF/MANIFEST.MF").decode().splitlines()
        return dict(line.split(": ", 1) for line in lines if line)

    def test_it_was_made_of_these_sources(self):
        digest = hashlib.sha256()
        for path in sorted(SOURCES.rglob("*.java")):
            content = path.read_bytes()
            digest.update(("%s\n%d\n" % (path.relative_to(SOURCES).as_posix(), len(content))).encode() + content)
        self.assertEqual(self.manifest()["Sources"], digest.hexdigest()[:40], "run `cargo xtask java`")

    @unittest.skipUnless(shutil.which("javac"), "no javac on PATH: the jar is not compared with its sources")
    def test_the_same_compiler_makes_the_same_classes(self):
        compiler = subprocess.run(["javac", "-version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
        if compiler.split()[1].split(".")[0] != self.manifest()["Created-By"].split(".")[0]:
            self.skipTest("another javac than the jar's")
        with zipfile.ZipFile(JAR) as jar:
            shipped = {name: jar.read(name) for name in jar.namelist() if name.endswith(".class")}
        options = ("--release", "8", "-g:source,lines", "-Xlint:-options")
        self.assertEqual(shipped, compiled(SOURCES, None, *options))


if __name__ == "__main__":
    unittest.main()
