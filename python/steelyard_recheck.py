#!/usr/bin/env python3
"""Re-derives Steelyard verdicts from their own records: the second implementation.

Usage: steelyard_recheck.py [FILE]      a verdict, or the JSON report of `steelyard vet`; "-" is stdin

Exit 0: the same verdict follows. 1: it differs; the differences are printed. 2: unreadable, or a record
whose id is not the digest of its statement. Needs nothing but Python 3.9 and the two files beside it;
shares no code with the first implementation (src/policy/), with which tests/oracle/recheck_test.py compares it.

Records become rows of facts, findings and coverage; each kind of requirement is a query over them.
"""

import hashlib
import re
import sys

from steelyard_measured import MEASURED, benches_of
from steelyard_records import *  # noqa: F403


# --- kinds of requirements ---------------------------------------------------------------------------


def of_scans(judge):
    """Without a scan nothing is known; with one that was cut short nothing is met."""

    def judged(params, requirement, evidence):
        scans = evidence.of("scan")
        if not scans:
            return undetermined("no scan record: the model's files were not examined", [], SCAN)
        outcome = judge(params, requirement, scans)
        broken = [scan for scan in scans if not whole(scan)]
        if outcome.state == "met" and broken:
            return undetermined(f'{len(broken)} of {counted(len(scans), "scan")} cut short', ids(broken), RESCAN)
        return outcome

    return judged


def left_out(coverage):
    """Bytes not examined: by the count or by the gaps, whichever says more."""
    gaps = sum(number_of(end) - number_of(begin) for begin, end in (gap["range"] for gap in coverage["gaps"]))
    return max(min(gaps, 2**64 - 1), number_of(coverage["bytes"]) - number_of(coverage["examined"]))


def shortfalls(scans, percent):
    """(text, citation, lasting, settled) of whatever was not examined."""
    for scan in scans:
        statement = scan["statement"]
        artifacts = statement["artifacts"]
        if not whole(scan):
            yield f'the scan is {statement["status"]}', scan["id"], False, False
        if not artifacts:
            yield "the scan names no file", scan["id"], False, False
        for coverage, cite, _ in rows([scan], "coverage"):
            missing, size = left_out(coverage), number_of(coverage["bytes"])
            if missing * 100 > size * (100 - percent) or (percent >= 100 and coverage["gaps"]):
                artifact = artifacts[coverage["artifact"]] if artifacts else {"path": "?", "format": "unknown"}
                text = f'{missing} of {size} bytes of {shown(artifact["path"])} were not examined'
                if coverage["gaps"]:
                    text += f' ({shown(coverage["gaps"][0]["why"])})'
                yield text, cite, whole(scan), whole(scan) and artifact["format"] != "unknown"
        covered = {coverage["artifact"] for coverage in statement["coverage"]}
        for artifact, cite, _ in rows([scan], "artifacts"):
            if artifact["id"] not in covered:
                yield f'nothing says how much of {shown(artifact["path"])} was examined', cite, False, False


def fell_short(lead, missing):
    decide = RESCAN + (", without what it cannot examine" if any(lasting for _, _, lasting, _ in missing) else "")
    texts = listing(text for text, *_ in missing)
    return undetermined(f'{lead}{counted(len(missing), "part")} not examined: {texts}', [m[1] for m in missing], decide)


def no_findings(params, requirement, evidence):
    return of_scans(lambda *given: no_findings_but_accepted(*given, evidence))(params, requirement, evidence)


