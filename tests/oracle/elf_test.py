"""wire/elf against binutils' readelf: programs compiled every way, and those of this machine."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
SCALE = int(os.environ.get("STEELYARD_ORACLE_SCALE", "1"))


def ours(paths):
    done = subprocess.run([str(BUILD / "tests/elf")], input="\n".join(map(str, paths)) + "\n", capture_output=True, text=True, errors="replace", check=True)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def readelf(path):
    """The same answers from readelf's text."""
    text = subprocess.run(["readelf", "-W", "-h", "-l", "-d", "-n", str(path)], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", str(path)], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    kind = re.search(r"Type:\s+(\w+)", text)[1]
    interpreter = (re.search(r"Requesting program interpreter: ([^\]]*)", text) or [None, ""])[1]
    dynamic = "Dynamic section at offset" in text
    flags = " ".join(re.findall(r"\((?:FLAGS|FLAGS_1)\)\s+(.*)", text))
    stack = re.search(r"GNU_STACK\s+(?:0x\w+\s+){5}(\S[\w ]*?)\s+0x", text)
    loads = re.findall(r"^\s+LOAD\s+(?:0x\w+\s+){5}([RWE ]{3})", text, re.M)
    imports = set()
    for line in symbols.splitlines():
        words = line.split()
        if len(words) >= 8 and words[6] == "UND":
            imports.add(words[7].split("@")[0])
    features = " ".join(re.findall(r"x86 feature: (.*)", text))
    pie = kind == "DYN" and ("PIE" in flags or interpreter)
    return {
        "kind": "position-independent executable" if pie else {"DYN": "library", "EXEC": "executable", "REL": "object"}[kind],
        "relro": "yes" if "GNU_RELRO" in text else "no",
        "bind_now": "yes" if not dynamic or "BIND_NOW" in text or "NOW" in flags.split() else "no",
        "nx": "yes" if stack and "E" not in stack[1] and not any("W" in f and "E" in f for f in loads) else "no",
        "textrel": "yes" if "(TEXTREL)" in text or "TEXTREL" in flags else "no",
        "ibt": "yes" if "IBT" in features else "no",
        "shstk": "yes" if "SHSTK" in features else "no",
        "interpreter": interpreter,
        "soname": (re.search(r"Library soname: \[([^\]]*)\]", text) or [None, ""])[1],
        "build_id": (re.search(r"Build ID: (\w+)", text) or [None, ""])[1],
        "needed": re.findall(r"Shared library: \[([^\]]*)\]", text),
        "search": re.findall(r"Library r(?:un)?path: \[([^\]]*)\]", text),
        "imports": sorted(imports, key=lambda n: n.encode()),
    }


def compiled(folder):
    source = folder / "x.cpp"
    source.write_text("#include <cstdio>\n#include <cstring>\n#include <vector>\nint main(int n, char** v) { char b[64]; std::vector<int> a(n); "
                      "std::strcpy(b, v[0]); std::printf(\"%s %zu\\n\", b, a.size()); }\n")
    ways = [[], ["-no-pie"], ["-static"], ["-static-pie"], ["-shared", "-fPIC"], ["-Wl,-z,norelro"], ["-Wl,-z,now"], ["-Wl,-z,lazy"],
            ["-Wl,-z,execstack"], ["-O2", "-D_FORTIFY_SOURCE=3"], ["-fstack-protector-all"], ["-fno-stack-protector"],
            ["-fcf-protection=full"], ["-fcf-protection=full", "-nostdlib", "-shared", "-fPIC"], ["-Wl,-rpath,/opt/x"],
            ["-Wl,-rpath,/opt/x,--disable-new-dtags"], ["-Wl,--hash-style=sysv"], ["-Wl,--hash-style=both"], ["-s"], ["-Wl,--build-id=none"],
            ["-shared", "-fPIC", "-Wl,-soname,libx.so.7"]]
    out = []
    for number, way in enumerate(ways):
        path = folder / f"way{number}"
        done = subprocess.run(["g++", "-w", *way, "-o", str(path), str(source)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"g++ {' '.join(way)}: {done.stderr}")
        out.append((path, " ".join(way)))
    # A segment that is writable and executable.
    data = bytearray(out[0][0].read_bytes())
    for number in range(data[56]):
        at = 64 + 56 * number
        if data[at:at + 4] == b"\x01\0\0\0":
            data[at + 4] |= 3
    path = folder / "writable"
    path.write_bytes(data)
    out.append((path, "writable"))
    return out


def main():
    failures = 0
    checked = 0
    with tempfile.TemporaryDirectory() as name:
        files = compiled(pathlib.Path(name))
        system = [p for f in ("/usr/bin", "/usr/lib/x86_64-linux-gnu") for p in sorted(pathlib.Path(f).iterdir())
                  if p.is_file() and not p.is_symlink() and p.open("rb").read(4) == b"\x7fELF"]
        step = max(1, len(system) // (60 * SCALE))
        files += [(p, str(p)) for p in system[::step]]
        answers = ours([path for path, _ in files])
        for (path, what), answer in zip(files, answers, strict=True):
            expected = readelf(path)
            checked += 1
            for key, value in expected.items():
                if answer.get(key) != value:
                    failures += 1
                    print(f"FAILED: {what}: {key}: readelf has {value!r}, we have {answer.get(key)!r}")
            if answer["problems"]:
                failures += 1
                print(f"FAILED: {what}: {answer['problems']}")
        by_way = {what: answer for (_, what), answer in zip(files, answers, strict=True)}
        for way, key, value in [("-O2 -D_FORTIFY_SOURCE=3", "fortify", "yes"), ("", "fortify", "no"), ("-fstack-protector-all", "canary", "yes"),
                                ("-fno-stack-protector", "canary", "no"), ("-s", "canary", "no"), ("-static", "fortify", "unknown"),
                                ("-Wl,-z,execstack", "nx", "no"), ("writable", "nx", "no"), ("-Wl,-z,norelro", "relro", "no")]:
            if by_way[way][key] != value:
                failures += 1
                print(f"FAILED: g++ {way}: {key} is {by_way[way][key]}, expected {value}")
        # What is cut off or damaged yields answers, never a crash.
        whole = files[0][0].read_bytes()
        damaged = []
        for number in range(200 * SCALE):
            path = pathlib.Path(name) / f"bad{number}"
            data = bytearray(whole)
            if number % 2:
                data = data[: len(data) * number // (200 * SCALE)]
            else:
                for at in range(number % 64, 1024, 64 + number):
                    data[at] ^= 0xFF
            path.write_bytes(data)
            damaged.append(path)
        if len(ours(damaged)) != len(damaged):
            failures += 1
            print("FAILED: damaged files")
    print(f"{checked} files, {failures} differences")
    sys.exit(bool(failures) or checked < 40)


main()
