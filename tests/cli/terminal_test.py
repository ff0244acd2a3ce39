"""On a terminal: progress and colour; elsewhere neither. Help fits and names every flag."""

import os
import pathlib
import pty
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from program import GOOD, STEELYARD, Checks, recipe, run, scratch

checks = Checks()
folder, env = scratch()
del env["NO_COLOR"]
env["TERM"] = "xterm"
small = folder / "small.gguf"
small.write_bytes(recipe(GOOD))
large = folder / "large.gguf"
large.write_bytes(recipe(GOOD))
os.truncate(large, 2 << 30)  # sparse: takes a while to hash, and no room


def on_terminal(*arguments, streams=("stdout", "stderr"), **variables):
    """What a run writes on a terminal, and what elsewhere."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([STEELYARD, *map(str, arguments)], env={**env, **variables}, stdin=subprocess.DEVNULL,
                               **{s: follower if s in streams else subprocess.PIPE for s in ("stdout", "stderr")})
    os.close(follower)
    seen = b""
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:
            break
        if not part:
            break
        seen += part
    rest = b"".join(s.read() for s in (process.stdout, process.stderr) if s)
    process.wait()
    os.close(leader)
    return seen.decode(), rest.decode()


seen, report = on_terminal("scan", large, "--no-cache", streams=("stderr",))
checks.true(re.search(r"reading \d+\.\d [MG]iB of 2\.0 GiB \(\d+%\), \S+ [MG]iB/s, \d+ s left", seen), f"progress: {seen[-300:]!r}")
checks.true(seen.endswith("\x1b[K"), "the line is taken away again")
checks.true("reading" not in report and "\x1b" not in report, "the report has neither")
for name, quiet in {"--progress never": on_terminal("scan", large, "--no-cache", "--progress", "never", streams=("stderr",)),
                    "--quiet": on_terminal("scan", large, "--no-cache", "-q", streams=("stderr",)),
                    "a fast run": on_terminal("scan", small, "--no-cache", streams=("stderr",))}.items():
    checks.equal(quiet[0], "", name)
checks.true("reading" not in run("scan", large, "--no-cache", env=env).stderr, "no terminal, no progress")

COLOUR = "\x1b["
for wanted, seen, what in [(True, on_terminal("scan", small)[0], "a terminal"), (False, on_terminal("scan", small, NO_COLOR="1")[0], "NO_COLOR"),
                           (True, on_terminal("scan", small, NO_COLOR="")[0], "an empty NO_COLOR"), (False, on_terminal("scan", small, TERM="dumb")[0], "a dumb terminal"),
                           (False, on_terminal("scan", small, "--color", "never")[0], "--color never"), (False, run("scan", small, env=env).stdout, "a pipe"),
                           (True, run("scan", small, env={**env, "CLICOLOR_FORCE": "1"}).stdout, "CLICOLOR_FORCE"),
                           (False, run("scan", small, env={**env, "CLICOLOR_FORCE": "1", "NO_COLOR": "1"}).stdout, "NO_COLOR before CLICOLOR_FORCE"),
                           (True, run("scan", small, "--color", "always", env={**env, "NO_COLOR": "1"}).stdout, "--color always"),
                           (True, run("scan", small, env={**env, "STEELYARD_COLOR": "always"}).stdout, "STEELYARD_COLOR")]:
    checks.equal(COLOUR in seen, wanted, what)

commands = re.findall(r"(?m)^  ([a-z]+)  ", run("--help", env=env).stdout)
checks.true({"vet", "scan", "rules"} <= set(commands) and "docs" not in commands, f"{commands}")
for command in commands:
    done = run(command, "--help", env=env)
    checks.true(done.returncode == 0 and done.stdout.splitlines()[2].startswith(f"Usage: steelyard {command}"), f"{command} --help")
    checks.true(all(line == line.rstrip() and len(line) <= 120 for line in done.stdout.splitlines()), f"{command} --help fits")
checks.finish()
