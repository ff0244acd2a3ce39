"""make measure-engine: probes per second beside llama-server of the same build, and what the sandbox costs.

48 probes of 150 shared and 50 own tokens, 32 generated, greedy, never ending early; the demo's model as Q4_0. Three ways
in turn, several rounds: one request after another over HTTP without its cache of prompts; sixteen at a time (-np 16) with
it; a pool of one engine per core. The sandbox: CPU seconds of the same work with and without it, in pairs. Last line: one
JSON object with vs_sequential and vs_np16 (how many times as fast, median of the rounds), sandbox_cost (share of CPU
time, median of the pairs), start_ms (of a worker, beyond loading the model), and n, peer, versions, load. All that is of
the same kernels, x86-64-v3; widest_vs_sequential and widest_vs_np16 hold the engine of the widest variant that this
processor has against the same servers.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
os.environ.setdefault("STEELYARD_SOURCE", str(ROOT))
os.environ["STEELYARD_BUILD"] = os.path.abspath(sys.argv[1])
sys.path[:0] = [str(ROOT / "tests/stack"), str(ROOT / "tests/engine")]
import built_stack  # noqa: E402
from client import Client  # noqa: E402
from measuring import QUIET, version  # noqa: E402

DRIVER = pathlib.Path(sys.argv[1]) / "tests/engine_client"
ENGINE = built_stack.program("steelyard-engine")
CORES = len(os.sched_getaffinity(0))
PROBES, SHARED, OWN, GENERATED = 48, 150, 50, 32
CONTEXT, SEQUENCES = SHARED + OWN + GENERATED + 8, 24
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PAIRS = int(os.environ.get("PAIRS", "7"))


class Server:
    def __init__(self, model, slots):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [str(word) for word in (built_stack.program("llama-server"), "-m", model, "--host", "127.0.0.1", "--port", self.port,
                                    "-np", slots, "-c", slots * 256, "-t", CORES)], **QUIET)
        for _ in range(600):
            time.sleep(0.1)
            try:
                if self.ask("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
        raise SystemExit("llama-server didn't start")

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def probe(self, tokens, cache):
        status, answer = self.ask("POST", "/completion", {"prompt": tokens, "n_predict": GENERATED, "ignore_eos": True, "temperature": 0,
                                                          "cache_prompt": cache})
        assert status == 200 and json.loads(answer)["tokens_predicted"] == GENERATED, answer[:200]

    def seconds(self, probes, clients, cache):
        start = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(lambda tokens: self.probe(tokens, cache), probes))
        return time.perf_counter() - start

    def stop(self):
        self.process.terminate()
        self.process.wait()


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds(pool):
    return float(pool.ask("generate", prefix=prefix, prompts=prompts, most=GENERATED)["ms"]) / 1000


WIDEST = built_stack.widest()
with tempfile.TemporaryDirectory() as folder:
    model = pathlib.Path(folder) / "model.gguf"
    subprocess.run([built_stack.program("llama-quantize"), "--allow-requantize", ROOT / "build/demo/model.gguf", model, "Q4_0"], check=True, **QUIET)
    with (Client(DRIVER, ENGINE, model, CORES, CONTEXT, SEQUENCES) as pool,
          Client(DRIVER, built_stack.program("steelyard-engine", WIDEST), model, CORES, CONTEXT, SEQUENCES) as wide):
        words = pool.ask("tokenize", text=(ROOT / "docs/design.md").read_text()[:40000])["tokens"]
        prefix = words[:SHARED]
        prompts = [words[SHARED + OWN * i : SHARED + OWN * (i + 1)] for i in range(PROBES)]
        assert len(prompts[-1]) == OWN
        whole = [prefix + prompt for prompt in prompts]
        one, many = Server(model, 1), Server(model, 16)
        try:
            one.probe(whole[0], False), many.probe(whole[0], True)
            for warm in (pool, wide):
                warm.ask("generate", prefix=prefix, prompts=prompts[:2], most=4)
            rates = []
            for _ in range(ROUNDS):
                times = one.seconds(whole, 1, False), many.seconds(whole, 16, True), seconds(pool), seconds(wide)
                rates.append([PROBES / taken for taken in times])
                print("probes/s: one after another %.2f, -np 16 %.2f, engine %.2f, widest %.2f" % tuple(rates[-1]), f"(load {os.getloadavg()[0]:.1f})")
        finally:
            one.stop(), many.stop()

    costs, starts = [], []
    for pair in range(PAIRS):
        used = {}
        for sandboxed in (True, False) if pair % 2 else (False, True):
            before = cpu_seconds()
            with Client(DRIVER, ENGINE, model, 1, CONTEXT, SEQUENCES, sandboxed) as engine:
                engine.ask("generate", prefix=prefix, prompts=prompts[:16], most=GENERATED)
                if sandboxed:
                    starts.append(float(engine.hello["start_ms"]) - engine.hello["load_ms"])
            used[sandboxed] = cpu_seconds() - before
        costs.append(used[True] / used[False] - 1)
        print(f"sandbox: {used[True]:.2f} s of CPU against {used[False]:.2f} s: {100 * costs[-1]:+.1f} %")

print(json.dumps({
    "vs_sequential": round(statistics.median(row[2] / row[0] for row in rates), 2),
    "vs_np16": round(statistics.median(row[2] / row[1] for row in rates), 2),
    "widest_vs_sequential": round(statistics.median(row[3] / row[0] for row in rates), 2),
    "widest_vs_np16": round(statistics.median(row[3] / row[1] for row in rates), 2),
    "sandbox_cost": round(statistics.median(costs), 4),
    "start_ms": round(statistics.median(starts), 1),
    "probes_per_s": round(statistics.median(row[2] for row in rates), 2),
    "n": {"probes": PROBES, "rounds": ROUNDS, "pairs": PAIRS},
    "peer": "llama-server of the same build, %d threads" % CORES,
    "versions": {"llama-server": version(built_stack.program("llama-server"), "--version"), "variant": built_stack.VARIANT, "widest": WIDEST},
    "load": round(os.getloadavg()[0], 1),
}))
