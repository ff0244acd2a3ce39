"""make measure-scan: speed and memory of the program, beside openssl in the same run.

Last line: one JSON object with version_ms, small_file_cpu_ms, header_ms, hash_ratio, rss_mb
(medians of repeated runs), two_file_speedup, n, peer and versions.
"""

import json
import os
import pathlib
import statistics
import struct
import sys
import tempfile

from measuring import cpu, tree_rss, version, wall

STEELYARD = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(__file__).parents[1]
MODEL = ROOT / "build/demo/model.gguf"
N = 21


def small_safetensors(path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))


def big_header_safetensors(path, size):
    entries, at = {}, 0
    while len(entries) * 96 < size:
        entries[f"model.layers.{len(entries):06d}.self_attn.q_proj.weight"] = {"dtype": "F32", "shape": [1], "data_offsets": [at, at + 4]}
        at += 4
    header = json.dumps(entries).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(at))
    return len(header)


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def big_header_gguf(path, size):
    count = size // 28
    tokens = b"".join(string(f"token-number-{i:07d}") for i in range(count))
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + string("general.architecture") + struct.pack("<I", 8) + string("llama")
    head += string("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, count) + tokens
    path.write_bytes(head)
    return len(head)


def huge_gguf(path, gigabytes):
    """A sparse file with a real header's shape: one F32 tensor of that size."""
    elements = gigabytes * 2**30 // 4
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + string("general.architecture") + struct.pack("<I", 8) + string("llama")
    head += string("w") + struct.pack("<IQIQ", 1, elements, 0, 0)
    head += bytes(-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(len(head) + elements * 4)


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    small, huge = folder / "small.safetensors", folder / "huge.gguf"
    small_safetensors(small)
    huge_gguf(huge, 8)
    version_ms = 1000 * wall(STEELYARD, "--version", repeat=N)
    small_cpu_ms = 1000 * cpu(STEELYARD, "scan", small, "--no-cache", "--sandbox", "best", repeat=N, env=env)
    header_ms = 1000 * wall(STEELYARD, "scan", huge, "--no-hash", repeat=N, env=env)

    # Hashing: interleaved with openssl on the same warm file, ratio of medians.
    one, two = folder / "one.gguf", folder / "two.gguf"
    data = MODEL.read_bytes()
    for path in (one, two):
        with open(path, "wb") as f:
            for _ in range(8):
                f.write(data)
    ours, theirs = [], []
    for _ in range(9):
        theirs.append(wall("openssl", "dgst", "-sha256", one, repeat=1))
        ours.append(wall(STEELYARD, "scan", one, "--no-cache", "-q", repeat=1, env=env))
    folder2 = folder / "pair"
    folder2.mkdir()
    os.link(one, folder2 / "one.gguf")
    os.link(two, folder2 / "two.gguf")
    pair = [wall(STEELYARD, "scan", folder2, "--no-cache", "-q", repeat=1, env=env) for _ in range(9)]
    size_mb = one.stat().st_size / 1e6

    wide_s, wide_g = folder / "wide.safetensors", folder / "wide.gguf"
    header_bytes = {"safetensors": big_header_safetensors(wide_s, 8 << 20), "gguf": big_header_gguf(wide_g, 8 << 20)}
    rss = {path.suffix[1:]: statistics.median(tree_rss(STEELYARD, "scan", path, "--no-cache", "-q") for _ in range(5))
           for path in (wide_s, wide_g, one)}

openssl, program = version("openssl", "version"), version(STEELYARD, "--version")
print(f"version                       {version_ms:8.1f} ms   (target 10)")
print(f"small file, sandboxed         {small_cpu_ms:8.1f} ms of CPU (target 20)")
print(f"header of 8 GiB, --no-hash    {header_ms:8.1f} ms   (target 50)")
print(f"openssl dgst -sha256          {size_mb / statistics.median(theirs):8.0f} MB/s")
print(f"steelyard scan with digests   {size_mb / statistics.median(ours):8.0f} MB/s (ratio target 0.90)")
print(f"two files at once             {2 * size_mb / statistics.median(pair):8.0f} MB/s")
for kind, value in rss.items():
    print(f"peak RSS, process tree        {value:8.1f} MB  {kind}, header of {header_bytes.get(kind, 0) / 2**20:.1f} MiB (target 64)")
print(json.dumps({
    "version_ms": round(version_ms, 2), "small_file_cpu_ms": round(small_cpu_ms, 2), "header_ms": round(header_ms, 2),
    "hash_ratio": round(statistics.median(theirs) / statistics.median(ours), 3),
    "rss_mb": round(max(rss.values()), 1), "two_file_speedup": round(2 * statistics.median(ours) / statistics.median(pair), 2),
    "n": N, "peer": openssl, "versions": {"steelyard": program, "openssl": openssl}}))