def no_findings_but_accepted(params, requirement, scans, evidence):
    threshold = params.get("severity", "high")
    counts = SEVERITIES[SEVERITIES.index(threshold):]
    prefixes = tuple(params.get("rules", []))
    seen = [(finding, cite) for finding, cite, _ in rows(scans, "findings")
            if finding["severity"] in counts and (not prefixes or finding["rule"].startswith(prefixes))]
    counting = [(finding, cite) for finding, cite in seen if finding["rule"] not in params.get("ignore", [])]
    hits, reasons = [], []
    for finding, cite in counting:
        why = evidence.why_accepted(finding, cite) if params.get("accept", True) else None
        if why is None:
            hits.append((finding, cite))
        else:
            reasons.append(f'{finding["rule"]}: {shown(why)}')
    scope = (f"of {listing(prefixes)} " if prefixes else "") + f"of severity {threshold} or above"
    ignored = len(seen) - len(counting)
    aside = f'; {counted(ignored, "finding")} ignored by this requirement' if ignored else ""
    if reasons:
        aside += f'; {counted(len(reasons), "finding")} accepted ({listing(reasons)})'
    if hits:
        names = listing(f'{finding["rule"]} ({finding["severity"]})' for finding, _ in hits)
        return unmet(f'{counted(len(hits), "finding")} {scope}: {names}{aside}', [cite for _, cite in hits])
    missing = list(shortfalls(scans, params.get("min_percent", 100)))
    if missing:
        return fell_short(f"no finding {scope} so far, but ", missing)
    return met(f'no finding {scope} in {counted(len(rows(scans, "artifacts")), "artifact")}{aside}', ids(scans))


@of_scans
def coverage(params, requirement, scans):
    percent = params.get("min_percent", 100)
    missing = list(shortfalls(scans, percent))
    settled = [(text, cite) for text, cite, _, settled in missing if settled]
    if settled:
        return unmet(f'{counted(len(settled), "artifact")} not examined to {percent} %: {listing(t for t, _ in settled)}',
                     [cite for _, cite in settled])
    if missing:
        return fell_short("", missing)
    cites = [cite for _, cite, _ in rows(scans, "coverage")]
    return met(f'{counted(len(cites), "artifact")} examined to {percent} %', cites)


@of_scans
def file_format(params, requirement, scans):
    stated, contradicted, _ = claims(scans, "model.format")
    prefixes = tuple(prefix.translate(ASCII_LOWER) for prefix in params["allow"])
    other = Claims(c for c in stated if not text_of(c[0]["value"]).translate(ASCII_LOWER).startswith(prefixes))
    if other:
        return unmet(f'{counted(len(other), "part")} not in an allowed format: {other.values} '
                     f'(allowed: {listing(params["allow"])})', other.cites)
    unknown = [(shown(artifact["path"]), cite) for artifact, cite, _ in rows(scans, "artifacts")
               if artifact["format"] == "unknown" and number_of(artifact["bytes"])]
    if unknown:
        return undetermined(f'{counted(len(unknown), "file")} of unknown format: {listing(name for name, _ in unknown)}',
                            [cite for _, cite in unknown], RESCAN + ", without what it cannot examine")
    if contradicted:
        return undetermined(f"{contradicted.number} of the format contradict each other: {contradicted.values}",
                            contradicted.cites, INSPECT)
    if not stated:
        return undetermined(f'no format was recognised in {counted(len(scans), "scan")}', ids(scans), RESCAN)
    return met(f'{counted(len(stated), "part")} in an allowed format: {stated.values}', stated.cites)


def pinned(pins, scans):
    files = [(subject, scan) for scan in scans for subject in scan["statement"]["subjects"]]
    other = [(f, s) for f, s in files if f["sha256"] is not None and f["sha256"] not in pins]
    if other:
        return unmet(f'{counted(len(other), "file")} not pinned: {listing(shown(f["path"]) for f, _ in other)}',
                     dict.fromkeys(scan["id"] for _, scan in other))
    names = [shown(f["path"]) for f, _ in files if f["sha256"] is None]
    names += ["a scan without files" for scan in scans if not scan["statement"]["subjects"]]
    if names:
        blind = [s for s in scans if not s["statement"]["subjects"] or any(f["sha256"] is None for f in s["statement"]["subjects"])]
        return undetermined(f'no digest of {counted(len(names), "file")}: {listing(names)}', ids(blind), RESCAN)
    return met(f'{counted(len(files), "file")} pinned by digest', ids(scans))


