"""Settings: flags, variables, steelyard.toml; what may not speak for itself; what somebody accepted."""

import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from program import GOOD, SOURCE, Checks, recipe, report, run, scratch

checks = Checks()
root, env = scratch()
DUPLICATE = GOOD.replace("gguf 3 1 6", "gguf 3 1 7").replace('tensor "w"', 'kv_str general.name "Again"\ntensor "w"')


def place(name, text=DUPLICATE):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(recipe(text))
    return path


def settings(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "steelyard.toml").write_text(text)
    return folder


def codes(document):
    return sorted({f["rule"] for r in document["records"] for f in r["statement"]["findings"]})


bad = place("project/models/bad.gguf")
good = place("project/models/good.gguf", GOOD)
project = root / "project"
[rule] = codes(report("scan", bad, env=env)[0])
checks.equal(run("scan", bad, env=env).returncode, 1, "the finding counts")
IGNORE = f'[[ignore]]\nrule = "{rule}"\nartifact = "models/bad.gguf"\nreason = "asked the maker"\nuntil = 2999-12-31\n'

# Order: flag, variable, file, default; the closest file, nothing merged.
settings(project, 'fail-on = "never"\n')
checks.equal(run("scan", "models", cwd=project, env=env).returncode, 0, "from the file")
checks.equal(run("scan", "models", cwd=project, env={**env, "STEELYARD_FAIL_ON": "high"}).returncode, 1, "a variable counts before the file")
checks.equal(run("scan", "models", "--fail-on", "critical", cwd=project, env={**env, "STEELYARD_FAIL_ON": "high"}).returncode, 0, "a flag before both")
checks.equal(run("scan", "models", "--isolated", cwd=project, env=env).returncode, 1, "--isolated")
checks.equal(run("scan", "models", cwd=project, env={**env, "STEELYARD_ISOLATED": "1"}).returncode, 1, "STEELYARD_ISOLATED")
settings(project / "inner", 'verbose = true\n')
checks.equal(run("scan", "../models", cwd=project / "inner", env=env).returncode, 1, "the closest file wins, nothing is merged")
(project / "deep/er").mkdir(parents=True)
checks.equal(run("scan", "../../models", cwd=project / "deep/er", env=env).returncode, 0, "found upward")
(project / "deep/.git").mkdir()
checks.equal(run("scan", "../../models", cwd=project / "deep/er", env=env).returncode, 1, "no further than the root of a repository")
settings(root / ".config/steelyard", 'fail-on = "never"\n')
checks.equal(run("scan", "../../models", cwd=project / "deep/er", env=env).returncode, 0, "else the user's own")
settings(root / "xdg/steelyard", 'fail-on = "info"\n')
checks.equal(run("scan", "../../models", cwd=project / "deep/er", env={**env, "XDG_CONFIG_HOME": str(root / "xdg")}).returncode, 1, "XDG_CONFIG_HOME")
(root / ".config/steelyard/steelyard.toml").unlink()

# What a run would go by.
done = run("scan", "models", "--show-settings", "--jobs", "1", "-f", "json", cwd=project, env={**env, "STEELYARD_PROGRESS": "never"})
shown = {s["name"]: (s["values"], s["from"]) for s in json.loads(done.stdout)["settings"]}
checks.equal([shown[n] for n in ("fail-on", "jobs", "progress", "sandbox")],
             [(["never"], "steelyard.toml"), (["1"], "--jobs"), (["never"], "STEELYARD_PROGRESS"), ([], "default")], "--show-settings")
checks.true("steelyard.toml" in run("vet", "models", "--show-settings", cwd=project, env=env).stdout, "--show-settings as text")

# Mistakes point at the spot and suggest.
for text, expected in {'fail_on = "high"': 'did you mean "fail-on"?', 'fail-on = "hgh"': 'did you mean "high"?', "fail-on = \n": "steelyard.toml:1",
                       'sandbox = "off"': 'unknown key "sandbox"', 'output = "x.html"': 'unknown key "output"', "jobs = 2026-01-01": "jobs",
                       'schema = "steelyard/config/9"': "this version reads", 'verbose = "yes"': "true or false",
                       f'[[ignore]]\nrule = "{rule}"\nartifact = "x"\nuntil = 2999-01-01': "reason is required",
                       f'[[ignore]]\nrule = "{rule}"\nartifact = "x"\nreason = "y"': "until is required",
                       '[[ignore]]\nrule = "GGF00"\nartifact = "x"\nreason = "y"': "did you mean"}.items():
    settings(project, text + "\n")
    done = run("scan", "models", cwd=project, env=env)
    checks.true(done.returncode == 2 and expected in done.stderr and "^" in done.stderr, f"{text!r}: {done.returncode} {done.stderr}")
