"""Compiled code of a package, made once when it is deployed and read by every instance.

Not in ``__pycache__``: the package is read-only and looks to user code as it was uploaded. The folder
belongs to one package and one interpreter, so nothing in it can be out of date.
"""

import _imp
import marshal
import os
import sys
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import MAGIC_NUMBER

SUFFIX = "c"


def use(folder):
    """Looks for the compiled code of what is below the task root in ``folder`` first."""
    root = os.environ["LAMBDA_TASK_ROOT"].rstrip("/") + "/"

    class Loader(SourceFileLoader):
        def get_code(self, fullname):
            source = self.get_filename(fullname)
            code = read(os.path.join(folder, source[len(root) :] + SUFFIX))
            if code is None:
                return super().get_code(fullname)
            _imp._fix_co_filename(code, source)
            return code

    finder = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
    )

    def hook(path):
        if not (path + "/").startswith(root):
            raise ImportError("not of the package", path=path)
        return finder(path)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()


def read(file):
    try:
        with open(file, "rb") as opened:
            data = opened.read()
    except OSError:
        return None
    return marshal.loads(memoryview(data)[len(MAGIC_NUMBER) :]) if data.startswith(MAGIC_NUMBER) else None


def write(folder):
    """Compiles every source of the package, and runs none. What does not compile is left out."""
    root = os.environ["LAMBDA_TASK_ROOT"]
    for place, _, files in os.walk(root):
        for name in files:
            if name.endswith(".py"):
                source = os.path.join(place, name)
                compile_to(source, os.path.join(folder, os.path.relpath(source, root) + SUFFIX))


def compile_to(source, target):
    try:
        with open(source, "rb") as opened:
            code = compile(opened.read(), source, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fresh = "%s.%d" % (target, os.getpid())
    with open(fresh, "wb") as opened:
        opened.write(MAGIC_NUMBER + marshal.dumps(code))
    os.replace(fresh, target)
