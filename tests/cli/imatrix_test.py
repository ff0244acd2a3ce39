"""Importance matrices of steelyard quantize with the real stack, against llama-imatrix and llama-quantize by hand.

A tiny model whose tokens are bytes, so that a window is about 512 bytes of text; a section has 64 windows.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy

from program import SOURCE, STEELYARD, Checks, run, scratch
from tiny_model import make_model

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

checks = Checks()
folder, env = scratch()
env["STEELYARD_STACK"] = str(built_stack.PREFIX)
QUANTIZER, CALIBRATOR = (str(built_stack.program(name, built_stack.widest())) for name in ("llama-quantize", "llama-imatrix"))
MODEL, TEXT = folder / "tiny-F16.gguf", folder / "text.txt"
PASSIVE = {**os.environ, "OMP_WAIT_POLICY": "passive"}


def by_hand(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], cwd=folder, env=PASSIVE, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def facts(done):
    return {fact["key"]: fact["value"] for fact in json.loads(done.stdout)["statement"]["facts"]}


make_model(MODEL)
words = numpy.random.default_rng(2).integers(97, 123, 101 * 512 + 300).astype(numpy.uint8)
words[::7] = 32
TEXT.write_bytes(words.tobytes())

# Without a matrix, the types that need one say how to get it.
for kind in ("IQ2_XXS", "iq1_s", "Q2_K_S"):
    done = run("quantize", MODEL, "-t", kind, "-o", folder / "none.gguf", env=env)
    checks.true(done.returncode == 2 and "needs an importance matrix: --calibrate TEXT" in done.stderr, f"{kind}: {done.stderr}")

# The same bytes as by hand, whether in one section or in several, with one thread or two.
matrix = folder / "tiny-F16.imatrix.gguf"
# llama-imatrix computes four windows at once: 99 leave three for the end.
for windows, threads in ((8, 1), (99, 2)):
    hand = folder / f"hand{windows}/tiny-F16.imatrix.gguf"
    hand.parent.mkdir()
    made = by_hand(CALIBRATOR, "-m", MODEL.name, "-f", TEXT.name, "-o", hand, "-t", 1, "--chunks", windows)
    checks.equal(made.returncode, 0, f"llama-imatrix: {made.stderr[-500:]}")
    out = folder / f"out{windows}.gguf"
    done = run("quantize", MODEL, "-t", "IQ2_XS", "--calibrate", TEXT, "--windows", windows, "-j", threads, "-o", out, "-f", "json", env=env)
    checks.equal(done.returncode, 0, f"calibrate: {done.stderr}")
    checks.true(matrix.read_bytes() == hand.read_bytes(), f"{windows} windows: another matrix than by hand")
    made = subprocess.run([QUANTIZER, "--imatrix", hand.name, str(MODEL), str(folder / "hand.gguf"), "IQ2_XS", "1"], cwd=hand.parent, capture_output=True)
    checks.true(out.read_bytes() == (folder / "hand.gguf").read_bytes(), f"{windows} windows: another model than by hand")
    checks.equal(facts(done)["quantize.calibration"]["windows"], windows, "windows")
    if windows == 8:
        # Another matrix in its place isn't overwritten.
        done = run("quantize", MODEL, "-t", "IQ2_XS", "--calibrate", TEXT, "-o", folder / "more.gguf", env=env)
        checks.true(done.returncode == 2 and "an importance matrix is there that nothing says was made of this" in done.stderr, done.stderr)
        os.remove(matrix)

# The attestation holds what went in; a further type uses the matrix that is there.
statement = json.loads((folder / "out99.gguf.intoto.json").read_text())["predicate"]["buildDefinition"]
roles = {input["annotations"]["role"]: input["digest"]["sha256"] for input in statement["resolvedDependencies"] if "annotations" in input}
checks.equal(roles["calibration-text"], subprocess.run(["sha256sum", TEXT], capture_output=True, text=True).stdout[:64], "text")
checks.equal(roles["imatrix"], statement["externalParameters"]["imatrix"], "matrix")
checks.true({"source", "quantizer", "calibrator"} <= roles.keys(), f"roles: {roles.keys()}")
before = matrix.stat().st_mtime_ns
done = run("quantize", MODEL, "-t", "IQ3_XXS", "--calibrate", TEXT, "--windows", 99, "-o", folder / "more.gguf", "-f", "json", env=env)
checks.true(done.returncode == 0 and "made before" in done.stderr and matrix.stat().st_mtime_ns == before, f"again: {done.stderr}")
checks.equal(facts(done)["quantize.calibration"]["windows"], 99, "windows of the matrix that was there")

# Derived again: from the matrix under any name, from the text under any name, and not from others.
other = folder / "other.gguf"
shutil.copy(matrix, other)
renamed = folder / "renamed.txt"
shutil.copy(TEXT, renamed)
for arguments in (["--imatrix", other], ["--calibrate", renamed]):
    done = run("rederive", folder / "out99.gguf", "--from", MODEL, *arguments, "-f", "json", env=env)
    checks.true(done.returncode == 0 and json.loads(done.stdout)["imatrix_identical"], f"{arguments}: {done.stdout} {done.stderr}")
done = run("rederive", folder / "out99.gguf", "--from", MODEL, env=env)
checks.true(done.returncode == 2 and "or with --calibrate the text that it was made from, text.txt" in done.stderr, done.stderr)
renamed.write_bytes(words[::-1].tobytes())
done = run("rederive", folder / "out99.gguf", "--from", MODEL, "--calibrate", renamed, env=env)
checks.true(done.returncode == 2 and "not the text that the attestation names" in done.stderr, done.stderr)

# Refusals.
short = folder / "short.txt"
short.write_text("too short " * 60)
for arguments, expected in (
    (["--calibrate", TEXT, "--imatrix", other], "one of them says"),
    (["--calibrate", folder / "absent.txt"], "absent.txt"),
    (["--windows", "3"], "only --calibrate computes any"),
    (["--calibrate", TEXT, "--windows", "0"], "expected a number from 1"),
    (["--imatrix", TEXT], "llama-quantize ended"),
):
    done = run("quantize", MODEL, "-t", "Q4_0", "-o", folder / "refused.gguf", *arguments, env=env)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{arguments}: {done.returncode} {done.stderr}")
os.remove(matrix)
done = run("quantize", MODEL, "-t", "Q4_0", "-o", folder / "refused.gguf", "--calibrate", short, env=env)
checks.true(done.returncode == 2 and "has to have at least 1024 tokens" in done.stderr, f"short: {done.stderr}")
checks.equal(sorted(path.name for path in folder.iterdir() if path.name.startswith(".")), [], "temporary files")
shutil.copy(other, matrix)

# Cut after the first section, by force and by the user: it goes on from there and gives the same matrix.
cache = pathlib.Path(env["XDG_CACHE_HOME"]) / "steelyard/calibration"
for number, how in enumerate((signal.SIGKILL, signal.SIGINT)):
    place = folder / f"cut{number}"
    place.mkdir()
    command = ["quantize", str(MODEL), "-t", "IQ2_XS", "--calibrate", str(TEXT), "--windows", "99", "-j", "1", "-o", str(place / "out.gguf")]
    process = subprocess.Popen([STEELYARD, *command], env=env, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(cache.glob("*.gguf")):
        time.sleep(0.01)
    process.send_signal(how)
    errors = process.communicate(timeout=60)[1]
    checks.true(process.returncode != 0 and list(cache.glob("*.gguf")), f"{how}: {process.returncode} {errors}")
    checks.true(not [path for path in place.iterdir() if not path.name.startswith(".")], f"{how}: {list(place.iterdir())}")
    if how == signal.SIGINT:
        checks.true("64 of 99 windows are kept" in errors, errors)
    done = run(*command, env=env)
    checks.true(done.returncode == 0 and "64 windows were kept" in done.stderr, f"{how}: {done.stderr}")
    checks.true((place / matrix.name).read_bytes() == matrix.read_bytes(), f"{how}: another matrix")
    checks.equal(sorted(path.name for path in place.iterdir() if path.name.startswith(".")), [], f"{how}: temporary files")
    checks.equal(list(cache.iterdir()), [], f"{how}: sections that are kept")

# What was kept and can't be used is made again.
place = folder / "garbage"
place.mkdir()
command = ["quantize", str(MODEL), "-t", "IQ2_XS", "--calibrate", str(TEXT), "--windows", "99", "-j", "1", "-o", str(place / "out.gguf")]
process = subprocess.Popen([STEELYARD, *command], env=env, stderr=subprocess.DEVNULL)
while process.poll() is None and not list(cache.glob("*.gguf")):
    time.sleep(0.01)
process.kill()
process.wait()
for state in cache.glob("*.gguf"):
    state.write_bytes(state.read_bytes()[:1000])
done = run(*command, env=env)
checks.true(done.returncode == 0 and "were kept" not in done.stderr, f"garbage: {done.stderr}")
checks.true((place / matrix.name).read_bytes() == matrix.read_bytes(), "garbage: another matrix")

shutil.rmtree(folder)
checks.finish()