(project / "steelyard.toml").unlink()
checks.equal(run("rules", "GGF", env={**env, "STEELYARD_FORMAT": "sarif"}).returncode, 0, "a variable for reports doesn't disturb lists")
for variable, value in {"FAIL_ON": "hgh", "EXIT_ZERO": "maybe", "JOBS": "many"}.items():
    done = run("scan", good, env={**env, f"STEELYARD_{variable}": value})
    checks.true(done.returncode == 2 and variable.lower().replace("_", "-") in done.stderr.lower().replace("_", "-"), f"{variable}: {done.stderr}")
done = run("scan", good, "--fail-on", "hgh", env=env)
checks.true(done.returncode == 2 and 'did you mean "high"?' in done.stderr, done.stderr)
done = run("scan", good, "--fial-on", "high", env=env)
checks.true(done.returncode == 2 and 'did you mean "--fail-on"?' in done.stderr, done.stderr)
checks.equal(run("scan", good, "--config", root / "absent.toml", env=env).returncode, 2, "a settings file that isn't there")

# What is examined can't speak for itself: neither from within, nor from beside it.
settings(project / "models", IGNORE.replace("models/bad.gguf", "**"))
for what, where in {("scan", "."): project / "models", ("scan", "models"): project / "models/..", ("scan", "bad.gguf"): project / "models",
                    ("scan", ".."): project / "models", ("vet", "bad.gguf", "-c", "offline-chat"): project / "models",
                    ("inspect", "bad.gguf"): project / "models", ("host", "bad.gguf"): project / "models"}.items():
    document, code = report(*what, cwd=where, env=env)
    checks.equal(document["accepted"], [], f"{what} in {where}")
    if where == project / "models":
        checks.true(any("is not used" in note for note in document["notes"]), f"{what}: {document['notes']}")
checks.equal(run("scan", ".", cwd=project / "models", env=env).returncode, 1, "so its finding counts")
(project / "models/sub").mkdir()
checks.equal(len(report("scan", "../bad.gguf", cwd=project / "models/sub", env=env)[0]["accepted"]), 0, "found upward, beside the file")
checks.equal(len(report("scan", "bad.gguf", "--config", "steelyard.toml", cwd=project / "models", env=env)[0]["accepted"]), 1, "a person may name it")
(project / "models/steelyard.toml").unlink()
(project / "models/sub").rmdir()
(project / "models/conf").mkdir()
(project / "models/conf/real.toml").write_text(IGNORE.replace("models/bad.gguf", "/**"))
(project / "models/steelyard.toml").symlink_to("conf/real.toml")
checks.equal(run("scan", "bad.gguf", cwd=project / "models", env=env).returncode, 1, "a link beside the file to somewhere else")
(project / "models/steelyard.toml").unlink()
(project / "models/conf/real.toml").rename(project / "models/conf/steelyard.toml")
checks.equal(run("scan", "../bad.gguf", cwd=project / "models/conf", env=env).returncode, 1, "from a folder below the file's")
(project / "models/conf/steelyard.toml").unlink()
(project / "models/conf").rmdir()
hub = pathlib.Path(env["XDG_CACHE_HOME"]) / "huggingface/hub/models--evil--model/snapshots" / ("a" * 40)
settings(hub, 'fail-on = "never"\n')
done = run("scan", bad, cwd=hub, env=env)
checks.true(done.returncode == 1 and "store of models" in done.stderr, done.stderr)
linked = root / "linked"
linked.mkdir()
settings(root / "real", 'fail-on = "never"\n')
place("real/bad.gguf")
(linked / "steelyard.toml").symlink_to("../real/steelyard.toml")
checks.equal(run("scan", "../real", cwd=linked, env=env).returncode, 1, "a link to a file within counts as that file")

# Nor may somebody else: like a folder that all may write.
settings(project, IGNORE)
(project / "steelyard.toml").chmod(0o666)
done = run("scan", "models/bad.gguf", cwd=project, env=env)
checks.true(done.returncode == 1 and "everybody may write it" in done.stderr, done.stderr)
if os.geteuid() == 0:
    (project / "steelyard.toml").chmod(0o644)
    os.chown(project / "steelyard.toml", 12345, 12345)
    done = run("scan", "models/bad.gguf", cwd=project, env=env)
    checks.true(done.returncode == 1 and "belongs to somebody else" in done.stderr, done.stderr)
    os.chown(project / "steelyard.toml", 0, 0)
