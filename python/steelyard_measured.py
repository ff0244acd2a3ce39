"""The kinds of requirements that read measurements of the model; see steelyard_recheck.py."""

import hashlib
import re

from steelyard_records import SCAN, canonical, claims, counted, ids, items_of, listing, member, met, rows, shown, text_of, undetermined, unmet, whole

WHOLE = 10**6
BENCH = "steelyard bench MODEL"


def benches_of(evidence, scans, kind="bench"):
    """Bench records (or those of another kind) of the very files that were scanned."""
    known = {s["sha256"] for scan in scans for s in scan["statement"]["subjects"]} - {None}
    return [record for record in evidence.of(kind)
            if record["statement"]["subjects"] and all(s["sha256"] in known for s in record["statement"]["subjects"])]


def not_scanned():
    return undetermined("no scan record: the model's files were not examined", [], SCAN)


def millionths(text):
    match = re.fullmatch(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,6}))?", text, re.ASCII)
    if not match:
        return None
    value = int(match[2]) * WHOLE + int((match[3] or "").ljust(6, "0"))
    return -value if match[1] else value


def decimal(number):
    text = f"{number // WHOLE}.{number % WHOLE:06}".rstrip("0")
    return text.rstrip(".")


def held(measurement, what, unit, least, most, complete):
    """(state, text) of one measurement under a bound."""
    value = low = high = millionths(measurement["value"])
    interval = measurement["interval"]
    if len(interval) == 2:
        low, high = map(millionths, interval)
    if measurement["unit"] != unit or None in (value, low, high) or not low <= value <= high:
        return "undetermined", f"{what} in a form that is not understood"
    text = f'{what} {measurement["value"]} {unit}'
    if low != high:
        text += f" ({interval[0]} to {interval[1]})"
    text += f', n {measurement["n"]}'
    if (least is not None and high < least) or (most is not None and low > most):
        return "unmet", text
    inside = (least is None or low >= least) and (most is None or high <= most)
    if inside and not complete:
        return "undetermined", text + ", and the run was cut short"
    return "met" if inside else "undetermined", text


def judge(evidence, metric, part, what, unit, decide, least=None, most=None, claimed=False):
    scans = evidence.of("scan")
    if not scans:
        return not_scanned()
    benches = benches_of(evidence, scans)
    found = {"unmet": [], "undetermined": [], "met": []}
    for measurement, cite, record in rows(benches + (benches_of(evidence, scans, "scores") if claimed else []), "measurements"):
        if measurement["metric"] == metric and all(member(measurement["slice"], key) == value for key, value in part.items()):
            state, text = held(measurement, what, unit, least, most, whole(record))
            found[state].append((text + ", as others claim" if record["statement"]["kind"] == "scores" else text, cite))
    bound = f"at least {decimal(least)} {unit} asked" if least is not None else f"at most {decimal(most)} {unit} asked"
    for state, hits in found.items():
        if hits:
            text = f'{listing(text for text, _ in hits)}; {bound} ({counted(len(hits), "measurement")})'
            cites = [cite for _, cite in hits]
            return undetermined(text, cites, decide) if state == "undetermined" else (met if state == "met" else unmet)(text, cites)
    return undetermined(f'{what} was not measured in {counted(len(benches), "bench record")} of these files', ids(benches), decide)


def speed(params, requirement, evidence):
    phase = params["phase"]
    rate = phase not in ("first_token", "load")
    key = "min" if rate else "max_ms"
    if key not in params:
        return undetermined(f"nothing says how fast {phase} has to be", [], f"add {key} to requirement {requirement}")
    bound = {"least" if rate else "most": params[key] * WHOLE}
    part, what = {"phase": phase}, phase
    if phase == "batched" and "sequences" in params:
        part["sequences"] = str(params["sequences"])
        what += f' {params["sequences"]}'
    return judge(evidence, "speed", part, what, "token/s" if rate else "ms", BENCH, **bound)


def memory(params, requirement, evidence):
    what = params.get("what", "peak_rss")
    part, words = {"what": what}, what
    if "context" in params:
        part["context"] = str(params["context"])
        words += f' at {params["context"]} tokens of context'
    return judge(evidence, "memory", part, words, "byte", BENCH, most=(params["max_mb"] << 20) * WHOLE)


