"""The pickle machine against CPython's C and Python unpicklers, on generated and mutated pickles.

find_class returns inert stand-ins that record what is done to them, so nothing is imported or executed. Against the C
unpickler the events must be the same, in the same order, with the same end: result, failing opcode or truncation. What
the Python unpickler does must be among what the machine tells when it walks on after faults.
STEELYARD_ORACLE_SCALE multiplies the 2,000 pickles of CI.
"""

import io
import os
import pathlib
import pickle
import random
import resource
import struct
import subprocess
import sys
import warnings

import _pickle

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
COUNT = int(2000 * float(os.environ.get("STEELYARD_ORACLE_SCALE", "1")))
SEED = int(os.environ.get("STEELYARD_ORACLE_SEED", "20261126"))
EXACT, DROPPING, STRICT = 1, 2, 4
warnings.simplefilter("ignore")


# --- what is done to stand-ins -----------------------------------------------------------------------------------

class Recorder:
    def __init__(self):
        self.events, self.objects = [], 0

    def stand_in(self, text=None):
        if text is None:
            self.objects += 1
            text = f"#{self.objects}"
        return Meta("StandIn", (), {"recorder": self, "text": text, "__slots__": (), "__new__": create})


def create(cls, *args, **kwargs):
    made = cls.recorder.stand_in()
    words = ["create", cls.text, show(args)] + ([show(kwargs)] if kwargs else [])
    cls.recorder.events.append(" ".join(words))
    return made


class Meta(type):
    def __call__(cls, *args):
        made = cls.recorder.stand_in()
        cls.recorder.events.append(f"call {cls.text} {show(args)}")
        return made

    def __setstate__(cls, state):
        cls.recorder.events.append(f"build {cls.text} {show(state)}")

    def extend(cls, items):
        cls.recorder.events.append(f"extend {cls.text} {show(list(items))}")

    def append(cls, item):
        cls.extend([item])

    def __setitem__(cls, key, value):
        cls.recorder.events.append(f"set {cls.text} {show(key)} {show(value)}")

    def add(cls, item):
        cls.recorder.events.append(f"add {cls.text} {show(item)}")


def show(value, depth=0):
    """As tests/oracle/pickle_main.cpp writes values."""
    if depth > 5:
        return "..."
    inner = lambda item: show(item, depth + 1)
    if isinstance(value, Meta):
        return value.text
    match value:
        case None | True | False:
            return str(value)
        case int():
            return str(value) if -2**63 <= value < 2**63 else "big"
        case float():
            return f"f{struct.unpack('<Q', struct.pack('<d', value))[0]:016x}"
        case str():
            return f"'{value.encode('utf-8', 'surrogatepass').hex()}'"
        case bytes():
            return f"b'{value.hex()}'"
        case bytearray():
            return f"bytearray:{len(value)}"
        case tuple():
            return "(" + "".join(inner(item) + "," for item in value[:64]) + f"{len(value)})"
        case list():
            return "[" + "".join(inner(item) + "," for item in value[:64]) + f"{len(value)}]"
        case set() | frozenset():
            mark = "{" if isinstance(value, set) else "frozen{"
            return mark + "".join(key + "," for key in sorted({key_of(item, depth + 1) for item in value})) + "}"
        case dict():
            pairs = {key_of(key, depth + 1): inner(item) for key, item in value.items()}
            return "{" + "".join(f"{key}:{pairs[key]}," for key in sorted(pairs)) + "}"
        case memoryview():
            return "buffer"
    return type(value).__name__


def key_of(value, depth):
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value == value and abs(value) < 2**63 and value == int(value):
        return str(int(value))
    if isinstance(value, tuple):
        return "(" + "".join(key_of(item, depth + 1) + "," for item in value[:64]) + ")"
    return show(value, depth)