(project / "steelyard.toml").chmod(0o644)

# An accepted finding: kept everywhere, counted nowhere.
done = run("scan", "models/bad.gguf", cwd=project, env=env)
checks.true(done.returncode == 0 and "1 accepted" in done.stdout and rule not in done.stdout, done.stdout)
checks.true("asked the maker" in run("scan", "models/bad.gguf", "--show-suppressed", cwd=project, env=env).stdout, "--show-suppressed")
document, code = report("scan", "models/bad.gguf", cwd=project, env=env)
checks.equal((code, codes(document), document["accepted"][0]["reason"]), (0, [rule], "asked the maker"), "json keeps it")
sarif = json.loads(run("scan", "models/bad.gguf", "-f", "sarif", cwd=project, env=env).stdout)["runs"][0]["results"]
checks.equal(sarif[0]["suppressions"][0]["justification"], "asked the maker", "sarif keeps it")
checks.equal(document["records"][0]["id"], report("scan", bad, "--isolated", env=env)[0]["records"][0]["id"], "no record is edited")
digest = document["records"][0]["statement"]["subjects"][0]["sha256"]
settings(project, IGNORE.replace("models/bad.gguf", "sha256:" + digest))
checks.equal(run("scan", "models/bad.gguf", cwd=project, env=env).returncode, 0, "by digest")
checks.equal(run("scan", "models/bad.gguf", "--no-hash", cwd=project, env=env).returncode, 1, "no digest, no acceptance by digest")
bad.write_bytes(bad.read_bytes() + b"x")
checks.equal(run("scan", "models/bad.gguf", cwd=project, env=env).returncode, 1, "other bytes")
place("project/models/bad.gguf")

# Unused and ended ones are told, on standard error and in the report.
settings(project, IGNORE.replace("2999-12-31", "2020-12-31"))
done = run("scan", "models/bad.gguf", "-f", "concise", cwd=project, env=env)
checks.true(done.returncode == 1 and "ended on 2020-12-31" in done.stderr, done.stderr)
settings(project, IGNORE)
done = run("scan", "models/good.gguf", "-f", "json", cwd=project, env=env)
checks.true("is unused" in done.stderr and any("is unused" in n for n in json.loads(done.stdout)["notes"]), done.stderr)
checks.true("is unused" in run("scan", "models/good.gguf", "-q", cwd=project, env=env).stderr, "-q keeps warnings")
checks.equal(run("scan", "models/good.gguf", "-qq", cwd=project, env=env).stderr, "", "-qq doesn't")

# In a verdict: an input with its reason, which both implementations see.
settings(project, IGNORE)
document, code = report("vet", "models/bad.gguf", "-c", "offline-chat", "--profile", "business", cwd=project, env=env)
[verdict] = document["verdicts"]
checks.equal((verdict["verdict"]["decision"], code), ("fit", 0), "accepted in a verdict")
checks.equal(verdict["inputs"]["accepted"], document["accepted"], "an input of the verdict")
[ruling] = [r for r in verdict["verdict"]["rulings"] if r["kind"] == "no_findings"]
checks.true("1 finding accepted" in ruling["because"]["text"] and "asked the maker" in ruling["because"]["text"], ruling["because"]["text"])
checks.true("Accepted findings" in run("vet", "models/bad.gguf", "-c", "offline-chat", cwd=project, env=env).stdout, "said in the text")
checks.equal(report("vet", "models/bad.gguf", "-c", "offline-chat", "--isolated", cwd=project, env=env)[1], 1, "not accepted")
checks.equal(report("vet", "models/bad.gguf", "-c", "offline-chat", "--profile", "regulated", cwd=project, env=env)[1], 1, "regulated takes nobody's word")
stored = root / "report.json"
second = [sys.executable, str(SOURCE / "python/steelyard_recheck.py"), str(stored)]
for change, expected in {None: 0, '"until": "2999-12-31"': 1, '"finding": "ev1:': 1}.items():
    text = json.dumps(document)
    if change:
        text = text.replace(change, {'"until": "2999-12-31"': '"until": "2020-12-31"', '"finding": "ev1:': '"finding": "ev1:0'}[change])
    stored.write_text(text)
    checks.equal(run("recheck", stored, env=env).returncode, expected, f"recheck after {change}")
    import subprocess
    checks.equal(subprocess.run(second, capture_output=True).returncode, expected, f"recheck in Python after {change}")
(project / "steelyard.toml").unlink()

