"""make measure-llama-bench: our bench's medians against llama-bench's, of the same build, model, threads and lengths.

Prompt processing of 512 tokens and generation of 128, in turns, several rounds; both wait the same way at OpenMP's
barriers (GOMP_SPINCOUNT as the engine has it), both use the fastest kernels there are (weights repacked: our mode
`fastest`, which `steelyard bench` measures speed in). Ours runs in its sandbox. Last line: one JSON object with pp_ratio
and tg_ratio (ours over theirs: median over the rounds), best_ratios (of the fastest rounds,
which a busy machine disturbs least), the medians themselves, and n, peer, versions, load.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("STEELYARD_SOURCE", str(ROOT))
os.environ["STEELYARD_BUILD"] = os.path.abspath(sys.argv[1])
sys.path[:0] = [str(ROOT / "tests/stack")]
import built_stack  # noqa: E402
from measuring import version  # noqa: E402

THREADS = int(os.environ.get("THREADS", len(os.sched_getaffinity(0))))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
REPEATS = int(os.environ.get("REPEATS", "3"))
MODEL = pathlib.Path(os.environ.get("MODEL", ROOT / "build/demo/model.gguf"))
POLICY = {"GOMP_SPINCOUNT": "2000"} if THREADS > 1 else {"OMP_WAIT_POLICY": "passive"}


def theirs():
    done = subprocess.run([built_stack.program("llama-bench"), "-m", MODEL, "-t", str(THREADS), "-p", "512", "-n", "128", "-r", str(REPEATS), "-o", "jsonl"],
                          env={**os.environ, **POLICY}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    tests = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [statistics.median(next(t for t in tests if t[f"n_{kind}"])["samples_ts"]) for kind in ("prompt", "gen")]


def ours(home):
    done = subprocess.run([built_stack.STEELYARD, "bench", MODEL, "--threads", str(THREADS), "--repeats", str(REPEATS), "--engine", built_stack.program("steelyard-engine"),
                           "--isolated", "--format", "json"], env={**os.environ, "XDG_DATA_HOME": home, "XDG_CACHE_HOME": home}, stdout=subprocess.PIPE, text=True, check=True)
    found = {m["slice"]["phase"]: m for m in json.loads(done.stdout)["records"][0]["statement"]["measurements"] if m["metric"] == "speed"}
    assert (found["prompt"]["slice"]["tokens"], found["generation"]["slice"]["tokens"]) == ("512", "128")
    return [float(found[phase]["value"]) for phase in ("prompt", "generation")]


rounds = []
with tempfile.TemporaryDirectory() as home:
    for number in range(ROUNDS):
        pair = (ours(home), theirs()) if number % 2 else (theirs(), ours(home))[::-1]
        rounds.append(pair)
        print("pp512 %.1f against %.1f, tg128 %.1f against %.1f token/s" % (pair[0][0], pair[1][0], pair[0][1], pair[1][1]), f"(load {os.getloadavg()[0]:.1f})", flush=True)

print(json.dumps({
    "pp_ratio": round(statistics.median(a[0] / b[0] for a, b in rounds), 3),
    "tg_ratio": round(statistics.median(a[1] / b[1] for a, b in rounds), 3),
    "best_ratios": [round(max(a[i] for a, _ in rounds) / max(b[i] for _, b in rounds), 3) for i in (0, 1)],
    "ours": [round(statistics.median(a[i] for a, _ in rounds), 1) for i in (0, 1)],
    "theirs": [round(statistics.median(b[i] for _, b in rounds), 1) for i in (0, 1)],
    "n": {"rounds": ROUNDS, "repeats": REPEATS, "threads": THREADS},
    "peer": "llama-bench of the same build, " + " ".join(f"{key}={value}" for key, value in POLICY.items()),
    "versions": {"llama-bench": version(built_stack.program("llama-server"), "--version"), "variant": built_stack.VARIANT},
    "load": round(os.getloadavg()[0], 1),
}))
