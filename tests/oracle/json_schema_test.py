"""JSON Schema as wire/json_schema reads it, against the Python package jsonschema: cases by hand, and seeded random ones."""

import json
import os
import pathlib
import random
import subprocess
import sys

import jsonschema

BUILD = pathlib.Path(os.environ.get("STEELYARD_BUILD", "build/dev"))
VALUES = [None, True, False, 0, 1, 2, -1, 1.0, 1.5, 0.5, 3, 10, 100, 1e2, "", "a", "ab", "abc", "äöü", "2024-01-02", [], [1], [1, 1], [1, 1.0],
          [1, True], ["a", "b", "c"], [[], [1]], {}, {"a": 1}, {"a": "x", "b": 2}, {"b": [1, 2]}, {"a": {"a": {"a": 1}}}, {"x-y": 0}, {"a": None}]

# What models are asked for: a tool's arguments, recursion, unions, tuples.
SCHEMAS = [
    True, False, {},
    {"type": "object", "properties": {"city": {"type": "string", "minLength": 1}, "days": {"type": "integer", "minimum": 1, "maximum": 14}},
     "required": ["city"], "additionalProperties": False},
    {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": ["object", "null"], "properties": {"a": {"$ref": "#/$defs/tree"}}, "additionalProperties": {"type": "number"}}}},
    {"$defs": {"a/b~c d": {"type": "integer"}}, "anyOf": [{"$ref": "#/$defs/a~1b~0c%20d"}, {"type": "string", "pattern": "^[a-z]+$"}]},
    {"oneOf": [{"type": "integer"}, {"minimum": 2}]}, {"not": {"type": ["string", "array"]}}, {"allOf": [{"type": "number"}, {"multipleOf": 0.5}]},
    {"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False}, {"items": {"type": "integer"}, "minItems": 1, "uniqueItems": True},
    {"contains": {"const": 1}, "minContains": 2, "maxContains": 2}, {"contains": {"type": "array"}, "minContains": 0},
    {"if": {"type": "object"}, "then": {"required": ["a"]}, "else": {"type": ["number", "string"]}},
    {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": {"type": "string"}}, {"propertyNames": {"maxLength": 1}},
    {"dependentRequired": {"a": ["b"]}}, {"minProperties": 1, "maxProperties": 1}, {"enum": [1, "a", [1], {"a": 1}, None]}, {"const": 1.0}, {"const": False},
    {"enum": [0]}, {"exclusiveMinimum": 1, "exclusiveMaximum": 3}, {"minLength": 2, "maxLength": 3}, {"pattern": "\\u00e4"}, {"multipleOf": 0.01},
    {"type": "string", "format": "date"}, {"title": "t", "description": "d", "default": 1, "x-order": 3},
]
WRONG = [({"requird": ["a"]}, "requird"), ({"$ref": "https://example.org/x"}, "within the document"), ({"$ref": "#/$defs/none"}, "nothing is at"),
         ({"type": "text"}, "expected a type"), ({"items": [{}]}, "prefixItems"), ({"unevaluatedProperties": False}, "isn't understood"),
         ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"), ({"pattern": "(?=a)"}, "regular expression"), ({"$ref": "#"}, "refer to themselves"),
         ({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"not": {"$ref": "#"}}}}, "refer to themselves"), ({"multipleOf": 0}, "above zero"),
         ({"minLength": -1}, "isn't negative"), ({"properties": []}, "expected an object"), ({"allOf": []}, "isn't empty"), ({"properties": {"a": 3}}, "/properties/a"),
         (3, "expected an object"), ({"$anchor": "a"}, "isn't understood"), ({"required": "a"}, "list of names")]


def some_schema(rng, depth):
    if depth == 0 or rng.random() < 0.15:
        return rng.choice([True, {"type": rng.choice(["null", "boolean", "object", "array", "string", "number", "integer"])}, {"const": rng.choice(VALUES)}, {"minimum": rng.randint(-1, 3)}])
    inner = lambda: some_schema(rng, depth - 1)  # noqa: E731
    parts = [lambda: {"type": rng.sample(["null", "object", "array", "string", "number", "integer"], 3)}, lambda: {"enum": rng.sample(VALUES, 5)},
             lambda: {"properties": {"a": inner(), "b": inner()}}, lambda: {"required": rng.sample(["a", "b"], 1)}, lambda: {"additionalProperties": inner()},
             lambda: {"items": inner()}, lambda: {"prefixItems": [inner()]}, lambda: {"anyOf": [inner(), inner()]}, lambda: {"oneOf": [inner(), inner()]},
             lambda: {"allOf": [inner(), inner()]}, lambda: {"not": inner()}, lambda: {"if": inner(), "then": inner(), "else": inner()},
             lambda: {"contains": inner()}, lambda: {"uniqueItems": True}, lambda: {"minLength": rng.randint(0, 3)}, lambda: {"maxItems": rng.randint(0, 2)},
             lambda: {"multipleOf": rng.choice([0.5, 2, 3])}, lambda: {"pattern": rng.choice(["a", "^a", "b$", "^.{3}$", "[0-9]+"])}]
    out = {}
    for part in rng.sample(parts, rng.randint(1, 3)):
        out |= part()
    return out


rng = random.Random(5)
pairs = [(schema, value) for schema in SCHEMAS for value in VALUES]
pairs += [(some_schema(rng, 3), rng.choice(VALUES)) for _ in range(20_000)]
pairs += [(schema, None) for schema, _ in WRONG]
done = subprocess.run([BUILD / "tests/json_schema"], input="".join(json.dumps(pair) + "\n" for pair in pairs), capture_output=True, text=True, check=True)
answers = done.stdout.splitlines()
assert len(answers) == len(pairs), (len(answers), len(pairs))
failures, counts = [], {}
for (schema, value), answer in zip(pairs[:-len(WRONG)], answers):
    expected = "valid" if jsonschema.Draft202012Validator(schema).is_valid(value) else "invalid"
    counts[expected] = counts.get(expected, 0) + 1
    if answer != expected:
        failures.append(f"{json.dumps(schema)} of {json.dumps(value)}: {answer}, jsonschema says {expected}")
for (schema, says), answer in zip(WRONG, answers[-len(WRONG):]):
    if says not in answer:
        failures.append(f"{json.dumps(schema)}: {answer!r} doesn't say {says!r}")
print("\n".join(failures[:20]))
print(f"{len(pairs)} cases, {counts}, {len(failures)} failures")
sys.exit(bool(failures) or min(counts.values()) < 1000)
