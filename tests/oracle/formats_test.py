"""GGUF and safetensors against the Python packages gguf and safetensors, on generated and mutated files.

Soundness: what is accepted here (whole, nothing of medium severity or above) is accepted there, with the same
values. The other direction is only counted: being stricter than the reference is the point.
"""

import json
import os
import pathlib
import random
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import warnings

import numpy
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFWriter
from safetensors import SafetensorError, safe_open

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
RANDOM = random.Random(20261124)
SERIOUS = {"medium", "high", "critical"}
warnings.simplefilter("ignore")


def generate_gguf(path):
    big = RANDOM.random() < 0.2
    writer = GGUFWriter(path, RANDOM.choice(["llama", "qwen2", "gemma"]), endianess=GGUFEndian.BIG if big else GGUFEndian.LITTLE)
    if RANDOM.random() < 0.5:
        writer.add_custom_alignment(RANDOM.choice([8, 16, 32, 64, 256]))
    if RANDOM.random() < 0.7:
        writer.add_name(RANDOM.choice(["Tiny", "Ünï", "模型"]))
        writer.add_context_length(RANDOM.randrange(1, 1 << 20))
    for number in range(RANDOM.randrange(4)):
        writer.add_bool(f"x.flag{number}", RANDOM.random() < 0.5)
        writer.add_float32(f"x.f{number}", RANDOM.random())
        writer.add_array(f"x.a{number}", [RANDOM.randrange(100) for _ in range(1 + RANDOM.randrange(9))])
    if RANDOM.random() < 0.5:
        writer.add_token_list([f"t{i}" for i in range(RANDOM.randrange(1, 300))])
    for number in range(RANDOM.randrange(5)):
        kind = RANDOM.choice([numpy.float32, numpy.float16, numpy.int8, numpy.int32, numpy.float64, None])
        name = f"blk.{number}.weight"
        if kind is None:
            quantized = RANDOM.choice([GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_0, GGMLQuantizationType.Q4_K])
            block, size = {GGMLQuantizationType.Q8_0: (32, 34), GGMLQuantizationType.Q4_0: (32, 18), GGMLQuantizationType.Q4_K: (256, 144)}[quantized]
            rows, blocks = 1 + RANDOM.randrange(3), 1 + RANDOM.randrange(3)
            data = numpy.zeros((rows, blocks * size), dtype=numpy.uint8)
            writer.add_tensor(name, data, raw_dtype=quantized)
        else:
            shape = [1 + RANDOM.randrange(6) for _ in range(1 + RANDOM.randrange(4))]
            writer.add_tensor(name, numpy.zeros(shape, dtype=kind))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def generate_safetensors(path):
    sizes = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1, "I64": 8, "BOOL": 1, "F64": 8, "U16": 2}
    header, at = {}, 0
    if RANDOM.random() < 0.5:
        header["__metadata__"] = {"format": "pt", "note": RANDOM.choice(["x", "Ünï", "\"quoted\" \\ \n"])}
    for number in range(RANDOM.randrange(6)):
        dtype = RANDOM.choice(list(sizes))
        shape = [RANDOM.randrange(5) for _ in range(RANDOM.randrange(4))]
        size = sizes[dtype]
        for d in shape:
            size *= d
        header[f"t{number}"] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, ensure_ascii=RANDOM.random() < 0.5).encode()
    text += b" " * RANDOM.choice([0, 0, -len(text) % 8])
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(at))


def mutate(content):
    """One to three small edits, biased to the header; sometimes a cut or an addition."""
    out = bytearray(content)
    for _ in range(RANDOM.randrange(1, 4)):
        choice = RANDOM.random()
        limit = max(1, min(len(out), 400 if choice < 0.8 else len(out)))
        at = RANDOM.randrange(limit)
        if choice < 0.5:
            out[at] ^= 1 << RANDOM.randrange(8)
        elif choice < 0.7:
            out[at] = RANDOM.choice([0, 1, 0xFF, 0x7F, 0x80, ord('"'), ord("{"), ord("0"), ord(" ")])
        elif choice < 0.8:
            out[at:at + 8] = struct.pack("<Q", RANDOM.choice([0, 1, 2**31, 2**32, 2**62, 2**63, 2**64 - 1]))
        elif choice < 0.9:
            out = out[:at]
        else:
            out += bytes(RANDOM.randrange(1, 40))
        if not out:
            break
    return bytes(out)


def too_slow(*_):
    raise TimeoutError("the reference reader takes too long")


def reference_gguf(path):
    # Some mutations make this reader loop or allocate without end: that is a refusal too.
    signal.alarm(2)
    try:
        with numpy.errstate(all="ignore"):
            reader = GGUFReader(path)
        return {"tensors": len(reader.tensors), "parameters": int(sum(int(t.n_elements) for t in reader.tensors)),
                "architecture": reader.fields["general.architecture"].contents() if "general.architecture" in reader.fields else None}
    except Exception as error:  # any refusal counts, whatever its type
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)


def reference_safetensors(path):
    try:
        parameters, tensors = 0, 0
        with safe_open(path, framework="np") as file:
            for key in file.keys():
                count = 1
                for d in file.get_slice(key).get_shape():
                    count *= d
                parameters += count
                tensors += 1
        return {"tensors": tensors, "parameters": parameters}
    except (SafetensorError, Exception) as error:
        return f"{type(error).__name__}: {error}"


def compare(name, generate, reference, count, mutations):
    wrong, seen = [], {"both accept": 0, "both refuse": 0, "only here refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(count):
            original = pathlib.Path(folder) / f"{number}-0.{name}"
            generate(original)
            paths.append(original)
            for edit in range(1, mutations + 1):
                path = pathlib.Path(folder) / f"{number}-{edit}.{name}"
                path.write_bytes(mutate(original.read_bytes()))
                paths.append(path)
        lines = subprocess.run([BUILD / "tests/examine"], input="\n".join(map(str, paths)), capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(lines) == len(paths), f"{len(lines)} answers for {len(paths)} files"
        for path, line in zip(paths, lines):
            ours = json.loads(line)
            accepted = ours["format"] == name and ours["whole"] and not any(f["severity"] in SERIOUS for f in ours["findings"])
            if not accepted and sum(seen.values()) - seen["both accept"] >= count:
                continue  # soundness is about what is accepted; a sample of the rest shows that mutations bite
            theirs = reference(path)
            if path.stem.endswith("-0") and not accepted:
                wrong.append(f"{path.name}: a well-formed file is refused: {ours}")
            if accepted and isinstance(theirs, str):
                wrong.append(f"{path.name}: accepted here, refused there: {theirs}")
            elif accepted:
                for key, value in theirs.items():
                    if ours["facts"].get(f"model.{key}") not in (value, str(value)):
                        wrong.append(f"{path.name}: {key} is {ours['facts'].get(f'model.{key}')} here, {value} there")
                seen["both accept"] += 1
            else:
                seen["both refuse" if isinstance(theirs, str) else "only here refused"] += 1
    for line in wrong[:20]:
        print("FAILED:", line)
    print(f"{name}: {len(paths)} files, {seen}, {len(wrong)} wrong")
    return not wrong and seen["both accept"] > count // 2 and seen["both refuse"] > count // 4


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    scale = int(os.environ.get("STEELYARD_ORACLE_SCALE", "1"))
    good = [compare("gguf", generate_gguf, reference_gguf, 80 * scale, 5), compare("safetensors", generate_safetensors, reference_safetensors, 120 * scale, 6)]
    sys.exit(not all(good))
