"""A tiny model whose tokens are bytes, as GGUF and as a directory that transformers would save."""

import json
import struct

import gguf
import numpy

# What llama.cpp and transformers call the same tensors.
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def byte_characters():
    """The characters that byte-level tokenizers write bytes as."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + i) for i in range(len(other))]


TOKENS = [*byte_characters(), "th", "<|end|>"]


def make_model(path, layers=2, width=256):
    random = numpy.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Tiny")
    writer.add_block_count(layers)
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([1] * (len(TOKENS) - 1) + [3])
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(len(TOKENS) - 1)
    writer.add_eos_token_id(len(TOKENS) - 1)
    names = ["token_embd.weight", "output.weight"]
    for layer in range(layers):
        names += [f"blk.{layer}.{part}.weight" for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")]
    for name in names:
        rows = len(TOKENS) if name in ("token_embd.weight", "output.weight") else width // 2 if "attn_k" in name or "attn_v" in name else width
        writer.add_tensor(name, random.normal(0, 0.1, (rows, width)).astype(numpy.float16))
    for name in ["output_norm"] + [f"blk.{layer}.{part}" for layer in range(layers) for part in ("attn_norm", "ffn_norm")]:
        writer.add_tensor(name + ".weight", random.normal(1, 0.1, width).astype(numpy.float16).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def halves(rows, heads):
    """From neighbours, as llama.cpp rotates them, to halves, as transformers does."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def save_safetensors(path, tensors, types=()):
    """`tensors`: numpy arrays; `types`: of those that numpy has no type for, by name."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        dtype = dict(types).get(name) or {"float16": "F16", "float32": "F32"}[str(array.dtype)]
        content = array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def bfloat16(array):
    return (numpy.ascontiguousarray(array, dtype=numpy.float32).view(numpy.uint32) >> 16).astype(numpy.uint16)


def save_tokenizer(folder, pre_tokenizer=None, post_processor=None, **settings):
    added = [{"id": len(TOKENS) - 1, "content": TOKENS[-1], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}]
    (folder / "tokenizer.json").write_text(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": pre_tokenizer or {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": post_processor, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "vocab": {token: i for i, token in enumerate(TOKENS[:-1])}, "merges": ["t h"]}}))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "bos_token": TOKENS[-1], "eos_token": TOKENS[-1], "clean_up_tokenization_spaces": False, "tokenizer_class": "PreTrainedTokenizerFast", **settings}))


def save_directory(model, folder, dtype=None):
    """Of a GGUF of the Llama architecture; `dtype`: of its matrices (default: as they are)."""
    folder.mkdir()
    reader = gguf.GGUFReader(str(model))
    value = {name.removeprefix("llama."): field.contents() for name, field in reader.fields.items()}
    tensors, types = {}, {}
    for tensor in reader.tensors:
        array, parts = tensor.data, tensor.name.split(".")
        if parts[0] == "blk":
            name = f"model.layers.{parts[1]}.{LAYER[parts[2]]}.{parts[3]}"
            if parts[2] in ("attn_q", "attn_k"):
                array = halves(array, value["attention.head_count" if parts[2] == "attn_q" else "attention.head_count_kv"])
        else:
            name = f"{WHOLE[parts[0]]}.{parts[1]}"
        array = numpy.ascontiguousarray(array)
        # Norms are saved as narrow as the matrices; these here lose nothing.
        array = array.astype(numpy.float32) if dtype == "F32" else bfloat16(array) if dtype == "BF16" else array.astype(numpy.float16)
        if dtype == "BF16":
            types[name] = "BF16"
        tensors[name] = array
    save_safetensors(folder / "model.safetensors", tensors, types)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": value["embedding_length"],
        "intermediate_size": value["feed_forward_length"], "num_hidden_layers": value["block_count"],
        "num_attention_heads": value["attention.head_count"], "num_key_value_heads": value["attention.head_count_kv"],
        "max_position_embeddings": value["context_length"], "rms_norm_eps": 1e-5, "vocab_size": value["vocab_size"],
        "bos_token_id": value["tokenizer.ggml.bos_token_id"], "eos_token_id": value["tokenizer.ggml.eos_token_id"]}))
    save_tokenizer(folder)
