"""vet and scan open no socket to anywhere: every socket-like system call of the whole process tree."""

import re
import shutil
import subprocess

from program import GOOD, STEELYARD, Checks, recipe, scratch

checks = Checks()
folder, env = scratch()
path = folder / "model.gguf"
path.write_bytes(recipe(GOOD))
checks.true(shutil.which("strace") is not None, "strace is installed")


def calls(*command):
    log = folder / "trace"
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=%network", *map(str, command)], env=env, capture_output=True, check=False)
    text = log.read_text()
    # The sandbox talks to itself over unnamed pairs: socketpair() can't reach anybody else.
    return [line for line in text.splitlines() if re.search(r"\b(socket|connect|bind|sendto|listen|accept4?)\(", line)]


# The check can fail: a program that does open a socket is seen.
checks.true(calls("python3", "-c", "import socket; socket.socket()"), "strace sees a socket")
for arguments in (["vet", path], ["scan", path, "--no-cache"], ["host", path], ["inspect", path]):
    seen = calls(STEELYARD, *arguments)
    checks.equal(seen, [], f"{arguments[0]}")
checks.finish()
