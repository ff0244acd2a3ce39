"""The two implementations of the verdict agree: seeded random cases through the program `evaluate`
(C++) and python/steelyard_recheck.py. Tampering with a document must be noticed.
"""

import collections
import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import time

ROOT = pathlib.Path(os.environ.get("STEELYARD_SOURCE", pathlib.Path(__file__).parents[2]))
BUILD = pathlib.Path(os.environ.get("STEELYARD_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT / "python"))
import hashlib  # noqa: E402

import steelyard_recheck as second  # noqa: E402

CASES = 2000
DIGESTS = [digit * 64 for digit in "0123"]
NAMES = ["HuggingFaceTB", "huggingfacetb", "Evil Corp", "名前" * 60, "a\u202eb\u0001\"\\", "Acme_AI", ""]
LICENCES = ["apache-2.0", "Apache 2.0", "MIT", "cc-by-nc-4.0", "CC_BY_4.0", "other", "llama3", ["mit", "apache-2.0"], 7,
            {"escaped": "\\xff"}, "x-research-y", "mit\nmit"]
FORMATS = ["GGUF v3", "gguf", "SafeTensors", "pickle", 3, "İgguf"]
CHECKS = ["model_permissions", "server_exposure", "server_privilege", "secrets", "isolation"]
TIMES = ["2026-11-24T10:12:28Z", "2026-11-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "yesterday",
         "0000-02-29T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-24T10:12:60Z", "9999-12-31T23:59:59Z", ""]
CLAIMS = ["template", "json", "tools", "languages", "context"]
ASKED = {"prompt": "What is the capital of France?", "checker": "contains", "expected": "Paris"}
EXPECTED = hashlib.sha256(second.canonical(ASKED).encode()).hexdigest()
NOW = 1795600000
ASSURANCES = ["verified", "signed", "corroborated", "claimed", "claimed", "claimed", "missing", "contradicted"]


def some(rng, pool, most):
    return [rng.choice(pool) for _ in range(rng.randint(0, most))]


def seal(statement, at):
    return {"id": "ev1:" + hashlib.sha256(second.canonical(statement).encode()).hexdigest(), "statement": statement,
            "run": {"at": at, "ms": 1, "sandbox": [], "digest_source": "hashed"}}


def blank(kind, rng):
    return {"schema": "steelyard/evidence/1", "kind": kind, "subjects": [],
            "method": {"tool": "0.1.0", "analyzer": rng.randint(0, 3), "rules": None, "engine": None, "params": {}, "seed": None, "uses": []},
            "artifacts": [], "facts": [], "findings": [], "measurements": [], "coverage": [],
            "status": rng.choice(["complete"] * 6 + ["partial", "failed"])}


def fact(key, value, assurance, artifact=None):
    return {"key": key, "value": value, "artifact": artifact, "at": None, "assurance": assurance}


def scan(rng, calm):
    s = blank("scan", rng)
    if calm:
        s["status"] = "complete"
    for i in range(rng.randint(0 if not calm else 1, 3)):
        s["subjects"].append({"role": "file", "path": rng.choice(["model.gguf", "a b.bin", "x" * 100, "\u202ex"]),
                              "sha256": rng.choice(DIGESTS[:2] if calm else DIGESTS[:3] + [None]), "bytes": 1000})
        size = rng.choice([0, 1, 99, 1000, 10**15, str(2**64 - 1)])
        s["artifacts"].append({"id": i, "parent": None, "subject": i, "path": rng.choice(["model.gguf", "z\n" * 60, "ü" * 81]),
                               "format": "gguf" if calm else rng.choice(["gguf", "gguf", "gguf", "unknown"]),
                               "range": [0, size], "encoding": None, "bytes": size})
        if rng.random() < (1 if calm else 0.85):
            full = second.number_of(size)
            examined = full if calm or rng.random() < 0.7 else rng.randint(0, full)
            gaps = [] if calm or rng.random() < 0.7 else [
                {"range": sorted([rng.randint(0, 2000), rng.randint(0, 2000)]), "why": rng.choice(["fuel", "w" * 130])}]
            s["coverage"].append({"artifact": i, "bytes": size, "examined": examined if examined <= 2**53 else str(examined), "gaps": gaps})
    for _ in range(rng.randint(0, 2)):
        s["facts"].append(fact("model.format", rng.choice(FORMATS[:3] if calm else FORMATS), "verified" if calm else rng.choice(ASSURANCES)))
    for key, pool in (("identity.maker", NAMES), ("identity.licence", LICENCES), ("identity.base", NAMES)):
        for _ in range(rng.choice([0, 1, 1, 2])):
            assurance = rng.choice(ASSURANCES[:6] if calm else ASSURANCES)
            s["facts"].append(fact(key, None if assurance == "missing" and rng.random() < 0.9 else rng.choice(pool[:3] if calm else pool), assurance))
    for _ in range(0 if calm else rng.choice([0, 0, 1, 2, 5])):
        s["findings"].append({"rule": rng.choice(["GGF001", "GGF002", "STS001", "IDN001", "PKL009"]), "artifact": None, "at": None,
                              "severity": rng.choice(second.SEVERITIES), "data": {}})
    if rng.random() < 0.6:
        s["findings"].append({"rule": "LDR001", "artifact": None, "at": None, "severity": "info", "data": {
            "advisory": "CVE-0-1", "loaders": [{"name": rng.choice(["ollama", "ollama", "torch"]),
                                                "from": rng.choice(["", "", "0.10.1", "b10", "x"]),
                                                "before": rng.choice(["", "0.17.1", "b8146", "unknown"])}
                                               for _ in range(rng.choice([0, 1, 2]))]}})
    for metric in some(rng, ["attack_rate", "speed", "quality", "bytes"], 1):
        s["measurements"].append({"metric": metric, "slice": {}, "value": "1", "unit": "1", "n": 1, "interval": [], "level": None,
                                  "interval_method": None, "oracle": {}})
    return s


def host(rng, calm):
    s = blank("host", rng)
    for check in CHECKS:
        if calm or rng.random() < 0.9:
            state = rng.choice(["ok"] * 8 + ([] if calm else ["bad", "unknown", "fine", None]))
            s["facts"].append(fact(f"host.check.{check}", {"state": state, "why": rng.choice(["w", "v" * 99, None])},
                                   rng.choice(["verified"] * 9 + ASSURANCES)))
    versions = ["0.9", "0.17.1", "v0.17.0", "b8146", "b9", "unknown", "1.0rc1", "2.6.0+cu118", "1.2.post1", "b", "", "1." * 9 + "1", None]
    if calm or rng.random() < 0.9:
        s["facts"].append(fact("host.runtimes", [{"name": rng.choice(["ollama", "ollama", "torch", "w" * 130]),
                                                  "version": rng.choice(versions + ["0.9"] * 5), "path": "/x"}
                                                 for _ in range(rng.choice([0, 1, 2]))],
                               rng.choice(["verified"] * 9 + ASSURANCES)))
    return s


ODD_NUMBERS = ["-0.5", "1e9", "", "1.", "007", "0.1234567", "9" * 12, "9" * 13, "20.000001"]
SCORES = ["0.2", "0.5", "0.93", "0.99"]
MEASURED = [("speed", {"phase": "generation"}, "token/s", ["12", "20", "42.5"]), ("speed", {"phase": "load"}, "ms", ["50", "900"]),
            ("speed", {"phase": "batched", "sequences": "4"}, "token/s", ["12", "20", "42.5"]),
            ("memory", {"what": "peak_rss", "context": "2048"}, "byte", ["1000", "300000000", "900000000"]), ("memory", {"what": "weights"}, "byte", ["1000"]),
            ("quality", {"task": "arc"}, "1", SCORES), ("damage", {"score": "top_agreement"}, "1", SCORES),
            ("damage", {"score": "perplexity"}, "1", ["-0.01", "0.03", "0.9"]), ("pass_rate", {"expect": EXPECTED}, "1", SCORES)]


def measurement(rng, calm):
    metric, part, unit, values = rng.choice(MEASURED)
    if not calm:
        part, unit, values = rng.choice([part, part, {}, {"phase": 3}]), rng.choice([unit] * 5 + ["x"]), values + ODD_NUMBERS
    value = rng.choice(values)
    interval = rng.choice([[], [value, value], [rng.choice(values), rng.choice(values)]] if not calm else [[], [value, value]])
    return {"metric": metric, "slice": part, "value": value, "unit": unit, "n": rng.choice([0, 1, 200]), "interval": interval,
            "level": "0.95" if interval else None, "interval_method": None, "oracle": {}}


def scores(rng, calm):
    s = bench(rng, calm)
    return {**s, "kind": "scores", "facts": []}


def bench(rng, calm):
    s = blank("bench", rng)
    s["method"]["engine"] = None if calm else rng.choice([None, None, "sha256:" + "e" * 64, "sha256:" + "f" * 64])
    for _ in range(1 if calm else rng.choice([0, 1, 1, 2])):
        s["subjects"].append({"role": "weights", "path": "m", "bytes": 1, "sha256": rng.choice(DIGESTS[:1] if calm else [*DIGESTS[:2], DIGESTS[3], None])})
    s["measurements"] = [measurement(rng, calm) for _ in range(rng.choice([0, 4, 9]))]
    for name in CLAIMS:
        if rng.random() < 0.7:
            s["facts"].append(fact(f"claim.{name}", {"state": rng.choice(["confirmed"] * 6 + ["refuted", "undetermined", None]), "why": rng.choice(["w", None])},
                                   rng.choice(["verified"] * 9 + ASSURANCES)))
    if rng.random() < 0.8:
        layers = some(rng, ["seccomp", "landlock:7", "namespaces", "seccompx", 3], 4) + ["seccomp"] * rng.choice([0, 1])
        s["facts"].append(fact("engine.sandbox", layers, rng.choice(["verified"] * 9 + ASSURANCES)))
    return s


def stack(rng, calm):
    s = blank("stack", rng)
    if calm:
        s["status"] = "complete"
    programs = []
    for _ in range(rng.choice([0, 1, 1, 3])):
        states = ["yes"] * 9 + ([] if calm else ["no", "unknown", None])
        programs.append({"sha256": "e" * 64 if calm else rng.choice(["e" * 64, "f" * 64, 7]), "path": rng.choice(["/usr/bin/x", "p" * 120, {"escaped": "\\xff"}]),
                         "origin": rng.choice(["built"] * 4 + ["packaged"] * 4 + ([] if calm else ["changed", "unknown", None])),
                         "why": rng.choice(["w", "v" * 99]), "program": rng.choice([True, True, False, 1]),
                         "tested": rng.choice(["passed"] * 6 + ([] if calm else ["not run", "unknown", 7])),
                         "hardening": {name: rng.choice(states) for name in ("pie", "relro", "nx", "canary") if calm or rng.random() < 0.95}})
    if not calm and rng.random() < 0.1:
        programs.append(rng.choice([3, "x", None]))
    if rng.random() < 0.9:
        s["facts"].append(fact("runtime.programs", programs, rng.choice(["verified"] * 9 + ASSURANCES)))
    return s


def context(rng, calm):
    s = blank("context", rng)
    s["subjects"].append({"role": "context", "path": "context.toml", "sha256": rng.choice(DIGESTS[:1] * (99 if calm else 6) + DIGESTS[1:2]), "bytes": 1})
    pool = [f"{kind}:{tool}" for kind in ("confirm", "block_tainted", "remove_tool") for tool in "abcd"]
    known = rng.sample(pool, rng.randint(4, len(pool)))
    for name in known:
        s["facts"].append(fact("context.mitigation", {"id": name, "kind": name.split(":")[0], "text": f"do {name}",
                                                      "by": rng.choice(["gateway", "gateway", "attested", "hope"]),
                                                      "cost": rng.choice([0, 1, 1, 2, 3, "5", -1, None])}, "verified"))
    for _ in range(rng.choice([0, 1, 3, 6])):
        s["findings"].append({"rule": "CTX001", "severity": "high", "artifact": None, "at": None, "data": {
            "id": rng.choice(["inbox>send", "web>run", "m>x" * 40]), "class": rng.choice([*second.CLASSES] * 3 + ["novel"]),
            "text": "text", "cuts": some(rng, pool if not calm else known, 4)}})
    if rng.random() < 0.1:
        s["findings"].append({"rule": "CTX009", "severity": "low", "artifact": None, "at": None, "data": {"why": "lint"}})
    return s


def requirements(rng):
    kinds = {
        "no_findings": lambda: {"severity": rng.choice(second.SEVERITIES), "rules": some(rng, ["GGF", "IDN"], 1), "ignore": some(rng, ["GGF001"], 1),
                                **rng.choice([{}, {}, {"accept": True}, {"accept": False}])},
        "coverage": lambda: rng.choice([{}, {"min_percent": rng.choice([1, 50, 99, 100])}]),
        "format": lambda: {"allow": rng.choice([["gguf", "safetensors"], ["GGUF"], ["safe"]])},
        "source": lambda: rng.choice([{}, {"makers": ["huggingfacetb", "acme ai"]}, {"pins": DIGESTS[:2]}, {"assurance": "signed"},
                                      {"pins": DIGESTS[:1], "makers": ["HuggingFaceTB"]}]),
        "licence": lambda: {"permit": ["apache-2.0", "mit", "cc-by-4*"], "forbid": rng.choice([[], ["*-nc*", "*research*"], ["*"]])},
        "disclosure": lambda: {"facts": rng.choice([["identity.maker"], ["identity.maker", "identity.base"], ["identity.quantizer"]])},
        "host_posture": lambda: {"checks": rng.sample(CHECKS, rng.randint(1, 5))},
        "no_path": lambda: {"classes": rng.choice([[], ["integrity"], ["integrity", "confidentiality"]]),
                            "accept": rng.choice([[], [], ["confirm", "remove_tool"], ["block_tainted"]])},
        "runtime_cve": dict,
        "runtime_verified": lambda: rng.choice([{}, {"origins": ["built"]}, {"origins": ["packaged", "built"], "hardening": ["canary"]}]),
        "speed": lambda: rng.choice([{"phase": "generation", "min": 20}, {"phase": "load", "max_ms": 100}, {"phase": "load", "min": 1},
                                     {"phase": "batched", "min": 20}, {"phase": "batched", "min": 20, "sequences": rng.choice([4, 16])}]),
        "memory": lambda: {"max_mb": rng.choice([1, 512]), **rng.choice([{}, {"what": "weights"}, {"context": 2048}])},
        "quality": lambda: {"task": rng.choice(["arc", "arc", "b\u202e"]), "min_percent": rng.choice([1, 50, 93, 100]), **rng.choice([{}, {"assurance": "claimed"}])},
        "damage": lambda: rng.choice([{"score": "top_agreement", "min_percent": 90}, {"score": "perplexity", "max_percent": 50}, {"score": "perplexity"}]),
        "expect": lambda: {**ASKED, **rng.choice([{}, {"min_percent": 50}])},
        "claim": lambda: {"claims": rng.choice([["json"], CLAIMS])},
        "sandbox": lambda: {"layers": rng.choice([["seccomp"], ["seccomp", "landlock"]])},
        "evidence_age": lambda: rng.choice([{"max_days": rng.choice([1, 30, 36500])}, {"max_days": 90, "kinds": ["scan", "host"]}]),
    }
    assert kinds.keys() == second.KINDS.keys()
    chosen = [rng.choice(list(kinds)) for _ in range(rng.choice([1, 2, 4, 8]))]
    return {"schema": "steelyard/require/1", "name": "r", "title": "", "require": [
        {"id": f"r{i}", "kind": kind, "why": "", "params": kinds[kind]()} for i, kind in enumerate(chosen)]}


def case(seed):
    rng = random.Random(seed)
    calm = seed % 3 == 0  # without mishaps, so that every decision comes up
    records = []
    for make, most in ((scan, 2), (host, 2), (context, 2), (bench, 2), (scores, 1), (stack, 2)):
        for _ in range(rng.choice([1, 1, most] if calm else [0, 1, 1, most])):
            records.append(seal(make(rng, calm), rng.choice(TIMES[:2] if calm else TIMES)))
    if records and rng.random() < 0.2:  # the same statement from another run
        records.append(copy.deepcopy(records[0]))
        records[-1]["run"]["at"] = rng.choice(TIMES)
    rng.shuffle(records)
    cites = [f'{r["id"]}#findings/{i}' for r in records for i in range(len(r["statement"]["findings"]))]
    accepted = [{"finding": cite, "by": rng.choice(["ignore", "baseline"]), "reason": rng.choice(["known", "x" * 100, "a\u202e\""]),
                 "until": rng.choice([None, "2027-01-31", "2026-01-31", time.strftime("%Y-%m-%d", time.gmtime(NOW)), "0000-02-29"])}
                for cite in cites + ["ev1:" + "0" * 64 + "#findings/0"] for _ in range(rng.choice([0, 0, 1, 2]))]
    return {"records": records, "context": {"name": "c", "digest": DIGESTS[0]}, "requirements": requirements(rng),
            "accepted": accepted, "now": NOW}


def evaluate(cases):
    lines = "".join(second.compact(one) + "\n" for one in cases)
    done = subprocess.run([BUILD / "tests/evaluate"], input=lines.encode(), stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def check_agreement():
    seen = collections.Counter()
    cases = [case(seed) for seed in range(CASES)]
    documents = evaluate(cases)
    assert len(documents) == CASES, f"{len(documents)} answers"
    for seed, document in enumerate(documents):
        assert "error" not in document, f"case {seed}: {document['error']}"
        found = second.recheck(document)
        assert not found, f"case {seed}:\n" + "\n".join(found)
        seen[document["verdict"]["decision"]] += 1
        seen.update((r["kind"], r["state"]) for r in document["verdict"]["rulings"])
        seen["turned"] += any(r["turned"] for r in document["verdict"]["rulings"])
    rare = [what for what in [*second.DECISIONS, "turned", *((k, s) for k in second.KINDS for s in ("met", "unmet", "undetermined"))]
            if seen[what] < 5]
    assert not rare, f"hardly covered: {rare} in {seen}"
    return cases, documents


def check_order(cases, documents):
    """The order in which records are handed in changes nothing."""
    turned = [dict(one, records=one["records"][::-1]) for one in cases[:300]]
    for seed, document in enumerate(evaluate(turned)):
        assert document["verdict"] == documents[seed]["verdict"], f"case {seed}"


def check_tampering(documents):
    """Every edited leaf of a verdict is a difference; an edited statement is refused."""
    assert any("accepted (" in r["because"]["text"] for d in documents for r in d["verdict"]["rulings"] if r["state"] == "met")
    for document in copy.deepcopy(documents[:60]):
        for where, put in leaves(document["verdict"]):
            old = put("tampered")
            assert second.recheck(document), where
            put(old)
        for record in document["inputs"]["records"]:
            record["statement"]["status"] = "complete?"
            try:
                second.recheck(document)
                raise AssertionError("an edited statement was accepted")
            except second.Unreadable:
                pass
            break


def leaves(value, where="verdict"):
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(entries):
        if isinstance(item, (dict, list)) and item:
            yield from leaves(item, f"{where}.{key}")
        else:
            def put(new, key=key):
                old, value[key] = value[key], new
                return old
            yield f"{where}.{key}", put


def check_program(document):
    """The exit codes of the program, and that nothing unreadable passes."""
    def run(text):
        command = [sys.executable, ROOT / "python/steelyard_recheck.py", "-"]
        return subprocess.run(command, input=text.encode(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    assert run(json.dumps(document)) == 0
    assert run(json.dumps({"verdicts": [document, document]})) == 0
    assert run(json.dumps(dict(document, verdict=dict(document["verdict"], decision="fit?")))) == 1
    for text in ("", "[]", "{}", '{"a":1,"a":2}', '{"schema":"steelyard/verdict/1"}', "[" * 100000, '{"schema":"steelyard/verdict/2"}'):
        assert run(text) == 2, text[:40]


def main():
    cases, documents = check_agreement()
    check_order(cases, documents)
    check_tampering(documents)
    check_program(documents[0])
    print(f"recheck: {CASES} random cases, the two implementations agree")


if __name__ == "__main__":
    main()
