"""Quantization beside llama-quantize by hand, same run: the same bytes? found when changed? how fast?

measure_quantize.py PROGRAM: F16 is made from the demo's model. The last line is JSON: {identical, tamper_found,
mb_per_s (of input, median of the types), vs_llama_quantize (its time / ours), vs_by_hand (the time of llama-quantize and
sha256sum of both files, one after the other / ours), n, peer, versions}. Ours scans and hashes source and output, and
writes their provenance.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import gguf

ROOT = pathlib.Path(__file__).parents[1]
TYPES, REPEAT = ("Q8_0", "Q4_0", "Q4_K_M"), 3
steelyard = sys.argv[1]
prefix = pathlib.Path(os.environ.get("STEELYARD_STACK") or
                      pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share") / "steelyard/stack")
quantizer = str(prefix / "current/x86-64-v3/bin/llama-quantize")
threads = str(os.cpu_count())


def timed(*command):
    start = time.perf_counter()
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        sys.exit(f"{command}: {done.stderr}")
    return time.perf_counter() - start, done


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["STEELYARD_STACK"] = str(prefix)
    source = folder / "f16.gguf"
    timed(quantizer, "--allow-requantize", ROOT / "build/demo/model.gguf", source, "F16", threads)
    megabytes = source.stat().st_size / 1e6
    identical, found, rates, ratios, by_hand = 0, 0, [], [], []
    for kind in TYPES:
        out, hand = folder / f"{kind}.gguf", folder / f"{kind}.hand"
        ours, theirs, sums = [], [], []
        for _ in range(REPEAT):
            theirs.append(timed(quantizer, source, hand, kind, threads)[0])
            sums.append(timed("sha256sum", source, hand)[0])
            ours.append(timed(steelyard, "quantize", source, "-t", kind, "-o", out)[0])
        identical += out.read_bytes() == hand.read_bytes()
        rates.append(megabytes / statistics.median(ours))
        ratios.append(statistics.median(theirs) / statistics.median(ours))
        by_hand.append((statistics.median(theirs) + statistics.median(sums)) / statistics.median(ours))
        tensor = next(t for t in gguf.GGUFReader(str(out)).tensors if t.name == "blk.7.ffn_up.weight")
        block = int(tensor.n_bytes) // gguf.GGML_QUANT_SIZES[tensor.tensor_type][1] // 2
        at = int(tensor.data_offset) + block * gguf.GGML_QUANT_SIZES[tensor.tensor_type][1]
        with open(out, "r+b") as f:
            f.seek(at + 3)
            byte = f.read(1)[0]
            f.seek(at + 3)
            f.write(bytes([byte ^ 1]))
        first = json.loads(timed(steelyard, "rederive", out, "--from", source, "-f", "json")[1].stdout)["first"]
        found += first is not None and (first["tensor"], first["block"], first["offset"]) == ("blk.7.ffn_up.weight", block, at)
        print(f"{kind}: llama-quantize {statistics.median(theirs):.2f} s, steelyard {statistics.median(ours):.2f} s")
    version = subprocess.run([steelyard, "--version"], capture_output=True, text=True).stdout.strip()
    record = json.loads((prefix / "current/record.json").read_text())
    upstream = next(fact["value"] for fact in record["statement"]["facts"] if fact["key"] == "stack.upstream")
    print(json.dumps({
        "identical": f"{identical}/{len(TYPES)}", "tamper_found": f"{found}/{len(TYPES)}",
        "mb_per_s": round(statistics.median(rates), 1), "vs_llama_quantize": round(statistics.median(ratios), 3), "vs_by_hand": round(statistics.median(by_hand), 3),
        "n": REPEAT, "peer": "llama-quantize", "versions": {"steelyard": version, "llama.cpp": upstream["commit"]}}))
