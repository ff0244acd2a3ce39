"""The real stack: what is on record of it, and that every way of changing it is seen."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from built_stack import PREFIX, SOURCE, STEELYARD, VARIANT, program, stack

failures = []
passed = 0


def check(condition, what):
    global passed
    passed += bool(condition)
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def report(*arguments, prefix=PREFIX):
    done = stack(*arguments, "-f", "json", prefix=prefix)
    document = json.loads(done.stdout) if done.stdout else {"records": []}
    record = document["records"][0]["statement"] if document["records"] else None
    return record, done.returncode, done.stderr


def facts(record):
    return {fact["key"]: fact["value"] for fact in record["facts"]}


# --- what is on record

record, code, _ = report("record")
known = facts(record)
check(code == 0, "the record is clean")
check(known["stack.upstream"]["files"] > 3000, "thousands of files were compared with the upstream tree")
check(known["stack.upstream.signature"] == {"state": "undetermined", "key": "B5690EEEBB952194", "why": "the key is not in the trust store"},
      "the signature is undetermined, by key")
check(known["stack.headers"]["count"] == known["stack.headers"]["match"] > 100, "every system header is the packaged one")
check(all(item["state"] == "matches" for item in known["stack.libraries"]), "every library is the packaged one")
check({item["role"] for item in known["stack.tools"]} >= {"cc", "c++", "ld", "as", "cmake", "ninja", "cc1plus"}, "the tools")
check("GGML_RPC=OFF" in known["stack.flags"]["options"], "RPC is left out")
text = json.dumps(record)
check(str(SOURCE) not in text, "no path of the checkout in the record")
server = program("llama-server").read_bytes()
check(str(PREFIX).encode() not in server, "no path of the build in the server")

# --- what verify says

record, code, _ = report("verify")
programs = facts(record)["runtime.programs"]
check(code == 0 and len(programs) >= 4, "all of it verifies")
for one in programs:
    check(one["origin"] == "built", f"{one['path']} is as built")
    check(one["rpc"] == "absent", f"{one['path']} has no RPC")
    for name in ("pie", "relro", "nx", "canary", "fortify"):
        check(one["hardening"][name] == "yes", f"{one['path']} has {name}")

with tempfile.TemporaryDirectory() as folder:
    copy = pathlib.Path(folder) / "stack"
    shutil.copytree(PREFIX / os.readlink(PREFIX / "current"), copy / "b")
    (copy / "current").symlink_to("b")
    target = copy / "b" / VARIANT / "bin/llama-quantize"
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    record, code, _ = report("verify", prefix=copy)
    check(code == 1 and {f["rule"] for f in record["findings"]} == {"STK006"}, "one flipped bit is found")
    record, code, _ = report("verify", target, prefix=copy)
    check(code == 1, "also by name")
    other = pathlib.Path(folder) / "copy"
    shutil.copy(program("llama-quantize"), other)
    record, code, _ = report("verify", other)
    check(code == 0 and facts(record)["runtime.programs"][0]["origin"] == "built", "the same bytes elsewhere are as built")

    # --- bad input
    wrong = pathlib.Path(folder) / "llama-cpp-python-0.3.36.tar.gz"
    wrong.write_bytes((SOURCE / "build/cache/llama-cpp-python-0.3.36.tar.gz").read_bytes()[:-1] + b"x")
    record, code, _ = report("build", "--source", wrong, prefix=pathlib.Path(folder) / "new")
    check(code == 1 and record["findings"][0]["rule"] == "STK001", "a wrong digest is refused")
    done = stack("build", "--source", pathlib.Path(folder) / "absent", prefix=copy)
    check(done.returncode == 2 and "pip download" in done.stderr, "where the archive comes from is said")
    done = stack("build", "--backend", "cuda", "--source", wrong, prefix=copy)
    if not shutil.which("nvcc"):
        check(done.returncode == 2 and "needs nvcc" in done.stderr, "a backend without its compiler is said so")
    done = stack("bild", prefix=copy)
    check(done.returncode == 2 and 'did you mean "build"' in done.stderr, "a suggestion")

# --- a running server

model = SOURCE / "build/demo/model.gguf"
if model.exists():
    running = subprocess.Popen([program("llama-server"), "-m", model, "--port", "0", "--host", "127.0.0.1", "-c", "256"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(1.5)
        record, code, error = report("verify", "--pid", running.pid)
        check(code == 0, f"the running server verifies: {error}")
        origins = {one["path"].rsplit("/", 1)[1]: one["origin"] for one in facts(record)["runtime.programs"]}
        check(origins["llama-server"] == "built", "the server is as built")
        check(origins["libc.so.6"] == "packaged", "its libc is as packaged")
        check(set(origins.values()) == {"built", "packaged"}, f"nothing else is loaded: {origins}")
    finally:
        running.kill()
        running.wait()

# --- in a verdict

if model.exists():
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "data/steelyard").mkdir(parents=True)
        (place / "data/steelyard/stack").symlink_to(PREFIX)
        (place / "require.toml").write_text('schema = "steelyard/require/1"\nname = "r"\n[[require]]\nid = "runtime"\nkind = "runtime_verified"\n'
                                            'origins = ["built"]\nwhy = "w"\n')
        environment = {**os.environ, "XDG_DATA_HOME": str(place / "data"), "XDG_CACHE_HOME": str(place / "cache")}
        done = subprocess.run([STEELYARD, "vet", str(model), "-c", "offline-chat", "--require", str(place / "require.toml"), "-f", "json",
                               "--isolated"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        tested = {v["name"]: v["self_test"]["state"] for v in known["stack.variants"]}[VARIANT] == "passed"
        check(done.returncode == (0 if tested else 3), f"the verdict: {done.returncode} {done.stderr}")
        environment["XDG_DATA_HOME"] = str(place / "nowhere")
        done = subprocess.run([STEELYARD, "vet", str(model), "-c", "offline-chat", "--require", str(place / "require.toml"), "-f", "json",
                               "--isolated"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        check(done.returncode == 3, "without a build it is undetermined")

print(f"{passed} passed, {len(failures)} failed")
sys.exit(bool(failures))
