"""What both files of the second implementation share: JSON, words, records and outcomes. See steelyard_recheck.py."""

import datetime
import json
import re

LAYERS = ("model", "infrastructure", "integration")
SEVERITIES = ("info", "low", "medium", "high", "critical")
ASSURANCES = ("verified", "signed", "corroborated", "claimed")
CLASSES = ("integrity", "confidentiality", "persistence")
DECISIONS = ("fit", "fit with conditions", "undetermined", "unfit")
SCAN, RESCAN, INSPECT = "steelyard scan MODEL", "steelyard scan MODEL --rehash", "steelyard inspect MODEL"
HOST, CONTEXT, VET = "steelyard host", "steelyard context CONTEXT", "steelyard vet MODEL --rehash"
ASCII_LOWER = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}
UINT32_MAX = 2**32 - 1
SEARCH_LIMIT = 2_000_000


class Unreadable(Exception):
    """The document can't be judged."""


# --- JSON --------------------------------------------------------------------------------------------


def parse(text):
    def unique(pairs):
        members = dict(pairs)
        if len(members) < len(pairs):
            raise Unreadable("a key appears twice in one object")
        return members

    def integer(digits):
        if abs(int(digits)) > 2**53:
            raise Unreadable("an integer beyond 2^53")
        return int(digits)

    def refuse(number):
        raise Unreadable(f"{number}: a number that is no integer")

    try:
        return json.loads(text, object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def canonical(value):
    """RFC 8785, for values without fractions."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(compact(key) + ":" + canonical(value[key]) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return compact(value)


def member(value, key):
    return value.get(key) if isinstance(value, dict) else None


def text_of(value):
    return value if isinstance(value, str) else ""


def items_of(value):
    return value if isinstance(value, list) else []


def number_of(value):
    """A non-negative integer; large ones are written as decimal strings."""
    if isinstance(value, str) and re.fullmatch("[0-9]+", value):
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


# --- words -------------------------------------------------------------------------------------------


def cut(text):
    return text if len(text) <= 120 else text[:120] + "…"


def shown(value):
    return compact(cut(value)) if isinstance(value, str) else cut(compact(value))


def listing(items):
    items = sorted(set(items))
    return ", ".join(items[:3]) + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def counted(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def normal(text):
    return text.translate(ASCII_LOWER).replace(" ", "-").replace("_", "-")


# --- times -----------------------------------------------------------------------------------------


def seconds(moment):
    """Since 1970, or None when it is no moment."""
    match = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z", moment)
    if not match:
        return None
    year, *rest = map(int, match.groups())
    try:  # datetime knows no year 0, which has the calendar of the year 400
        at = datetime.datetime(year or 400, *rest, tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    past = at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return (past.days - (0 if year else 146097)) * 86400 + past.seconds


def end_of(day):
    """The first second after a day."""
    midnight = seconds(f"{day}T00:00:00Z")
    if midnight is None:
        raise Unreadable(f"{shown(day)} is no day")
    return midnight + 86400


# --- evidence ----------------------------------------------------------------------------------------


class Evidence:
    """The records by id, each once, of copies the oldest run."""

    def __init__(self, records, digest, now, accepted):
        self.accepted = accepted
        by_id = {}
        for record in sorted(records, key=lambda r: (r["id"], r["run"]["at"])):
            by_id.setdefault(record["id"], record)
        self.records = list(by_id.values())
        self.digest, self.now = digest, now
        metrics = {m["metric"] for r in self.records if whole(r) for m in r["statement"]["measurements"]}
        self.attacked = "attack_rate" in metrics

    def why_accepted(self, finding, cite):
        """The reason for which a finding doesn't count, or None. What is serious is not accepted for good."""
        serious = SEVERITIES.index(finding["severity"]) >= SEVERITIES.index("high")
        for one in self.accepted:
            if one["finding"] != cite:
                continue
            if not serious if one["until"] is None else self.now < end_of(one["until"]):
                return one["reason"]
        return None

    def of(self, kind):
        return [r for r in self.records if r["statement"]["kind"] == kind]


def whole(record):
    return record["statement"]["status"] == "complete"


def rows(records, section):
    """(item, its citation, its record) of one section of several records."""
    return [(item, f'{record["id"]}#{section}/{index}', record)
            for record in records for index, item in enumerate(record["statement"][section])]


def ids(records):
    return [record["id"] for record in records]


class Claims(list):
    """Facts under one key as (fact, citation)."""

    values = property(lambda self: listing(shown(fact["value"]) for fact, _ in self))
    cites = property(lambda self: [cite for _, cite in self])
    number = property(lambda self: counted(len(self), "statement"))


def claims(records, key):
    """Those that are stated, contradicted and missing."""
    sorted_out = Claims(), Claims(), Claims()
    for fact, cite, _ in rows(records, "facts"):
        if fact["key"] == key:
            absent = fact["value"] is None or fact["assurance"] == "missing"
            sorted_out[2 if absent else fact["assurance"] == "contradicted"].append((fact, cite))
    return sorted_out


class Outcome:
    def __init__(self, state, text, cites, decide="", scenarios=(), mitigations=()):
        self.state, self.text, self.cites, self.decide = state, text, list(cites), decide
        self.scenarios, self.mitigations = list(scenarios), list(mitigations)


def met(text, cites):
    return Outcome("met", text, cites)


def unmet(text, cites):
    return Outcome("unmet", text, cites)


def undetermined(text, cites, decide):
    return Outcome("undetermined", text, cites, decide)
