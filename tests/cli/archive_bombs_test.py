"""Archives made to exhaust whoever opens them: each ends within its budget, as a finding and lost coverage.

Memory is that of the whole process tree; CPU time that of the parsers alone, in one process, so that none is lost
with a worker. STEELYARD_CPU sets a limit in seconds: speed depends on the machine and the build, budgets don't.
"""

import bz2
import gzip
import io
import lzma
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

from program import BUILD, STEELYARD, Checks, report, scratch

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench"))
from measuring import tree_rss  # noqa: E402

checks = Checks()
folder, env = scratch()
CPU = float(os.environ.get("STEELYARD_CPU", "inf"))


def zipped(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def zeros(size, pack=zlib.compressobj):
    packer = pack()
    out = b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20))
    return out + packer.flush()


def overlapping():
    """Every member's data is the rest of the file (Fifield, 2019, in short)."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = kernel.compress(bytes(4 << 20)) + kernel.flush()
    out, central = bytearray(), bytearray()
    for number in range(800):
        name = b"%d" % number
        central += struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(kernel), 4 << 20, len(name), 0, 0, 0, 0, 0, len(out)) + name
        out += struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(kernel), 4 << 20, len(name), 0) + name
    at = len(out + kernel)
    return bytes(out + kernel + central) + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 800, 800, len(central), at, 0)


def same_bytes():
    """Two thousand names for one member."""
    packed = zeros(8 << 20)[2:-4]
    out = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(packed), 8 << 20, 1, 0) + b"a" + packed
    central = b"".join(struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(packed) - i % 7, 8 << 20, 4, 0, 0, 0, 0, 0, 0) + b"%04d" % i
                       for i in range(2000))
    return out + central + struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, 2000, 2000, len(central), len(out), 0)


def nested(depth, width, content):
    for _ in range(depth):
        content = zipped([(f"{i}.zip", content) for i in range(width)])
    return content


def again(content, pack, times):
    for _ in range(times):
        content = pack(content)
    return content


def million_members():
    block = tarfile.TarInfo("a").tobuf()
    return block * 40_000 + bytes(1024)


def broken_pax():
    header = tarfile.TarInfo("PaxHeaders/x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 20
    return (header.tobuf() + b"30 mtime=1234567890.123456789\n" * 34952 + bytes(16)) * 4


bombs = {
    "zeros.gz": zeros(280 << 20, lambda: zlib.compressobj(9, zlib.DEFLATED, 31)),
    "zeros.zlib": zeros(280 << 20),
    "zeros.bz2": zeros(80 << 20, bz2.BZ2Compressor),
    "zeros.xz": zeros(140 << 20, lambda: lzma.LZMACompressor(preset=0)),
    "dictionary.xz": zeros(64 << 20, lambda: lzma.LZMACompressor(filters=[{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 26}])),
    "pickles.gz": gzip.compress(b"\x80\4](" + b"NN(ll0" * 1_000_000 + b"e.", 1),
    "member.zip": zipped([("a", bytes(280 << 20))]),
    "overlapping.zip": overlapping(),
    "same-bytes.zip": same_bytes(),
    "wide-nested.zip": nested(4, 16, zipped([("a", bytes(1 << 20))])),
    "deep-nested.zip": nested(60, 1, b"hello"),
    "deep.gz": again(b"hello", gzip.compress, 100),
    "mixed.gz": again(b"hello" * 1000, lambda content: zipped([("a", gzip.compress(content))], zipfile.ZIP_STORED), 30),
    "empty-streams.gz": gzip.compress(b"") * 200_000,
    "many-members.zip": zipped([(str(i), b"") for i in range(34_000)], zipfile.ZIP_STORED),
    "many-texts.zip": zipped([(str(i), b"text %d" % i) for i in range(5_000)], zipfile.ZIP_STORED),
    "many-members.tar": million_members(),
    "pax.tar": broken_pax(),
    "huge-size.tar": tarfile.TarInfo("a").tobuf()[:124] + b"\x80" + b"\x7f" * 11 + bytes(376),
    "long-names.zip": zipped([("n" * 60_000 + str(i), b"") for i in range(80)], zipfile.ZIP_STORED),
}

for name, content in bombs.items():
    path = folder / name
    path.write_bytes(content)
    memory = tree_rss(STEELYARD, "scan", path, env=env)  # the report below is of this run
    _, code = report("scan", path, env=env)
    checks.true(code in (1, 3), f"{name}: exit {code}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BUILD / "tests/examine"], input=f"{path}\n", text=True, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    checks.true(seconds < CPU, f"{name}: {seconds:.2f} CPU seconds")
    checks.true(memory < 64, f"{name}: {memory:.1f} MiB")
    print(f"{name}: {len(content)} bytes, exit {code}, {seconds:.2f} CPU s, {memory:.1f} MiB")
checks.finish()
