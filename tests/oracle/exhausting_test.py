"""Pickles that only exhaust who loads them or uses the result, each with what finds it; and benign twins, which stay silent.

Nothing of it is loaded. Where hashes must collide, CPython's own hash says that they do.
"""

import collections
import datetime
import decimal
import fractions
import itertools
import json
import os
import pathlib
import pickle
import random
import struct
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
PROTO = b"\x80\x02"
LEVELS = 60
MODULUS = sys.hash_info.modulus


# --- opcodes -------------------------------------------------------------------------------------------------------

def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def integer(number):
    if -2**31 <= number < 2**31:
        return b"J" + struct.pack("<i", number)
    content = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content


def put(index):
    return b"r" + struct.pack("<I", index)


def get(index):
    return b"j" + struct.pack("<I", index)


def text(content):
    return b"X" + struct.pack("<I", len(content)) + content.encode()


def call(module, function, *arguments):
    return name(module, function) + b"(" + b"".join(arguments) + b"tR"


def builtin(function, *arguments):
    return call("builtins", function, *arguments)


def whole(body):
    return PROTO + body + b"."


def levels(first, level):
    """`level(i)` makes one from the one before, memo entry i."""
    return whole(first + put(0) + b"".join(b"0" + level(i) + put(i + 1) for i in range(LEVELS)))


def from_above(fill):
    """Lists that are put into each other from the outermost inwards: each is empty when another one gets it."""
    body = b"".join(b"]" + put(i) + b"0" for i in range(LEVELS + 1))
    return body + b"".join(get(i) + b"(" + fill(i + 1) + b"e0" for i in range(LEVELS)) + get(0)


# --- attacks -------------------------------------------------------------------------------------------------------

def colliding_tuples(count):
    """Pairs with one hash: for each first number, the second that leads to it (Objects/tupleobject.c, 3.8 to 3.14)."""
    mask, one, two, five = 2**64 - 1, 11400714785074694791, 14029467366897019727, 2870177450012600261
    inverse_one, inverse_two = pow(one, -1, 2**64), pow(two, -1, 2**64)
    turn = lambda x, bits: (x << bits | x >> (64 - bits)) & mask
    step = lambda state, lane: turn((state + lane * two) & mask, 31) * one & mask
    end = step(step(five, 5), 6)
    out = []
    for first in itertools.count(1):
        second = (turn(end * inverse_one & mask, 33) - step(five, first)) * inverse_two & mask
        if second < MODULUS:
            out.append((first, second))
        if len(out) == count:
            assert len({hash(pair) for pair in out}) == 1
            return out


