"""Quantizations of the demo's model side by side: what each costs and changes, and which to take, in every format."""

import json
import subprocess
import sys

from program import SOURCE, Checks, report, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

MODEL = SOURCE / "build/demo/model.gguf"
checks = Checks()
folder, env = scratch()
env["STEELYARD_ENGINE"] = str(built_stack.program("steelyard-engine"))


def quantized(kind):
    path = folder / f"{kind.lower()}.gguf"
    subprocess.run([built_stack.program("llama-quantize"), "--allow-requantize", MODEL, path, kind], check=True, capture_output=True)
    return path


better = quantized("Q8_0")
small = [quantized(kind) for kind in ("Q6_K", "Q3_K_S")]
text = folder / "text.txt"
text.write_text((SOURCE / "docs/design.md").read_text()[:9000])
common = ("--reference", better, "--text", text, "--repeats", "1", "--threads", "1", "--context", "640")

html, page = folder / "damage.html", folder / "damage.md"
document, code = report("bench", *small, *common, "--memory", "8GiB", "-o", html, "-o", page, env=env, timeout=900)
checks.equal(code, 0, "measured")
records = document["records"]
checks.equal([r["statement"]["kind"] for r in records], ["bench", "bench", "comparison"], "one record of each, and one of both")
checks.equal(records[2]["statement"]["method"]["uses"], [r["id"] for r in records[:2]], "made from the two")
fact = records[2]["statement"]["facts"][0]["value"]
rows = fact["rows"]
checks.equal([row["bytes"] for row in rows], [path.stat().st_size for path in small], "sizes")
value = {name: [float(row[name]["value"]) for row in rows] for name in ("kl", "perplexity", "top_agreement", "flips", "generation")}
checks.true(0 < value["kl"][0] < value["kl"][1], f"fewer bits diverge more: {value}")
checks.true(1 > value["top_agreement"][0] > value["top_agreement"][1] and 0 <= value["flips"][0] < value["flips"][1] < 1, value)
for row in rows:
    checks.true(all(float(row[name]["low"]) <= float(row[name]["value"]) <= float(row[name]["high"]) for name in value), row)
checks.equal(fact["recommended"], 0, "the least damage that fits")
checks.true(html.read_text().count("<circle") == 2 and "Take q6_k.gguf" in html.read_text(), "a point for each, and which to take")
checks.true("| `q3_k_s.gguf` |" in page.read_text() and "Take `q6_k.gguf`" in page.read_text(), page.read_text()[:600])

# Too little memory for any of them; an unusable amount is said before anything runs.
done = run("bench", *small, "--repeats", "1", "--threads", "1", "--context", "640", "--memory", "20MiB", env=env, timeout=900)
checks.true(done.returncode == 0 and "no recommendation" in done.stdout and "q3_k_s.gguf" in done.stdout, done.stdout[-800:] + done.stderr)
done = run("bench", *small, "--memory", "lots", env=env, timeout=900)
checks.true(done.returncode == 2 and "--memory is" in done.stderr, done.stderr)

checks.finish()
