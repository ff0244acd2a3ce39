"""Models in stores: found by name, listed, examined, held against the digests they are kept under."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from program import GOOD, STEELYARD, Checks, recipe, report, run, scratch

checks = Checks()
folder, env = scratch()
env.pop("XDG_CACHE_HOME")
for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "MODELS_PATH", "LLAMA_CACHE", "RAMALAMA_STORE",
             "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
    env.pop(name, None)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def gguf(name):
    return recipe(GOOD.replace('"Tiny"', f'"{name}"'))


def write(path, content):
    path = folder / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hub(repo, files, base=".cache/huggingface/hub"):
    """Small texts as git keeps them, all else under its SHA-256."""
    root = folder / base / ("models--" + repo.replace("/", "--"))
    (root / "refs").mkdir(parents=True)
    (root / "refs/main").write_text(COMMIT)
    for name, content in files.items():
        if name.endswith(".gguf"):
            blob = sha256(content)
        else:
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        write(root / "blobs" / blob, content)
        link = root / "snapshots" / COMMIT / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(root / "blobs" / blob, link.parent))
    return root


def manifest(layers, blobs):
    """Writes the layers' blobs; `layers` are (media type, content)."""
    out = []
    for kind, content in layers:
        write(blobs + sha256(content), content)
        out.append({"mediaType": kind, "digest": "sha256:" + sha256(content), "size": len(content)})
    return json.dumps({"schemaVersion": 2, "layers": out}).encode()


OLLAMA = "application/vnd.ollama.image."


def seed():
    hub("org/name", {"model.gguf": gguf("Hub"), "config.json": b'{"model_type": "llama"}\n'})
    write(".cache/llama.cpp/org_flat.gguf", gguf("Flat"))
    layers = [(OLLAMA + "model", gguf("Ollama")), (OLLAMA + "template", b"{{ .Prompt }}"), (OLLAMA + "license", b"MIT License\n")]
    write(".ollama/models/manifests/host.example/library/tiny/latest", manifest(layers, ".ollama/models/blobs/sha256-"))
    docker = manifest([("application/vnd.docker.ai.gguf.v3", gguf("Docker"))], ".docker/models/blobs/sha256/")
    write(".docker/models/manifests/sha256/" + sha256(docker), docker)
    write(".docker/models/models.json",
          json.dumps({"models": [{"id": "sha256:" + sha256(docker), "tags": ["ai/tiny:latest"], "files": []}]}).encode())
    write(".lmstudio/models/pub/tiny/tiny-Q4.gguf", gguf("Studio"))
    write(".anaconda/ai/models/author/tiny_Q4_K_M.gguf", gguf("Anaconda"))
    weights = gguf("Rama")
    rama = folder / ".local/share/ramalama/store/huggingface/org/rama"
    write(rama / "blobs" / f"sha256-{sha256(weights)}", weights)
    link = write(rama / "snapshots/sha256-abc/rama.gguf", b"")
    link.unlink()
    link.symlink_to(f"../../blobs/sha256-{sha256(weights)}")
    write(rama / "refs/latest.json", json.dumps({"hash": "sha256:abc", "files": [
        {"name": "rama.gguf", "hash": "sha256:" + sha256(weights), "type": "gguf"}]}).encode())


TARGETS = ["anaconda:author/tiny_Q4_K_M.gguf", "docker:ai/tiny:latest", "hf:org/name", "llama:org_flat.gguf", "lmstudio:pub/tiny",
           "ollama:tiny:latest", "ramalama:huggingface/org/rama:latest"]


def listed():
    done = run("ls", "--format", "json", env=env)
    return json.loads(done.stdout), done.returncode


def findings(document):
    return sorted({f["rule"] for r in document["records"] for f in r["statement"]["findings"] if f["rule"].startswith(("STO", "LIM"))})


def facts(record):
    return {f["key"]: f["value"] for f in record["statement"]["facts"]}


def fresh():
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    seed()


# An empty home: nothing to examine is not clean.
for arguments in ([], ["ls"], ["scan"]):
    done = run(*arguments, env=env)
    checks.equal(done.returncode, 3, f"empty home: {arguments}")
    checks.true("0 models in 0 stores" in done.stdout or "no model is in the stores" in done.stdout, f"said: {arguments}: {done.stdout}")
checks.equal(listed()[0]["models"], [], "nothing listed")

# Seven stores.
seed()
document, code = listed()
checks.equal(code, 0, "ls")
checks.equal([m["target"] for m in document["models"]], TARGETS, "names of all stores")
checks.equal([p["store"] for p in document["stores"]], ["anaconda", "docker", "hf", "llama", "lmstudio", "ollama", "ramalama"], "places")
checks.equal(run("ls", "--format", "html", env=env).returncode, 2, "ls has two forms")
done = run("ls", env=env)
checks.true(all(t in done.stdout for t in TARGETS) and "7 models in 7 stores" in done.stdout, f"ls: {done.stdout}")
document, code = report("scan", env=env)
checks.equal(sorted(facts(r)["source.target"] for r in document["records"]), TARGETS, "scan finds them all")
checks.equal(findings(document), [], "as they were stored")
checks.true(code in (0, 3), f"scan of everything: exit {code}")