def attacks():
    huge, long = integer(1 << 36), builtin("range", integer(10**10))
    endless = call("itertools", "count")
    twice = b"K\x01" + b"2\x86" * 50
    two = b"(K\x01K\x02l"

    yield "laughs: tuples", "PKL026", levels(b"]", lambda i: get(i) * 2 + b"\x86")
    yield "laughs: lists behind constants", "PKL026", levels(b"]", lambda i: b"(" + b"N" * 70 + get(i) * 2 + b"l")
    yield "laughs: dictionaries", "PKL026", levels(b"N", lambda i: b"}(K\x01" + get(i) + b"K\x02" + get(i) + b"u")
    yield "laughs: deques", "PKL026", levels(b"N", lambda i: name("collections", "deque") + b")R(" + get(i) * 2 + b"e")
    yield "laughs: ordered dictionaries", "PKL026", levels(
        b"N", lambda i: name("collections", "OrderedDict") + b")R(K\x01" + get(i) + b"K\x02" + get(i) + b"u")
    yield "laughs: calls of tuple", "PKL026", levels(b"N", lambda i: name("builtins", "tuple") + get(i) * 2 + b"\x86\x85R")
    yield "laughs: from the outermost inwards", "PKL026", whole(from_above(lambda i: get(i) * 2))
    yield "laughs: in an object's state", "PKL026", whole(
        b"0".join([from_above(lambda i: get(i) * 2), name("argparse", "Namespace") + b")\x81}" + text("a") + get(0) + b"sb"]))
    flood = b"".join(b"]" + put(100_000 + i) + b"0" for i in range(70_000))
    yield "laughs: seventy thousand lists between them", "PKL026", levels(
        b"]", lambda i: get(i) * 2 + b"\x86" + put(i + 1) + (flood if i == 30 else b""))

    yield "deep: lists", "PKL027", whole(b"]" * 20_000 + b"a" * 19_999)
    yield "deep: more lists than are kept", "PKL027", whole(b"]" * 100_000 + b"a" * 99_999)
    yield "deep: dictionaries", "PKL027", whole(b"}K\x01" * 20_000 + b"N" + b"s" * 20_000)
    yield "deep: from the outermost inwards", "PKL027", whole(
        b"]" + put(0) + b"".join(b"]" + put(i) + b"a0" + get(i) for i in range(1, 30_000)))

    yield "memory: zeros", "PKL025", whole(builtin("bytearray", huge))
    yield "memory: zeros from __new__", "PKL025", whole(name("builtins", "bytes") + b"(" + huge + b"t\x81")
    yield "memory: zeros through copyreg", "PKL025", whole(call("copyreg", "__newobj__", name("builtins", "bytes"), huge))
    yield "memory: many times a megabyte", "PKL025", whole(b"(" + builtin("bytearray", integer(10**6)) * 5000 + b"l")
    yield "memory: an array of any shape", "PKL025", whole(
        call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), integer(10**6) * 2 + b"\x86", text("b")))
    yield "memory: a masked array", "PKL025", whole(call(
        "numpy.ma.core", "_mareconstruct", name("numpy.ma.core", "MaskedArray"), name("numpy", "ndarray"), integer(10**12) + b"\x85", text("b")))
    yield "memory: a memo entry far away", "PKL012", whole(b"N" + put(2**31 - 1))
    yield "memory: a text of two terabytes", "PKL025", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 41) + b"x."
    yield "doubling: chains", "PKL025", levels(two, lambda i: builtin("list", call("itertools", "chain", get(i), get(i))))
    yield "doubling: sums", "PKL025", levels(two, lambda i: builtin("sum", b"(" + get(i) * 2 + b"l", b"]"))

    for function in ("list", "tuple", "set", "frozenset", "bytes", "sorted", "sum", "max", "all"):
        yield f"items: {function} of a range", "PKL025", whole(builtin(function, long))
    yield "items: a dictionary of two ranges", "PKL025", whole(builtin("dict", builtin("zip", long, long)))
    yield "items: a counter of a cycle", "PKL025", whole(call("collections", "Counter", call("itertools", "cycle", two)))
    yield "items: a deque that repeats", "PKL025", whole(call("collections", "deque", call("itertools", "repeat", b"N"), integer(3)))
    yield "items: an endless map", "PKL025", whole(builtin("tuple", builtin("map", name("builtins", "abs"), endless)))
    yield "items: numbered", "PKL025", whole(builtin("list", builtin("enumerate", endless)))
    yield "items: a slice of what is endless", "PKL025", whole(builtin("list", call("itertools", "islice", endless, integer(10**10))))
    yield "items: permutations", "PKL025", whole(builtin("list", call("itertools", "permutations", builtin("range", integer(15)))))
    yield "items: until a class returns something", "PKL025", whole(builtin("list", builtin("iter", name("builtins", "int"), b"K\x01")))

    yield "numbers: a power", "PKL025", whole(builtin("pow", integer(10), integer(10**9)))
    yield "numbers: a power of a power", "PKL025", whole(builtin("pow", builtin("pow", integer(10), integer(10)), integer(10**9)))
    yield "numbers: a binomial", "PKL025", whole(call("math", "comb", integer(10**10), integer(5 * 10**9)))
    yield "numbers: int of a decimal", "PKL025", whole(builtin("int", call("decimal", "Decimal", text("1E999999999"))))
    yield "numbers: int of a decimal's parts", "PKL025", whole(
        builtin("int", call("decimal", "Decimal", b"(K\x00K\x01\x85" + integer(999_999_999) + b"t")))
    yield "numbers: floor of a decimal", "PKL025", whole(call("math", "floor", call("decimal", "Decimal", text("1E999999999"))))
    yield "numbers: a fraction", "PKL025", whole(call("fractions", "Fraction", text("1e-999999999")))

    yield "keys: shared tuples", "PKL025", whole(b"}" + b"K\x01" + b"2\x86" * 60 + b"Ns")
    yield "keys: deep tuples", "PKL025", whole(b"}N" + b"\x85" * 50_000 + b"Ns")
    yield "keys: deep tuples in a frozenset", "PKL025", b"\x80\x04(N" + b"\x85" * 50_000 + b"\x91."
    yield "keys: repr while loading", "PKL025", whole(builtin("repr", twice))
    yield "keys: hash while loading", "PKL025", whole(builtin("hash", twice))
    numbers = [i * MODULUS for i in range(1, 6000)]
    assert {hash(number) for number in numbers} == {0}
    yield "keys: numbers with one hash", "PKL025", pickle.dumps(dict.fromkeys(numbers), 4)
    yield "keys: numbers with one hash, in a list for set()", "PKL025", whole(builtin("set", b"(" + b"".join(map(integer, numbers)) + b"l"))
    yield "keys: numbers with one hash, as text", "PKL025", pickle.dumps(dict.fromkeys(numbers), 0)
    pairs = colliding_tuples(6000)
    yield "keys: pairs with one hash", "PKL025", pickle.dumps(dict.fromkeys(pairs), 2)
    yield "keys: a set of pairs with one hash", "PKL025", pickle.dumps(set(pairs), 4)


