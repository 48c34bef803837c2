"""Compiled code of a package: made by a process that prepares it, used by those that serve."""

import re
import tempfile
import unittest
from pathlib import Path

from host import PREPARED, READY, BootstrapTest, requires


class CodeCache:
    files = None
    result = None
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = Path(folder.name) / "code"

    def prepare(self, stem=False):
        self.stem = stem
        function = self.started(self.files, env={"_TRADEWIND_PREPARE": "1"})
        frame = function.receive()
        self.assertEqual(frame.kind, PREPARED, function.output)
        compiled = b""
        while frame.kind == PREPARED:
            compiled += frame.body
            frame = function.receive()
        self.cache.write_bytes(compiled)
        self.assertEqual(frame.kind, READY)
        self.assertEqual(function.exit_code(), 0, function.output())
        return function

    def serve(self, stem=False):
        self.stem = stem
        return self.function(self.files, env={"_TRADEWIND_CACHE": str(self.cache)})

    def test_a_prepared_package_serves_as_any_other(self):
        expected = self.place_of_error(self.serve())
        self.prepare()
        for stem in (False, True):
            function = self.serve(stem)
            self.assertEqual(function.invoke(2).json, self.result)
            self.assertEqual(self.place_of_error(function), expected)

    def place_of_error(self, function):
        error = function.invoke(-1).json
        self.assertEqual(error["errorMessage"], "boom")
        trace = error.get("trace", error.get("stackTrace"))
        return re.sub(r"/[^ \"]*/", "FOLDER/", trace[self.line_of_error])  # V8 keeps the one of the preparation

    def test_a_stem_can_prepare(self):
        self.prepare(stem=True)
        self.assertEqual(self.serve().invoke(2).json, self.result)

    def test_an_empty_cache_and_a_broken_one_do_no_harm(self):
        self.assertEqual(self.serve().invoke(2).json, self.result)
        self.cache.write_bytes(b"")
        self.assertEqual(self.serve().invoke(2).json, self.result)


@requires("node")
class NodeCodeCache(CodeCache, BootstrapTest):
    language = "node"
    handler = "index.handler"
    files = {
        "index.js": "const { twice } = require('./lib/math'); const dynamic = require('./lib/dynamic'); exports.handler = async (n) => { if (n < 0) { throw new Error('boom'); } "
        "return [twice(n), require.main === module, module.children.length, module.parent === null, await dynamic(), await require('./lib/system')()]; };",
        "lib/dynamic.js": "module.exports = async () => (await import('./math.js')).twice(1);",
        "lib/system.js": "module.exports = async () => (await import(\"node:os\")).EOL;",
        "lib/math.js": "#!/usr/bin/env node\nexports.twice = (n) => 2 * n;",
    }
    result = [4, False, 2, False, 2, "\n"]
    line_of_error = 1



@requires("python")
class PythonCodeCache(CodeCache, BootstrapTest):
    language = "python"
    handler = "app.handler"
    files = {
        "app.py": "from lib.math import twice\ndef handler(n, context):\n    if n < 0:\n        raise ValueError('boom')\n    return [twice(n), __file__[-7:]]",
        "lib/__init__.py": "",
        "lib/math.py": "def twice(n): return 2 * n",
        "lib/broken.py": "def (",
    }
    result = [4, "/app.py"]
    line_of_error = 0

    def test_the_compiled_code_is_what_runs(self):
        self.prepare()
        original = self.files
        self.files = {**original, "lib/math.py": "def twice(n): return 0"}
        self.assertEqual(self.serve().invoke(2).json, self.result)
        self.files = original


if __name__ == "__main__":
    unittest.main()
