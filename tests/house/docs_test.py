"""The reference pages under docs/ are those that the program writes: `make docs` refreshes them."""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
STEELYARD = pathlib.Path(os.environ["STEELYARD_BUILD"]) / "steelyard"

with tempfile.TemporaryDirectory() as folder:
    subprocess.run([STEELYARD, "docs", folder], check=True)
    written = {p.relative_to(folder): p.read_text() for p in pathlib.Path(folder).rglob("*.md")}
kept = {p.relative_to(SOURCE / "docs"): p.read_text() for p in (SOURCE / "docs").rglob("*.md")}
assert len(written) > 8, "hardly a page"
stale = sorted(str(name) for name in written if kept.get(name) != written[name])
left = sorted(str(name) for name in kept if name not in written and "Written by `make docs`" in kept[name])
print("\n".join([*(f"docs/{name} is stale: run `make docs`" for name in stale),
                 *(f"docs/{name} is about something that is gone: delete it" for name in left)]) or f"docs: {len(written)} pages")
sys.exit(bool(stale or left))
