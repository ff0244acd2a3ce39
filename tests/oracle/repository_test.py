"""Oracles for what repositories hold: CPython's ast for imports, calls and syntax of Python sources; PyYAML for front
matter; both on real and on generated files."""

import ast
import json
import os
import pathlib
import random
import subprocess
import sys
import sysconfig
import tempfile

import yaml

BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
MOST_BYTES = 60_000
FILES = 350


def examine(paths):
    done = subprocess.run([str(BUILD / "tests/examine")], input="\n".join(map(str, paths)) + "\n", capture_output=True,
                          text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


# Calls whose effect is beyond doubt; each must be seen wherever ast sees it by name.
CALLS = {"os.system", "os.popen", "subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "exec", "eval",
         "urllib.request.urlopen", "pickle.loads", "pickle.load", "marshal.loads", "socket.socket", "socket.create_connection",
         "http.client.HTTPConnection", "ctypes.CDLL", "shutil.rmtree", "os.remove", "os.unlink", "os.execv", "os.fork"}


def seen_by_ast(tree):
    """Modules that are imported, and calls of CALLS through plain imports."""
    modules, names, calls, bound = set(), {}, set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules.add(alias.name)
                names[alias.asname or alias.name.split(".")[0]] = alias.name if alias.asname else alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            modules.add(module)
            for alias in node.names:
                if alias.name != "*":
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        parts, at = [], node.func
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if not isinstance(at, ast.Name) or at.id in bound:
            continue
        name = ".".join([names.get(at.id, at.id), *reversed(parts)])
        constant = node.args and all(isinstance(a, ast.Constant) or isinstance(a, ast.List) for a in node.args[:1])
        if name in CALLS and not constant:
            calls.add(name)
    return modules, calls


def python_sources():
    folders = [pathlib.Path(sysconfig.get_paths()["stdlib"]), pathlib.Path(yaml.__file__).parent.parent]
    files = [p for folder in folders for p in sorted(folder.rglob("*.py"))
             if p.stat().st_size <= MOST_BYTES and "site-packages" not in p.relative_to(folder).parts]
    random.Random(4).shuffle(files)
    return files[:FILES]


def check_python(failures):
    files = python_sources()
    compared = imports = calls = 0
    for path, found in zip(files, examine(files)):
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        if any(f["rule"] == "PYC011" for f in found["findings"]):
            if b"coding" not in path.read_bytes()[:200]:
                failures.append(f"{path}: Python reads it, we don't: {found['findings']}")
            continue
        compared += 1
        modules, seen = seen_by_ast(tree)
        ours = set(found["facts"].get("python.imports", []))
        missing = modules - ours if len(ours) < 2000 else set()
        if missing:
            failures.append(f"{path}: imports not seen: {sorted(missing)[:5]}")
        effects = found["facts"].get("python.effects", [])
        if len(effects) < 128 and (missing := seen - {e["call"] for e in effects}):
            failures.append(f"{path}: calls not seen: {sorted(missing)}")
        imports += len(modules)
        calls += len(seen)
    print(f"python: {compared} files, {imports} imports, {calls} calls")
    if compared < 100:
        failures.append("too few Python files were compared")


KEYS = {"license": "identity.licence", "tags": "identity.tags", "language": "identity.languages", "datasets": "identity.datasets"}
WORDS = ["mit", "apache-2.0", "a b", "x: y", "- z", "'q'", '"d"', "#no", "täg", "日本語", "1.5", "no", "null", "0x1f", "[a]", "{b}", "*c", "&d", "!e", "%f", "@g", "tab\tend", "\U0001F600", " lead", "trail ", "a\nb"]


def expected(value):
    if isinstance(value, str):
        return [value]
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def check_front_matter(failures):
    rng = random.Random(7)
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        paths, matters = [], []
        for i in range(300):
            matter = {key: rng.choice([rng.choice(WORDS), rng.sample(WORDS, rng.randint(1, 4))]) for key in KEYS if rng.random() < 0.8}
            matter["other"] = {"deep": [rng.choice(WORDS), {"x": rng.random()}]}
            text = yaml.safe_dump(matter, allow_unicode=rng.random() < 0.5, default_flow_style=rng.choice([True, False, None]),
                                  default_style=rng.choice([None, None, '"', "'", "|", ">"]), sort_keys=False)
            path = pathlib.Path(folder) / f"{i}" / "README.md"
            path.parent.mkdir()
            path.write_text(f"---\n{text}---\n# Model\n", encoding="utf-8", newline="\n")
            paths.append(path)
            matters.append(yaml.safe_load(text))
        for path, matter, found in zip(paths, matters, examine(paths)):
            for key, fact in KEYS.items():
                want = expected(matter.get(key))
                have = expected(found["facts"].get(fact, []))
                compared += 1
                if want != have:
                    failures.append(f"{key}: PyYAML {want!r}, here {have!r} in {path.read_text(encoding='utf-8')!r}")
    print(f"front matter: {compared} values")


def main():
    failures = []
    check_python(failures)
    check_front_matter(failures)
    print("\n".join(failures[:20]))
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