# Each by its name, with files under the names they have in the model.
for target in TARGETS:
    for command in ("scan", "inspect", "host"):
        checks.true(run(command, target, env=env).returncode in (0, 1, 3), f"{command} {target}")
    record = report("scan", target, env=env)[0]["records"][0]
    checks.true(not any(len(s["path"]) >= 64 for s in record["statement"]["subjects"]), f"{target}: names, not digests")
    counts = facts(record)["source.digests"]
    checks.equal(counts["compared"], counts["named"], f"{target}: every digest that the store has was compared")
record = report("scan", "ollama:tiny", env=env)[0]["records"][0]
checks.equal([s["path"] for s in record["statement"]["subjects"]], ["license", "model.gguf", "template"], "roles of layers")
record = report("scan", "hf:org/name", env=env)[0]["records"][0]
checks.equal(facts(record)["source.digests"], {"files": 2, "named": 2, "compared": 2}, "SHA-256 and git's SHA-1")
checks.equal(facts(record)["source.revision"], COMMIT, "revision")
for target in ("hf:org/name:model.gguf", "lmstudio:pub/tiny", "docker:ai/tiny", "llama:org_flat.gguf"):
    checks.equal(run("scan", target, env=env).returncode, 0, f"scan {target}")
    checks.equal(run("vet", target, "-c", "offline-chat", env=env).returncode, 0, f"vet {target}")
done = run("scan", "hf:org/nam", env=env)
checks.equal(done.returncode, 2, "unknown name")
checks.true("did you mean hf:org/name?" in done.stderr, f"near match: {done.stderr}")
done = run("scan", "lmstudio:pub/tiny", "docker:ai/tiny", folder / ".cache/llama.cpp/org_flat.gguf", env=env)
checks.equal(done.returncode, 0, "several targets")
checks.true("lmstudio:pub/tiny:tiny-Q4.gguf" in done.stdout, f"told apart: {done.stdout}")

# A layout anywhere.
image = manifest([("application/octet-stream", gguf("Layout"))], "layout/blobs/sha256/")
write("layout/blobs/sha256/" + sha256(image), image)
write("layout/index.json", json.dumps({"manifests": [{"digest": "sha256:" + sha256(image), "size": len(image)}]}).encode())
checks.equal(run("scan", f"oci:{folder}/layout", env=env).returncode, 0, "oci:")

# Standard input: a pipe, a file, nothing.
weights = gguf("Piped")
for how in ("pipe", "file"):
    source = subprocess.PIPE if how == "pipe" else open(write("piped.gguf", weights), "rb")
    process = subprocess.Popen([STEELYARD, "scan", "-", "--format", "json"], env=env, stdin=source, stdout=subprocess.PIPE)
    out = process.communicate(weights if how == "pipe" else None)[0]
    subject = json.loads(out)["records"][0]["statement"]["subjects"][0]
    checks.equal((process.returncode, subject["path"], subject["sha256"]), (0, "stdin", sha256(weights)), f"stdin: {how}")
checks.equal(run("scan", "-", env=env).returncode, 3, "nothing comes")
checks.true(not list(pathlib.Path(os.environ.get("TMPDIR", "/var/tmp")).glob("steelyard.*")), "nothing is left behind")

# A model in two places is examined once: the same file, and the same content.
os.makedirs(folder / ".lmstudio/models/pub/linked")
os.link(folder / ".cache/llama.cpp/org_flat.gguf", folder / ".lmstudio/models/pub/linked/org_flat.gguf")
write(".lmstudio/models/pub/copied/any-name.gguf", gguf("Docker"))
document, _ = report("scan", env=env)
checks.equal(len(document["records"]), 7, f"records of 9 models")
checks.equal(sum("holds the same contents as" in n for n in document["notes"]), 2, f"notes: {document['notes']}")
checks.equal([m["same_as"] for m in listed()[0]["models"] if m["same_as"]], ["llama:org_flat.gguf"], "ls sees the same file only")