def made_by(params, requirement, scans):
    stated, contradicted, missing = claims(scans, "identity.maker")
    if contradicted:
        return unmet(f"{contradicted.number} of the maker contradict each other: {contradicted.values}", contradicted.cites)
    accepted = [normal(maker) for maker in params.get("makers", [])]
    least = params.get("assurance", "claimed")
    strangers = Claims(c for c in stated if accepted and normal(text_of(c[0]["value"])) not in accepted)
    if strangers:
        return unmet(f"{strangers.number} of a maker that is not accepted: {strangers.values}", strangers.cites)
    weak = Claims(c for c in stated if ASSURANCES.index(c[0]["assurance"]) > ASSURANCES.index(least))
    if weak:
        return unmet(f'{weak.number} of the maker weaker than {least}: {weak.values} ({weak[0][0]["assurance"]})', weak.cites)
    if stated:
        return met(f"made by {stated.values} ({stated.number})", stated.cites)
    return undetermined(f'nobody says who made the model ({counted(len(scans), "scan")})', missing.cites or ids(scans),
                        f"{INSPECT} prints the digests; list those that the maker publishes under pins of requirement {requirement}")


@of_scans
def source(params, requirement, scans):
    asked = []
    if params.get("pins"):
        asked.append(pinned(params["pins"], scans))
    if not params.get("pins") or "makers" in params or "assurance" in params:
        asked.append(made_by(params, requirement, scans))
    for state in ("unmet", "undetermined"):
        for outcome in asked:
            if outcome.state == state:
                return outcome
    return met(", ".join(outcome.text for outcome in asked), [cite for outcome in asked for cite in outcome.cites])


def listed(patterns, fact):
    expressions = (".*".join(map(re.escape, normal(pattern).split("*"))) for pattern in patterns)
    return any(re.fullmatch(expression, normal(text_of(fact["value"])), re.DOTALL) for expression in expressions)


@of_scans
def licence(params, requirement, scans):
    stated, contradicted, missing = claims(scans, "identity.licence")
    forbidden = Claims(c for c in stated if listed(params.get("forbid", []), c[0]))
    unknown = Claims(c for c in stated if not isinstance(c[0]["value"], str) or not listed(params["permit"], c[0]))
    if forbidden:
        return unmet(f"forbidden licence: {forbidden.values} ({forbidden.number})", forbidden.cites)
    if contradicted:
        return undetermined(f"{contradicted.number} of the licence contradict each other: {contradicted.values}",
                            contradicted.cites, f"{INSPECT}, and compare with the licence that the maker publishes")
    if not stated:
        return undetermined(f'nobody states a licence ({counted(len(scans), "scan")})', missing.cites or ids(scans),
                            f"{INSPECT}, and ask the maker for the licence")
    if unknown:
        return undetermined(f"licence neither permitted nor forbidden: {unknown.values} ({unknown.number})", unknown.cites,
                            f"read its terms, then list it under permit or forbid of requirement {requirement}")
    return met(f"permitted licence: {stated.values} ({stated.number})", stated.cites)


@of_scans
def disclosure(params, requirement, scans):
    groups = {"stated": [], "contradicted": [], "missing": [], "unknown": []}
    for key in params["facts"]:
        stated, contradicted, missing = claims(scans, key)
        group = "contradicted" if contradicted else "stated" if stated else "missing" if missing else "unknown"
        groups[group].append((key, contradicted or stated or missing))

    def summary(group):
        cites = [cite for _, found in groups[group] for cite in found.cites]
        return f'{", ".join(key for key, _ in groups[group])} ({counted(len(cites), "fact")})', cites

    if groups["missing"]:
        text, cites = summary("missing")
        return unmet(f"not disclosed: {text}", cites)
    if groups["contradicted"]:
        text, cites = summary("contradicted")
        return undetermined(f"disclosed, but in contradiction: {text}", cites, f"{INSPECT}, and ask the maker which statement holds")
    if groups["unknown"]:
        keys = ", ".join(key for key, _ in groups["unknown"])
        return undetermined(f'not looked for in {counted(len(scans), "scan")}: {keys}', ids(scans), RESCAN)
    text, cites = summary("stated")
    return met(f"disclosed: {text}", cites)


