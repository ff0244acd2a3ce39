"""The stack that tests run: built once from the pinned source, kept outside of the checkout, found by digest.

A test script that imports this is given the fixture by tests/CMakeLists.txt.
"""

import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
STEELYARD = str(pathlib.Path(os.environ["STEELYARD_BUILD"]) / "steelyard")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
PREFIX = CACHE / "steelyard-test/stack"
VARIANT = os.environ.get("STEELYARD_VARIANT", "x86-64-v3")


def program(name):
    return PREFIX / "current" / VARIANT / "bin" / name


def stack(*arguments, prefix=PREFIX, **options):
    return subprocess.run([STEELYARD, "stack", *map(str, arguments), "--prefix", str(prefix), "--isolated"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


if __name__ == "__main__":
    done = stack("build", "--source", SOURCE / "build/cache/llama-cpp-python-0.3.36.tar.gz")
    print(done.stdout[-2000:], done.stderr[-4000:])
    sys.exit(done.returncode)
