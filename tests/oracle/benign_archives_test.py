"""Ordinary archives, written by the libraries that people use: none has a finding above info."""

import bz2
import gzip
import io
import json
import lzma
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zlib

import joblib
import lz4.frame
import numpy

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from torch_files import Storage, Tensor, save, save_legacy, save_tar  # noqa: E402

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])


def tensors():
    shared = Storage("FloatStorage", 100, bytes(range(200)) * 2)
    return {"layer.weight": Tensor(shared, (4, 10)), "layer.bias": Tensor(shared, (10,), 40), "half": Tensor(Storage("HalfStorage", 16), (4, 4)),
            "index": Tensor(Storage("LongStorage", 3), (3,)), "empty": Tensor(Storage("ByteStorage", 0), (0,)), "wide": Tensor(Storage("BFloat16Storage", 5000), (50, 100))}


def archives():
    text = b"notes about the model\n" * 50
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr("notes.txt", text)
            archive.writestr("folder/", b"")
            archive.writestr("folder/é.txt", text)
            with archive.open("big.txt", "w", force_zip64=True) as member:
                member.write(text)
            archive.comment = b"a comment"
        yield f"zipfile-{method}.zip", out.getvalue()

    class Unseekable(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, data):
            self.data += data
            return len(data)

    out = Unseekable()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.txt", text)
    yield "streamed.zip", bytes(out.data)
    yield "empty.zip", b"PK\5\6" + bytes(18)
    for name, form in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as archive:
            for member in ("notes.txt", "folder/é.txt", "long/" * 18 + "notes.txt"):
                info = tarfile.TarInfo(member)
                info.size, info.mtime = len(text), 1_700_000_000.5 if form == tarfile.PAX_FORMAT else 0
                archive.addfile(info, io.BytesIO(text))
            info = tarfile.TarInfo("folder")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        yield f"{name}.tar", out.getvalue()
        yield f"{name}.tar.gz", gzip.compress(out.getvalue())
        yield f"{name}.tar.xz", lzma.compress(out.getvalue())
    yield "notes.txt.gz", gzip.compress(text)
    yield "notes.txt.bz2", bz2.compress(text)
    yield "notes.txt.xz", lzma.compress(text)
    yield "notes.txt.z", zlib.compress(text)
    yield "notes.txt.lz4", lz4.frame.compress(text)


def arrays():
    values = {"a": numpy.arange(1000.0), "b": numpy.ones((3, 4), "i2"), "c": numpy.array(["x", "yy"]), "d": numpy.zeros(0), "e": numpy.float32(3),
              "f": numpy.array([(1, 2.0)], dtype=[("x", "<i4"), ("y", "<f8", (1,))]), "g": numpy.asfortranarray(numpy.ones((2, 3))),
              "h": numpy.array(["2020-01-01"], "M8[D]"), "i": numpy.array([b"ab"]), "j": numpy.array([1 + 2j]), "k": numpy.array([True])}
    for name, value in values.items():
        out = io.BytesIO()
        numpy.save(out, value)
        yield f"{name}.npy", out.getvalue()
    out = io.BytesIO()
    for value in values.values():
        numpy.save(out, value)
    yield "several.npy", out.getvalue()
    for name, write in (("plain", numpy.savez), ("compressed", numpy.savez_compressed)):
        out = io.BytesIO()
        write(out, **values)
        yield f"{name}.npz", out.getvalue()
    out = io.BytesIO()
    numpy.save(out, numpy.array([{"a": 1}, None, "text"], dtype=object), allow_pickle=True)
    yield "objects.npy", out.getvalue()


def joblibs(folder):
    value = {"coefficients": numpy.arange(2000.0).reshape(40, 50), "names": ["a", "b"], "n": 3, "small": numpy.ones(2, "f4")}
    for compress in (0, 3, ("zlib", 9), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3)):
        path = pathlib.Path(folder) / "model.joblib"
        joblib.dump(value, path, compress=compress)
        yield f"model-{compress if isinstance(compress, int) else compress[0]}.joblib", path.read_bytes()


def pytorch():
    yield "model.pt", save(tensors())
    yield "other-folder.pt", save(tensors(), "model")
    yield "legacy.pt", save_legacy(tensors())
    yield "many.pt", save({f"t{i}": Tensor(Storage("FloatStorage", 10), (10,)) for i in range(300)})
    yield "many-legacy.pt", save_legacy({f"t{i}": Tensor(Storage("FloatStorage", 10), (10,)) for i in range(300)})
    yield "tar.pt", save_tar([Tensor(Storage("FloatStorage", 10), (5, 2)), Tensor(Storage("LongStorage", 3), (3,))])


def main():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name, content in [*archives(), *arrays(), *joblibs(folder), *pytorch()]:
            path = pathlib.Path(folder) / name
            path.write_bytes(content)
            paths.append(path)
        answers = subprocess.run([BUILD / "tests/examine"], input="".join(f"{path}\n" for path in paths), capture_output=True, text=True, check=True).stdout
    for path, line in zip(paths, answers.splitlines(), strict=True):
        answer = json.loads(line)
        loud = [f"{finding['rule']} {finding['message']}" for finding in answer["findings"] if finding["severity"] != "info"]
        if loud or not answer["whole"]:
            failures.append(f"{path.name} ({answer['format']}): {'; '.join(loud) or 'not examined whole'}")
    print("\n".join(failures) or f"benign archives: {len(paths)} files, nothing above info")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