def recording(base):
    class Unpickler(base):
        def find_class(self, module, name):
            target = f"<{module.encode('utf-8', 'surrogatepass').hex()} {name.encode('utf-8', 'surrogatepass').hex()}>"
            self.recorder.events.append(f"import {target}")
            known = self.globals.get(target)
            if known is None:
                known = self.globals[target] = self.recorder.stand_in(target)
            return known

        def persistent_load(self, number):
            self.recorder.events.append(f"persistent {show(number)}")
            return self.recorder.stand_in()

    return Unpickler


class File:
    """Without peek(), so that the C unpickler reads no more than it uses."""

    def __init__(self, content):
        self.file = io.BytesIO(content)
        self.read, self.readline, self.readinto, self.tell = self.file.read, self.file.readline, self.file.readinto, self.file.tell


def load(base, file):
    unpickler = recording(base)(file)
    unpickler.recorder, unpickler.globals = Recorder(), {}
    try:
        result, fault = unpickler.load(), None
    except RecursionError:
        raise
    except MemoryError as error:
        result, fault = None, error
    except Exception as error:
        result, fault = None, error
    return unpickler.recorder.events, result, fault


# --- pickles -----------------------------------------------------------------------------------------------------

class Generator:
    NAMES = [b"os", b"posix", b"system", b"a.b", b"builtins", b"\xc3\xa9", b"x y", b"copyreg", b"_reconstructor"]
    TEXTS = [b"", b"a", b"key", b"os", b"system", "Ünï".encode(), b"\xed\xa0\x80", b"x" * 70]
    NUMBERS = [b"0", b"1", b"00", b"01", b"-5", b" 7", b"0x1f", b"017", b"0o17", b"1_0", b"12345678901234567890", b"5L",
               b"-12345678901234567890L", b"\x00", b"1\x002", b"+3", b"0b1", b"1__0", b"", b"x", b"_1", b"0x", b"9" * 700]
    FLOATS = [b"1.5", b"-0", b"1e5", b"inf", b"-inf", b"1e", b"1.", b".5", b" 1", b"1e400", b"0x1", b"1_0", b"", b"infinity", b"2\x00x"]
    STRINGS = [b"'a'", b'"b"', b"'\\x41\\n\\101'", b"'\\x4'", b"'a", b"a'", b"'", b"''", b"'\\q'", b"'\\", b"'a\\'", b"'\xe9'", b"'\\377'"]
    UNICODES = [b"", b"a", b"\\u0041", b"\\u00e", b"\\U0001f600", b"\\U00110000", b"\\", b"\\\\u0041", b"\xe9", b"\\ud800", b"\\q"]

    # What a tame pickle chooses from instead.
    TAME = {id(NUMBERS): NUMBERS[:12], id(FLOATS): FLOATS[:5], id(STRINGS): STRINGS[:3], id(UNICODES): UNICODES[:3], id(TEXTS): TEXTS[:5]}

    def __init__(self, random_):
        self.random, self.stored = random_, []
        self.tame = random_.random() < 0.6

    def pick(self, options):
        return self.random.choice(self.TAME.get(id(options), options) if self.tame else options)

    def pickle(self):
        choice = self.random.choice
        out = bytearray()
        if self.random.random() < 0.6:
            out += b"\x80" + bytes([self.random.choice([0, 1, 2, 3, 4, 4, 4, 5, 5, 6 if self.random.random() < 0.05 else 4])])
        body = bytearray()
        wild = 0 if self.tame else self.random.choice([0, 0.02, 0.1, 0.5])
        for _ in range(self.random.randrange(1, 40)):
            body += self.opcode(bytes([self.random.randrange(256)])) if self.random.random() < wild else self.phrase()
        body += b"."
        frames = self.random.random()
        if frames < 0.2:
            out += b"\x95" + struct.pack("<Q", len(body)) + body
        elif frames < 0.3:
            size = 0 if self.tame else self.random.randrange(len(body) + 2)
            out += b"\x95" + struct.pack("<Q", size) + body
        else:
            out += body
        if self.random.random() < (0.05 if self.tame else 0.3):
            out = self.mutate(out)
        return bytes(out)

    def mutate(self, out):
        for _ in range(self.random.randrange(1, 4)):
            kind, at = self.random.random(), self.random.randrange(len(out))
            if kind < 0.4:
                out[at] = self.random.randrange(256)
            elif kind < 0.6:
                out = out[:at] or bytearray(b".")
            elif kind < 0.8:
                out[at:at] = self.opcode(self.random.choice([b"(", b"0", b"1", b"2", b"R", b"b", b"a", b"u", b"\x94", b"\x95"]))
            else:
                del out[at:at + self.random.randrange(1, 4)]
                out = out or bytearray(b".")
        return out

    def value(self, depth=0):
        """Something that pushes one value."""
        kind = self.random.randrange(24 if depth < 3 else 12)
        if kind < 2:
            return self.opcode(self.random.choice([b"N", b"\x88", b"\x89", b"K", b"M", b"J", b"G"]))
        if kind < 4:
            return b"\x8c" + bytes([len(t := self.pick(self.TEXTS))]) + t
        if kind < 5 and self.tame:
            return self.opcode(self.random.choice([b"C", b"X", b"B", b"\x8d", b"\x8e", b"\x96"]))
        if kind < 5:
            return self.opcode(self.random.choice([b"C", b"X", b"B", b"\x8d", b"\x8e", b"\x96", b"U", b"T", b"\x8a", b"\x8b"]))
        if kind < 6:
            return self.opcode(self.random.choice([b"I", b"L", b"F", b"S", b"V"]))
        if kind < 8 and self.stored:
            return b"h" + bytes([self.random.choice(self.stored)])
        if kind < 10:
            return self.random.choice([b")", b"]", b"}", b"\x8f"])
        if kind < 12:
            return self.name()
        if kind < 14:
            code = self.random.choice([b"t", b"l", b"d", b"\x91"])
            if code == b"d":
                return b"(" + b"".join(self.key(depth) + self.value(depth + 1) for _ in range(self.random.randrange(3))) + code
            count = self.random.randrange(4)
            return b"(" + b"".join(self.key(depth) if code == b"\x91" else self.value(depth + 1) for _ in range(count)) + code
        if kind < 16:
            count = self.random.randrange(1, 4)
            return b"".join(self.value(depth + 1) for _ in range(count)) + bytes([0x84 + count])
        if kind < 18:
            return self.name() + self.value(depth + 1) + b"\x85R"
        if kind < 19:
            return self.name() + b")" + self.random.choice([b"R", b"\x81"])
        if kind < 20:
            return self.name() + b"(" + self.value(depth + 1) + b"t" + b"}" + self.pairs(depth) + b"\x92"
        if kind < 21:
            return b"(" + self.name() + b"".join(self.value(depth + 1) for _ in range(self.random.randrange(3))) + b"o"
        if kind < 22:
            return b"(" + b"".join(self.value(depth + 1) for _ in range(self.random.randrange(3))) + b"i" + self.line_name() + self.line_name()
        if kind < 23:
            return self.value(depth + 1) + b"Q"
        return b"P" + self.pick(self.TEXTS) + b"\n"

    def pairs(self, depth):
        return b"(" + b"".join(self.key(depth) + self.value(depth + 1) for _ in range(self.random.randrange(3))) + b"u"

    def key(self, depth):
        return self.random.choice([b"\x8c\x01k", b"\x8c\x02k2", b"K\x07", b"N"]) if self.tame else self.value(depth + 1)

    def line_name(self):
        return self.random.choice(self.NAMES) + b"\n"

    def name(self):
        if self.random.random() < 0.5:
            return b"c" + self.line_name() + self.line_name()
        texts = [self.random.choice(self.NAMES) for _ in range(2)]
        return b"".join(b"\x8c" + bytes([len(t)]) + t for t in texts) + b"\x93"

    def phrase(self):
        kind = self.random.random()
        if kind < 0.55:
            return self.value()
        if kind < 0.7:
            number = self.random.randrange(8)
            self.stored.append(number)
            return self.value() + self.random.choice([b"q" + bytes([number]), b"r" + struct.pack("<I", number), b"p%d\n" % number, b"\x94"])
        if kind < 0.85:
            fill = [b"]" + self.value() + b"a", b"](" + self.value() * 2 + b"e", b"}" + self.key(1) + self.value() + b"s",
                    b"}" + self.pairs(1), b"\x8f(" + self.key(1) + b"\x90", self.name() + self.value() + b"b", self.name() + self.value() + b"a",
                    self.name() + b"(" + self.value() + b"e", self.name() + self.value() * 2 + b"s", self.name() + b"(" + self.value() + b"\x90",
                    self.name() + b"N" + self.value() + b"\x86b"]
            if not self.tame:
                fill += [self.value() + self.value() + code for code in (b"a", b"b")] + [self.value() + self.value() * 2 + b"s"]
            return self.random.choice(fill)
        if self.tame:
            return self.value() + self.random.choice([b"0", b"2", b"2\x86", b"\x85", b"(01"[:2]])
        return self.opcode(self.random.choice([b"0", b"1", b"2", b"(", b"R", b"b", b"\x81", b"\x85", b"\x86", b"\x87", b"\x93", b"\x97",
                                               b"\x98", b"g", b"h", b"j", b"p", b"\x82", b"\x83", b"\x84", b"e", b"u", b"\x90"]))

    def opcode(self, code):
        choice, number = self.random.choice, self.random.randrange
        match code:
            case b"K" | b"h" | b"q" | b"\x82":
                return code + bytes([number(6)])
            case b"M" | b"\x83":
                return code + struct.pack("<H", number(1 << 16))
            case b"J":
                return code + struct.pack("<i", choice([0, -1, 5, number(1 << 31) - (1 << 30)]))
            case b"j" | b"r":
                return code + struct.pack("<I", number(300))
            case b"\x84":
                return code + struct.pack("<i", choice([0, -1, 77]))
            case b"G":
                return code + struct.pack(">d", choice([0.0, 1.0, -2.5, 1e300]))
            case b"I" | b"L":
                return code + self.pick(self.NUMBERS) + b"\n"
            case b"g" | b"p":
                return code + choice([b"0", b"1", b"2", b"3", b"+1", b"-1", b"x", b"", b"1_0", b"9999999999999999999", b"5 "]) + b"\n"
            case b"F":
                return code + self.pick(self.FLOATS) + b"\n"
            case b"S":
                return code + self.pick(self.STRINGS) + b"\n"
            case b"V":
                return code + self.pick(self.UNICODES) + b"\n"
            case b"P":
                return code + self.pick(self.TEXTS) + b"\n"
            case b"c" | b"i":
                return code + self.line_name() + self.line_name()
            case b"\x80":
                return code + bytes([number(8)])
            case b"\x95":
                return code + struct.pack("<Q", choice([0, 1, 2, 5, 20, 1 << 63]))
            case b"\x8a":
                content = bytes(number(256) for _ in range(number(12)))
                return code + bytes([len(content)]) + content
            case b"\x8b":
                content = bytes(number(256) for _ in range(number(12)))
                return code + struct.pack("<i", choice([len(content)] * 9 + [-1])) + content
            case b"C" | b"U" | b"\x8c":
                return code + bytes([len(t := self.pick(self.TEXTS))]) + t
            case b"X" | b"B" | b"T":
                return code + struct.pack("<I", len(t := self.pick(self.TEXTS))) + t
            case b"\x8d" | b"\x8e" | b"\x96":
                return code + struct.pack("<Q", len(t := self.pick(self.TEXTS))) + t
        return code


