"""Every test that a comment or a document names is there."""

import os
import pathlib
import re
import sys

SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
NAMED = re.compile(r"\btests/[\w./*-]*(?:_test\.(?:cpp|py)|\.golden|\.toml)\b|\btests/\w+/\*\*?\b")
files = [p for folder in ("src", "fuzz", "tools", "python", "docs") for p in (SOURCE / folder).rglob("*") if p.suffix in {".cpp", ".hpp", ".py", ".md"}]
found, missing = 0, []
for path in [*files, *SOURCE.glob("*.md")]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        for name in NAMED.findall(line):
            found += 1
            if not name.endswith("/x_test.cpp") and not any(SOURCE.glob(name)):
                missing.append(f"{path.relative_to(SOURCE)}:{number}: {name} isn't there")
print("\n".join(missing) or f"references: {found} names")
sys.exit(bool(missing) or found < 50)
