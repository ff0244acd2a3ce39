"""steelyard quantize and rederive with the real stack (built_stack): a tiny model, so every type in seconds.

Sizes, refusals, interruptions, the sandbox from inside, attestations. The model is F16 of 256 columns, made here.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import gguf
import numpy

from program import SOURCE, STEELYARD, Checks, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

checks = Checks()
folder, env = scratch()
env["STEELYARD_STACK"] = str(built_stack.PREFIX)
QUANTIZER = str(built_stack.program("llama-quantize"))
SOURCE_MODEL = folder / "tiny-F16.gguf"


def make_model(path, layers=2, width=256):
    random = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Tiny")
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    writer.add_vocab_size(32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>"] + [f"t{i}" for i in range(29)])
    writer.add_token_scores([0.0] * 32)
    writer.add_token_types([2, 3, 3] + [1] * 29)
    names = ["token_embd.weight", "output.weight"]
    for layer in range(layers):
        names += [f"blk.{layer}.{part}.weight" for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")]
    for name in names:
        rows = 32 if name in ("token_embd.weight", "output.weight") else width
        writer.add_tensor(name, random.normal(0, 0.1, (rows, width)).astype(numpy.float16))
    for name in ["output_norm"] + [f"blk.{layer}.{part}" for layer in range(layers) for part in ("attn_norm", "ffn_norm")]:
        writer.add_tensor(name + ".weight", numpy.ones(width, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def leftovers():
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


make_model(SOURCE_MODEL)

# The list of types is that of the program.
text = subprocess.run([QUANTIZER, "--help"], capture_output=True, text=True)
offered = re.findall(r"^ +(?:\d+ +or)? +([A-Z][A-Z0-9_]+) +:", text.stdout + text.stderr, re.M)
listed = re.findall(r'^name = "(.*)"$', (SOURCE / "data/quantize/types.toml").read_text(), re.M)
checks.true(len(offered) > 30, f"types in --help: {offered}")
checks.equal(sorted(listed), sorted(set(offered)), "types")

# Every type, as by hand. Those that want an importance matrix are known, and say how to get one.
for name in listed:
    out, hand = folder / f"{name}.gguf", folder / f"{name}.hand"
    done = run("quantize", SOURCE_MODEL, "-t", name.lower(), "-o", out, env=env)
    by_hand = subprocess.run([QUANTIZER, str(SOURCE_MODEL), str(hand), name, "1"], capture_output=True, text=True)
    if by_hand.returncode == 0:
        checks.true(done.returncode == 0 and out.read_bytes() == hand.read_bytes(), f"{name}: {done.returncode} {done.stderr}")
    else:
        checks.true(done.returncode == 2 and not out.exists() and f"{name} needs an importance matrix" in done.stderr, f"{name}: {done.stderr}")
checks.equal(leftovers(), [], "temporary files")

# The attestation, the evidence and the layers.
out = folder / "Q4_K_M.gguf"
done = run("quantize", SOURCE_MODEL, "-t", "Q4_K_M", "-o", out, "-f", "json", env=env)
record = json.loads(done.stdout)
layers = {layer.split(":")[0] for layer in record["run"]["sandbox"]}
checks.equal(layers, {"network", "no_new_privs", "rlimits", "landlock", "seccomp"}, "layers")
statement = json.loads(out.with_name(out.name + ".intoto.json").read_text())
checks.equal(statement["predicateType"], "https://slsa.dev/provenance/v1", "predicate")
checks.equal(statement["predicate"]["runDetails"]["metadata"]["invocationId"], record["id"], "id")
checks.true(out.with_name(out.name + ".derivation.json").exists(), "the other form")

# Derived again: the same; one block, one key, one tensor's name changed: named.
done = run("rederive", out, "--from", SOURCE_MODEL, env=env)
checks.equal(done.returncode, 0, f"rederive: {done.stdout} {done.stderr}")
reader = gguf.GGUFReader(str(out))
tensor = next(t for t in reader.tensors if t.name == "blk.1.ffn_up.weight")
content = out.read_bytes()
at = int(tensor.data_offset) + 3 * 144 + 20
changed = folder / "changed.gguf"
changed.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1:])
shutil.copy(out.with_name(out.name + ".intoto.json"), folder / "changed.gguf.intoto.json")
done = run("rederive", changed, "--from", SOURCE_MODEL, "-f", "json", env=env)
first = json.loads(done.stdout)["first"]
checks.equal((done.returncode, first["tensor"], first["block"], first["offset"]), (1, "blk.1.ffn_up.weight", 3, at - 20), "block")
done = run("rederive", changed, "--from", SOURCE_MODEL, env=env)
checks.true("tensor blk.1.ffn_up.weight (Q4_K), block 3" in done.stdout, done.stdout)
changed.write_bytes(content.replace(b"Tiny", b"Tony"))
done = run("rederive", changed, "--from", SOURCE_MODEL, env=env)
checks.true(done.returncode == 1 and "key general.name" in done.stdout, done.stdout)
changed.write_bytes(content.replace(b"blk.1.ffn_up.weight", b"blk.1.ffn_uq.weight"))
done = run("rederive", changed, "--from", SOURCE_MODEL, "-t", "Q4_K_M", env=env)
checks.true(done.returncode == 1 and "blk.1.ffn_uq.weight (too many)" in done.stdout, done.stdout)
done = run("rederive", changed, "--from", out, "-t", "Q4_K_M", "--allow-requantize", env=env)
checks.true(done.returncode == 2 and "not the source that the attestation names" in done.stderr, done.stderr)
os.remove(folder / "changed.gguf.intoto.json")
done = run("rederive", changed, "--from", SOURCE_MODEL, env=env)
checks.true(done.returncode == 2 and "say what it was quantized to with --type" in done.stderr, done.stderr)

# Refusals.
bad = folder / "bad.gguf"
bad.write_bytes(SOURCE_MODEL.read_bytes()[:100_000])
foreign = folder / "llama-quantize"
shutil.copy(QUANTIZER, foreign)
with open(foreign, "ab") as f:
    f.write(b"x")
for arguments, expected in (
    ([SOURCE_MODEL, "-t", "Q4_X"], 'no type "Q4_X"'),
    ([SOURCE_MODEL], "--type is missing"),
    ([out, "-t", "Q4_0"], "quantized already"),
    ([SOURCE_MODEL, "-t", "Q4_0", "-o", SOURCE_MODEL], "the same file"),
    ([SOURCE_MODEL, "-t", "Q4_0", "-o", folder / "none/x.gguf"], "no such folder"),
    ([SOURCE_MODEL, "-t", "Q4_0", "-o", folder], "not a regular file"),
    ([bad, "-t", "Q4_0"], "isn't quantized: the scan found"),
    ([folder / "absent.gguf", "-t", "Q4_0"], "absent.gguf"),
    ([SOURCE_MODEL, "-t", "Q4_0", "--imatrix", folder / "absent"], "absent"),
    ([SOURCE_MODEL, "-t", "Q4_0", "--quantizer", foreign], "doesn't know this program"),
    ([SOURCE_MODEL, "-t", "Q4_0", "--stack", folder / "nowhere"], "no stack was built there"),
    ([SOURCE_MODEL, "-t", "Q4_0", "-o", "/proc/x.gguf"], ""),
):
    done = run("quantize", *arguments, env=env)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{arguments}: {done.returncode} {done.stderr}")
checks.equal(SOURCE_MODEL.read_bytes()[:4], b"GGUF", "source")
done = run("quantize", SOURCE_MODEL, "-t", "Q4_0", "--quantizer", foreign, "--foreign-stack", "-f", "json", env=env)
record = json.loads(done.stdout)
program = next(fact["value"] for fact in record["statement"]["facts"] if fact["key"] == "quantize.program")
checks.true(done.returncode == 0 and program["known"] is False, f"foreign: {done}")
checks.true((folder / "tiny-F16-Q4_0.gguf").exists(), "default name")
done = run("quantize", out, "-t", "Q4_0", "--allow-requantize", "-o", folder / "again.gguf", env=env)
checks.true(done.returncode == 0 and not (folder / "again.gguf.derivation.json").exists(), f"again: {done.stderr}")
done = run("rederive", folder / "again.gguf", "--from", out, env=env)
checks.equal(done.returncode, 0, f"again: {done.stdout} {done.stderr}")

# A full disk, as an ordinary user would meet it: a small file system of its own.
small = folder / "small"
small.mkdir()
if os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], capture_output=True).returncode == 0:
    done = run("quantize", SOURCE_MODEL, "-t", "Q8_0", "-o", small / "x.gguf", env=env)
    subprocess.run(["umount", str(small)], check=True)
    checks.true(done.returncode == 2 and "are free" in done.stderr, f"no room: {done.stderr}")

# What the program can do in there: a script of ours in its place tries.
probe = folder / "probe.c"
probe.write_text(r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int count, char** words) {
  int bad = 0;
  if (open("/etc/passwd", O_RDONLY) >= 0) bad |= 1;
  if (open("/tmp/steelyard-escape", O_WRONLY | O_CREAT, 0600) >= 0) bad |= 2;
  if (socket(AF_INET, SOCK_DGRAM, 0) >= 0) bad |= 4;
  if (fork() >= 0) bad |= 8;
  execl("/bin/true", "true", (char*)0);
  if (open("/proc/self/fd/3", O_WRONLY) >= 0) bad |= 16;
  if (open("/proc/self/fd/3", O_RDONLY) < 0 || open("/proc/self/fd/4", O_WRONLY | O_TRUNC) < 0) bad |= 32;
  for (int fd = 5; fd < 20; ++fd) if (fd > 8 && fcntl(fd, F_GETFD) >= 0) bad |= 64;
  fprintf(stderr, "failed: probe %d\n", bad);
  return 9;
}
""")
if subprocess.run(["cc", "-o", str(folder / "probe"), str(probe)]).returncode == 0:
    done = run("quantize", SOURCE_MODEL, "-t", "Q4_0", "--quantizer", folder / "probe", "--foreign-stack", "-o", folder / "p.gguf", env=env)
    checks.true(done.returncode == 2 and "status 9: failed: probe 0" in done.stderr, f"escapes: {done.stderr}")

