"""Hostile and broken input: a clear finding or error each time; no crash, no partial output file."""

import os
import threading

from program import GOOD, Checks, recipe, report, run, scratch

checks = Checks()
folder, env = scratch()
good = recipe(GOOD)


def write(name, content):
    path = folder / name
    path.write_bytes(content)
    return path


def error(path, message, what):
    done = run("scan", path, env=env)
    checks.equal(done.returncode, 2, what)
    checks.true(message in done.stderr, f"{what}: {done.stderr!r}")
    checks.equal(done.stdout, "", f"{what}: standard output")


# Targets that can't be read at all.
os.mkfifo(folder / "fifo")
os.symlink("loop", folder / "loop")
error(folder / "absent.gguf", "No such file", "absent")
error(folder / "fifo", "found a FIFO", "fifo")
error("/dev/zero", "found a device", "device")
error(folder / "loop", "symbolic links", "symlink loop")

# Files that can be read but not understood are never clean.
for name, content in {"empty.gguf": b"", "text.gguf": b"hello world\n", "short.gguf": good[:4]}.items():
    done = run("scan", write(name, content), env=env)
    checks.true(done.returncode in (1, 3), f"{name}: exit {done.returncode}")
for cut in range(5, len(good), 7):
    done = run("scan", write("cut.gguf", good[:cut]), env=env)
    checks.true(done.returncode in (1, 3), f"truncated at {cut}: exit {done.returncode}")
checks.equal(run("scan", write("good.gguf", good), env=env).returncode, 0, "the benign twin")
checks.equal(run("scan", write("renamed.jpeg", good), env=env).returncode, 0, "content decides, not the name")

# Directories with things in them that can't be opened.
tree = folder / "tree"
tree.mkdir()
(tree / "model.gguf").write_bytes(good)
checks.equal(run("scan", tree, env=env).returncode, 0, "directory")
os.mkfifo(tree / "pipe")
document, code = report("scan", tree, env=env)
checks.equal(code, 3, "directory with a FIFO")
checks.true(any(f["rule"] == "LIM004" for f in document["records"][0]["statement"]["findings"]), "FIFO is reported")
(folder / "nothing").mkdir()
checks.equal(run("scan", folder / "nothing", env=env).returncode, 3, "empty directory")

# Names and metadata that try to write on the terminal or hide.
evil = folder / "evil\x1b[31m\u202egnp.gguf"
evil.write_bytes(recipe(GOOD.replace('"Tiny"', r'"Ti\x1b[2Jny\u{202e}\u{200b}"')))
for form in ("text", "json", "html"):
    done = run("scan", evil, "--format", form, "--color", "never", env=env)
    checks.true("\x1b" not in done.stdout, f"{form}: escape character in output")
    if form != "json":
        checks.true("\u202e" not in done.stdout and "\u200b" not in done.stdout, f"{form}: hidden characters in output")
done = run("scan", str(evil) + "-absent", env=env)
checks.true("\x1b" not in done.stderr and "\u202e" not in done.stderr, "error message shows raw controls")
checks.true(run("scan", write("utf8.gguf", recipe(GOOD.replace('"Tiny"', r'"\xff\xfe"'))), env=env).returncode in (0, 1, 3), "invalid UTF-8")

# Many entries.
many = "\n".join(["gguf 3 0 100001", 'kv_str general.architecture "llama"', "repeat 100000 {", "kv_u32 k.$i $i", "}"])
document, code = report("scan", write("many.gguf", recipe(many)), env=env)
checks.true(code in (0, 1, 3) and document["records"][0]["statement"]["artifacts"], f"100,000 entries: exit {code}")

# A file that changes while it is read: never clean, never cached. (Whether a given run sees the
# change is a race; that no run takes a changing file's digest for granted is not.)
moving = folder / "moving.gguf"
moving.write_bytes(good + bytes(64 << 20))
stop = threading.Event()


def append():
    while not stop.is_set():
        with open(moving, "ab") as out:
            out.write(b"x")


writer = threading.Thread(target=append)
writer.start()
try:
    document, code = report("scan", moving, env=env)
finally:
    stop.set()
    writer.join()
checks.true(code in (1, 3), f"changing file: exit {code}")
rules = {f["rule"] for f in document["records"][0]["statement"]["findings"]}
checks.true("LIM003" in rules, f"changing file: {rules}")
checks.equal(document["records"][0]["statement"]["subjects"][0]["sha256"], None, "changing file has no digest")

# Output that can't be written: an error, nothing left behind.
target = folder / "out"
target.mkdir()
os.chmod(target, 0o500)
done = run("scan", folder / "good.gguf", "-o", "/proc/none/report.html", env=env)
checks.equal(done.returncode, 2, "unwritable output")
done = run("scan", folder / "good.gguf", "-o", folder / "report.docx", env=env)
checks.equal(done.returncode, 2, "unknown ending")
checks.true("its ending names no format" in done.stderr, done.stderr)
checks.true(not (folder / "report.docx").exists(), "partial output")

# Contexts that contradict themselves or are misspelt point at the spot.
context = folder / "context.toml"
for text, expected in {
    'schema = "steelyard/context/1"\nname = "x"\ntitel = "y"\n': 'did you mean "title"?',
    "name = \n": "context.toml:1",
    'schema = "steelyard/context/9"\nname = "x"\n': "schema",
}.items():
    context.write_text(text)
    done = run("vet", folder / "good.gguf", "--context", context, env=env)
    checks.equal(done.returncode, 2, f"context {text!r}")
    checks.true(expected in done.stderr and "^" in done.stderr, f"context {text!r}: {done.stderr}")
done = run("vet", folder / "good.gguf", "--context", "mail-asistant", env=env)
checks.true(done.returncode == 2 and 'did you mean "mail-assistant"?' in done.stderr, done.stderr)
done = run("vett", folder / "good.gguf", env=env)
checks.true(done.returncode == 2 and 'did you mean "vet"?' in done.stderr, done.stderr)
checks.finish()
