"""Compressed streams and archives against CPython's modules and miniz, on generated and mutated bytes.

Streams: the same content, and the same bytes left over, as zlib, gzip, bz2, lzma, lz4 and zstandard give; of a
damaged stream at least what they gave before they gave up. (zstandard's reader takes a missing end for the end, and
is of another version than the library here: of it only the content is compared.)
Tar: the members that CPython's tarfile lists before it ends or raises, with their place and size.
Zip: for every name the bytes that CPython's zipfile gives, and those that miniz 3.0.2 gives to PyTorch's reader, which
ignores checksums; where a reader refuses the archive or the member, so does our view of it.
"""

import bz2
import ctypes
import gzip
import hashlib
import io
import json
import lzma
import os
import pathlib
import random
import struct
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib

import lz4.frame
import miniz
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


class MinizStat(ctypes.Structure):
    _fields_ = [("index", ctypes.c_uint32), ("central", ctypes.c_uint64), ("made_by", ctypes.c_uint16), ("needed", ctypes.c_uint16),
                ("flags", ctypes.c_uint16), ("method", ctypes.c_uint16), ("crc", ctypes.c_uint32), ("packed", ctypes.c_uint64),
                ("size", ctypes.c_uint64), ("internal", ctypes.c_uint16), ("external", ctypes.c_uint32), ("local", ctypes.c_uint64),
                ("rest", ctypes.c_char * 2048)]


class Miniz:
    """The compiled library, called as PyTorch's reader does; checksums are not looked at."""

    def __init__(self):
        folder = pathlib.Path(miniz.__file__).parent / "dependencies"
        self.library = ctypes.CDLL(folder / "miniz-Linux-x86_64.so")
        self.library.mz_version.restype = ctypes.c_char_p
        assert self.library.mz_version() == b"11.0.2"  # what miniz 3.0.2 calls itself
        self.library.mz_zip_get_error_string.restype = ctypes.c_char_p
        self.library.mz_zip_reader_init_mem.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint]
        self.library.mz_zip_reader_locate_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
        self.library.mz_zip_reader_extract_to_mem.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint]

    def error(self, archive):
        return self.library.mz_zip_get_error_string(self.library.mz_zip_get_last_error(archive)).decode()

    def read(self, content, names):
        archive = ctypes.create_string_buffer(4096)
        if not self.library.mz_zip_reader_init_mem(archive, content, len(content), 0):
            return self.error(archive), {}
        out = {}
        for name in names:
            index = self.library.mz_zip_reader_locate_file(archive, name, None, 0)
            if index < 0:
                continue
            stat = MinizStat()
            if not self.library.mz_zip_reader_file_stat(archive, index, ctypes.byref(stat)):
                out[name] = None, self.error(archive)
            elif stat.size > 1 << 24:
                out[name] = None, "too large for this test"
            else:
                buffer = ctypes.create_string_buffer(max(stat.size, 1))
                good = self.library.mz_zip_reader_extract_to_mem(archive, index, buffer, stat.size, 0)
                why = "" if good else self.error(archive)
                empty = stat.packed == 0 or name.endswith(b"/") or stat.external & 0x10
                out[name] = (b"" if empty else buffer.raw[:stat.size]) if why in ("", "CRC-32 check failed") else None, why
        self.library.mz_zip_reader_end(archive)
        return "", out


