#!/usr/bin/env bash
# tools/fuzz.sh SECONDS: runs every fuzz target of build/fuzz for that long, from the rules' examples and the
# presets as seeds. Fails on a crash, a leak, a time-out or memory above 512 MB; keeps the input. A dictionary of LZMA may be
# 4 GiB of which nothing is touched, so a single allocation may be larger than the memory that is used.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
mkdir -p build/fuzz/corpus
python3 - <<'PY'
import pathlib, subprocess, tomllib
seeds = pathlib.Path("build/fuzz/corpus")
for rule in pathlib.Path("data/rules").rglob("*.toml"):
    for number, example in enumerate(tomllib.loads(rule.read_text()).get("example", [])):
        kind = example["format"]
        if kind in ("host",):
            continue
        content = example["recipe"].encode()
        if kind != "context":
            content = subprocess.run(["build/fuzz/tools/recipe/recipe"], input=content, capture_output=True, check=True).stdout
        folder = seeds / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{rule.stem}-{number}").write_bytes(content)
for preset in pathlib.Path("data/presets").glob("*.toml"):
    (seeds / "context").mkdir(exist_ok=True)
    (seeds / "context" / preset.stem).write_bytes(preset.read_bytes())
(seeds / "elf").mkdir(exist_ok=True)
(seeds / "elf" / "small").write_bytes(pathlib.Path("/bin/true").read_bytes())
(seeds / "json").mkdir(exist_ok=True)
(seeds / "json" / "small").write_text('{"a": [1, 2.5, null, true, "\\u00e9\\ud83d\\ude00"]}')
PY
status=0
for target in build/fuzz/fuzz/fuzz_*; do
  [ -x "$target" ] && [ -f "$target" ] || continue
  name=$(basename "$target"); name=${name#fuzz_}
  mkdir -p "build/fuzz/corpus/$name" "build/fuzz/found"
  echo "== $name: $seconds s"
  "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=8192 -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
    "build/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1 || { status=1; tail -n 30 "build/fuzz/$name.log"; }
  grep -E "number_of_executed_units|peak_rss_mb" "build/fuzz/$name.log" || true
done
exit $status