def host_posture(params, requirement, evidence):
    hosts = evidence.of("host")
    if not hosts:
        return undetermined("no host record: the system around the model was not examined", [], HOST)
    answers, absent = {"ok": [], "bad": [], "unknown": []}, []
    for check in params["checks"]:
        stated, contradicted, missing = claims(hosts, f"host.check.{check}")
        if not stated and not contradicted and not missing:
            absent.append(check)
        for fact, cite in stated:
            state = member(fact["value"], "state")
            answers[state if state in ("ok", "bad") else "unknown"].append((check, fact["value"], cite))
        answers["unknown"] += [(check, fact["value"], cite) for fact, cite in contradicted + missing]

    def summary(state, verb):
        found = answers[state]
        names = listing(check if state == "ok" else f'{check} ({shown(member(value, "why"))})' for check, value, _ in found)
        return f'{counted(len(found), "check")} {verb}: {names}', [cite for *_, cite in found]

    if answers["bad"]:
        return unmet(*summary("bad", "failed"))
    if answers["unknown"]:
        return undetermined(*summary("unknown", "without an answer"), f"{HOST}, as a user who may read what it could not")
    if absent:
        return undetermined(f'not checked in {counted(len(hosts), "host record")}: {listing(absent)}', ids(hosts), HOST)
    for host in hosts:
        if not whole(host):
            return undetermined("the examination of the host was cut short", [host["id"]], HOST)
    return met(*summary("ok", "passed"))


def version_of(text):
    """(counted as builds?, numbers), or None when it is neither."""
    match = re.fullmatch(r"([bv]?)([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})(?:\+.*|\.post.*)?", text, re.DOTALL | re.ASCII)
    return match and (match[1] == "b", [int(part) for part in match[2].split(".")])


def older(a, b):
    if a is None or b is None or a[0] != b[0]:
        return None
    length = max(len(a[1]), len(b[1]))
    padded = [parts + [0] * (length - len(parts)) for _, parts in (a, b)]
    return padded[0] < padded[1]


def affected(installed, since, before):
    version = version_of(installed)
    if version is None:
        return None
    if since:
        earlier = older(version, version_of(since))
        if earlier is None or earlier:
            return None if earlier is None else False
    return older(version, version_of(before)) if before else True


def runtime_cve(params, requirement, evidence):
    scans, hosts = evidence.of("scan"), evidence.of("host")
    if not scans:
        return undetermined("no scan record: the model's files were not examined", [], SCAN)
    stated, _, _ = claims(hosts, "host.runtimes")
    if not stated:
        return undetermined("no list of the runtimes that are installed here", ids(hosts), HOST)
    hits, runtimes = {True: [], None: []}, 0
    for fact, list_cite in stated:
        for runtime in items_of(fact["value"]):
            runtimes += 1
            name, version = text_of(member(runtime, "name")), text_of(member(runtime, "version"))
            for finding, cite, _ in rows(scans, "findings"):
                if finding["rule"] != "LDR001":
                    continue
                for loader in items_of(member(finding["data"], "loaders")):
                    if text_of(member(loader, "name")) == name:
                        state = affected(version, text_of(member(loader, "from")), text_of(member(loader, "before")))
                        if state is not False:
                            text = f'{shown(name)} {shown(version)}: {shown(member(finding["data"], "advisory"))}'
                            hits[state].append((text, [cite, list_cite]))
    for state, found in hits.items():
        texts, cites = listing(text for text, _ in found), [cite for _, pair in found for cite in pair]
        if found and state:
            return unmet(f'{counted(len(found), "known flaw")} that the files set off: {texts}', cites)
        if found:
            return undetermined(f'{counted(len(found), "known flaw")} that the files may set off, in a version that can\'t be '
                                f"compared: {texts}", cites, "the version of the runtime")
    broken = [scan for scan in scans if not whole(scan)]
    if broken:
        return undetermined(f'{len(broken)} of {counted(len(scans), "scan")} cut short', ids(broken), RESCAN)
    for host in hosts:
        if not whole(host):
            return undetermined("the examination of the host was cut short", [host["id"]], HOST)
    return met(f'the files set off no known flaw of {counted(runtimes, "runtime")} installed here',
               ids(scans) + [cite for _, cite in stated])