def quality(params, requirement, evidence):
    return judge(evidence, "quality", {"task": params["task"]}, f'the score of {shown(params["task"])}', "1", f"{BENCH} --task FILE",
                 least=params["min_percent"] * WHOLE // 100, claimed=params.get("assurance") == "claimed")


def damage(params, requirement, evidence):
    agreement = params["score"] == "top_agreement"
    key = "min_percent" if agreement else "max_percent"
    if key not in params:
        return undetermined(f'nothing says how much {params["score"]} may differ', [], f"add {key} to requirement {requirement}")
    bound = {"least" if agreement else "most": params[key] * WHOLE // 100}
    return judge(evidence, "damage", {"score": params["score"]}, "agreement with the reference" if agreement else "increase of perplexity",
                 "1", f"{BENCH} --reference FILE --text FILE", **bound)


def expect(params, requirement, evidence):
    asked = {key: params[key] for key in ("prompt", "checker", "expected")}
    digest = hashlib.sha256(canonical(asked).encode()).hexdigest()
    return judge(evidence, "pass_rate", {"expect": digest}, f'answers to {shown(params["prompt"])} that pass', "1",
                 f"{BENCH} --expect require.toml", least=params.get("min_percent", 90) * WHOLE // 100)


def claim(params, requirement, evidence):
    scans = evidence.of("scan")
    if not scans:
        return not_scanned()
    benches = benches_of(evidence, scans)
    found, absent = {"refuted": [], "open": [], "confirmed": []}, []
    for name in params["claims"]:
        stated, contradicted, missing = claims(benches, f"claim.{name}")
        if not stated and not contradicted and not missing:
            absent.append(name)
        for fact, cite in stated:
            state = text_of(member(fact["value"], "state"))
            text = name if state == "confirmed" else f'{name} ({shown(member(fact["value"], "why"))})'
            found[state if state in ("refuted", "confirmed") else "open"].append((text, cite))
        found["open"] += [(f'{name} ({shown(member(fact["value"], "why"))})', cite) for fact, cite in contradicted + missing]

    def summary(state, verb):
        return (f'{counted(len(found[state]), "claim")} {verb}: {listing(text for text, _ in found[state])}',
                [cite for _, cite in found[state]])

    if found["refuted"]:
        return unmet(*summary("refuted", "refuted"))
    if found["open"]:
        return undetermined(*summary("open", "neither confirmed nor refuted"), f"{BENCH} --claims")
    if absent:
        return undetermined(f'not tested in {counted(len(benches), "bench record")} of these files: {listing(absent)}', ids(benches),
                            f"{BENCH} --claims")
    for bench in benches:
        if not whole(bench):
            return undetermined("the bench was cut short", [bench["id"]], f"{BENCH} --claims")
    return met(*summary("confirmed", "confirmed"))


def sandbox(params, requirement, evidence):
    scans = evidence.of("scan")
    if not scans:
        return not_scanned()
    benches = benches_of(evidence, scans)
    stated, _, _ = claims(benches, "engine.sandbox")
    if not stated:
        return undetermined(f'nothing says in which sandbox the model ran in {counted(len(benches), "bench record")} of these files',
                            ids(benches), BENCH)
    lacking = [(layer, cite) for fact, cite in stated for layer in params["layers"]
               if layer not in {text_of(item).split(":")[0] for item in items_of(fact["value"])}]
    if lacking:
        return unmet(f'{counted(len(lacking), "layer")} of {counted(len(stated), "run")} without {listing(layer for layer, _ in lacking)}',
                     [cite for _, cite in lacking])
    for bench in benches:
        if not whole(bench):
            return undetermined("the bench was cut short", [bench["id"]], BENCH)
    return met(f'{counted(len(stated), "run")} inside {listing(params["layers"])}', stated.cites)


MEASURED = {"speed": ("model", speed), "memory": ("model", memory), "quality": ("model", quality), "damage": ("model", damage),
            "expect": ("model", expect), "claim": ("model", claim), "sandbox": ("infrastructure", sandbox)}
