"""vet from outside: what flips a verdict, what may not, exit codes, determinism, recheck."""

import json
import re
import shutil
import subprocess
import sys

from program import GOOD, SOURCE, STEELYARD, Checks, recipe, report, run, scratch

checks = Checks()
folder, env = scratch()


def model(name, text):
    path = folder / name / "model.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(recipe(text))
    return path


good = model("good", GOOD)
restricted = model("restricted", GOOD.replace("apache-2.0", "cc-by-nc-4.0"))
unstated = model("unstated", GOOD.replace('kv_str general.license "apache-2.0"\n', "").replace("gguf 3 1 6", "gguf 3 1 5"))


def decision(path, *arguments):
    document, code = report("vet", path, *arguments, env=env)
    [verdict] = [d["verdict"] for d in document["verdicts"]]
    return verdict["decision"], code


# The same context with a different model, and the same model in a different context.
checks.equal(decision(good, "-c", "offline-chat"), ("fit", 0), "good model, offline-chat")
checks.equal(decision(restricted, "-c", "offline-chat"), ("unfit", 1), "non-commercial licence")
checks.equal(decision(unstated, "-c", "offline-chat"), ("undetermined", 3), "no licence stated")
checks.equal(decision(good, "-c", "mail-assistant"), ("fit with conditions", 4), "mail-assistant")
checks.equal(decision(good, "-c", "mail-assistant", "--conditions-ok"), ("fit with conditions", 0), "--conditions-ok")
checks.equal(decision(good, "-c", "mail-assistant", "--profile", "regulated"), ("unfit", 1), "regulated")

# The same model on a different host: its folder is writable by everybody.
good.parent.chmod(0o777)
checks.equal(decision(good, "-c", "offline-chat"), ("unfit", 1), "folder writable by others")
good.parent.chmod(0o755)
checks.equal(decision(good, "-c", "offline-chat"), ("fit", 0), "and back")

# The worst of several named contexts counts; without any the matrix only informs.
document, code = report("vet", good, "-c", "offline-chat", "-c", "mail-assistant", env=env)
checks.equal(code, 4, "worst of two")
document, code = report("vet", good, env=env)
checks.equal(code, 0, "matrix of a good model")
checks.equal(len(document["verdicts"]), 5, "five built-in contexts")
checks.true(len({d["verdict"]["decision"] for d in document["verdicts"]}) > 1, "the same model, different verdicts")
checks.equal(report("vet", restricted, env=env)[1], 1, "matrix of a forbidden model")

# Nothing depends on names: neither the file's nor the model's own.
renamed = folder / "renamed" / "evil-backdoored-malware.gguf"
renamed.parent.mkdir()
renamed.write_bytes(recipe(GOOD.replace('"Tiny"', '"SmolLM2 Evil Malware"')))
checks.equal(decision(renamed, "-c", "offline-chat"), ("fit", 0), "names don't matter")

# Every sentence cites a record that is there.
ids = {r["id"] for r in document["records"]}
for verdict in (d["verdict"] for d in document["verdicts"]):
    for ruling in verdict["rulings"]:
        for cite in ruling["because"]["cites"]:
            checks.true(cite.split("#")[0] in ids, f"{cite} is in the report")
        checks.true(ruling["because"]["cites"] or ruling["state"] == "undetermined", f"{ruling['id']} cites something")

# Two runs and two directories: identical but for the time of the run.
other = folder / "elsewhere" / "model.gguf"
other.parent.mkdir()
shutil.copy(good, other)


def timeless(path, form, cache):
    done = run("vet", path.name, "--format", form, cwd=path.parent, env={**env, "XDG_CACHE_HOME": str(folder / cache)})
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", done.stdout)
    return re.sub(r'"(now|ms)": ?\d+', r'"\1":0', text)


for form in ("json", "text", "html"):
    one = timeless(good, form, f"{form}-1")
    checks.equal(timeless(good, form, f"{form}-1"), one, f"{form}: again, from reused evidence")
    checks.equal(timeless(good, form, f"{form}-2"), one, f"{form}: again, from nothing")
    there = timeless(other, form, f"{form}-3").replace(str(other.parent), str(good.parent))
    if form == "json":
        scans = [json.loads(t)["records"][0]["id"] for t in (one, there)]
        checks.equal(scans[0], scans[1], "the scan record's id in two directories")
    checks.true(len(one) > 200, f"{form}: {len(one)} characters")

# A verdict can be re-derived by both implementations, and an edited one is caught.
path = folder / "report.json"
run("vet", good, "-o", path, "-q", env=env)
python = [sys.executable, str(SOURCE / "python/steelyard_recheck.py")]
checks.equal(run("recheck", path, env=env).returncode, 0, "recheck")
checks.equal(subprocess.run([*python, str(path)], capture_output=True).returncode, 0, "recheck in Python")
text = path.read_text()
for old, new in {'"decision": "fit with conditions"': '"decision": "fit"', '"severity": "': '"severity":  "'}.items():
    if old not in text:
        continue
    forged = folder / "forged.json"
    forged.write_text(text.replace(old, new))
    same = json.loads(forged.read_text()) == json.loads(text)
    checks.equal(run("recheck", forged, env=env).returncode, 0 if same else 1, f"recheck of {new}")
    checks.equal(subprocess.run([*python, str(forged)], capture_output=True).returncode, 0 if same else 1, f"in Python: {new}")
forged = folder / "forged.json"
forged.write_text(text.replace('"apache-2.0"', '"mit-0"'))
checks.equal(run("recheck", forged, env=env).returncode, 2, "a record whose id doesn't fit")

# Evidence is reused, and made anew when asked.
first, _ = report("vet", good, env=env)
checks.equal(report("vet", good, "--rehash", env=env)[0]["records"][0]["id"], first["records"][0]["id"], "--rehash")
quick, _ = report("vet", good, "--depth", "quick", env=env)
subjects = [record["records"][0]["statement"]["subjects"] for record in (first, quick)]
checks.true(all("sha256" in one and one["sha256"] for one in subjects[0]) and not any(one.get("sha256") for one in subjects[1]), f"--depth quick: {subjects}")

# Starting from a template works at once.
work = folder / "work"
work.mkdir()
checks.equal(run("init", "--from", "mail-assistant", cwd=work, env=env).returncode, 0, "init")
checks.equal(run("init", cwd=work, env=env).returncode, 2, "init doesn't overwrite")
done = run("vet", good, "--context", "context.toml", "--require", "require.toml", cwd=work, env=env)
checks.equal(done.returncode, 4, f"the written files are valid: {done.stderr}")

# Help and version.
for arguments in (["--help"], ["--version"], ["vet", "--help"], ["scan", "--help"]):
    done = run(*arguments, env=env)
    checks.true(done.returncode == 0 and done.stdout, f"{arguments}")
checks.equal(run(env=env).returncode, 3, "no arguments, and no model in any store")
for name in ("GGF001", "no_path", "IDN001"):
    done = run("explain", name, env=env)
    checks.true(done.returncode == 0 and len(done.stdout) > 100, f"explain {name}")
checks.equal(run("explain", "GGF9999", env=env).returncode, 2, "explain an unknown rule")
checks.finish()
