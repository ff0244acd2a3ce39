"""What the command-line tests share: running the program, and small model files."""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
STEELYARD = str(BUILD / "steelyard")


def run(*arguments, cwd=None, env=None, timeout=120):
    return subprocess.run([STEELYARD, *map(str, arguments)], cwd=cwd, env=env, timeout=timeout,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)


def report(*arguments, **options):
    """The JSON report of a command, and its exit code."""
    done = run(*arguments, "--format", "json", **options)
    return (json.loads(done.stdout) if done.stdout else None), done.returncode


def recipe(text):
    """Bytes from a recipe (tools/recipe/README.md)."""
    return subprocess.run([str(BUILD / "tools/recipe/recipe")], input=text.encode(), capture_output=True, check=True).stdout


GOOD = """
gguf 3 1 6
kv_str general.architecture "llama"
kv_str general.name "Tiny"
kv_str general.organization "Example"
kv_str general.license "apache-2.0"
kv_u32 llama.context_length 2048
kv_str tokenizer.chat_template "{% for m in messages %}<|im_start|>{{ m.role }}\\n{{ m.content }}<|im_end|>\\n{% endfor %}"
tensor "w" 0 0 64
align 32
zeros 256
"""


class Checks:
    """Counts expectations; a script ends with `checks.finish()`."""

    def __init__(self):
        self.passed = 0
        self.failures = []

    def equal(self, actual, expected, what):
        self.true(actual == expected, f"{what}: expected {expected!r}, found {actual!r}")

    def true(self, condition, what):
        if condition:
            self.passed += 1
        else:
            self.failures.append(what)
            print("FAILED:", what)

    def finish(self):
        print(f"{self.passed} passed, {len(self.failures)} failed")
        sys.exit(bool(self.failures) or self.passed == 0)


def scratch():
    """A temporary folder with its own caches; returns (folder, environment)."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="steelyard-"))
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "NO_COLOR": "1"}
    return folder, environment
