"""Every output format is read by somebody else's reader: JSON Schema, the official SARIF 2.1.0 schema, an
XML parser, a CSV reader and a Markdown renderer, over made-up reports and over those of the program."""

import csv
import importlib.metadata
import io
import json
import os
import pathlib
import pickletools
import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree

import jsonschema
import markdown_it
import referencing

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "cli"))
from program import BUILD, GOOD, SOURCE, Checks, recipe, run, scratch

checks = Checks()
folder, env = scratch()


def official(identifier):
    """A schema out of the package schemastore: the answers of a cache, one pickled dict each. Nothing is
    unpickled; the bytes are the operand that follows the key "_content"."""
    database = importlib.metadata.distribution("schemastore").locate_file("schemastore/cache.sqlite")
    for (value,) in sqlite3.connect(database).execute("SELECT value FROM responses"):
        if identifier.encode() not in value[:2000]:
            continue
        found = False
        for opcode, operand, _ in pickletools.genops(value):
            if found and isinstance(operand, bytes):
                schema = json.loads(operand)
                if identifier in (schema.get("$id"), schema.get("title")):
                    return schema
                break
            found = found or operand == "_content"
    raise SystemExit(f"no schema {identifier} in the package schemastore")


def validator(name):
    schemas = {s["$id"]: s for s in (json.loads(p.read_text()) for p in (SOURCE / "data/schemas").glob("*.json"))}
    resources = [(i, referencing.Resource.from_contents(s)) for i, s in schemas.items()]
    jsonschema.Draft202012Validator.check_schema(schemas[name])
    return jsonschema.Draft202012Validator(schemas[name], registry=referencing.Registry().with_resources(resources))


SARIF = jsonschema.Draft7Validator(official("Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"),
                                   format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
REPORT, LINE = validator("urn:steelyard:report:1"), validator("urn:steelyard:report-line:1")


# The checks can fail.
checks.true(list(SARIF.iter_errors({"version": "2.1.0", "runs": [{}]})), "the SARIF schema refuses a run without a tool")
checks.true(list(REPORT.iter_errors({"schema": "steelyard/report/1"})), "the report's schema refuses an empty report")


def valid(schema, document, what):
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in schema.iter_errors(document)]
    checks.equal(errors[:3], [], what)


def check_json(text, what):
    valid(REPORT, json.loads(text), what)


def check_jsonl(text, what):
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        valid(LINE, line, f"{what}: {line['type']}")
    checks.equal((lines[0]["type"], lines[-1]["type"], lines[-1]["lines"]), ("report", "end", len(lines)), what)


def check_sarif(text, what):
    log = json.loads(text)
    valid(SARIF, log, what)
    [one] = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    checks.true(len(rules) > 40 and rules == sorted(rules, key=lambda r: r["id"]), f"{what}: the rules")
    for result in one["results"]:
        if "ruleIndex" in result:
            checks.equal(rules[result["ruleIndex"]]["id"], result["ruleId"], f"{what}: ruleIndex")
        for location in result["locations"]:
            if place := location.get("physicalLocation"):
                uri = place["artifactLocation"]["uri"]
                checks.true(re.fullmatch(r"(file:///)?[A-Za-z0-9._~%/-]+", uri), f"{what}: {uri}")
                checks.equal(one["artifacts"][place["artifactLocation"]["index"]]["location"]["uri"], uri, f"{what}: index")
    return one


def check_junit(text, what):
    root = xml.etree.ElementTree.fromstring(text)
    for suite in [root, *root]:
        for count, tag in {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}.items():
            checks.equal(int(suite.get(count)), len(list(suite.iter(tag))), f"{what}: {count} of {suite.get('name')}")


def check_csv(text, what):
    rows = list(csv.reader(io.StringIO(text), strict=True))
    checks.equal({len(row) for row in rows}, {11}, f"{what}: columns")
    for row in rows:
        checks.true(not any(re.match(r"""[\s"']*[=+@＝＋－＠-]""", cell) and not cell.startswith("'") for cell in row), f"{what}: {row}")


def check_markdown(text, what):
    html = markdown_it.MarkdownIt("commonmark").enable("table").render(text)
    tags = set(re.findall(r"</?([a-z0-9]+)", re.sub(r"<code>.*?</code>", "", html, flags=re.DOTALL)))
    allowed = {"h2", "p", "table", "thead", "tbody", "tr", "th", "td", "strong", "ul", "li", "sub", "code"}
    checks.true(tags <= allowed, f"{what}: {tags - allowed}")
    outside = re.sub(r"<code>.*?</code>|<[^>]+>", "", html, flags=re.DOTALL)
    checks.true("@" not in outside and "script" not in outside and "evil.example" not in outside, f"{what}: text outside code spans")


