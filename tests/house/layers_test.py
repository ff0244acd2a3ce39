"""A file includes only lower layers and its own folder (docs/design.md, section 5), and stays short."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("STEELYARD_SOURCE", pathlib.Path(__file__).parents[2]))
LAYERS = {
    "base": 0, "core": 1, "io": 1, "html": 1, "sandbox": 1, "evidence": 2, "wire": 2, "formats": 3,
    "rules": 3, "stores": 3, "engine": 3, "identity": 4, "host": 4, "context": 4, "stack": 4, "scan": 5, "bench": 5, "quantize": 5, "accept": 5, "policy": 6, "vet": 7,
    "report": 7, "cli": 9,
}
# Headers that only one wrapper may include.
PRIVATE = {"toml++/toml.h": {"src/wire/toml.cpp"}, "simdjson.h": {"src/base/json_parse.cpp"},
           "CLI/CLI.hpp": {"src/cli/parse.cpp"}, "openssl/evp.h": {"src/base/sha256.cpp"},
           "yaml.h": {"src/wire/yaml.cpp"}, "re2/re2.h": {"src/base/pattern.cpp"},
           **{header: {"src/wire/decoder.cpp"} for header in ("zlib.h", "bzlib.h", "lzma.h", "lz4frame.h", "zstd.h")}}
LONGEST = 800


def violations():
    for path in sorted([*ROOT.glob("src/**/*.cpp"), *ROOT.glob("src/**/*.hpp")]):
        name = path.relative_to(ROOT).as_posix()
        folder = name.split("/")[1]
        if folder not in LAYERS:
            yield f"{name}: the folder {folder} is in no layer"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if match := re.match(r'#include "([a-z_]+)/', line):
                other = match[1]
                if other not in LAYERS or (other != folder and LAYERS[other] >= LAYERS[folder]):
                    yield f"{name}:{number}: {folder} (L{LAYERS[folder]}) includes {other} (L{LAYERS.get(other, '?')})"
            if match := re.match(r"#include <([^>]+)>", line):
                if match[1] in PRIVATE and name not in PRIVATE[match[1]]:
                    yield f"{name}:{number}: <{match[1]}> belongs to {', '.join(PRIVATE[match[1]])}"
            if re.search(r"\b(getenv|std::cout|std::cerr|printf)\b", line) and folder != "cli" and "/worker/" not in name:
                yield f"{name}:{number}: only cli/ reads the environment and prints"
        if number > LONGEST:
            yield f"{name}: {number} lines, at most {LONGEST}"


def self_test():
    """The check itself must be able to fail."""
    assert LAYERS["formats"] < LAYERS["scan"] < LAYERS["cli"]
    assert re.match(r'#include "([a-z_]+)/', '#include "cli/session.hpp"')[1] == "cli"


if __name__ == "__main__":
    self_test()
    found = list(violations())
    print("\n".join(found) or "layers: no violation")
    sys.exit(bool(found))
