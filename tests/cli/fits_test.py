"""What `bench --fits` says from a header alone, against the resident memory of the engine with its context in use."""

import pathlib
import struct
import subprocess
import sys

from program import BUILD, SOURCE, Checks, report, run, scratch

sys.path[:0] = [str(SOURCE / "tests/stack"), str(SOURCE / "tests/engine")]
import built_stack  # noqa: E402
from client import Client  # noqa: E402

MODEL = SOURCE / "build/demo/model.gguf"
CLOSE = 0.05
checks = Checks()
folder, env = scratch()
env["STEELYARD_ENGINE"] = "/nonexistent"  # no engine is needed


def fits(model, *flags):
    document, code = report("bench", model, "--fits", *flags, env=env)
    statement = document["records"][0]["statement"]
    estimates = {int(m["slice"]["context"]): int(m["value"]) for m in statement["measurements"] if m["metric"] == "memory_estimate"}
    return estimates, statement["facts"][0]["value"], code, document["notes"]


def resident(model, context):
    with Client(BUILD / "tests/engine_client", built_stack.program("steelyard-engine"), model, 1, context, fastest=True) as engine:
        engine.ask("generate", prefix=[], prompts=[[1 + i % 1000 for i in range(context - 8)]], most=4)
        return engine.ask("memory")["peak_rss"]


packed = folder / "packed.gguf"
subprocess.run([built_stack.program("llama-quantize"), "--allow-requantize", MODEL, packed, "Q4_0"], check=True, capture_output=True)
for model, contexts in ((MODEL, (512, 1024, 2048)), (packed, (512,))):
    for context in contexts:
        said, measured = fits(model, "--context", context)[0][context], resident(model, context)
        checks.true(abs(said / measured - 1) <= CLOSE, f"{model.name} at {context}: {said} said, {measured} measured: {100 * (said / measured - 1):+.1f} %")

# The answer for a given amount of memory.
estimates, facts, code, notes = fits(MODEL, "--memory", "100GiB")
checks.equal((code, facts["longest_context"]), (0, 8192), "no longer than it was trained for")
estimates, facts, code, notes = fits(MODEL, "--memory", "180MiB")
checks.true(code == 0 and 256 <= facts["longest_context"] < 8192 and facts["longest_context"] % 256 == 0, facts)
checks.equal(fits(MODEL, "--memory", "180MiB", "--context", facts["longest_context"] + 256)[2], 1, "one step more doesn't fit")
checks.equal(fits(MODEL, "--memory", "90MB")[2], 1, "smaller than the file")
checks.true(fits(MODEL)[1]["available"] > 0, "this machine has some")


# Headers made by hand.
def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(architecture, tensors, numbers=()):
    keys = [text("general.architecture") + struct.pack("<I", 8) + text(architecture)]
    keys += [text(f"{architecture}.{name}") + struct.pack("<II", 4, value) for name, value in numbers]
    out, offset = b"", 0
    for name, *shape in tensors:
        out += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in shape) + struct.pack("<IQ", 0, offset)
        size = 4
        for d in shape:
            size *= d
        offset += size
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys)) + b"".join(keys) + out
    path = folder / "made.gguf"
    path.write_bytes(head + b"\0" * (-len(head) % 32) + b"\0" * min(offset, 1 << 24))
    return path


LAYER = [("token_embd.weight", 64, 128), ("blk.0.attn_k.weight", 64, 16), ("blk.0.attn_v.weight", 64, 16)]
estimates, facts, code, _ = fits(gguf("llama", LAYER, [("context_length", 4096)]))
checks.equal((facts["per_token"], facts["trained_context"], code), (64, 4096, 0), "two times sixteen rows of two bytes")
estimates, facts, code, notes = fits(gguf("mystery", LAYER))
checks.true(code == 3 and facts["state"] == "undetermined" and "mystery" in facts["why"], f"{code} {facts}")
estimates, facts, code, _ = fits(gguf("llama", LAYER + [("blk.0.ssm_a.weight", 64, 16)]))
checks.equal((facts.get("state"), code), ("undetermined", 3), "recurrent layers")
for name, shape in (("too large", (1 << 40, 1 << 40)), ("beyond the file", (1 << 30, 4)), ("nothing", (0, 4))):
    estimates, facts, code, _ = fits(gguf("llama", LAYER + [("blk.1.attn_k.weight", *shape)]))
    checks.equal((facts.get("state"), code), ("undetermined", 3), name)
for flags, expected in ((["--memory", "much"], "--memory is"), (["--memory", "99999999999GiB"], "--memory is"), (["--memory", "0"], "--memory is"), ([MODEL], "one model")):
    done = run("bench", MODEL, "--fits", *flags, env=env)
    checks.true(done.returncode == 2 and expected in done.stderr, f"{flags}: {done.returncode} {done.stderr}")
checks.finish()