def verified_program(program, origins, hardening):
    """(what is wrong, what isn't known) of one program or library."""
    origin = text_of(member(program, "origin"))
    if origin == "changed":
        return f'changed: {shown(member(program, "why"))}', ""
    known = origin in ("built", "packaged")
    if known and origin not in origins:
        return f"{origin} only", ""
    unknown = ""
    for name in hardening if member(program, "program") is True else []:
        has = text_of(member(member(program, "hardening"), name))
        if has == "no":
            return f"without {name}", ""
        if has != "yes" and not unknown:
            unknown = f"{name} isn't known"
    if not known:
        unknown = "no build and no package vouches for it"
    if origin == "built" and text_of(member(program, "tested")) != "passed":
        unknown = "its known answer was not computed here"
    return "", unknown


def runtime_verified(params, requirement, evidence):
    verify = "steelyard stack verify"
    stacks = evidence.of("stack")
    origins = params.get("origins") or ["built", "packaged"]
    hardening = params.get("hardening") or ["pie", "relro", "nx"]
    bad, unknown, programs, digests = [], [], 0, set()
    stated, _, _ = claims(stacks, "runtime.programs")
    for fact, cite in stated:
        for program in items_of(fact["value"]):
            programs += 1
            digests.add("sha256:" + text_of(member(program, "sha256")))
            wrong, missing = verified_program(program, origins, hardening)
            if wrong or missing:
                (bad if wrong else unknown).append((f'{shown(member(program, "path"))} ({wrong or missing})', cite))
    for bench in evidence.of("bench") if programs else []:
        engine = bench["statement"]["method"]["engine"] or ""
        if engine and engine not in digests:
            unknown.append((f"measured with another engine, {shown(engine)}", bench["id"]))
    if not programs:
        return undetermined(f'no program that runs models in {counted(len(stacks), "stack record")}', ids(stacks), verify)
    files = counted(programs, "file")
    if bad:
        return unmet(f"{len(bad)} of {files} not as required: {listing(text for text, _ in bad)}", [cite for _, cite in bad])
    if unknown:
        return undetermined(f"{len(unknown)} of {files} not decided: {listing(text for text, _ in unknown)}", [cite for _, cite in unknown],
                            "steelyard stack build, and models run by what it builds")
    for stack in stacks:
        if not whole(stack):
            return undetermined("the verification of the runtime was cut short", [stack["id"]], verify)
    return met(f"{files} as built or packaged", [cite for _, cite in stated])


