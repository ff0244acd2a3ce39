"""The pre-commit hook and the GitHub Action: valid by schema, and their commands do what they say."""

import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys

import jsonschema
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from program import BUILD, GOOD, SOURCE, Checks, recipe, run, scratch

checks = Checks()
folder, env = scratch()
env["PATH"] = f"{BUILD}:{env['PATH']}"
(folder / "models").mkdir()
(folder / "models/good one.gguf").write_bytes(recipe(GOOD))
bad = GOOD.replace("gguf 3 1 6", "gguf 3 1 7").replace('tensor "w"', 'kv_str general.name "Again"\ntensor "w"')

# The hook: every ending that a format of weights usually has is passed on, nothing else is.
[hook] = yaml.safe_load((SOURCE / ".pre-commit-hooks.yaml").read_text())
checks.equal({"id", "name", "entry", "language", "files"} - hook.keys(), set(), "what pre-commit needs")
formats = json.loads(run("formats", "-f", "json", env=env).stdout)["models"]
for name in ("model.gguf", "a/b/model-00001-of-00002.safetensors", "pytorch_model.bin", "weights.pt", "x.pkl"):
    checks.true(re.search(hook["files"], name), name)
for name in ("README.md", "model.gguf.txt", "image.png", "steelyard.toml"):
    checks.true(not re.search(hook["files"], name), name)
done = subprocess.run([*hook["entry"].split(), "models/good one.gguf"], cwd=folder, env=env, capture_output=True, text=True)
checks.equal((done.returncode, done.stdout), (0, ""), "a good file passes silently")
(folder / "models/bad.gguf").write_bytes(recipe(bad))
done = subprocess.run([*hook["entry"].split(), "models/bad.gguf"], cwd=folder, env=env, capture_output=True, text=True)
checks.true(done.returncode == 1 and re.match(r"models/bad\.gguf:0x[0-9a-f]+: [A-Z]{3}\d{3} high ", done.stdout), done.stdout)

# The action.
action = yaml.safe_load((SOURCE / "action.yml").read_text())
schema = importlib.metadata.distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/github-actions.json")
errors = [e.message for e in jsonschema.Draft7Validator(json.loads(pathlib.Path(schema).read_text())).iter_errors(action)]
checks.equal(errors, [], "valid by the schema of actions")
steps = {s["name"]: s for s in action["runs"]["steps"]}
for step in steps.values():
    checks.true("${{" not in step.get("run", ""), f"{step['name']}: nothing is pasted into a script")
    checks.true("@" not in step.get("uses", "") or re.search("@[0-9a-f]{40}$", step["uses"]), f"{step['name']}: pinned by commit")


def scan(**inputs):
    given = {name: str(inputs.get(name.replace("-", "_"), about.get("default", ""))) for name, about in action["inputs"].items()}
    step = steps["Scan"]
    values = {key: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda m: given[m[1]], value) for key, value in step["env"].items()}
    for name in ("summary", "output"):
        (folder / name).write_text("")
    done = subprocess.run(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]], cwd=folder, capture_output=True, text=True,
                          env={**env, **values, "GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output")})
    return done.returncode, (folder / "output").read_text().strip(), (folder / "summary").read_text(), done.stderr


code, output, summary, _ = scan(targets="models/good one.gguf\n")
checks.equal((code, output), (0, "exit=0"), "the action on a good file")
checks.true(summary.startswith("## Steelyard scan"), "a summary of the job")
code, output, summary, _ = scan(targets="models")
checks.equal((code, output), (0, "exit=1"), "on a bad one: the last step fails the job")
checks.equal(json.loads((folder / "steelyard.sarif").read_text())["runs"][0]["invocations"][0]["exitCode"], 1, "the report to upload")
checks.equal(scan(targets="models", fail_on="never")[1], "exit=0", "fail-on")
checks.equal(scan(targets="absent")[:2], (1, "exit=2"), "an error fails at once")
checks.equal(scan(targets="--help\nmodels")[:2], (1, "exit=2"), "a target is no flag")
(folder / "steelyard.toml").write_text('fail-on = "never"\n')
checks.equal(scan(targets="models")[1], "exit=1", "a settings file in the repository isn't used")
checks.equal(scan(targets="models", config="steelyard.toml", fail_on="low")[1], "exit=1", "unless it is named")
run("baseline", "models", "--reason", "x", "--until", "2999-12-31", "--to", "b.json", cwd=folder, env=env)
checks.equal(scan(targets="models", baseline="b.json")[1], "exit=0", "baseline")
checks.equal(subprocess.run(["bash", "-c", steps["Result"]["run"]], env={**env, "EXIT": "3"}).returncode, 3, "the result is the scan's")
checks.finish()
