"""Measuring the demo's model with the real engine, and what a verdict makes of it."""

import json
import pathlib
import shutil
import subprocess
import sys

from program import SOURCE, Checks, recipe, report, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

checks = Checks()
folder, env = scratch()
MODEL = folder / "model.gguf"  # the demo's, in a type with fast kernels
subprocess.run([built_stack.program("llama-quantize"), "--allow-requantize", SOURCE / "build/demo/model.gguf", MODEL, "Q4_0"], check=True, capture_output=True)
env["STEELYARD_ENGINE"] = str(built_stack.program("steelyard-engine"))

task = folder / "capitals.jsonl"
task.write_text("".join(json.dumps({"prompt": f"The capital of {country} is", "choices": [f" {c}" for c in capitals], "answer": 0}) + "\n"
                        for country, *capitals in [("France", "Paris", "Bogota"), ("Italy", "Rome", "Oslo"), ("Japan", "Tokyo", "Lima"), ("Egypt", "Cairo", "Riga")])
                + json.dumps({"prompt": "Say hello.", "checker": "json", "expected": ""}) + "\n")
require = folder / "require.toml"
require.write_text('''schema = "steelyard/require/1"
name = "mine"
[[require]]
id = "fast"
kind = "speed"
phase = "generation"
min = 1
[[require]]
id = "small"
kind = "memory"
max_mb = 2000
[[require]]
id = "caged"
kind = "sandbox"
layers = ["seccomp", "landlock"]
[[expect]]
id = "any-words"
prompt = "Say hello."
checker = "regex"
expected = "[a-z]"
min_percent = 70
[[expect]]
id = "ends-when-it-is-settled"
prompt = "Name a colour."
checker = "contains"
expected = "r"
min_percent = 1
[[expect]]
id = "goes-on"
prompt = "Name a colour."
checker = "regex"
expected = "r"
min_percent = 1
''')

# Without a measurement nothing is known; with it everything is.
document, code = report("vet", MODEL, "-c", "offline-chat", "--require", require, env=env, timeout=900)
states = {r["id"]: r["state"] for r in document["verdicts"][0]["verdict"]["rulings"]}
checks.equal((set(states.values()), code), ({"undetermined"}, 3), f"before: {states}")
document, code = report("vet", MODEL, "-c", "offline-chat", "--require", require, "--depth", "full", env=env, timeout=900)
states = {r["id"]: r["state"] for r in document["verdicts"][0]["verdict"]["rulings"]}
checks.equal((set(states.values()), code), ({"met"}, 0), f"after: {states} {document['notes']}")
checks.true("benchmarked" in document["verdicts"][0]["verdict"]["assurance"] and "not benchmarked" not in document["verdicts"][0]["verdict"]["assurance"],
            document["verdicts"][0]["verdict"]["assurance"])
rates = [m for record in document["records"] for m in record["statement"].get("measurements", []) if m["metric"] == "pass_rate"]
checks.true(len(rates) == 3 and (rates[1]["value"], rates[1]["n"]) == (rates[2]["value"], rates[2]["n"]), f"an answer may end when it is settled: {rates}")
again, code = report("vet", MODEL, "-c", "offline-chat", "--require", require, env=env, timeout=900)
checks.equal(code, 0, "what was measured is remembered")
copy = folder / "copy.gguf"
shutil.copy(MODEL, copy)
with open(copy, "ab") as file:
    file.write(b"\0")
_, code = report("vet", copy, "-c", "offline-chat", "--require", require, env=env, timeout=900)
checks.equal(code, 3, "of one byte more nothing is known")