def no_path(params, requirement, evidence):
    contexts = [record for record in evidence.of("context")
                if any(s["role"] == "context" and s["sha256"] and s["sha256"] == evidence.digest
                       for s in record["statement"]["subjects"])]
    if not contexts:
        return undetermined("no record of this context: its paths were not analysed", [], CONTEXT)
    classes = params.get("classes") or list(CLASSES)
    available = {}
    for fact, _ in claims(contexts, "context.mitigation")[0]:
        value = fact["value"]
        kind = text_of(member(value, "kind"))
        if member(value, "by") in ("gateway", "attested") and (not params.get("accept") or kind in params["accept"]):
            cost = number_of(member(value, "cost"))
            name = text_of(member(value, "id"))
            available.setdefault(name, {"id": name, "text": text_of(member(value, "text")), "by": value["by"],
                                        "cost": UINT32_MAX if cost is None else min(cost, UINT32_MAX)})
    scenarios, first, unknown = [], None, []
    for finding, cite, _ in rows(contexts, "findings"):
        data = finding["data"]
        if not isinstance(data, dict) or "class" not in data:
            continue
        if data["class"] not in CLASSES:
            unknown.append((shown(data["class"]), cite))
        if data["class"] in classes:
            cuts = [text_of(name) for name in items_of(data.get("cuts"))]
            scenarios.append({"id": text_of(data.get("id")), "text": text_of(data.get("text")), "cite": cite,
                              "cuts": [name for name in cuts if name in available]})
            first = first if first is not None else shown(data.get("text"))
    if scenarios:
        used = sorted({name for scenario in scenarios for name in scenario["cuts"]})
        more = len(scenarios) - 1
        more = "" if more == 0 else f', and {more} more path{"" if more == 1 else "s"}'
        return Outcome("unmet", f"{first}{more}; the worst case is assumed, as no attack rate was measured",
                       [s["cite"] for s in scenarios], "", scenarios, [available[name] for name in used])
    if unknown:
        return undetermined(f'{counted(len(unknown), "path")} of a class that this version doesn\'t know: '
                            f"{listing(name for name, _ in unknown)}", [cite for _, cite in unknown], CONTEXT)
    for context in contexts:
        if not whole(context):
            return undetermined("the analysis of the context was cut short", [context["id"]], CONTEXT)
    scope = "" if set(CLASSES) <= set(classes) else f' of class {", ".join(classes)}'
    return met(f"no attack path{scope} leads through this deployment", ids(contexts))


def evidence_age(params, requirement, evidence):
    kinds, days = params.get("kinds", []), counted(params["max_days"], "day")
    records = [r for r in evidence.records if not kinds or r["statement"]["kind"] in kinds]
    old, unclear = [], []
    for record in records:
        at = seconds(record["run"]["at"])
        name = f'{record["statement"]["kind"]} of {shown(record["run"]["at"])}'
        if at is None or at > evidence.now:
            unclear.append((name, record["id"]))
        elif evidence.now - at > params["max_days"] * 86400:
            old.append((name, record["id"]))

    def summary(found, what):
        return f'{len(found)} of {counted(len(records), "record")} {what}: {listing(n for n, _ in found)}', [c for _, c in found]

    if old:
        return unmet(*summary(old, f"older than {days}"))
    if unclear:
        return undetermined(*summary(unclear, "with an unreadable or future time"), VET)
    if not records:
        return undetermined("no record whose age could be told", [], VET)
    for kind in kinds:
        if not any(r["statement"]["kind"] == kind for r in records):
            return undetermined(f'no {kind} record among {counted(len(records), "record")}', ids(records), VET)
    return met(f'{counted(len(records), "record")} at most {days} old', ids(records))


KINDS = {
    "no_findings": ("model", no_findings), "coverage": ("model", coverage), "format": ("model", file_format),
    "source": ("model", source), "licence": ("model", licence), "disclosure": ("model", disclosure),
    "evidence_age": ("model", evidence_age), "host_posture": ("infrastructure", host_posture),
    "no_path": ("integration", no_path), "runtime_cve": ("infrastructure", runtime_cve),
    "runtime_verified": ("infrastructure", runtime_verified), **MEASURED,
}


# --- the fold ----------------------------------------------------------------------------------------