def check_concise(text, what):
    for line in text.splitlines():
        checks.true(re.match(r".+(:0x[0-9a-f]+)?: \S+", line), f"{what}: {line}")


CHECKS = {"json": check_json, "jsonl": check_jsonl, "sarif": check_sarif, "junit": check_junit, "csv": check_csv,
          "markdown": check_markdown, "concise": check_concise}


def fixture(form, name):
    program = BUILD / "tests/report_fixture"
    return subprocess.run([program, form, name], check=True, stdout=subprocess.PIPE).stdout.decode()


for name in ("matrix", "fit", "undetermined", "conditions", "unfit", "scan", "accepted", "hostile"):
    for form, check in CHECKS.items():
        if (form, name) != ("json", "hostile"):  # its records hold bytes that no real one does
            check(fixture(form, name), f"{form} of {name}")

# What the fixture's SARIF says, without the rules, which grow.
log = check_sarif(fixture("sarif", "accepted"), "sarif")
checks.equal(len(log["tool"]["driver"].pop("rules")), len(list((SOURCE / "data/rules").glob("*/*.toml"))), "a rule for each file")
log["properties"].pop("rules")
for result in log["results"]:
    result.pop("ruleIndex", None)
golden = SOURCE / "tests/report/sarif.golden"
if os.environ.get("UPDATE"):
    golden.write_text(json.dumps(log, indent=1) + "\n")
checks.equal(json.dumps(log, indent=1) + "\n", golden.read_text(), "sarif.golden (UPDATE=1 rewrites it)")

# The program's own reports: every command in every format, and by the ending of a file.
tree = folder / "models"
tree.mkdir()
(tree / "good.gguf").write_bytes(recipe(GOOD))
(tree / "bad one.gguf").write_bytes(recipe(GOOD.replace("gguf 3 1 6", "gguf 3 1 7").replace("align 32", 'kv_str general.name "Again"\nalign 32').replace('tensor "w"', 'tensor "w"')))
(tree / "what.bin").write_bytes(b"nobody knows")
pathlib.Path(os.fsdecode(os.fsencode(tree) + b"/z\xff.gguf")).write_bytes(b"GGUF")
ENDINGS = {"json": "json", "jsonl": "jsonl", "sarif": "sarif", "junit": "xml", "csv": "csv", "markdown": "md", "concise": "concise.txt"}
for command in (["scan", "models"], ["scan", "models/good.gguf"], ["inspect", "models/good.gguf"], ["host"], ["context", "mail-assistant"],
                ["vet", "models/good.gguf"], ["vet", "models", "-c", "mail-assistant"]):
    files = [argument for ending in ENDINGS.values() for argument in ("-o", f"out.{ending}")]
    written = run(*command, *files, "-q", cwd=folder, env=env)
    checks.true(written.returncode in (0, 1, 3, 4) and not written.stderr, f"{command}: {written.returncode} {written.stderr}")
    for form, check in CHECKS.items():
        done = run(*command, "--format", form, cwd=folder, env=env)
        checks.equal(done.returncode, written.returncode, f"{command} {form}: exit code")
        check(done.stdout, f"{command} {form}")
        check((folder / f"out.{ENDINGS[form]}").read_bytes().decode(), f"{command} -o {form}")
        if form in ("json", "sarif", "jsonl"):
            code = {"json": lambda t: json.loads(t)["exit"], "sarif": lambda t: json.loads(t)["runs"][0]["invocations"][0]["exitCode"],
                    "jsonl": lambda t: json.loads(t.splitlines()[-1])["exit"]}[form](done.stdout)
            checks.equal(code, done.returncode, f"{command} {form}: the exit code inside")
log = json.loads(run("scan", "models", "-f", "sarif", cwd=folder, env=env).stdout)["runs"][0]
checks.equal([a["location"]["uri"] for a in log["artifacts"]], ["models/bad%20one.gguf", "models/good.gguf", "models/what.bin", "models/z%5Cxff.gguf"], "paths from where the user is")
checks.true(all(re.fullmatch("[0-9a-f]{64}", a["hashes"]["sha-256"]) for a in log["artifacts"]), "digests of all files")
checks.true(not log["invocations"][0]["toolExecutionNotifications"] == [], "what was not examined is notified")
checks.finish()