# Interrupted: nothing is left behind. The model is large enough to be interrupted.
big = folder / "big.gguf"
make_model(big, layers=24, width=1024)
process = subprocess.Popen([STEELYARD, "quantize", str(big), "-t", "Q2_K", "-o", str(folder / "big-out.gguf"), "-j", "1"], env=env, stderr=subprocess.PIPE, text=True)
for _ in range(600):
    time.sleep(0.02)
    if leftovers() or process.poll() is not None:
        break
checks.true(len(leftovers()) == 1, "running")
process.send_signal(signal.SIGINT)
errors = process.communicate(timeout=60)[1]
checks.true(process.returncode == 2 and "interrupted; nothing was written" in errors, f"interrupted: {process.returncode} {errors}")
checks.true(not (folder / "big-out.gguf").exists() and not leftovers(), f"left: {leftovers()}")

# Killed: nothing has the output's name, and the next run removes what is left and leaves what another still writes.
process = subprocess.Popen([STEELYARD, "quantize", str(big), "-t", "Q2_K", "-o", str(folder / "big-out.gguf"), "-j", "1"], env=env, stderr=subprocess.PIPE, text=True)
for _ in range(600):
    time.sleep(0.02)
    if leftovers() or process.poll() is not None:
        break
process.kill()
process.communicate()
checks.true(not (folder / "big-out.gguf").exists() and len(leftovers()) == 1, f"killed: {leftovers()}")
stale = leftovers()
process = subprocess.Popen([STEELYARD, "quantize", str(big), "-t", "Q2_K", "-o", str(folder / "big-out.gguf"), "-j", "1"], env=env, stderr=subprocess.PIPE, text=True)
for _ in range(600):
    time.sleep(0.02)
    if set(leftovers()) - set(stale) or process.poll() is not None:
        break
