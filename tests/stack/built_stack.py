"""The stack that tests run: built once from the pinned source, kept outside of the checkout, found by digest.

A test script that imports this is given the fixture by tests/CMakeLists.txt. With --all as argument every variant that
this processor has is built.
"""

import os
import pathlib
import subprocess
import sys
import tomllib

SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
STEELYARD = str(pathlib.Path(os.environ["STEELYARD_BUILD"]) / "steelyard")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
PREFIX = CACHE / "steelyard-test/stack"
VARIANT = os.environ.get("STEELYARD_VARIANT", "x86-64-v3")


def program(name, variant=VARIANT):
    return PREFIX / "current" / variant / "bin" / name


def stack(*arguments, prefix=PREFIX, **options):
    return subprocess.run([STEELYARD, "stack", *map(str, arguments), "--prefix", str(prefix), "--isolated"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


def variants():
    """Those of the lock that this processor has, by how many of its features they use."""
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "").split()
    lock = tomllib.loads((SOURCE / "data/stack/llama.cpp.toml").read_text())
    return [one["name"] for one in sorted(lock["variant"], key=lambda one: len(one["cpu"])) if set(one["cpu"]) <= set(flags)]


def widest():
    """The variant that steelyard takes by itself: others than VARIANT may have been built there too."""
    return [name for name in variants() if program("steelyard-engine", name).exists()][-1]


if __name__ == "__main__":
    named = [word for name in (variants() if "--all" in sys.argv else []) for word in ("--variant", name)]
    done = stack("build", "--source", SOURCE / "build/cache/llama-cpp-python-0.3.36.tar.gz", *named)
    print(done.stdout[-2000:], done.stderr[-4000:])
    sys.exit(done.returncode)
