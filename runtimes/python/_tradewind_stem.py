"""A stem: the runtime, booted before anybody knows which function it will run.

It waits for SPECIALISE, takes over the environment that a fresh process would have been started with,
and goes on as if freshly started. What a running interpreter cannot take over makes it start itself
anew: the same process then begins from nothing, which is slow and right.
"""

import os
import sys
import time

# What most functions and the AWS SDK import sooner or later.
COMMON = (
    "base64 calendar collections.abc concurrent.futures contextlib copy csv datetime decimal email.message email.parser "
    "enum functools gzip hashlib hmac html http.client inspect io itertools json logging logging.handlers math numbers "
    "operator pathlib platform queue random re secrets select shutil socket ssl string struct subprocess tempfile "
    "textwrap threading time traceback typing unicodedata urllib.parse urllib.request uuid warnings weakref "
    "xml.etree.ElementTree zipfile zlib"
).split()
# Read once, when the interpreter starts.
LOCALE = ("LANG", "LC_ALL", "LC_CTYPE")
CHANNEL = ("_TRADEWIND_FD", "_TRADEWIND_OUT_FD")


def wait_for_function(channel):
    """Returns when the process has become an instance of a function."""
    before = set(sys.modules)
    for name in COMMON:
        try:
            __import__(name)
        except ImportError:
            pass  # this version does not have it, or it was built without
    loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
    channel.send_stem_ready()
    environment = channel.receive_environment()
    if cannot_adopt(environment) or hides_any(environment, loaded):
        start_anew(channel, environment)
    adopt(environment)


def cannot_adopt(environment):
    """Whether a variable says what this interpreter has already decided otherwise."""
    names = {name for name in environment if name.startswith("PYTHON") and name != "PYTHONPATH"}
    names.update(name for name in LOCALE if name in environment)
    return any(environment[name] != os.environ.get(name) for name in names)


def hides_any(environment, loaded):
    """Whether the package has a module of its own under the name of one that is loaded."""
    for folder in search_path(environment):
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        if any(entry.partition(".")[0] in loaded for entry in entries):
            return True
    return False


def search_path(environment):
    """What comes before the standard library."""
    further = environment.get("PYTHONPATH", "").split(os.pathsep)
    return [environment["LAMBDA_TASK_ROOT"]] + [os.path.abspath(entry) for entry in further if entry]


def start_anew(channel, environment):
    ends = (channel.input_fd, channel.output_fd)
    for fd in ends:
        os.set_inheritable(fd, True)
    environment.update(zip(CHANNEL, map(str, ends)))
    os.chdir(environment["LAMBDA_TASK_ROOT"])
    os.execve(sys.executable, [sys.executable] + sys.argv, environment)


def adopt(environment):
    # the interpreter sets it itself where the locale that LANG names does not exist
    if "LC_CTYPE" in os.environ:
        environment.setdefault("LC_CTYPE", os.environ["LC_CTYPE"])
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(environment["LAMBDA_TASK_ROOT"])
    sys.path[1:1] = search_path(environment)[1:]
    sys.path_importer_cache.clear()