# --- comparison --------------------------------------------------------------------------------------------------

def machine(pickles):
    """[(events, end, fault offset, how, result)] for [(pickle, flags)]."""
    stream = b"".join(struct.pack("<IB", len(content), flags) + content for content, flags in pickles)
    lines = subprocess.run([BUILD / "tests/pickle"], input=stream, capture_output=True, check=True).stdout.decode().splitlines()
    out, events = [], []
    for line in lines:
        if line.startswith("end "):
            _, end, at, how, result = line.split(" ", 4)
            out.append((events, int(end), int(at), how, result))
            events = []
        else:
            events.append(line)
    assert len(out) == len(pickles), (len(out), len(pickles))
    return out


def is_truncation(error):
    return isinstance(error, EOFError) or "truncated" in str(error) and isinstance(error, pickle.UnpicklingError)


def compare_with_c(content, found, framed):
    file = File(content)
    events, result, fault = load(_pickle.Unpickler, file)
    seen, end, _, how, shown = found
    if isinstance(fault, MemoryError):  # a memo index beyond this machine's memory
        return None if events == seen[:len(events)] else "events differ before MemoryError"
    if events != seen:
        return f"events differ\n  C       {events}\n  machine {seen}"
    if (fault is None) != (how == "fine"):
        return f"C: {fault!r}, machine: {how}"
    if fault is None and show(result) != shown:
        return f"result: C {show(result)}, machine {shown}"
    # C says "truncated" about empty lines too.
    if how == "truncated" and not is_truncation(fault):
        return f"C: {fault!r}, machine: {how}"
    if not framed and how != "truncated" and file.tell() != end:
        return f"C stops at {file.tell()} ({fault!r}), machine at {end} ({how})"
    return None


