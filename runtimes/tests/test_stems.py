"""A stem that has become a function is that function: every test of a fresh process holds for it."""

import sys
import unittest

import test_java
import test_node
import test_node_streaming
import test_python
from host import BootstrapTest


def of_stems(module):
    """The test classes of a module, on stems."""
    for name, tests in vars(module).items():
        if isinstance(tests, type) and issubclass(tests, BootstrapTest) and tests.__module__ == module.__name__:
            yield type("%s_%s" % (module.__name__, name), (tests,), {"stem": True, "__module__": __name__})


for module in (test_java, test_node, test_node_streaming, test_python):
    for tests in of_stems(module):
        setattr(sys.modules[__name__], tests.__name__, tests)


class Fresh:
    """What a handler can see of its process, to compare a stem with a fresh one."""

    probe = None

    def test_a_stem_looks_like_a_fresh_process(self):
        seen = {}
        for stem in (False, True):
            self.stem = stem
            function = self.function(self.probe, env={"TZ": "Europe/Berlin", "HOME": "/tmp", "NODE_PATH": "/opt/nodejs"})
            answer = function.invoke(function.root)
            text = answer.body.decode().replace(function.root, "ROOT")
            seen[stem] = text
        self.assertEqual(seen[True], seen[False])


class NodeStem(Fresh, test_node.NodeTest):
    probe = """
        const fs = require('fs');
        exports.handler = async () => ({
          env: process.env, argv: process.argv, execArgv: process.execArgv, cwd: process.cwd(), title: process.title,
          zone: Intl.DateTimeFormat().resolvedOptions().timeZone, hour: new Date(0).getHours(), home: require('os').homedir(),
          cache: Object.keys(require.cache), paths: require('module').globalPaths, main: require.main === undefined,
          fds: fs.readdirSync('/proc/self/fd').length, globals: Object.getOwnPropertyNames(globalThis).sort(),
          handles: process._getActiveHandles().length, listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
          umask: process.umask(), level: module.parent === null, stdin: fs.readlinkSync('/proc/self/fd/0'),
        });"""


class PythonStem(Fresh, test_python.PythonTest):
    probe = """
import os, sys, time, signal, threading, locale, gc, warnings
def handler(event, context):
    return {
        "env": dict(os.environ), "child": sorted(os.popen("env").read().split()), "argv": sys.argv, "path": sys.path, "cwd": os.getcwd(),
        "zone": time.tzname, "hour": time.localtime(0).tm_hour, "home": os.path.expanduser("~"), "main": sys.modules["__main__"].__name__,
        "fds": len(os.listdir("/proc/self/fd")), "threads": threading.active_count(), "flags": list(sys.flags), "locale": locale.setlocale(locale.LC_CTYPE),
        "encodings": [sys.stdout.encoding, sys.getfilesystemencoding()], "finders": len([f for f in sys.meta_path if type(f).__name__ != "LoggingFinder"]),
        "gc": gc.get_threshold(), "filters": len(warnings.filters), "int": str(signal.getsignal(signal.SIGINT)), "buffered": sys.stdout.line_buffering,
    }
"""

    def test_a_module_of_the_package_is_not_hidden_by_one_that_the_stem_has_loaded(self):
        self.stem = True
        files = {"app.py": "import uuid\ndef handler(event, context): return [uuid.MINE, __name__]", "uuid.py": "MINE = 1"}
        self.assert_result(self.function(files), [1, "app"])

    def test_variables_that_are_read_at_the_start_count(self):
        self.stem = True
        function = self.function("import sys\ndef handler(event, context): return sys.flags.optimize", env={"PYTHONOPTIMIZE": "2"})
        self.assert_result(function, 2)

    def test_the_search_path_of_the_function(self):
        self.stem = True
        function = self.function("import sys\ndef handler(event, context): return sys.path[1:3]", env={"PYTHONPATH": "/opt/python:/opt/more"})
        self.assert_result(function, ["/opt/python", "/opt/more"])


if __name__ == "__main__":
    unittest.main()
