"""steelyard quantize from directories with a tokenizer.model, with the real stack: tiny Llama, Mistral, Gemma 2 and 3.

The keys are what convert_hf_to_gguf.py of the stack's llama.cpp writes for the same directories; tensors are computed
here. What the engine makes of a text is what the pieces say.
"""

import json
import pathlib
import shutil
import struct
import sys

import gguf
import numpy

from program import BUILD, SOURCE, Checks, run, scratch
from tiny_model import bfloat16, halves, save_safetensors

sys.path[:0] = [str(SOURCE / "tests/stack"), str(SOURCE / "tests/engine")]
import built_stack  # noqa: E402
from client import Client  # noqa: E402

checks = Checks()
folder, env = scratch()
env["STEELYARD_STACK"] = str(built_stack.PREFIX)
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
WORDS = ["\u2581", "t", "h", "e", "th", "the", "\u2581the"]
LLAMA = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
GEMMA = [("<pad>", 0.0, CONTROL), ("<eos>", 0.0, CONTROL), ("<bos>", 0.0, CONTROL), ("<unk>", 0.0, UNKNOWN), ("<start_of_turn>", 0.0, USER_DEFINED)]
BYTES = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
MERGED = [(word, -float(i), NORMAL) for i, word in enumerate(WORDS)]


def bytes_field(number, content):
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def sentencepiece(pieces, algorithm=2, table=b"", dummy_prefix=True, removes_spaces=False):
    out = b""
    for text, score, kind in pieces:
        out += bytes_field(1, bytes_field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + bytes([0x18, kind]))
    return out + bytes_field(2, bytes([0x18, algorithm])) + bytes_field(3, bytes_field(1, b"identity") + bytes_field(2, table) + bytes([0x18, dummy_prefix, 0x20, removes_spaces]))


def template(begin, ids):
    special = {"SpecialToken": {"id": begin, "type_id": 0}}
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {"added_tokens": [{"id": at, "content": text, "special": True} for text, at in ids.items()],
            "post_processor": {"type": "TemplateProcessing", "single": [special, a], "pair": [special, a, special, b]},
            "model": {"type": "BPE", "byte_fallback": True, "vocab": {}, "merges": []}}


