"""An answer doesn't depend on what is decoded beside it, nor on how many workers there are: for each type of weights
that the engine calls exact, to the last bit of the logarithms. Types that it doesn't call exact are only named.

Models are made from the demo's (tools/setup model) by llama-quantize. With STEELYARD_ENGINE_TYPES=all every type.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE, BUILD = pathlib.Path(os.environ["STEELYARD_SOURCE"]), pathlib.Path(os.environ["STEELYARD_BUILD"])
sys.path[:0] = [str(SOURCE / "tests/stack"), str(SOURCE / "tests/cli")]
import built_stack  # noqa: E402
from client import Client  # noqa: E402
from program import Checks  # noqa: E402

MODEL = SOURCE / "build/demo/model.gguf"
TEXT = (SOURCE / "README.md").read_text()
EXACT = ["Q4_1", "Q4_0", "Q8_0", "Q4_K_M", "F16"]
MORE = ["BF16", "Q5_0", "Q5_1", "Q2_K", "Q3_K_M", "Q5_K_M", "Q6_K"]
THREADED = ["Q4_1", "Q8_0", "F16"]  # the same with two threads too
LONG = ["Q4_0"]  # the same with a context beyond that of plain attention
INEXACT = ["IQ4_NL"]
everything = os.environ.get("STEELYARD_ENGINE_TYPES") == "all"
checks = Checks()


def answers(path, workers, sequences, threads=1, context=576):
    with Client(BUILD / "tests/engine_client", built_stack.program("steelyard-engine"), path, workers, context, sequences, threads=threads) as engine:
        tokens = engine.ask("tokenize", text=TEXT)["tokens"]
        prefix = tokens[:60]
        prompts = [tokens[60 + 20 * i : 65 + 23 * i] for i in range(7)]
        # Families that share more than the prefix, which is decoded once; some are longer than a tile of attention.
        prompts += [tokens[100 + 50 * (i % 2) :][: 40 + 15 * i] for i in range(4)] + [tokens[100:143]] * 2
        if path.stem == "Q4_0":
            prompts.append(tokens[300:780])  # with the prefix, more than a chunk of attention
        continuations = [prompt[: 1 + i] for i, prompt in enumerate(prompts[:7])] + prompts[7:]
        return (engine.hello["exact"],
                engine.ask("generate", prefix=prefix, prompts=prompts, most=10)["answers"],
                engine.ask("generate", prefix=prefix, prompts=prompts, most=10, temperature="0.9", seed=5)["answers"],
                engine.ask("score", prefix=prefix, continuations=continuations)["bits"])


with tempfile.TemporaryDirectory() as folder:
    for kind in EXACT + (MORE if everything else []) + INEXACT:
        path = pathlib.Path(folder) / f"{kind}.gguf"
        command = [built_stack.program("llama-quantize"), "--allow-requantize", MODEL, path, kind, "1"]
        subprocess.run(command if kind != "Q4_1" else ["cp", MODEL, path], check=True, capture_output=True)
        if kind in INEXACT:
            exact = answers(path, 1, 1)[0]
            checks.true(not exact, f"{kind} isn't called exact")
            continue
        one = answers(path, 1, 1)
        checks.true(one[0], f"{kind} is called exact")
        for workers, sequences in ((1, 3), (2, 7)):
            many = answers(path, workers, sequences)
            for index, what in ((1, "greedy"), (2, "by seed"), (3, "logarithms")):
                checks.equal(many[index], one[index], f"{kind}: {what}, {workers} workers of {sequences}")
        if kind in LONG:
            one, many = (answers(path, 1, sequences, context=4200) for sequences in (1, 5))
            checks.equal(many, one, f"{kind}: a context of 4,200")
        if kind in THREADED:
            threads = answers(path, 1, 3, 2)
            checks.true(not threads[0], f"{kind} isn't called exact with two threads")
            checks.equal(threads[1:], one[1:], f"{kind}: two threads")
checks.finish()