def cheapest(paths, prices):
    """The mitigations that cut every path: least cost, then fewest, then first by name."""
    prices = dict(sorted(prices.items()))
    paths = {frozenset(path) for path in paths}
    needed = [path for path in paths if not any(other < path for other in paths)]
    hits = {name: {path for path in needed if name in path} for name in prices}
    for name in list(hits):
        worse = lambda rival: (prices[rival], rival) < (prices[name], name) and hits[name] <= hits[rival]
        if any(worse(rival) for rival in hits if rival != name):
            del hits[name]
    needed = sorted((sorted(path & hits.keys()) for path in needed), key=lambda path: (len(path), path))
    best, budget = None, SEARCH_LIMIT

    def bound(open_paths):
        """Paths without a common mitigation have to be paid for one by one."""
        cost = count = 0
        taken = set()
        for path in open_paths:
            if taken.isdisjoint(path):
                taken.update(path)
                cost, count = cost + min(prices[name] for name in path), count + 1
        return cost, count

    def search(open_paths, chosen, barred, cost):
        nonlocal best, budget
        budget -= 1
        if budget < 0:
            raise Unreadable("too many ways to cut the paths for this program")
        least_cost, least_count = bound(open_paths)
        if best and (cost + least_cost, len(chosen) + least_count) > best[:2]:
            return
        if not open_paths:
            key = (cost, len(chosen), sorted(chosen))
            best = min(best, key) if best else key
            return
        path = open_paths[0]
        for index, name in enumerate(path):
            if name in barred:
                continue
            rest = [other for other in open_paths if name not in other]
            search(rest, chosen | {name}, barred | set(path[:index]), cost + prices[name])

    search(needed, frozenset(), frozenset(), 0)
    return best[2]


def weight(ruling):
    if ruling["state"] == "unmet":
        turnable = ruling["scenarios"] and all(scenario["cuts"] for scenario in ruling["scenarios"])
        return "fit with conditions" if turnable else "unfit"
    return {"met": "fit", "undetermined": "undetermined"}[ruling["state"]]


def worst(rulings):
    return max(rulings, key=lambda ruling: DECISIONS.index(weight(ruling)))


def layer_line(layer, rulings):
    line = {"layer": layer, "assessed": bool(rulings), "decision": "fit", "requirement": "",
            "because": {"text": "no requirement asks about this layer", "cites": []}}
    if rulings:
        decides = worst(rulings)
        line.update(decision=weight(decides), because=decides["because"])
        if line["decision"] != "fit":
            line["requirement"] = decides["id"]
        elif len(rulings) > 1:
            line["because"] = {
                "text": f'all {len(rulings)} requirements are met: {", ".join(ruling["id"] for ruling in rulings)}',
                "cites": list(dict.fromkeys(cite for ruling in rulings for cite in ruling["because"]["cites"]))}
    return line


def benchmarked(evidence):
    return any(m["metric"] in ("speed", "quality") for record in benches_of(evidence, evidence.of("scan")) if whole(record)
               for m in record["statement"]["measurements"])