# A baseline: the findings of today, in exactly these bytes.
checks.equal(run("baseline", "models", cwd=project, env=env).returncode, 2, "a baseline needs a reason")
done = run("baseline", "models", "--reason", "there when we began", cwd=project, env=env)
checks.true(done.returncode == 2 and "say until when" in done.stderr, done.stderr)
checks.true(not (project / "steelyard-baseline.json").exists(), "nothing written")
done = run("baseline", "models", "--reason", "there when we began", "--until", "2999-12-31", cwd=project, env=env)
checks.equal(done.returncode, 0, f"baseline: {done.stderr}")
checks.equal(run("scan", "models", "--baseline", "steelyard-baseline.json", cwd=project, env=env).returncode, 0, "only new ones count")
checks.equal(report("vet", "models/bad.gguf", "-c", "offline-chat", "--baseline", "steelyard-baseline.json", cwd=project, env=env)[1], 0, "in a verdict")
checks.equal(run("scan", "models", "--baseline", "steelyard-baseline.json", "--no-hash", cwd=project, env=env).returncode, 2, "needs digests")
place("project/models/new.gguf", DUPLICATE.replace("Again", "Once more"))
checks.equal(run("scan", "models", "--baseline", "steelyard-baseline.json", cwd=project, env=env).returncode, 1, "a new one counts")
settings(project, 'baseline = "steelyard-baseline.json"\n')
(project / "models/new.gguf").unlink()
(project / "deep/.git").rmdir()
checks.equal(run("scan", "../../models", cwd=project / "deep/er", env=env).returncode, 0, "files in the settings are relative to it")
checks.equal(run("scan", "models", "--baseline", "models/good.gguf", cwd=project, env=env).returncode, 2, "not a baseline")
(project / "steelyard.toml").unlink()

# Selection: what is shown and counts, never what is recorded.
two = place("two.gguf", DUPLICATE.replace('kv_str general.license "apache-2.0"\n', "").replace("gguf 3 1 7", "gguf 3 1 6"))
every = codes(report("scan", two, env=env)[0])
checks.equal(run("scan", two, "--ignore", rule, env=env).returncode, 0, "--ignore CODE")
checks.equal(run("scan", two, "--ignore", rule[:3], env=env).returncode, 0, "--ignore FAMILY")
checks.equal(run("scan", two, "--select", "IDN,CTX", env=env).returncode, 0, "--select")
checks.equal(run("scan", two, "--select", rule, env=env).returncode, 1, "--select CODE")
checks.equal(run("scan", two, "--severity", "critical", env=env).returncode, 0, "--severity")
checks.equal(codes(report("scan", two, "--ignore", rule, env=env)[0]), every, "the record is whole")
checks.true("1 not selected" in run("scan", two, "--ignore", rule, env=env).stdout, "what wasn't selected is counted")
checks.equal(run("scan", two, "--exit-zero", env=env).returncode, 0, "--exit-zero")
checks.equal(run("scan", root / "absent", "--exit-zero", env=env).returncode, 2, "--exit-zero doesn't hide errors")
done = run("scan", two, "--select", "GGG", env=env)
checks.true(done.returncode == 2 and 'did you mean "GGF"?' in done.stderr, done.stderr)

# The template is valid as it is and with everything in it switched on.
work = root / "work"
work.mkdir()
checks.equal(run("init", "--settings", "-q", cwd=work, env=env).returncode, 0, "init --settings")
written = (work / "steelyard.toml").read_text()
checks.equal(run("vet", good, cwd=work, env=env).returncode, 0, "the template")
(work / "steelyard.toml").write_text(re.sub(r"(?m)^# ?(?=[a-z-]+ = |\[\[)", "", written))
done = run("scan", good, cwd=work, env=env)
checks.true(done.returncode == 2 and "steelyard-baseline.json" in done.stderr, f"everything switched on: {done.stderr}")
(work / "steelyard.toml").write_text(re.sub(r"(?m)^# ?(?=[a-z-]+ = |\[\[)", "", written).replace('baseline = "', 'baseline = "' + str(project) + "/"))
done = run("scan", good, cwd=work, env=env)
checks.equal(done.returncode, 0, f"everything switched on: {done.stderr}")
keys = {s["name"] for c in ("scan", "vet", "host") for s in json.loads(run(c, good, "--show-settings", "-f", "json", cwd=work, env=env).stdout)["settings"]
        if s["from"] == "steelyard.toml"}
template = set(re.findall(r"(?m)^# ([a-z-]+) = ", written.split("[[ignore]]")[0]))
checks.true(keys <= template, f"not in the template: {keys - template}")
checks.finish()
