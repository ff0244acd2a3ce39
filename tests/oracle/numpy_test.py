"""NumPy arrays against numpy.load(allow_pickle=False), on generated and mutated files.

What is accepted here (whole, nothing of medium severity or above) is accepted there, and there are as many bytes to it.
"""

import io
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import warnings

import numpy

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
RANDOM = random.Random(20261126)
SERIOUS = {"medium", "high", "critical"}
DTYPES = ["<f4", "<f8", ">f8", "<f2", "|b1", "|i1", "<u2", ">i4", "<i8", "<c8", "<c16", "<U5", "|S7", "|V3", "<M8[ns]", "<m8[D]", "<M8",
          [("a", "<f4"), ("b", "<i8")], [("x", "<f4", (2, 3)), ("y", [("z", "|S2")])], [("ü", "<f4")]]
warnings.simplefilter("ignore")


def generate():
    shape = tuple(RANDOM.randrange(5) for _ in range(RANDOM.randrange(4)))
    order = RANDOM.choice("CF")
    out = io.BytesIO()
    for _ in range(RANDOM.choice([1, 1, 1, 3])):
        array = numpy.zeros(shape, dtype=RANDOM.choice(DTYPES), order=order)
        numpy.lib.format.write_array(out, array, version=RANDOM.choice([None, (2, 0), (3, 0)]), allow_pickle=False)
    return out.getvalue()


def mutate(content):
    out = bytearray(content)
    for _ in range(RANDOM.randrange(1, 4)):
        at = RANDOM.randrange(min(len(out), 130))
        choice = RANDOM.random()
        if choice < 0.4:
            out[at] ^= 1 << RANDOM.randrange(8)
        elif choice < 0.75:
            out[at] = RANDOM.choice(b"0179,'()[]{}<>|=OUSVfciub \n-+_LxeM\0\xff")
        elif choice < 0.85:
            out[at:at] = RANDOM.choice([b"'", b"(", b"0", b"9999999999", b", ", b"'f':1,", b"None", b"1e3"])
        elif choice < 0.95:
            out = out[:RANDOM.randrange(len(out)) + 1]
        else:
            out += RANDOM.choice([b"\0", bytes(20), b"\x93NUMPY"])
    return bytes(out)


def reference(content):
    """The number of arrays that lie behind one another up to the very end, or why not."""
    stream, count = io.BytesIO(content), 0
    try:
        while stream.tell() < len(content):
            numpy.lib.format.read_array(stream, allow_pickle=False)
            count += 1
        return count
    except Exception as error:  # any refusal counts, whatever its type
        return f"{type(error).__name__}: {error}"


def main():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    cases = []
    for _ in range(400):
        original = generate()
        cases += [(True, original)] + [(False, mutate(original)) for _ in range(8)]
    wrong, seen = [], {"both accept": 0, "both refuse": 0, "only here refused": 0}
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder) / f"{number}.npy" for number in range(len(cases))]
        for path, (_, content) in zip(paths, cases):
            path.write_bytes(content)
        answers = subprocess.run([BUILD / "tests/examine"], input="\n".join(map(str, paths)), capture_output=True, text=True, check=True).stdout.splitlines()
    for (well_formed, content), line in zip(cases, answers, strict=True):
        ours = json.loads(line)
        accepted = ours["format"] == "npy" and ours["whole"] and not any(f["severity"] in SERIOUS for f in ours["findings"])
        theirs = reference(content)
        if well_formed and not accepted:
            wrong.append(f"a well-formed file is refused: {content[:130]} {ours}")
        if accepted and isinstance(theirs, str):
            wrong.append(f"accepted here, refused there ({theirs}): {content[:130]}")
        seen["both accept" if accepted else "both refuse" if isinstance(theirs, str) else "only here refused"] += 1
    for line in wrong[:20]:
        print("FAILED:", line)
    print(f"npy: {len(cases)} files, {seen}, {len(wrong)} wrong")
    sys.exit(bool(wrong) or seen["both accept"] < 400 or seen["both refuse"] < 400)


main()
