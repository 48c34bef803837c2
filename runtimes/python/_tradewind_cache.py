"""Compiled code of a package, made once when it is deployed and read by every instance.

Not in ``__pycache__``: the package is read-only and looks to user code as it was uploaded. One file
holds it all: the magic number of the interpreter, the length of an index, the index (path below the
package: where its code begins and ends), the code. It belongs to one package, so nothing in it can be
out of date but by another version of Python.
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
from struct import Struct

LENGTH = Struct("<I")
HEAD_BYTES = len(MAGIC_NUMBER) + LENGTH.size
# More is left out, to be compiled when it is imported.
MOST_BYTES = 48 * 1024 * 1024


def use(file):
    """Looks for the compiled code of what is below the task root in ``file`` first."""
    # code that was compiled with assertions is not what `PYTHONOPTIMIZE` asks for
    find = None if sys.flags.optimize else index_of(file)
    if find is None:
        return
    root = os.environ["LAMBDA_TASK_ROOT"].rstrip("/") + "/"

    class Loader(SourceFileLoader):
        def get_code(self, fullname):
            source = self.get_filename(fullname)
            code = find(source[len(root) :])
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


def index_of(file):
    """What finds a source's code; nothing when there is none for this interpreter."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    head = os.pread(fd, HEAD_BYTES, 0)
    if len(head) < HEAD_BYTES or not head.startswith(MAGIC_NUMBER):
        os.close(fd)
        return None
    (length,) = LENGTH.unpack_from(head, len(MAGIC_NUMBER))
    index = marshal.loads(os.pread(fd, length, HEAD_BYTES))
    os.close(fd)
    start = HEAD_BYTES + length

    def find(name):
        place = index.get(name)
        if place is None:
            return None
        # opened for each: a descriptor that stays would be the function's, too
        with open(file, "rb", buffering=0) as opened:
            return marshal.loads(os.pread(opened.fileno(), place[1], start + place[0]))

    return find


def compiled():
    """Compiles the sources of the package, and runs none. What does not compile is left out."""
    root = os.environ["LAMBDA_TASK_ROOT"]
    index, parts, size = {}, [], 0
    for place, _, files in os.walk(root):
        for name in files:
            source = os.path.join(place, name)
            code = compile_one(source) if name.endswith(".py") else None
            if code is not None and size + len(code) <= MOST_BYTES:
                index[os.path.relpath(source, root)] = (size, len(code))
                parts.append(code)
                size += len(code)
    index = marshal.dumps(index)
    return b"".join([MAGIC_NUMBER, LENGTH.pack(len(index)), index] + parts)


def compile_one(source):
    try:
        with open(source, "rb") as opened:
            return marshal.dumps(compile(opened.read(), source, "exec", dont_inherit=True))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