# Scores are the same each time; speed and memory are there.
runs = [report("bench", MODEL, "--task", task, "--repeats", "1", env=env, timeout=900)[0]["records"][0]["statement"]["measurements"] for _ in range(2)]
scores = [[m["value"] for m in one if m["metric"] == "quality"] for one in runs]
checks.true(scores[0] == scores[1] and 0.6 <= float(scores[0][0]) <= 0.8, f"four capitals of five items: {scores}")
metrics = {m["metric"] for m in runs[0]}
checks.true({"speed", "memory", "quality"} <= metrics, metrics)
peak = next(int(m["value"]) for m in runs[0] if m["metric"] == "memory" and m["slice"]["what"] == "peak_rss")
checks.true(90_000_000 < peak < 1_000_000_000, peak)
sizes = {m["slice"]["what"]: int(m["value"]) for m in runs[0] if m["metric"] == "memory"}
checks.true(sizes["kv_cache"] == 2048 * 23040 and sizes["weights"] + sizes["kv_cache"] < peak, f"30 layers of 3 heads of 64, keys and values, 2 bytes: {sizes}")
phases = {(m["slice"]["phase"], m["slice"].get("sequences")): float(m["value"]) for m in runs[0] if m["metric"] == "speed"}
checks.equal(set(phases), {("prompt", None), ("generation", None), ("first_token", None), ("load", None), ("batched", "4"), ("batched", "16")}, "phases")
checks.true(all(value > 0 for value in phases.values()) and all(int(m["slice"]["threads"]) >= 1 for m in runs[0] if m["metric"] == "speed"), runs[0])

# A model is no worse than itself.
text = folder / "text.txt"
text.write_text((SOURCE / "docs/design.md").read_text()[:6000])
same = report("bench", MODEL, "--reference", MODEL, "--text", text, "--no-speed", env=env, timeout=900)[0]["records"][0]["statement"]["measurements"]
values = {(m["metric"], m["slice"].get("score")): float(m["value"]) for m in same}
checks.equal([values["damage", score] for score in ("top_agreement", "kl", "perplexity")], [1, 0, 0], "against itself")
checks.true(1 < values["perplexity", None] < 1000, values)
# A reference is loaded too, so its scan may object.
bad = folder / "bad.gguf"
bad.write_bytes(recipe('gguf 3 0 1\nkv_str general.architecture "llama"\nkv_str "general.na\\u{202e}me" "Llama 3"\n'))
done = run("bench", MODEL, "--reference", bad, "--text", text, "--no-speed", env=env)
checks.true(done.returncode == 2 and "isn't taken as reference: the scan found" in done.stderr, done.stderr)

# Claims are tested, and what was found decides.
brief = folder / "brief.gguf"  # the same model, which claims a context that is soon tried
content = MODEL.read_bytes()
key = b"llama.context_length" + (4).to_bytes(4, "little")
brief.write_bytes(content.replace(key + (8192).to_bytes(4, "little"), key + (2048).to_bytes(4, "little")))
claims = report("bench", brief, "--claims", "--no-speed", env=env, timeout=900)[0]["records"][0]["statement"]["facts"]
states = {f["key"]: f["value"]["state"] for f in claims if f["key"].startswith("claim.")}
checks.equal(set(states), {"claim.template", "claim.json", "claim.languages", "claim.context"}, "what this model claims")
checks.true(set(states.values()) <= {"confirmed", "refuted", "undetermined"}, states)
checks.equal(states["claim.languages"], "confirmed", "English")

# What others measured is a claim: it counts where claims do.
results = folder / "results.json"
results.write_text(json.dumps({"results": {"arc_easy": {"alias": "arc_easy", "acc,none": 0.6, "acc_stderr,none": 0.01}}, "configs": {}, "model_name": "org/model"}))
imported = report("bench", MODEL, "--import", results, env=env, timeout=900)[0]["records"][0]["statement"]
checks.equal((imported["kind"], imported["facts"][0]["assurance"]), ("scores", "claimed"), "as what it is kept")
for assurance, expected in (("verified", "undetermined"), ("claimed", "met")):
    require.write_text(f'''schema = "steelyard/require/1"
name = "mine"
[[require]]
id = "science"
kind = "quality"
task = "arc_easy"
min_percent = 50
assurance = "{assurance}"
''')
    document, _ = report("vet", MODEL, "-c", "offline-chat", "--require", require, env=env, timeout=900)
    checks.equal(document["verdicts"][0]["verdict"]["rulings"][0]["state"], expected, f"with assurance {assurance}")

for flags, expected in ((["--no-speed"], "nothing to measure"), (["--reference", MODEL], "go together"), (["--task", folder / "none.jsonl"], "none.jsonl"), (["--import", task], "not JSON"), (["--import", task, "--task", task], "don't go together"), (["--repeats", "0"], "--repeats is \"0\"; expected"),
                        (["--expect", SOURCE / "data/profiles/business.toml"], "no [[expect]]")):
    done = run("bench", MODEL, *flags, env=env, timeout=900)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{flags}: {done.returncode} {done.stderr}")
checks.finish()