# --- benign twins --------------------------------------------------------------------------------------------------

def benign():
    chance = random.Random(1)
    yield "rows that are one list", [[0] * 1000] * 1000
    row = [0.0] * 10_000
    yield "twenty thousand references to one row", [row] * 20_000
    yield "large random numbers", [chance.getrandbits(128) for _ in range(20_000)]
    yield "keys of 64 bits", {chance.getrandbits(64): i for i in range(50_000)}
    yield "coordinates", {(i, j, -1) for i in range(200) for j in range(200)}
    yield "-1 and -2, whose hashes are the same", [(-1,), (-2,)] * 20_000
    yield "the same tuples again and again", [(i % 7, i % 5) for i in range(50_000)]
    deep = []
    for _ in range(200):
        deep = [deep]
    yield "two hundred lists in each other", deep
    trie = {}
    for word in itertools.product("abcdef", repeat=5):
        at = trie
        for letter in word:
            at = at.setdefault(letter, {})
    yield "a trie", trie
    yield "a number of 3,800 digits", 3**8000
    nodes = [{"id": i, "next": []} for i in range(60)]
    for one, other in zip(nodes, nodes[1:]):
        one["next"].append(other)
        other["next"].append(one)
    yield "a linked list of dictionaries", nodes
    yield "lazy and small things", [range(10**12), collections.deque([1], 1000), collections.Counter("abc" * 100), bytearray(1000), bytes(2000)]
    yield "numbers", [decimal.Decimal("1e-20"), decimal.Decimal("1E+500"), fractions.Fraction(1, 3), datetime.timezone.utc, 2**5000 + 1]
    yield "iterators that nobody goes through", [itertools.repeat(1), itertools.count(5), itertools.cycle([1, 2])]
    shared = [(f"k{i}", (i, i + 1)) for i in range(100)]
    yield "a configuration that five thousand entries share", [{"configuration": shared, "i": i} for i in range(5000)]
    yield "two hundred thousand texts", [str(i) for i in range(200_000)]


def scan(path, content):
    path.write_bytes(content)
    done = subprocess.run([BUILD / "steelyard", "scan", "--no-cache", "-f", "json", path], capture_output=True)
    findings = [f for record in json.loads(done.stdout)["records"] for f in record["statement"]["findings"]]
    return done.returncode, {f["rule"] for f in findings if f["severity"] != "info"}


def main():
    sys.setrecursionlimit(5000)
    failures, count = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.pkl"
        for title, rule, content in attacks():
            count += 1
            status, rules = scan(path, content)
            if rule not in rules or status == 0:
                failures.append(f"{title}: {sorted(rules)}, status {status}")
        for title, thing in benign():
            for protocol in (0, 2, 4):
                count += 1
                status, rules = scan(path, pickle.dumps(thing, protocol))
                if rules or status != 0:
                    failures.append(f"benign, {title}, protocol {protocol}: {sorted(rules)}, status {status}")
    print(f"exhausting pickles: {count} files, {len(failures)} judged wrongly", *failures, sep="\n")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