def compare_buffered(content, found):
    """From a file with peek(), frames are only hints."""
    events, _, fault = load(_pickle.Unpickler, io.BufferedReader(io.BytesIO(content), 1 << 17))
    seen, _, _, how, _ = found
    if isinstance(fault, MemoryError):
        return None
    return None if events == seen and (fault is None) == (how == "fine") else f"buffered: C {events} {fault!r}\n  machine {seen} {how}"


def compare_with_python(content, walked):
    events, _, fault = load(pickle._Unpickler, io.BytesIO(content))
    told = iter(event.removeprefix("!") for event in walked[0])
    # Values may differ: C and Python don't read all numbers alike.
    names = lambda event: "persistent" if event.startswith("persistent") else " ".join(event.split(" ")[:2])
    for event in events:
        if event.startswith("extend ") and event.endswith(" [0]"):
            continue  # the Python unpickler extends by nothing, C doesn't
        if not any(names(event) == names(other) for other in told):
            return f"unseen by the machine: {event}\n  Python  {events} {fault!r}\n  machine {walked[0]} {walked[3]}"
    return None


def check(pickles):
    jobs = [(content, flags) for content in pickles for flags in (EXACT | DROPPING, EXACT, STRICT)]
    results = machine(jobs)
    outcomes, failures = {"fine": 0, "fault": 0, "truncated": 0}, []
    for number, content in enumerate(pickles):
        dropping, joined, strict = results[3 * number:3 * number + 3]
        outcomes[dropping[3]] += 1
        for problem in (compare_with_c(content, dropping, b"\x95" in content), compare_buffered(content, joined), compare_with_python(content, strict)):
            if problem:
                failures.append(f"{content!r}\n  {problem}")
    return outcomes, failures


def main():
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    generator = random.Random(SEED)
    total = {"fine": 0, "fault": 0, "truncated": 0}
    events = 0
    for begin in range(0, COUNT, 1000):
        pickles = [Generator(generator).pickle() for _ in range(min(1000, COUNT - begin))]
        outcomes, failures = check(pickles)
        for key, count in outcomes.items():
            total[key] += count
        if failures:
            print(f"{len(failures)} differences; the first:\n" + "\n".join(failures[:5]))
            return 1
    print(f"pickle: {COUNT} pickles, {total}: the machine and CPython agree")
    # Without all three outcomes in numbers the generator tests nothing.
    return int(min(total.values()) < COUNT // 50)


if __name__ == "__main__":
    sys.exit(main())
