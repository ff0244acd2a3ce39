"""make measure-peers: speed and memory beside picklescan, modelscan and modelaudit in the same run.

5,000 small benign model files (2,000 pickles, 1,000 PyTorch archives, 1,000 safetensors, 500 JSON,
500 GGUF), hashed and sandboxed; a 1 GB pickle whose last call runs a command; a 1 GB PyTorch archive
without hashing. CPU seconds include every child. modelaudit is given 500 of the files, as it needs
minutes; the ratio is per file. Last line: one JSON object with cpu_s_5000, vs_picklescan,
vs_modelscan, vs_modelaudit (how many times its CPU time ours is), big_pickle_rss_mb, big_pickle_found,
torch_zip_ms, and n, peer, versions.
"""

import collections
import datetime
import io
import json
import os
import pathlib
import pickle
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import zipfile

from measuring import cpu, tree_rss, version, wall

STEELYARD = os.path.abspath(sys.argv[1])
ROOT = pathlib.Path(__file__).parents[1]
PEERS = ROOT / "build/peers"
N = 5
MODELAUDIT_FILES = 500


def state_dict_pickle(rng, shapes):
    """What torch.save writes for {name: tensor}, assembled by hand: protocol 2, storages by persistent id."""
    out = io.BytesIO()
    out.write(b"\x80\x02ccollections\nOrderedDict\n)R(")
    for key, (rows, columns) in enumerate(shapes):
        name = f"layer.{rng.randrange(99)}.{key}.weight".encode()
        out.write(b"X" + struct.pack("<I", len(name)) + name)
        out.write(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n")
        out.write(b"X" + struct.pack("<I", len(str(key))) + str(key).encode() + b"X\x03\x00\x00\x00cpu")
        count = rows * columns
        out.write(b"J" + struct.pack("<i", count) + b"tQK\x00J" + struct.pack("<i", rows) + b"J" + struct.pack("<i", columns) + b"\x86")
        out.write(b"J" + struct.pack("<i", columns) + b"K\x01\x86\x89ccollections\nOrderedDict\n)RtR")
    out.write(b"u.")
    return out.getvalue()


def torch_zip(path, rng, shapes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", state_dict_pickle(rng, shapes))
        archive.writestr("archive/byteorder", "little")
        for key, (rows, columns) in enumerate(shapes):
            info = zipfile.ZipInfo(f"archive/data/{key}")
            with archive.open(info, "w", force_zip64=rows * columns * 4 > 1 << 30) as member:
                left = rows * columns * 4
                while left > 0:
                    block = rng.randbytes(min(left, 1 << 20))
                    member.write(block)
                    left -= len(block)
        archive.writestr("archive/version", "3\n")


def safetensors(path, rng):
    size = rng.randrange(64, 512) * 4
    header = json.dumps({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + rng.randbytes(size))


def gguf(path, rng):
    def text(value):
        return struct.pack("<Q", len(value)) + value.encode()
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + text("general.architecture") + struct.pack("<I", 8) + text("llama")
    count = rng.randrange(8, 256)
    head += text("w") + struct.pack("<IQIQ", 1, count, 0, 0)
    head += bytes(-len(head) % 32)
    path.write_bytes(head + rng.randbytes(count * 4) + bytes(-count * 4 % 32))


def benign_object(rng):
    return rng.choice([
        lambda: {f"key{i}": rng.random() for i in range(rng.randrange(5, 60))},
        lambda: [datetime.date(2024, rng.randrange(1, 13), 1) for _ in range(10)],
        lambda: collections.OrderedDict((str(i), [i] * 5) for i in range(rng.randrange(5, 40))),
        lambda: {"vocabulary": [f"token{i}" for i in range(rng.randrange(20, 120))], "size": 5},
    ])()


def corpus(folder, count, rng):
    for i in range(count):
        kind = i % 10
        name = folder / f"{i:05d}"
        if kind < 4:
            name.with_suffix(".pkl").write_bytes(pickle.dumps(benign_object(rng), rng.randrange(2, 6)))
        elif kind < 6:
            torch_zip(name.with_suffix(".pt"), rng, [(rng.randrange(1, 9), 8)] * 2)
        elif kind < 8:
            safetensors(name.with_suffix(".safetensors"), rng)
        elif kind == 8:
            name.with_suffix(".json").write_text(json.dumps({"hidden_size": rng.randrange(9999), "vocab_size": 32000}))
        else:
            gguf(name.with_suffix(".gguf"), rng)


def big_pickle(path):
    """1 GB of bytes in a list, and at the very end a call of os.system; nothing here runs it."""
    block = bytes(1 << 20)
    with open(path, "wb") as f:
        f.write(b"\x80\x04](")
        for _ in range(1024):
            f.write(b"B" + struct.pack("<I", len(block)) + block)
        f.write(b"ecos\nsystem\nX\x04\x00\x00\x00true\x85R.")


def findings(path, *flags):
    done = subprocess.run([STEELYARD, "scan", path, "--no-cache", "-f", "json", *flags], capture_output=True)
    report = json.loads(done.stdout)
    return [f for record in report["records"] for f in record["statement"]["findings"]]


rng = random.Random(20261126)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    many, few = folder / "many", folder / "few"
    many.mkdir()
    few.mkdir()
    corpus(many, 5000, rng)
    corpus(few, MODELAUDIT_FILES, rng)
    alarms = [f["rule"] for f in findings(many) if f["severity"] not in ("info",)]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1"}
    times = collections.defaultdict(list)
    for _ in range(N):  # interleaved
        times["steelyard"].append(cpu(STEELYARD, "scan", many, "--no-cache", "-q", repeat=1, env=env))
        times["picklescan"].append(cpu(PEERS / "picklescan/bin/picklescan", "-p", many, repeat=1, env=env))
    times["modelscan"].append(cpu(PEERS / "modelscan/bin/modelscan", "-p", many, repeat=1, env=env))
    times["modelaudit"].append(cpu(PEERS / "modelaudit/bin/modelaudit", "scan", few, repeat=1, env=env))
    times["few"].append(cpu(STEELYARD, "scan", few, "--no-cache", "-q", repeat=1, env=env))
    seconds = {tool: statistics.median(values) for tool, values in times.items()}

    big, archive = folder / "big.pkl", folder / "big.pt"
    big_pickle(big)
    big_rss = tree_rss(STEELYARD, "scan", big, "--no-cache", "-q")
    big_found = any(f["severity"] in ("high", "critical") for f in findings(big))
    big_s = wall(STEELYARD, "scan", big, "--no-cache", "-q", repeat=3)
    torch_zip(archive, rng, [(4096, 1024)] * 64)
    zip_ms = 1000 * wall(STEELYARD, "scan", archive, "--no-hash", "-q", repeat=N)
    zip_alarms = [f["rule"] for f in findings(archive, "--no-hash") if f["severity"] != "info"]

print(f"5,000 small files: steelyard {seconds['steelyard']:.2f} CPU-s (target 0.30), picklescan {seconds['picklescan']:.2f}, "
      f"modelscan {seconds['modelscan']:.2f}; findings above info: {len(alarms)} {sorted(set(alarms))}")
print(f"{MODELAUDIT_FILES} small files: steelyard {seconds['few']:.3f} CPU-s, modelaudit {seconds['modelaudit']:.1f}")
print(f"1 GB pickle, payload at its end: found {big_found}, peak RSS {big_rss:.1f} MB (target 64), {big_s:.2f} s")
print(f"1 GB PyTorch archive, --no-hash: {zip_ms:.1f} ms (target 50); findings above info: {zip_alarms}")
peers = {tool: version(PEERS / f"{tool}/bin/python", "-c", f"import importlib.metadata as m; print(m.version('{tool}'))")
         for tool in ("picklescan", "modelscan", "modelaudit")}
print(json.dumps({
    "cpu_s_5000": round(seconds["steelyard"], 3), "vs_picklescan": round(seconds["picklescan"] / seconds["steelyard"], 2),
    "vs_modelscan": round(seconds["modelscan"] / seconds["steelyard"], 1),
    "vs_modelaudit": round(seconds["modelaudit"] / seconds["few"], 1), "big_pickle_rss_mb": round(big_rss, 1),
    "big_pickle_found": big_found, "torch_zip_ms": round(zip_ms, 1), "false_alarms": len(alarms) + len(zip_alarms),
    "n": N, "peer": "picklescan, modelscan, modelaudit", "versions": {"steelyard": version(STEELYARD, "--version"), **peers}}))