# Tampering in each store that keeps digests.
tampered = {
    "hf:org/name": f".cache/huggingface/hub/models--org--name/blobs/{sha256(gguf('Hub'))}",
    "ollama:tiny": f".ollama/models/blobs/sha256-{sha256(gguf('Ollama'))}",
    "docker:ai/tiny": f".docker/models/blobs/sha256/{sha256(gguf('Docker'))}",
    "ramalama:org/rama": f".local/share/ramalama/store/huggingface/org/rama/blobs/sha256-{sha256(gguf('Rama'))}",
}
for target, blob in tampered.items():
    fresh()
    before = report("vet", target, "-c", "offline-chat", env=env)[0]["verdicts"][0]["verdict"]["decision"]
    write(blob, gguf("Evil"))
    document, code = report("scan", target, env=env)
    checks.equal((findings(document), code), (["STO001"], 1), f"{target} tampered with")
    checks.equal(report("vet", target, "-c", "offline-chat", env=env)[1], 1, f"vet {target}: unfit (was {before})")
    checks.equal(run("scan", env=env).returncode, 1, f"scan of everything, {target} tampered with")
    checks.equal(findings(report("scan", target, "--no-hash", env=env)[0]), [], f"{target}: not compared without digests")
fresh()
config = next((folder / ".cache/huggingface/hub/models--org--name/blobs").glob("?" * 40))
config.write_bytes(b'{"model_type": "evil"}\n')
document, code = report("scan", "hf:org/name", env=env)
checks.equal((findings(document), code), (["STO001"], 1), "what git's SHA-1 names")
[finding] = [f for f in document["records"][0]["statement"]["findings"] if f["rule"] == "STO001"]
checks.equal(document["records"][0]["statement"]["artifacts"][finding["artifact"]]["path"], "config.json", "which file")

# A record of the same bytes from elsewhere isn't taken for it.
fresh()
checks.equal(run("scan", "llama:org_flat.gguf", env=env).returncode, 0, "good, and remembered")
write(".cache/huggingface/hub/models--org--name/blobs/" + sha256(gguf("Hub")), gguf("Flat"))
checks.equal(findings(report("scan", "hf:org/name:model.gguf", env=env)[0]), ["STO001"], "not the remembered record")

# Links out of a store are found and not followed.
fresh()
secret = write("secret.gguf", gguf("Secret"))
link = folder / ".lmstudio/models/pub/tiny/linked.gguf"
link.symlink_to(secret)
document, code = report("scan", "lmstudio:pub/tiny", env=env)
checks.equal((findings(document), code), (["STO002"], 3), "a link out")
checks.true(sha256(gguf("Secret")) not in json.dumps(document), "its target was not read")
log = folder / "trace"
subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=open,openat,openat2", STEELYARD, "scan"], env=env, capture_output=True, check=False)
checks.true("secret.gguf" not in log.read_text(), "and not opened")
network = ["strace", "-f", "-qq", "-o", log, "-e", "trace=%network", STEELYARD]
for arguments in ([], ["ls"], ["scan"], ["vet", "hf:org/name"]):
    subprocess.run([*network, *arguments], env=env, capture_output=True, check=False)
    calls = [line for line in log.read_text().splitlines() if "socketpair(" not in line and any(c + "(" in line for c in ("socket", "connect", "bind", "sendto"))]
    checks.equal(calls, [], f"no socket: {arguments}")

# What can't be listed is never silent.
fresh()
write(".docker/models/models.json", b"{")
done = run("ls", env=env)
checks.true("not listed: " in done.stdout and ".docker/models" in done.stdout, f"ls says so: {done.stdout}")
document, code = report("scan", env=env)
checks.equal((findings(document), code), (["LIM004"], 3), "scan says so")

def nobody():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setuid(65534)


fresh()
folder.chmod(0o755)
locked = folder / ".ollama/models"
locked.chmod(0o700)
if os.geteuid() != 0:
    locked.chmod(0)
command = [STEELYARD, "scan", "--no-cache", "--format", "json", "--sandbox", "best"]
done = subprocess.run(command, env=env, capture_output=True, text=True, preexec_fn=nobody, cwd="/", check=False)
document = json.loads(done.stdout)
locked.chmod(0o755)
checks.equal((findings(document), done.returncode), (["LIM004"], 3), "a store of somebody else's")
checks.equal(len(document["records"]), 7, "and the others are examined")
checks.true("Permission denied" in done.stdout, "why")

# One screen.
fresh()
run("vet", "lmstudio:pub/tiny", "-c", "offline-chat", env=env)
done = run(env=env)
checks.equal(done.returncode, 0, "no arguments")
checks.true(len(done.stdout.splitlines()) <= 24, f"one screen: {len(done.stdout.splitlines())} lines")
checks.true("Last verdicts" in done.stdout and "lmstudio:pub/tiny  FIT: offline-chat" in done.stdout, f"verdicts: {done.stdout}")
checks.equal(done.stdout.split("Next")[-1].count("steelyard "), 3, f"three next commands: {done.stdout}")
checks.equal(run(env=env).stdout, done.stdout, "the same again")
hostile = folder / ".lmstudio/models/pub/\x1b[31mred\u202e"
hostile.mkdir()
(hostile / "m.gguf").write_bytes(gguf("x"))
for arguments in ([], ["ls"], ["scan"]):
    out = run(*arguments, env=env).stdout
    checks.true("\x1b" not in out and "\u202e" not in out, f"{arguments}: names are escaped")
checks.finish()
