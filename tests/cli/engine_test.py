"""The engine on a real model: what it says, that it doesn't depend on what is beside it, and what it can't do.

On the demo's model (tools/setup model).
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from program import SOURCE, STEELYARD, Checks, recipe, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

ENGINE, MODEL = str(built_stack.program("steelyard-engine")), str(SOURCE / "build/demo/model.gguf")
checks = Checks()
folder, env = scratch()
env["STEELYARD_ENGINE"] = ENGINE

done = subprocess.run([ENGINE, "--self-test"], capture_output=True, text=True)
checks.true(done.returncode == 0 and done.stdout.startswith("self-test ") and len(done.stdout.split()[1]) == 64, f"self-test: {done}")

# The same words each time, with the layers on record.
answers = [json.loads(run("run", MODEL, "--raw", "-p", "The capital of France is", "-n", "8", "-f", "json", env=env).stdout) for _ in range(2)]
checks.equal(answers[0]["text"], answers[1]["text"], "greedy")
checks.true("Paris" in answers[0]["text"], answers[0])
layers = {layer.split(":")[0] for layer in answers[0]["sandbox"]}
checks.true({"seccomp", "landlock", "no_new_privs", "rlimits"} <= layers, answers[0]["sandbox"])
seeds = [run("run", MODEL, "--raw", "-p", "Once", "-n", "20", "--temperature", "1.5", "--seed", str(seed), env=env).stdout for seed in (1, 1, 2)]
checks.true(seeds[0] == seeds[1] != seeds[2], f"seeds: {seeds}")

# Every parameter reaches the sampler: the answer becomes another one, or what it has to be.
def said(*flags, tokens=16):
    return run("run", MODEL, "--raw", "-p", "Once upon a time", "-n", str(tokens), *flags, env=env)


greedy, hot = said().stdout, said("--temperature", "1.5", "--min-p", "0").stdout
for flags in (["--repeat-penalty", "5"], ["--frequency-penalty", "50"], ["--presence-penalty", "50"], ["--logit-bias", "28=100"]):
    checks.true(said(*flags, tokens=40).stdout != said(tokens=40).stdout, f"{flags} changes nothing")
checks.true(said("--dry-multiplier", "100", "--dry-base", "4", tokens=120).stdout != said(tokens=120).stdout, "--dry-multiplier changes nothing")
for flags in (["--top-k", "1"], ["--top-p", "0"], ["--min-p", "1"], ["--top-n-sigma", "0.001"]):
    checks.equal(said("--temperature", "1.5", *flags).stdout, greedy, f"{flags}: only the likeliest is left")
for flags in (["--typical-p", "0.2"], ["--xtc-probability", "1", "--xtc-threshold", "0.05"], ["--dynatemp-range", "1.4", "--dynatemp-exponent", "3"],
              ["--mirostat", "1", "--mirostat-tau", "2"], ["--mirostat", "2", "--mirostat-eta", "1"], ["--seed", "9"]):
    checks.true(said("--temperature", "1.5", "--min-p", "0", *flags).stdout != hot, f"{flags} changes nothing")
(folder / "digits.gbnf").write_text('root ::= [0-9]{3} "!"\n')
checks.true(re.fullmatch(r"[0-9]{3}!\n", said("--grammar", folder / "digits.gbnf").stdout), "--grammar")
(folder / "bad.gbnf").write_text("root ::= (\n")
done = said("--grammar", folder / "bad.gbnf")
checks.true(done.returncode == 2 and "grammar can't be read" in done.stderr, f"a bad grammar: {done}")
word = greedy.split()[3]
checks.equal(said("--stop", word, "--stop", "nowhere").stdout.rstrip("\n"), greedy[:greedy.index(word)], "--stop")
done = said("--stop", "")
checks.true(done.returncode == 2 and "an empty text ends nothing" in done.stderr, f"an empty --stop: {done}")
for flags, expected in ((["--logit-bias", "28"], "expected TOKEN=BIAS"), (["--logit-bias", "28=nan"], "expected TOKEN=BIAS"),
                        (["--logit-bias", "99999999=1"], "a token that doesn't exist"), (["--mirostat", "3"], "from 0 to 2")):
    done = said(*flags)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{flags}: {done}")

# Refusals.
bad = folder / "bad.gguf"
bad.write_bytes(recipe('gguf 3 0 1\nkv_str general.architecture "llama"\nkv_str "general.na\\u{202e}me" "Llama 3"\n'))
done = run("run", bad, "-p", "x", env=env)
checks.true(done.returncode == 2 and "isn't run: the scan found" in done.stderr, done.stderr)
done = run("run", bad, "-p", "x", "--override", env=env)
checks.true(done.returncode == 2 and "llama.cpp can't load this file" in done.stderr, done.stderr)
cut = folder / "cut.gguf"
cut.write_bytes(pathlib.Path(MODEL).read_bytes()[:50_000_000])
done = run("run", cut, "-p", "x", "--override", env=env)
checks.true(done.returncode == 2 and done.stderr.startswith("steelyard: the engine"), f"cut short: {done.stderr}")
for flags, expected in ((["--temperature", "hot"], "--temperature is \"hot\"; expected a number from"), (["-n", "0"], "--tokens is \"0\"; expected a number from"), (["--engine", "/bin/true"], "engine")):
    done = run("run", MODEL, "-p", "x", *flags, env=env)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{flags}: {done.returncode} {done.stderr}")

# Memory: said before loading; a long context has its address space.
done = said("--memory", "100MiB")
checks.true(done.returncode == 2 and "too little memory: the model takes about" in done.stderr and "100.0 MiB are available" in done.stderr, done.stderr)
done = said("--context", "100000")
checks.true(done.returncode == 0, f"a long context: {done.stderr}")

# A worker that dies is an error of the request, and none is left behind.
process = subprocess.Popen([STEELYARD, "run", MODEL, "--raw", "-p", "Once", "-n", "2000", "--context", "4000"], env=env, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
children = []
for _ in range(200):
    time.sleep(0.05)
    children = subprocess.run(["pgrep", "-P", str(process.pid), "-f", "steelyard-engine"], capture_output=True, text=True).stdout.split()
    if children:
        break
time.sleep(0.5)
os.kill(int(children[0]), signal.SIGSEGV)
_, errors = process.communicate(timeout=30)
checks.true(process.returncode == 2 and "the engine crashed (SIGSEGV)" in errors, f"{process.returncode}: {errors}")
checks.finish()
