"""Compressed streams and archives against CPython's modules and miniz, on generated and mutated bytes.

Streams: the same content, and the same bytes left over, as zlib, gzip, bz2, lzma, lz4 and zstandard give; of a
damaged stream at least what they gave before they gave up. (zstandard's reader takes a missing end for the end, and
is of another version than the library here: of it only the content is compared.)
"""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import zlib

import lz4.frame
import zstandard

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
RANDOM = random.Random(20261126)
ROUNDS = int(os.environ.get("STEELYARD_ROUNDS", "1"))
failures = []


class Driver:
    def __init__(self, folder):
        self.path = pathlib.Path(folder) / "input"
        self.process = subprocess.Popen([BUILD / "tests/archives"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request, content):
        self.path.write_bytes(content)
        self.process.stdin.write(f"{request} {self.path}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def check(condition, message, content):
    if not condition and len(failures) < 20:
        failures.append(f"{message}: {content[:200].hex()}{'…' if len(content) > 200 else ''}")


def payload():
    kind = RANDOM.randrange(5)
    size = RANDOM.choice([0, 1, 10, 1000, 70_000, 300_000] + [5_000_000] * (RANDOM.random() < 0.02))
    if kind == 0:
        return bytes(size)
    if kind == 1:
        return RANDOM.randbytes(size)
    return (b"the quick brown fox %d " % RANDOM.randrange(1000) * (size // 20 + 1))[:size]


def streams():
    """kind, packed bytes of one stream."""
    data = payload()
    yield "zlib", zlib.compress(data, RANDOM.randrange(10))
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    yield "deflate", packer.compress(data) + packer.flush()
    yield "gzip", gzip.compress(data, RANDOM.randrange(10))
    named = io.BytesIO()
    with gzip.GzipFile("name.pkl", "wb", fileobj=named) as file:
        file.write(data)
    yield "gzip", named.getvalue()
    yield "bzip2", bz2.compress(data, 1 + RANDOM.randrange(9))
    yield "xz", lzma.compress(data, preset=RANDOM.randrange(7), check=RANDOM.choice([lzma.CHECK_NONE, lzma.CHECK_CRC32, lzma.CHECK_CRC64]))
    yield "lzma", lzma.compress(data, format=lzma.FORMAT_ALONE, preset=RANDOM.randrange(7))
    yield "lz4", lz4.frame.compress(data, block_size=RANDOM.choice([4, 5, 6, 7]), content_checksum=RANDOM.random() < 0.5,
                                    block_linked=RANDOM.random() < 0.5, store_size=RANDOM.random() < 0.5)
    yield "zstd", zstandard.ZstdCompressor(level=RANDOM.randrange(1, 10), write_checksum=RANDOM.random() < 0.5).compress(data)


def reference(kind, packed):
    """What the library yields: content, error. Reads in small steps, so that what came before an error is kept."""
    if kind == "gzip":
        opener = lambda file: gzip.GzipFile(fileobj=file)
    elif kind == "bzip2":
        opener = bz2.BZ2File
    elif kind in ("xz", "lzma"):
        opener = lambda file: lzma.LZMAFile(file, format=lzma.FORMAT_XZ if kind == "xz" else lzma.FORMAT_ALONE)
    elif kind == "lz4":
        opener = lz4.frame.LZ4FrameFile
    elif kind == "zstd":
        opener = lambda file: zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    else:
        out, rest = b"", packed
        while True:
            unpacker = zlib.decompressobj(-15 if kind == "deflate" else 15)
            try:
                for at in range(0, len(rest), 64):
                    out += unpacker.decompress(rest[at:at + 64])
                    if unpacker.eof:
                        break
            except zlib.error as error:
                return out, str(error)
            if not unpacker.eof:
                return out, "truncated"
            rest = unpacker.unused_data + rest[at + 64:]
            if kind == "deflate" or not rest:
                return out, "trailing" if rest else ""
            if rest[0] & 15 != 8:
                return out, "trailing"
    out = b""
    try:
        with opener(io.BytesIO(packed)) as file:
            while block := file.read(512):
                out += block
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        return out, f"{type(error).__name__}: {error}"
    return out, ""


def mutate(packed):
    packed = bytearray(packed)
    for _ in range(1 + RANDOM.randrange(3)):
        match RANDOM.randrange(4):
            case 0:
                packed = packed[:RANDOM.randrange(len(packed) + 1)]
            case 1 if packed:
                packed[RANDOM.randrange(len(packed))] = RANDOM.randrange(256)
            case 2:
                packed += RANDOM.choice([b"\0" * RANDOM.randrange(9), RANDOM.randbytes(5), b"garbage"])
            case 3 if packed:
                at = RANDOM.randrange(len(packed))
                packed[at] ^= 1 << RANDOM.randrange(8)
    return bytes(packed)


def test_streams(driver):
    counts = {"same": 0, "more": 0, "refused": 0}
    for _ in range(12 * ROUNDS):
        for kind, packed in streams():
            if RANDOM.random() < 0.3:
                packed += next(p for k, p in streams() if k == kind)
            for content in (packed, mutate(packed), mutate(packed)):
                expected, error = reference(kind, content)
                ours = driver.ask(f"unpack {kind} {len(expected)}", content)
                check(ours["balanced"], f"{kind}: memory is not given back", content)
                check(ours["sha256"] == hashlib.sha256(expected).hexdigest(), f"{kind}: another content, {ours}, {error!r}", content)
                check(ours["tail"] == hashlib.sha256(expected[len(expected) // 2:]).hexdigest(), f"{kind}: reading from the middle", content)
                if ours["size"] > len(expected):
                    # It keeps back what it had decoded when it met an error, and takes a damaged further stream for garbage.
                    check(error or ours["streams"] > 1 or kind == "zstd", f"{kind}: {ours} for {len(expected)} bytes", content)
                    counts["more"] += 1
                else:
                    whole = ours["end"] == "complete" and ours["consumed"] == len(content)
                    check(not (error and whole) or kind == "zstd", f"{kind}: accepted, but the reference says {error}", content)
                    check(error or not content or ours["end"] == "complete" or kind == "zstd" or ours["streams"] > 1,
                          f"{kind}: {ours['end']} {ours['why']}, but the reference accepts", content)
                    counts["refused" if error else "same"] += 1
    return counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(folder)
        print("streams:", test_streams(driver))
    print("\n".join(failures) or "archives: no difference")
    sys.exit(bool(failures))
