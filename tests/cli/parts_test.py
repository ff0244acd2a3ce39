"""Models in several files, and folders with a model and what lies beside it: run, measured and judged as one model.

On the demo's model (tools/setup model), split here by gguf-py.
"""

import json
import shutil
import sys

import gguf

from program import SOURCE, Checks, recipe, run, scratch

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

MODEL = SOURCE / "build/demo/model.gguf"
checks = Checks()
folder, env = scratch()
env["STEELYARD_ENGINE"] = str(built_stack.program("steelyard-engine"))

split = folder / "split"
split.mkdir()
reader = gguf.GGUFReader(str(MODEL))
writer = gguf.GGUFWriter(str(split / "model.gguf"), "llama", split_max_tensors=100)
for name, field in reader.fields.items():
    if not name.startswith("GGUF.") and name != "general.architecture":
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=field.types[-1])
for tensor in reader.tensors:
    writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
parts = sorted(split.iterdir())
checks.equal([part.name for part in parts], [f"model-0000{i}-of-00003.gguf" for i in (1, 2, 3)], "parts")


def answer(name, *flags):
    done = run("run", name, "--raw", "-p", "The capital of France is", "-n", "8", "-f", "json", *flags, env=env)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


# Named by their folder, by the first or by any other: the same model.
whole = answer(MODEL)
for name in (split, parts[0], parts[2]):
    found = answer(name)
    checks.true(found["text"] == whole["text"] and len(found["model"]) == 3 and len(whole["model"]) == 1, f"{name}: {found}")
scan = run("scan", split, "-f", "json", env=env)
rules = sorted({finding["rule"] for record in json.loads(scan.stdout)["records"] for finding in record["statement"]["findings"]})
checks.equal((scan.returncode, rules), (0, []), "a split model has no finding of its own")

# Evidence is about all of its files.
done = run("bench", split, "--no-speed", "--claim", "template", "-o", folder / "bench.json", env=env, timeout=900)
checks.equal(done.returncode, 0, done.stderr)
record = json.loads((folder / "bench.json").read_text())["records"][0]["statement"]
checks.equal([subject["path"] for subject in record["subjects"]], [part.name for part in parts], "subjects")
fits = run("bench", split, "--fits", env=env)
one = run("bench", MODEL, "--fits", "--memory", "4GiB", "-f", "json", env=env)
fits = run("bench", split, "--fits", "--memory", "4GiB", "-f", "json", env=env)
estimates = [[m["value"] for m in json.loads(done.stdout)["records"][0]["statement"]["measurements"]] for done in (one, fits)]
checks.true(len(estimates[0]) > 0 and all(0 <= int(b) - int(a) < 2_000_000 for a, b in zip(*estimates, strict=True)), f"fits, with a header for each part: {estimates}")
little = run("run", split, "-p", "x", "--memory", "64MiB", env=env)
checks.true(little.returncode == 2 and "too little memory" in little.stderr, f"too little: {little.stderr}")

# What is missing, and what isn't one model.
alone = folder / "alone"
alone.mkdir()
shutil.copy(parts[1], alone)
two = folder / "two"
two.mkdir()
shutil.copy(MODEL, two / "a.gguf")
shutil.copy(MODEL, two / "b.gguf")
mixed = folder / "mixed"
shutil.copytree(split, mixed)
shutil.copy(parts[0], mixed / "copy.gguf")
none = folder / "none"
none.mkdir()
(none / "README.md").write_text("# Nothing\n")
swapped = folder / "swapped"
shutil.copytree(split, swapped)
shutil.copy(parts[1], swapped / parts[2].name)
for name, message in ((alone, "1 of 3 files of a model; the others aren't there"), (two, "2 GGUF files that aren't the parts of one model; name one of them"),
                      (mixed, "4 GGUF files that aren't the parts of one model"), (swapped, "3 GGUF files that aren't the parts of one model"),
                      (none, "expected a GGUF model, or a folder with one")):
    found = answer(name, "--override")
    checks.true(message in found, f"{name.name}: {found}")