running = leftovers()
checks.true(len(running) == 1 and running != stale, f"after the killed one: {running}, before {stale}")
done = run("quantize", SOURCE_MODEL, "-t", "Q8_0", "-o", folder / "big-out.gguf", env=env)
checks.true(done.returncode == 0 and set(running) <= set(leftovers()) or process.poll() is not None, f"beside another: {leftovers()}")
process.send_signal(signal.SIGINT)
process.communicate(timeout=60)
checks.equal(leftovers(), [], "temporary files")
(folder / "big-out.gguf").unlink(missing_ok=True)

# A source that changes meanwhile.
process = subprocess.Popen([STEELYARD, "quantize", str(big), "-t", "Q2_K", "-o", str(folder / "big-out.gguf"), "-j", "1"], env=env, stderr=subprocess.PIPE, text=True)
for _ in range(600):
    time.sleep(0.02)
    if leftovers() or process.poll() is not None:
        break
with open(big, "r+b") as f:
    f.seek(-1, os.SEEK_END)
    f.write(b"\x01")
errors = process.communicate(timeout=120)[1]
checks.true(process.returncode == 2 and "the source changed" in errors, f"changed: {process.returncode} {errors}")
checks.true(not (folder / "big-out.gguf").exists() and not leftovers(), f"left: {leftovers()}")

shutil.rmtree(folder)
checks.finish()
