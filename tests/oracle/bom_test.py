"""stack bom and vex against other people's readers: cyclonedx-python-lib, in-toto-attestation, vexipy."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import rfc8785
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.statement import Statement
from vexipy import Document

STEELYARD = str(pathlib.Path(os.environ["STEELYARD_BUILD"]) / "steelyard")
failures = []


def check(condition, what):
    if not condition:
        failures.append(what)
        print("FAILED:", what)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def fact(key, value, assurance="verified"):
    return {"key": key, "value": value, "artifact": None, "at": None, "assurance": assurance}


def system(role, path, package, version):
    return {"role": role, "path": path, "version": "g++ (X) 12", "sha256": digest(path), "package": package,
            "package_version": version, "state": "matches" if package else "unpackaged"}


def record(options):
    programs = ["llama-server", "llama-quantize", "llama-bench"]
    statement = {
        "schema": "steelyard/evidence/1", "kind": "stack",
        "subjects": [{"role": "source", "path": "x-1.tar.gz", "sha256": digest("source"), "bytes": 7}]
        + [{"role": "binary", "path": f"x86-64-v3/bin/{p}", "sha256": digest(p), "bytes": 9} for p in programs],
        "method": {"tool": "0.1.0", "analyzer": 1, "rules": None, "engine": None, "params": {}, "seed": None, "uses": []},
        "artifacts": [], "findings": [], "measurements": [], "coverage": [], "status": "complete",
        "facts": [
            fact("stack.source", {"name": "llama-cpp-python", "version": "0.3.36", "file": "x-1.tar.gz", "sha256": digest("source"), "licence": "MIT"}),
            fact("stack.upstream", {"name": "llama.cpp", "version": "0.5.0-dev", "release": "b10256", "repository": "https://github.com/ggml-org/llama.cpp",
                                    "commit": "0" * 40, "tree": "1" * 40, "files": 3665}),
            fact("stack.upstream.signature", {"state": "undetermined", "key": "B5690EEEBB952194", "why": "the key is not in the trust store"}, "missing"),
            fact("stack.tools", [system("c++", "/usr/bin/g++-12", "g++-12", "12.2.0-14+deb12u1"), system("ninja", "/opt/ninja", "", "")]),
            fact("stack.libraries", [system("library", "/usr/lib/libc.so.6", "libc6", "2.36-9+deb12u1")]),
            fact("stack.flags", {"compile": ["-O3", "-fPIE"], "link": ["-pie"], "options": options, "backends": ["cpu"]}),
            fact("stack.variants", [{"name": "x86-64-v3", "self_test": {"state": "passed"}}]),
        ],
    }
    return {"id": "ev1:" + hashlib.sha256(rfc8785.dumps(statement)).hexdigest(), "statement": statement,
            "run": {"at": "2026-11-26T00:00:00Z", "ms": 1, "sandbox": [], "digest_source": "hashed"}}


def stack(options, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder) / "b"
        build.mkdir()
        (build / "record.json").write_text(json.dumps(record(options)))
        (pathlib.Path(folder) / "current").symlink_to("b")
        done = subprocess.run([STEELYARD, "stack", *arguments, "--prefix", folder, "--isolated"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"stack {' '.join(arguments)}: {done.stderr}")
        return done.stdout


def valid_cyclonedx(text, what):
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    check(errors is None, f"{what}: {errors}")


GOOD = ["GGML_RPC=OFF", "LLAMA_OPENSSL=OFF"]
bom = stack(GOOD, "bom")
valid_cyclonedx(bom, "bom")
parsed = json.loads(bom)
check(len(parsed["components"]) == 6, "six components")
check(stack(GOOD, "bom") == bom, "the same record gives the same bytes")
broken = bom.replace('"SHA-256"', '"SHA-257"')
check(JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None, "the validator can fail")

provenance = json.loads(stack(GOOD, "bom", "-f", "slsa"))
statement = Statement([], provenance["predicateType"], provenance["predicate"])
ParseDict(provenance, statement.pb)
statement.validate()
predicate = ParseDict(provenance["predicate"], provenance_pb2.Provenance())
check(predicate.build_definition.build_type == "urn:steelyard:stack-build:1", "the build type")
check(len(predicate.build_definition.resolved_dependencies) == 5, "five inputs")
check({s["name"]: s["digest"]["sha256"] for s in provenance["subject"]}["x86-64-v3/bin/llama-server"] == digest("llama-server"), "subjects")


def statuses(options):
    text = stack(options, "vex")
    Document.from_json(text)
    out = {s["vulnerability"]["name"]: s for s in json.loads(text)["statements"]}
    vex = stack(options, "vex", "-f", "cyclonedx")
    valid_cyclonedx(vex, "vex")
    states = {v["id"]: v["analysis"]["state"] for v in json.loads(vex)["vulnerabilities"]}
    names = {"not_affected": "not_affected", "fixed": "resolved", "affected": "exploitable", "under_investigation": "in_triage"}
    check({name: names[s["status"]] for name, s in out.items()} == states, "both forms say the same")
    return out


without = statuses(GOOD)
check(without["CVE-2024-42479"]["status"] == "not_affected", "RPC is left out")
check(without["CVE-2024-42479"]["justification"] == "component_not_present", "why")
check(without["CVE-2026-27940"]["status"] == "fixed", "fixed before the pinned commit")
check(without["llama.cpp-26600"]["status"] == "affected", "an open flaw is said to be one")
check("CVE-2025-32434" not in without, "advisories of other programs are left out")
check(statuses(["GGML_RPC=ON"])["CVE-2024-42479"]["status"] == "fixed", "with RPC the release decides")
check(statuses([])["CVE-2024-42479"]["status"] == "fixed", "what isn't said to be left out isn't")
print(f"{len(failures)} failed")
sys.exit(bool(failures))
