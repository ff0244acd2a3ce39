"""Files as torch.save writes them, byte for byte in their structure, without torch: see torch/serialization.py and
caffe2/serialize/inline_container.cc. For tests only."""

import io
import pickle
import struct
import sys
import tarfile
import types
import zlib

SIZES = {"FloatStorage": 4, "HalfStorage": 2, "BFloat16Storage": 2, "LongStorage": 8, "ByteStorage": 1, "BoolStorage": 1}


def stub(module, name, function=True):
    """An object that pickles as a reference to module.name."""
    parent = None
    for end in [i for i, c in enumerate(module) if c == "."] + [len(module)]:
        owner = sys.modules.setdefault(module[:end], types.ModuleType(module[:end]))
        if parent is not None:
            setattr(parent, module[:end].rpartition(".")[2], owner)
        parent = owner
    if not hasattr(owner, name):
        made = types.FunctionType((lambda *_: None).__code__, {}, name) if function else type(name, (), {})
        made.__module__, made.__qualname__ = module, name
        setattr(owner, name, made)
    return getattr(owner, name)


class Storage:
    def __init__(self, kind, elements, content=None):
        self.kind, self.elements = kind, elements
        self.content = bytes(SIZES[kind] * elements) if content is None else content
        self.key = None


class Tensor:
    def __init__(self, storage, shape, offset=0):
        stride, strides = 1, []
        for size in reversed(shape):
            strides.insert(0, stride)
            stride *= size
        self.arguments = storage, offset, tuple(shape), tuple(strides), False, stub("collections", "OrderedDict", False)()
        self.storage = storage

    def __reduce_ex__(self, _):
        return stub("torch._utils", "_rebuild_tensor_v2"), self.arguments


class Pickler(pickle.Pickler):
    def __init__(self, file, legacy=False):
        super().__init__(file, protocol=2)
        self.storages, self.legacy = [], legacy

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if value.key is None:
            value.key = str(94_000_000 + 16 * len(self.storages)) if self.legacy else str(len(self.storages))
            self.storages.append(value)
        id = "storage", stub("torch", value.kind, False), value.key, "cpu", value.elements
        return id + (None,) if self.legacy else id


class PyTorchZip:
    """What PyTorchStreamWriter makes of records: stored, aligned to 64, sizes behind the data, zip64 end records."""

    def __init__(self, folder="archive"):
        self.out, self.central, self.count, self.folder = bytearray(), bytearray(), 0, folder

    def record(self, name, content):
        name = f"{self.folder}/{name}".encode()
        at = len(self.out)
        start = at + 30 + len(name) + 4
        padding = -start % 64
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        crc = zlib.crc32(content)
        self.out += struct.pack("<4sHHHHHLLLHH", b"PK\3\4", 0, 0x0808, 0, 0, 0, 0, 0, 0, len(name), len(extra)) + name + extra + content
        self.out += struct.pack("<4sLLL", b"PK\7\x08", crc, len(content), len(content))
        self.central += struct.pack("<4sHHHHHHLLLHHHHHLL", b"PK\1\2", 0, 0, 0x0808, 0, 0, 0, crc, len(content), len(content), len(name), 0, 0, 0, 0, 0, at) + name
        self.count += 1

    def finish(self):
        at = len(self.out)
        end64 = at + len(self.central)
        return bytes(self.out + self.central + struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 0x031E, 45, 0, 0, self.count, self.count, len(self.central), at) +
                     struct.pack("<4sLQL", b"PK\6\7", 0, end64, 1) +
                     struct.pack("<4sHHHHLLH", b"PK\5\6", 0, 0, self.count, self.count, len(self.central), at, 0))


def save(value, folder="archive", extra=()):
    file = io.BytesIO()
    pickler = Pickler(file)
    pickler.dump(value)
    archive = PyTorchZip(folder)
    archive.record("data.pkl", file.getvalue())
    archive.record(".format_version", b"1")
    archive.record(".storage_alignment", b"64")
    archive.record("byteorder", b"little")
    for storage in pickler.storages:
        archive.record(f"data/{storage.key}", storage.content)
    for name, content in extra:
        archive.record(name, content)
    archive.record("version", b"3\n")
    archive.record(".data/serialization_id", b"1234567890123456789012345678901234567890")
    return archive.finish()


def save_legacy(value):
    out = io.BytesIO()
    pickle.dump(0x1950A86A20F9469CFC6C, out, protocol=2)
    pickle.dump(1001, out, protocol=2)
    pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, out, protocol=2)
    pickler = Pickler(out, legacy=True)
    pickler.dump(value)
    storages = sorted(pickler.storages, key=lambda storage: storage.key)
    pickle.dump([storage.key for storage in storages], out, protocol=2)
    for storage in storages:
        out.write(struct.pack("<Q", storage.elements) + storage.content)
    return out.getvalue()


def save_tar(tensors):
    """Before 0.1.10: three files in a tar archive."""
    storages, views, objects = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pickle.dump(len(tensors), storages, protocol=2)
    for number, tensor in enumerate(tensors):
        storage = tensor.storage
        pickle.dump((number, "cpu", stub("torch", storage.kind, False)), storages, protocol=2)
        storages.write(struct.pack("<Q", storage.elements) + storage.content)
    pickle.dump([], storages, protocol=2)
    pickle.dump(len(tensors), views, protocol=2)
    for number, tensor in enumerate(tensors):
        shape, strides = tensor.arguments[2:4]
        pickle.dump((100 + number, number, stub("torch", "FloatTensor", False)), views, protocol=2)
        views.write(struct.pack("<ii", len(shape), 0) + struct.pack(f"<{len(shape)}q", *shape) + struct.pack(f"<{len(shape)}q", *strides) + struct.pack("<q", 0))

    class ById(pickle.Pickler):
        def persistent_id(self, value):
            return str(100 + tensors.index(value)) if isinstance(value, Tensor) else None

    ById(objects, protocol=2).dump({f"layer{number}.weight": tensor for number, tensor in enumerate(tensors)})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name, file in (("storages", storages), ("tensors", views), ("pickle", objects)):
            info = tarfile.TarInfo(name)
            info.size = len(file.getvalue())
            archive.addfile(info, io.BytesIO(file.getvalue()))
    return out.getvalue()
