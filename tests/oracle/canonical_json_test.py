"""Canonical JSON against the Python package rfc8785: the ids of records in a real report."""

import hashlib
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))
import rfc8785  # noqa: E402
from program import GOOD, Checks, recipe, report, scratch  # noqa: E402

checks = Checks()
folder, env = scratch()
names = ["Tiny", "ünï", "😀\\u{fb33}", "quote \\\" back\\\\slash", "tab\\tnewline\\n", "\\x01\\x1f\\x7f"]
for number, name in enumerate(names):
    path = folder / f"{number}.gguf"
    path.write_bytes(recipe(GOOD.replace('"Tiny"', f'"{name}"')))
    document, _ = report("vet", path, env=env)
    for record in document["records"]:
        digest = hashlib.sha256(rfc8785.dumps(record["statement"])).hexdigest()
        checks.equal(record["id"], "ev1:" + digest, f"{record['statement']['kind']} of {name!r}")
checks.finish()