def judge(inputs):
    """The verdict that follows from the inputs of a document."""
    accepted = inputs.get("accepted", [])
    for one in accepted:
        if set(one) != {"finding", "by", "reason", "until"} or not one["reason"]:
            raise Unreadable("an acceptance without a reason")
    evidence = Evidence(inputs["records"], inputs["context"]["digest"], inputs["now"], accepted)
    measured, rulings = benchmarked(evidence), []
    for requirement in inputs["requirements"]["require"]:
        if requirement["kind"] not in KINDS:
            raise Unreadable(f'this program knows no requirement of kind {shown(requirement["kind"])}')
        layer, kind = KINDS[requirement["kind"]]
        outcome = kind(requirement["params"], requirement["id"], evidence)
        rulings.append({"id": requirement["id"], "kind": requirement["kind"], "layer": layer, "state": outcome.state,
                        "turned": False, "because": {"text": outcome.text, "cites": outcome.cites}, "decide": outcome.decide,
                        "scenarios": outcome.scenarios, "mitigations": outcome.mitigations})
    decision, conditions = weight(worst(rulings)) if rulings else "undetermined", []
    if decision != "unfit":
        turned = [ruling for ruling in rulings if weight(ruling) == "fit with conditions"]
        known = {}
        for ruling in turned:
            ruling["turned"] = True
            for mitigation in ruling["mitigations"]:
                known.setdefault(mitigation["id"], mitigation)
        paths = [scenario["cuts"] for ruling in turned for scenario in ruling["scenarios"]]
        conditions = [known[name] for name in cheapest(paths, {name: m["cost"] for name, m in known.items()})]
    assurance = {(False, False): "static only: not attacked, not benchmarked", (True, False): "attacked, not benchmarked",
                 (False, True): "benchmarked, not attacked", (True, True): "attacked and benchmarked"}
    layers = [layer_line(layer, [r for r in rulings if r["layer"] == layer]) for layer in LAYERS]
    not_assessed = [f'the {line["layer"]} layer: no requirement asks about it' for line in layers if not line["assessed"]]
    not_assessed.append("tensor values: only their bounds and layout were checked")
    if not evidence.attacked:
        not_assessed.append("behaviour under attack: no attack rates were measured, so the worst case is assumed")
    if not measured:
        not_assessed.append("whether it works as claimed: nothing was benchmarked")
    return {"context": inputs["context"]["name"], "profile": inputs["requirements"]["name"], "decision": decision,
            "assurance": assurance[evidence.attacked, measured], "layers": layers, "rulings": rulings,
            "conditions": conditions, "not_assessed": not_assessed}


# --- checking a document -----------------------------------------------------------------------------


def check_records(records):
    for record in records:
        statement = record["statement"]
        if statement["schema"] != "steelyard/evidence/1":
            raise Unreadable(f'a record of schema {shown(statement["schema"])}')
        digest = "ev1:" + hashlib.sha256(canonical(statement).encode()).hexdigest()
        if record["id"] != digest:
            raise Unreadable(f'the record {shown(record["id"])} has the id {digest}')


def differences(stated, derived, where="verdict"):
    if isinstance(stated, dict) and isinstance(derived, dict):
        for key in sorted({*stated, *derived}):
            yield from differences(stated.get(key), derived.get(key), f"{where}.{key}")
    elif isinstance(stated, list) and isinstance(derived, list) and len(stated) == len(derived):
        for index, (one, other) in enumerate(zip(stated, derived)):
            yield from differences(one, other, f"{where}[{index}]")
    elif type(stated) is not type(derived) or stated != derived:
        yield f"{where}: stated {shown(stated)}, derived {shown(derived)}"


def recheck(document):
    """What differs between the stated verdict and the one that follows from the inputs."""
    try:
        if document["schema"] != "steelyard/verdict/1":
            raise Unreadable(f'a document of schema {shown(document["schema"])}')
        check_records(document["inputs"]["records"])
        return list(differences(document["verdict"], judge(document["inputs"])))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise Unreadable(f"not a whole verdict document: {type(error).__name__}: {error}") from error


def main(arguments):
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 2
    try:
        if arguments and arguments[0] != "-":
            with open(arguments[0], "rb") as file:
                text = file.read().decode()
        else:
            text = sys.stdin.buffer.read().decode()
        document = parse(text)
        documents = [document] if member(document, "schema") == "steelyard/verdict/1" else items_of(member(document, "verdicts"))
        if not documents:
            raise Unreadable("neither a verdict nor a report with verdicts")
        found = [(text_of(member(member(d, "verdict"), "context")), recheck(d)) for d in documents]
    except (Unreadable, OSError, UnicodeError) as error:
        print(f"unreadable: {ascii(str(error))[1:-1]}", file=sys.stderr)
        return 2
    for context, lines in found:
        print(f"{ascii(context)[1:-1]}: " + ("different" if lines else "the same verdict follows from the records"))
        for line in lines:
            print("  " + ascii(line)[1:-1])
    return 1 if any(lines for _, lines in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