def directory(name, pieces, config, settings, tokenizer=None, kind="BF16", norms=(), heads=(4, 2), own=64, **model):
    place = folder / name
    place.mkdir()
    random, width, (queries, keys) = numpy.random.default_rng(3), 256, heads
    rows = len(pieces) + 4
    shapes = {"model.embed_tokens.weight": (rows, width), "model.norm.weight": (width,)}
    for part, shape in {"self_attn.q_proj": (queries * own, width), "self_attn.k_proj": (keys * own, width), "self_attn.v_proj": (keys * own, width),
                        "self_attn.o_proj": (width, queries * own), "mlp.gate_proj": (512, width), "mlp.up_proj": (512, width), "mlp.down_proj": (width, 512),
                        **{norm: (own if "self_attn" in norm else width,) for norm in ("input_layernorm", "post_attention_layernorm", *norms)}}.items():
        shapes[f"model.layers.0.{part}.weight"] = shape
    plain = {tensor: random.normal(0, 0.1, shape).astype(numpy.float32) for tensor, shape in shapes.items()}
    saved = {tensor: bfloat16(values) if kind == "BF16" else values.astype({"F16": numpy.float16, "F32": numpy.float32}[kind]) for tensor, values in plain.items()}
    save_safetensors(place / "model.safetensors", saved, dict.fromkeys(saved, kind))
    (place / "config.json").write_text(json.dumps({
        "hidden_size": width, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": queries, "num_key_value_heads": keys,
        "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "vocab_size": rows, **config}))
    (place / "tokenizer_config.json").write_text(json.dumps(settings))
    (place / "tokenizer.model").write_bytes(sentencepiece(pieces, **model))
    if tokenizer:
        (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    return place, saved


def converted(place, kind):
    out = folder / f"{place.name}.gguf"
    done = run("quantize", place, "-t", kind, "-o", out, env=env)
    checks.equal(done.returncode, 0, f"{place.name}: {done.stderr}")
    reader = gguf.GGUFReader(str(out))
    keys = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.") and "epsilon" not in name}
    return out, keys, {tensor.name: tensor.data for tensor in reader.tensors}


def tokens_of(path, text):
    with Client(BUILD / "tests/engine_client", built_stack.program("steelyard-engine"), path, 1, 64, 1) as engine:
        return engine.ask("tokenize", text=text)["tokens"]


def names(pieces, *more):
    texts = [text for text, _, _ in pieces]
    return texts + [f"[PAD{i}]" if i not in dict(more) else dict(more)[i] for i in range(len(texts), len(texts) + 4)]


# Llama with everything that may say which tokens there are.
pieces = [*LLAMA, *BYTES, *MERGED]
count = len(pieces)
place, saved = directory("llama", pieces, {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "bos_token_id": 1, "eos_token_id": 2}, {
    "bos_token": {"content": "<s>"}, "eos_token": "</s>", "add_bos_token": True, "add_eos_token": False, "add_prefix_space": True,
    "added_tokens_decoder": {"0": {"content": "<unk>", "special": True}, str(count): {"content": "<|im_start|>", "special": False},
                             str(count + 1): {"content": "\u2581\u2581word", "special": False}, str(count + 9): {"content": "beyond", "special": True}}},
    template("<s>", {"<unk>": 0, "<s>": 1, "</s>": 2}), kind="F16")
(place / "added_tokens.json").write_text(json.dumps({"<|im_start|>": count, "more": count + 2, "beyond": count + 4}))
out, keys, tensors = converted(place, "F16")
scores = keys.pop("tokenizer.ggml.scores")
checks.equal(keys, {
    "general.architecture": "llama", "general.type": "model", "general.name": "llama", "general.size_label": "660K", "general.file_type": 1, "general.quantization_version": 2,
    "llama.block_count": 1, "llama.context_length": 512, "llama.embedding_length": 256, "llama.feed_forward_length": 512, "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2, "llama.rope.freq_base": 10000.0, "llama.attention.key_length": 64, "llama.attention.value_length": 64,
    "llama.vocab_size": count + 4, "llama.rope.dimension_count": 64, "tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default",
    "tokenizer.ggml.add_space_prefix": True, "tokenizer.ggml.tokens": names(pieces, (count, "<|im_start|>"), (count + 1, "  word"), (count + 2, "more")),
    "tokenizer.ggml.token_type": [CONTROL, CONTROL, CONTROL] + [BYTE] * 256 + [NORMAL] * len(WORDS) + [CONTROL, USER_DEFINED, USER_DEFINED, UNUSED],
    "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": False,
    "tokenizer.ggml.add_sep_token": False}, "llama: keys")
checks.equal((scores[0], scores[count - 1], scores[count:]), (-1000.0, -float(len(WORDS) - 1), [-1000.0, -1000.0, -1000.0, -10000.0]), "llama: scores")
checks.true((halves(tensors["blk.0.attn_q.weight"], 4) == saved["model.layers.0.self_attn.q_proj.weight"]).all(), "llama: rows")
checks.equal(tokens_of(out, "the th"), [1, count - 1, 3 + 256 + WORDS.index("\u2581"), 3 + 256 + WORDS.index("th")], "llama: tokens of a text")

# Mistral without a tokenizer.json: ids come from config.json; those beyond the vocabulary are left out.
place, saved = directory("mistral", pieces, {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 9999}, {"bos_token": "<s>"})
out, keys, tensors = converted(place, "BF16")
checks.equal({key: value for key, value in keys.items() if key.endswith(("_id", "_token", "prefix", "key_length"))},
             {"tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "llama.attention.key_length": 64}, "mistral: ids")
checks.equal(keys["tokenizer.ggml.token_type"][:4], [UNKNOWN, CONTROL, CONTROL, BYTE], "mistral: types of pieces")

# Gemma: four norms in a layer, held less 1. Halves are added up as halves.
gemma = {"model_type": "gemma", "bos_token_id": 2, "eos_token_id": [1, 106], "pad_token_id": 0, "sliding_window": 128, "head_dim": 64, "query_pre_attn_scalar": 64}
third = {**gemma, "architectures": ["Gemma3ForCausalLM"], "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "_sliding_window_pattern": 6, "layer_types": ["sliding_attention"]}
second = {**gemma, "architectures": ["Gemma2ForCausalLM"], "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
settings = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "add_bos_token": True, "add_eos_token": False,
            "added_tokens_decoder": {"4": {"content": "<start_of_turn>", "special": False}}}
ids = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3}
pieces = [*GEMMA, *BYTES, *MERGED]
count = len(pieces)
four, six = ("pre_feedforward_layernorm", "post_feedforward_layernorm"), ("self_attn.q_norm", "self_attn.k_norm")
for name, config, kind, norms, own in (
        ("gemma3", third, "BF16", four + six, {"gemma3.rope.freq_base": 1000000.0, "gemma3.rope.freq_base_swa": 10000.0}),
        ("gemma3-long", {**third, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}, "F16", four + six,
         {"gemma3.rope.freq_base": 1000000.0, "gemma3.rope.freq_base_swa": 10000.0, "gemma3.rope.scaling.type": "linear", "gemma3.rope.scaling.factor": 8.0}),
        ("gemma2", second, "F32", four, {"gemma2.attn_logit_softcapping": 50.0, "gemma2.final_logit_softcapping": 30.0})):
    place, saved = directory(name, pieces, config, settings, template("<bos>", ids), kind=kind, norms=norms, heads=(4, 1))
    out, keys, tensors = converted(place, kind)
    arch = name[:6]
    checks.equal({key: value for key, value in keys.items() if not key.startswith("general.") and key not in ("tokenizer.ggml.scores", "tokenizer.ggml.tokens")}, {
        f"{arch}.block_count": 1, f"{arch}.context_length": 512, f"{arch}.embedding_length": 256, f"{arch}.feed_forward_length": 512,
        f"{arch}.attention.head_count": 4, f"{arch}.attention.head_count_kv": 1, f"{arch}.attention.key_length": 64, f"{arch}.attention.value_length": 64,
        f"{arch}.attention.sliding_window": 128, **own, "tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default", "tokenizer.ggml.add_space_prefix": False,
        "tokenizer.ggml.token_type": [CONTROL, CONTROL, CONTROL, UNKNOWN, USER_DEFINED] + [BYTE] * 256 + [NORMAL] * len(WORDS) + [UNUSED] * 4,
        "tokenizer.ggml.bos_token_id": 2, "tokenizer.ggml.eos_token_id": 1, "tokenizer.ggml.unknown_token_id": 3, "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": False, "tokenizer.ggml.add_sep_token": False}, f"{name}: keys")
    for theirs, ours in (("model.norm", "output_norm"), ("model.layers.0.input_layernorm", "blk.0.attn_norm"), ("model.layers.0.post_attention_layernorm", "blk.0.post_attention_norm"),
                         ("model.layers.0.pre_feedforward_layernorm", "blk.0.ffn_norm"), ("model.layers.0.post_feedforward_layernorm", "blk.0.post_ffw_norm")):
        before = saved[theirs + ".weight"]
        after = (before.astype(numpy.uint32) << 16).view(numpy.float32) + numpy.float32(1) if kind == "BF16" else (before + before.dtype.type(1)).astype(numpy.float32)
        checks.true((tensors[ours + ".weight"] == after).all(), f"{name}: {ours}")
    checks.equal(tokens_of(out, "the"), [2, 5 + 256 + WORDS.index("the")], f"{name}: tokens of a text")


# The words' matrix is Gemma 2's output, whatever else lies there; a large tokenizer.json is passed over beside a tokenizer.model.
tied = folder / "gemma2-tied"
shutil.copytree(folder / "gemma2", tied)
tensors = {key: numpy.array(value) for key, value in saved.items()}
save_safetensors(tied / "model.safetensors", {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"]})
large = template("<bos>", ids)
large["model"]["vocab"] = {f"{i:060}": i for i in range(500_000)}
(tied / "tokenizer.json").write_text(json.dumps(large))
out, keys, found = converted(tied, "F32")
checks.true("output.weight" not in found and keys["tokenizer.ggml.add_bos_token"], f"tied: {sorted(found)}")
checks.equal(tokens_of(out, "the"), [2, 5 + 256 + WORDS.index("the")], "tied: tokens of a text")

# An id beyond the vocabulary doesn't stand in the way of another that is said.
place, saved = directory("padded", [*LLAMA, *BYTES, *MERGED], {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
                         {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<PAD>"}, template("<s>", {"<s>": 1, "</s>": 2, "<PAD>": len(LLAMA) + 256 + len(WORDS) + 4}))
checks.equal(converted(place, "BF16")[1]["tokenizer.ggml.padding_token_id"], 0, "an id beyond the vocabulary")


# Each is one change of a directory that is taken.
def edited(name, base, file, change):
    place = folder / f"bad-{name}"
    shutil.copytree(folder / base, place)
    document = json.loads((place / file).read_text())
    change(document)
    (place / file).write_text(json.dumps(document))
    return place


def with_model(name, content):
    place = folder / f"bad-{name}"
    shutil.copytree(folder / "gemma3", place)
    (place / "tokenizer.model").write_bytes(content)
    return place


prefixless = folder / "bad-prefixless"
shutil.copytree(folder / "mistral", prefixless)
(prefixless / "tokenizer.model").write_bytes(sentencepiece([*LLAMA, *BYTES, *MERGED], dummy_prefix=False))
twice = folder / "bad-twice"
shutil.copytree(folder / "gemma3", twice)
(twice / "tokenizer.json").write_text((twice / "tokenizer.json").read_text().rstrip("}") + '}, "added_tokens": []}')
without = folder / "bad-without"
shutil.copytree(folder / "gemma3", without)
(without / "tokenizer.model").unlink()
for place, message in (
        (with_model("unigram", sentencepiece(pieces, algorithm=1)), "tokenizer.model: its algorithm isn't supported; expected BPE"),
        (with_model("table", sentencepiece(pieces, table=b"abc")), "tokenizer.model: it normalizes texts, which isn't supported"),
        (with_model("spaces", sentencepiece(pieces, removes_spaces=True)), "tokenizer.model: it normalizes texts, which isn't supported"),
        (edited("cap-null", "gemma2", "config.json", lambda d: d.update(attn_logit_softcapping=None)), "attn_logit_softcapping is null or isn't there; expected a number"),
        (edited("scale-default", "gemma2", "config.json", lambda d: d.pop("query_pre_attn_scalar")), "query_pre_attn_scalar is 256, as it isn't there; expected 64"),
        (edited("untied", "gemma2", "config.json", lambda d: d.update(tie_word_embeddings=False)), "tie_word_embeddings is false, which isn't supported for this architecture"),
        (edited("layers", "gemma3", "config.json", lambda d: d.update(num_hidden_layers=0)), "num_hidden_layers is 0; expected a number above 0"),
        (twice, 'tokenizer.json: "added_tokens" is there twice'),
        (prefixless, "tokenizer.model: it puts no space before a text, but add_prefix_space"),
        (with_model("cut", sentencepiece(pieces)[:2000]), "tokenizer.model: "),
        (with_model("more", sentencepiece(pieces + MERGED)), f"tokenizer.model: it has {count + len(WORDS)} pieces; expected at most vocab_size, {count + 4}"),
        (without, "tokenizer.model: it isn't there; expected for this architecture"),
        (edited("scale", "gemma3", "config.json", lambda d: d.update(query_pre_attn_scalar=168)), "query_pre_attn_scalar is 168; expected 64"),
        (edited("pattern", "gemma3", "config.json", lambda d: d.update(_sliding_window_pattern=3)), "sliding_window_pattern is 3; expected 6"),
        (edited("kinds", "gemma3", "config.json", lambda d: d.update(layer_types=["full_attention"])), "layer_types[0] isn't sliding_attention"),
        (edited("cap", "gemma3", "config.json", lambda d: d.update(attn_logit_softcapping=50.0)), "attn_logit_softcapping isn't supported for this architecture"),
        (edited("theta", "gemma2", "config.json", lambda d: d.update(rope_theta=20000.0)), "aren't supported for this architecture"),
        (edited("window", "gemma2", "config.json", lambda d: d.pop("sliding_window")), "sliding_window is null; expected a number above 0")):
    done = run("quantize", place, "-t", "Q8_0", "-o", folder / "refused.gguf", "--override", env=env)
    checks.true(done.returncode == 2 and message in done.stderr, f"{place.name}: {done.returncode} {done.stderr}")
    checks.true(not (folder / "refused.gguf").exists(), f"{place.name}: nothing is written")

shutil.rmtree(folder)
checks.finish()