def zipfile_reads(content):
    """Why the archive doesn't open; name -> content or None, why not."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # whatever it raises, it doesn't open
        return f"{type(error).__name__}: {error}", {}
    out = {}
    for name in archive.NameToInfo:
        key = name.encode("utf-8", "surrogatepass")
        try:
            with archive.open(name) as member:
                member._expected_crc = None
                out[key] = member.read(), ""
        except Exception as error:
            out[key] = None, f"{type(error).__name__}: {error}"
    return "", out


class Zip:
    """An archive with every field open to be wrong."""

    def __init__(self):
        self.entries = []
        self.between = {}

    def add(self, name, content, method=8, **fields):
        self.entries.append((name, content, method, fields))

    def build(self, prefix=b"", shifted=False, comment=b"", **end):
        out = bytearray(prefix)
        base = len(prefix) if shifted else 0
        central = bytearray()
        for number, (name, content, method, f) in enumerate(self.entries):
            out += self.between.get(number, b"")
            packed = {0: lambda: content, 8: lambda: deflate(content), 12: lambda: bz2.compress(content),
                      14: lambda: zip_lzma(content)}.get(method, lambda: content)()
            crc = f.get("crc", zlib.crc32(content))
            size, packed_size, at = len(content), len(packed), len(out) - base
            local_name, central_name = f.get("local_name", name), f.get("central_name", name)
            flags = f.get("flags", 0)
            extra = b""
            sizes = [f.get("packed", packed_size), f.get("size", size), f.get("offset", at)]
            wide = b""
            for place in (1, 0, 2):
                if f.get("zip64", 0) >> place & 1:
                    wide += struct.pack("<Q", sizes[place])
                    sizes[place] = 0xFFFFFFFF
            if wide:
                extra = struct.pack("<HH", 1, len(wide)) + wide
            extra = f.get("before_extra", b"") + extra + f.get("extra", b"")
            local_extra = f.get("local_extra", b"")
            stream = flags & 8 and not f.get("keep_sizes")
            local_values = (0, 0, 0) if stream else (f.get("local_crc", crc), f.get("local_packed", packed_size), f.get("local_size", size))
            out += struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 20, f.get("local_flags", flags), f.get("local_method", method), f.get("time", 0), 0x5821,
                               *local_values, len(local_name), len(local_extra)) + local_name + local_extra + packed
            if stream:
                out += struct.pack("<4sLLL", b"PK\7\x08", crc, packed_size, size)
            entry_comment = f.get("comment", b"")
            central += struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 0x0314, f.get("needed", 20), flags, f.get("central_method", method),
                                   f.get("time", 0), 0x5821, crc, sizes[0], sizes[1], len(central_name), len(extra), len(entry_comment),
                                   f.get("disk", 0), 0, f.get("attributes", 0o644 << 16), sizes[2]) + central_name + extra + entry_comment
        out += end.get("gap", b"")
        at = len(out) - base
        out += central
        count = end.get("count", len(self.entries))
        size = end.get("size", len(central))
        offset = end.get("offset", at)
        if end.get("zip64"):
            record = len(out) - base
            out += struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
            out += end.get("in_between", b"")
            out += struct.pack("<4sLQL", b"PK\6\7", 0, end.get("record", record), 1)
            count, size, offset = end.get("small", (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF))
        out += struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, count, count, size & 0xFFFFFFFF, offset & 0xFFFFFFFF, end.get("comment_size", len(comment)))
        return bytes(out + comment)


def deflate(content):
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush()


def zip_lzma(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", content)
    info = archive.infolist()[0]
    return file.getvalue()[31:31 + info.compress_size]


def random_zip():
    build = Zip()
    names = [b"archive/data.pkl", b"archive/DATA.pkl", b"archive/version", b"a", b"b/", b"archive/data/0", b"\x82\xe9", "é".encode(), b"x\0y", b"x"]
    number = RANDOM.choice([1, 2, 3, 5, 12])
    for index in range(number):
        fields = {}
        if RANDOM.random() < 0.25:
            fields[RANDOM.choice(["local_name", "central_name"])] = RANDOM.choice(names)
        if RANDOM.random() < 0.2:
            fields["flags"] = RANDOM.choice([1, 8, 0x20, 0x40, 0x800, 0x2000, 0x808, RANDOM.randrange(65536)])
        if RANDOM.random() < 0.2:
            fields["local_flags"] = RANDOM.choice([0, 1, 8, 0x800, RANDOM.randrange(65536)])
        if RANDOM.random() < 0.2:
            fields["zip64"] = RANDOM.randrange(8)
        if RANDOM.random() < 0.1:
            fields[RANDOM.choice(["extra", "before_extra", "local_extra"])] = RANDOM.choice(
                [b"FB\4\0ZZZZ", b"\1\0\0\0", b"xy", struct.pack("<HHQ", 1, 8, 5), struct.pack("<HHQQQ", 1, 24, 3, 3, 0), b"FB\xff\xff"])
        for field, chance in (("size", 0.1), ("packed", 0.1), ("offset", 0.05), ("crc", 0.1), ("local_size", 0.1), ("local_packed", 0.1)):
            if RANDOM.random() < chance:
                fields[field] = RANDOM.choice([0, 1, 5, 30, 100, 0xFFFFFFFF])
        for field, values in (("central_method", [0, 8, 12, 14, 99]), ("local_method", [0, 8, 12]), ("needed", [63, 64, 0x33F]), ("disk", [0, 1, 2, 0xFFFF]),
                              ("time", [0, 1, 0x8000]), ("attributes", [0x10, 0, 0o120777 << 16]), ("comment", [b"c" * 5, b"PK\5\6"])):
            if RANDOM.random() < 0.06:
                fields[field] = RANDOM.choice(values)
        content = b"content %d " % index + payload()[:RANDOM.choice([0, 10, 3000])]
        build.add(RANDOM.choice(names), content, RANDOM.choice([0, 0, 8, 8, 8, 12, 14]), **fields)
        if RANDOM.random() < 0.05:
            build.between[index] = b"between"
    end = {}
    if RANDOM.random() < 0.15:
        end["prefix"] = b"#!/bin/sh\n" + b"x" * RANDOM.randrange(100)
        end["shifted"] = RANDOM.random() < 0.5
    if RANDOM.random() < 0.25:
        end["comment"] = RANDOM.choice([b"hello", b"PK\5\6", b"\0" * 22, b"PK\5\6" + b"\0" * 18, b"PK\5\6" + b"\0" * 17, b"y" * 65_500, b"z" * 66_000,
                                       b"z" * 69_540])
        end["comment"] = end["comment"]
    if RANDOM.random() < 0.1:
        end["comment_size"] = RANDOM.choice([0, 1, 3, 500])
    for field, values in (("count", [0, 1, number - 1, number + 1]), ("size", [0, 46, 47, 10_000]), ("offset", [0, 5, 10_000]), ("gap", [b"gap"])):
        if RANDOM.random() < 0.06:
            end[field] = RANDOM.choice(values)
    if RANDOM.random() < 0.2:
        end["zip64"] = True
        if RANDOM.random() < 0.3:
            end["small"] = (number, 50, 10)
        if RANDOM.random() < 0.2:
            end["in_between"] = b"1234"
        if RANDOM.random() < 0.2:
            end["record"] = RANDOM.choice([0, 1 << 40, 100])
    if end.get("comment", b"") and len(end["comment"]) > 65_535:
        end["comment_size"] = 0
    return build.build(**end)


def written_by_zipfile():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", RANDOM.choice([0, 8, 12, 14])) as archive:
        for index in range(1 + RANDOM.randrange(4)):
            with archive.open(RANDOM.choice(["a", "b/c", "é", "data.pkl"]) + str(index), "w", force_zip64=RANDOM.random() < 0.2) as member:
                member.write(payload())
        archive.comment = RANDOM.choice([b"", b"comment"])
    return file.getvalue()


def scramble(content):
    content = bytearray(content)
    interesting = [i for magic in (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7") for i in find_all(content, magic)]
    for _ in range(RANDOM.randrange(4)):
        at = (RANDOM.choice(interesting) + RANDOM.randrange(60) if interesting else RANDOM.randrange(len(content))) % len(content)
        content[at] = RANDOM.choice([0, 1, 0xFF, RANDOM.randrange(256)])
    return bytes(content)


def find_all(content, magic):
    at = content.find(magic)
    while at >= 0:
        yield at
        at = content.find(magic, at + 1)


def has_zip64_fields(content):
    entries = [content[at:at + 46] for at in find_all(content, b"PK\1\2")]
    return any(0xFFFFFFFF in (*struct.unpack("<LL", entry[20:28]), *struct.unpack("<L", entry[42:])) for entry in entries if len(entry) == 46)


def same_member(ours, theirs, why):
    """None when the views agree, else a sentence."""
    if theirs is None:
        return None if ours["refused"] or ours["end"] != "complete" or "too large" in why or ours.get("unpacked", ours["size"]) != ours["size"] \
            else f"given here, refused there: {why}"
    if ours["refused"]:
        return f"given there, refused here: {ours['refused']}"
    return None if ours["sha256"] == hashlib.sha256(theirs).hexdigest() else f"other bytes: {ours['size']} here, {len(theirs)} there"


def test_zip(driver):
    library = Miniz()
    counts = {"zipfile": 0, "miniz": 0, "refused": 0, "patched": 0}
    for number in range(600 * ROUNDS):
        content = random_zip() if number % 4 else written_by_zipfile()
        if number % 3 == 0:
            content = scramble(content)
        ours = driver.ask("zip", content)
        error, members = zipfile_reads(content)
        check(bool(ours["zipfile"]["refused"]) == bool(error), f"zipfile {error!r}, here {ours['zipfile']['refused']!r}", content)
        counts["refused"] += bool(error)
        if not error:
            check(set(ours["zipfile"]["names"]) == {name.hex() for name in members}, f"names {members.keys()} {ours}", content)
            for name, (theirs, why) in members.items():
                mine = ours["zipfile"]["names"].get(name.hex())
                if mine is not None:
                    problem = same_member(mine, theirs, why)
                    check(problem is None, f"zipfile {name}: {problem}", content)
                    counts["zipfile"] += theirs is not None
        names = [bytes.fromhex(name) for name in ours["names"] if "00" not in [name[i:i + 2] for i in range(0, len(name), 2)]]
        error, members = library.read(content, names)
        if bool(ours["miniz"]["refused"]) != bool(error) and has_zip64_fields(content):
            counts["patched"] += 1  # PyTorch's copy looks at zip64 fields where upstream looks at 0xffffffff
            continue
        check(bool(ours["miniz"]["refused"]) == bool(error), f"miniz {error!r}, here {ours['miniz']['refused']!r}", content)
        if not error:
            for name in names:
                mine, (theirs, why) = ours["miniz"]["names"].get(name.hex()), members.get(name, (None, "not found"))
                if mine is None:
                    check(name not in members, f"miniz finds {name}", content)
                else:
                    problem = same_member(mine, theirs, why)
                    check(problem is None, f"miniz {name}: {problem}", content)
                    counts["miniz"] += theirs is not None
    return counts


def tar_block(name=b"a", size=0, kind=b"0", link=b"", magic=b"ustar\x0000", prefix=b"", size_field=None, checksum=None, fields=()):
    block = bytearray(512)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = size_field or b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = link[:100].ljust(100, b"\0")
    block[257:265] = magic
    block[345:500] = prefix[:155].ljust(155, b"\0")
    for at, value in fields:
        block[at:at + len(value)] = value
    block[148:156] = checksum if checksum is not None else b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


def pax(records, kind=b"x"):
    content = b""
    for key, value in records:
        body = b" %s=%s\n" % (key, value)
        length = len(body)
        while len(b"%d" % length) + len(body) != length:
            length = len(b"%d" % length) + len(body)
        content += b"%d" % (length if RANDOM.random() < 0.95 else RANDOM.randrange(40)) + body
    return tar_block(b"PaxHeaders/x", len(content), kind) + padded(content)


def random_tar():
    out = b""
    for _ in range(RANDOM.choice([1, 2, 4, 8])):
        content = RANDOM.randbytes(RANDOM.choice([0, 1, 511, 512, 513, 2000]))
        for _ in range(RANDOM.choice([0, 0, 0, 1, 2])):
            out += RANDOM.choice([
                lambda: pax([(RANDOM.choice([b"path", b"linkpath", b"size", b"mtime", b"comment"]),
                              RANDOM.choice([b"long/name", b"%d" % len(content), b"%d" % (len(content) + 512), b"0", b" 7 ", b"1_0", b"x", b"-3", b"d/"]))
                             for _ in range(RANDOM.randrange(3))], RANDOM.choice([b"x", b"x", b"g", b"X"])),
                lambda: tar_block(b"././@LongLink", 120, b"L") + padded(b"n" * 119 + b"\0"),
                lambda: tar_block(b"././@LongLink", 120, b"K") + padded(b"l" * 119 + b"\0")])()
        kind = RANDOM.choice([b"0", b"0", b"0", b"\0", b"1", b"2", b"3", b"5", b"6", b"7", b"Z", b"S", b"4"])
        options = {}
        if RANDOM.random() < 0.2:
            options["size_field"] = RANDOM.choice([b"\x80" + b"\0" * 9 + struct.pack(">H", len(content)), b"%o" % len(content) + b"\0" * 8, b"  %o  " % len(content),
                                                   b"\xff" * 12, b"77777777777\0", b"-1\0", b"1_0\0", b"+7 ", b"0o17", b"zz", b"", b"\x80" + b"\x7f" * 11]).ljust(12, b"\0")[:12]
        if RANDOM.random() < 0.1:
            options["checksum"] = RANDOM.choice([b"0000000\0", b"garbage!", b"\0" * 8])
        if RANDOM.random() < 0.2:
            options["magic"] = RANDOM.choice([b"ustar  \0", b"\0" * 8])
        if RANDOM.random() < 0.2:
            options["prefix"] = b"pre/fix"
        if RANDOM.random() < 0.1:
            options["fields"] = [(RANDOM.choice([100, 108, 116, 136, 329, 337]), RANDOM.choice([b"zzz", b"\xff" * 8, b"0o7", b"", b"\xe9"]))]
        name = RANDOM.choice([b"a", b"dir/", b"dir//", b"../up", b"/abs", "é".encode(), b"data", b"n" * 100])
        out += tar_block(name, len(content), kind, link=b"target", **options)
        out += padded(content) if kind not in (b"1", b"2", b"3", b"4", b"5", b"6") or RANDOM.random() < 0.2 else b""
        if RANDOM.random() < 0.05:
            out += bytes(512)
    return out + RANDOM.choice([bytes(1024), bytes(512), b"", bytes(10_240), bytes(1024) + tar_block(b"behind"), b"x" * 100])


def written_by_tarfile():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=RANDOM.choice([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])) as archive:
        for index in range(1 + RANDOM.randrange(4)):
            info = tarfile.TarInfo(RANDOM.choice(["a", "dir/b", "é" * 40, "long/" * 18, "x" * 99]) + str(index))
            content = payload()
            info.size = len(content)
            info.type = RANDOM.choice([tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE])
            if info.type != tarfile.REGTYPE:
                info.size, info.linkname = 0, "target"
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def tarfile_lists(content):
    out = []
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:", errors="surrogateescape") as archive:
            while (member := archive.next()) is not None:
                out.append((member.name.encode("utf-8", "surrogateescape").hex(), member.type[0], member.offset_data, member.size))
                if len(out) > 100 or member.offset_data + member.size < 0:
                    break
    except (tarfile.TarError, ValueError, OverflowError, OSError) as error:
        return out, f"{type(error).__name__}: {error}"
    return out, ""


def normal(size):
    """A size, or -1 for one that no file has."""
    return int(size) if 0 <= int(size) < 1 << 62 else -1


def test_tar(driver):
    counts = {"members": 0, "raised": 0, "archives": 0}
    for number in range(500 * ROUNDS):
        content = random_tar() if number % 4 else written_by_tarfile()
        if number % 5 == 0:
            content = content[:RANDOM.randrange(len(content) + 1)]
        ours = driver.ask("tar", content)
        theirs, error = tarfile_lists(content)
        check(ours["accounted"] == len(content), f"tar: {ours['accounted']} bytes of {len(content)} are accounted for", content)
        counts["archives"] += 1
        counts["raised"] += bool(error)
        if any(member["sparse"] for member in ours["members"]) or any(m[1] == ord("S") for m in theirs):
            continue  # read as raw blocks here
        mine = [(m["name"], m["type"], m["data"], normal(m["size"])) for m in ours["members"]]
        # What tarfile can't step over may be its last member there, or none, or lead it backwards.
        theirs = [(*m[:3], normal(m[3])) for m in theirs]
        last = next((i for i, m in enumerate(theirs) if m[3] < 0 and chr(m[1]) not in "123456"), len(theirs))
        check(mine[:last] == theirs[:last] and (last < len(theirs) or len(mine) == last),
              f"tar: {mine} here, {theirs} there, {error!r}, {ours['problem']!r}", content)
        check(not error or ours["problem"], f"tar: raises {error!r}, nothing here", content)
        counts["members"] += last
    return counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        driver = Driver(folder)
        print("tar:", test_tar(driver))
        print("zip:", test_zip(driver))
        print("streams:", test_streams(driver))
    print("\n".join(failures) or "archives: no difference")
    sys.exit(bool(failures))