# Parts whose numbers are right and whose tensors aren't those of one model.
twice = folder / "twice"
shutil.copytree(split, twice)
content = bytearray((twice / parts[1].name).read_bytes())
at = content.index(b"split.no") + len(b"split.no") + 4
content[at : at + 2] = b"\x02\x00"
(twice / parts[2].name).write_bytes(content)
checks.true("llama.cpp can't load this file" in answer(twice, "--override"), "tensors that are there twice")

# A folder as publishers have it: claims of the card are tested on the model beside it, and count for the folder.
published = folder / "published"
published.mkdir()
shutil.copy(MODEL, published / "model.gguf")
(published / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n---\n# A model\n")
require = folder / "require.toml"
require.write_text('schema = "steelyard/require/1"\nname = "mine"\ntitle = "Mine"\n\n[[require]]\nid = "speaks"\nkind = "claim"\nclaims = ["languages"]\nwhy = "It has to."\n')
done = run("vet", published, "-c", "offline-chat", "--require", require, "--depth", "full", "-o", folder / "vet.json", env=env, timeout=900)
report = json.loads((folder / "vet.json").read_text())
bench = [one["statement"] for one in report["records"] if one["statement"]["kind"] == "bench"]
checks.true(len(bench) == 1 and [subject["path"] for subject in bench[0]["subjects"]] == ["model.gguf"], f"vet: {done.stdout} {done.stderr}")
tested = [fact["value"] for record in bench for fact in record["facts"] if fact["key"].startswith("claim.")]
checks.true(len(tested) == 1, f"claims: {tested}")
# Measured once: the next verdict finds it.
again = run("vet", published, "-c", "offline-chat", "--require", require, "-o", folder / "again.json", env=env)
kinds = [one["statement"]["kind"] for one in json.loads((folder / "again.json").read_text())["records"]]
checks.true("bench" in kinds and again.returncode == done.returncode, f"again: {kinds} {again.returncode} {done.returncode}")
# Not for a folder in which there is another model too.
shutil.copy(MODEL, published / "other.gguf")
kinds_of_two = run("vet", published, "-c", "offline-chat", "--require", require, "-o", folder / "two.json", env=env)
checks.true("bench" not in [one["statement"]["kind"] for one in json.loads((folder / "two.json").read_text())["records"]], f"two models: {kinds_of_two.stdout}")

(published / "other.gguf").unlink()
# Nor for one with weights of another kind, which nobody ran; nor is such a folder measured as if it were the GGUF file.
with open(published / "model.safetensors", "wb") as file:
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    file.write(len(header).to_bytes(8, "little") + header + bytes(4))
for flags in ([], ["--depth", "full"]):
    done = run("vet", published, "-c", "offline-chat", "--require", require, *flags, "-o", folder / "mixed.json", env=env, timeout=900)
    checks.true("bench" not in [one["statement"]["kind"] for one in json.loads((folder / "mixed.json").read_text())["records"]], f"other weights: {done.stdout}")
checks.true("other weights lie beside the GGUF file" in done.stdout + done.stderr, f"other weights: {done.stdout} {done.stderr}")
# What sees for a model, and the matrix it was quantized by, are no other models.
(published / "model.safetensors").unlink()
(published / "mmproj.gguf").write_bytes(recipe('gguf 3 0 1\nkv_str general.architecture "clip"\n'))
(published / "imatrix.gguf").write_bytes(recipe('gguf 3 0 1\nkv_str general.type "imatrix"\n'))
run("vet", published, "-c", "offline-chat", "--require", require, "-o", folder / "sees.json", env=env)
checks.true("bench" in [one["statement"]["kind"] for one in json.loads((folder / "sees.json").read_text())["records"]], "beside what sees for it")

shutil.rmtree(folder)
checks.finish()
