#include "quantize/convert.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#include "base/checked.hpp"
#include "base/cursor.hpp"
#include "base/text.hpp"
#include "quantize/hugging_face.hpp"
#include "wire/json_pull.hpp"

namespace steelyard::quantize {
namespace {

constexpr u64 kMostText = u64{64} << 20;
constexpr u64 kMostHeader = u64{64} << 20;
constexpr u64 kMostMember = u64{16} << 20;
constexpr u64 kAlignment = 32;
constexpr u32 kF32 = 0, kF16 = 1, kBf16 = 30;
constexpr u64 kWindow = u64{1} << 20;

std::unexpected<Error> no(const std::string& where, std::string why) {
  return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(where, 80), why));
}

Result<std::string> text_of(const Part& part) {
  if (part.source->size() > kMostText) return no(part.name, "it is larger than 64 MiB");
  std::string out(part.source->size(), '\0');
  out.resize(part.source->read(0, std::as_writable_bytes(std::span(out))));
  return out;
}

Result<json::Value> document(const Part& part) {
  SY_TRY(const std::string text, text_of(part));
  auto out = json::parse(text, {.decimals = true});
  if (!out) return no(part.name, out.error().message);
  if (!out->is_object()) return no(part.name, "expected an object");
  return out;
}

// The members of a document that is an object, the others passed over: what is too large to be held.
Result<json::Value> members(const Part& part, std::initializer_list<std::string_view> keys) {
  using Token = wire::JsonPull::Token;
  Cursor in(*part.source);
  wire::JsonPull pull(in);
  json::Value out = json::Object{};
  if (pull.next() != Token::object) return no(part.name, "expected an object");
  while (pull.next() == Token::key) {
    const std::string key = pull.content();
    const Token first = pull.next();
    const u64 begin = pull.offset();
    pull.skip(first);
    if (!in.ok() || std::ranges::find(keys, key) == keys.end()) continue;
    if (out.find(key) != nullptr) return no(part.name, fmt::format("\"{}\" is there twice", key));
    if (in.offset() - begin > kMostMember) return no(part.name, fmt::format("\"{}\" is too large", key));
    std::string text(in.offset() - begin, '\0');
    if (part.source->read(begin, std::as_writable_bytes(std::span(text))) != text.size())
      return no(part.name, "it can't be read");
    auto value = json::parse(text, {.decimals = true});
    if (!value) return no(part.name, value.error().message);
    out.set(key, std::move(*value));
  }
  if (!in.ok()) return no(part.name, to_string(*in.fault()));
  return out;
}

bool weights_name(const std::string& name) { return name.starts_with("model") && name.ends_with(".safetensors"); }

struct Found {
  std::string name;
  u32 file = 0;
  u32 type = 0;
  std::vector<u64> shape;
  Range at;
};

Result<Found> entry(const std::string& where, const std::string& name, const json::Value& in, u64 data, u64 size) {
  constexpr std::array<std::pair<std::string_view, u32>, 3> kTypes = {{{"F32", kF32}, {"F16", kF16}, {"BF16", kBf16}}};
  Found out{.name = name, .shape = {}, .at = {}};
  const std::string shown = text::display(name, 80);
  const auto type = std::ranges::find(kTypes, in["dtype"].string(), &std::pair<std::string_view, u32>::first);
  if (type == kTypes.end())
    return no(where, fmt::format("{} is of {}; expected one of F32, F16, BF16", shown, json::compact(in["dtype"])));
  out.type = type->second;
  std::optional<u64> bytes = out.type == kF32 ? 4 : 2;
  for (const json::Value& one : in["shape"].array()) {
    const auto dimension = one.unsigned_integer();
    if (!dimension || *dimension == 0) return no(where, shown + " has a dimension that can't be");
    out.shape.push_back(*dimension);
    if (bytes) bytes = checked_mul(*bytes, *dimension);
  }
  const json::Array& offsets = in["data_offsets"].array();
  const u64 begin = offsets.size() == 2 ? offsets[0].unsigned_integer().value_or(UINT64_MAX) : UINT64_MAX;
  const u64 end = offsets.size() == 2 ? offsets[1].unsigned_integer().value_or(UINT64_MAX) : UINT64_MAX;
  if (!bytes || begin > end || end > size - data || end - begin != *bytes)
    return no(where, shown + ": its place and its shape don't agree");
  out.at = {data + begin, data + end};
  return out;
}

// By name, as convert_hf_to_gguf.py goes through them.
Result<std::vector<Found>> tensors_of(const Part& part, u32 file) {
  Cursor in(*part.source);
  const u64 length = in.read<u64>("length of the header");
  const u64 size = part.source->size();
  if (!in.ok() || length > kMostHeader || length > size - 8) return no(part.name, "its header is too long");
  const std::string text = in.text(length, kMostHeader, "header");
  const auto header = json::parse(text);
  if (!in.ok() || !header) return no(part.name, "its header is broken");
  std::vector<Found> out;
  for (const auto& [name, value] : header->object()) {
    if (name == "__metadata__" || name.ends_with(".rotary_emb.inv_freq")) continue;
    SY_TRY(Found found, entry(part.name, name, value, 8 + length, size));
    found.file = file;
    out.push_back(std::move(found));
  }
  std::ranges::sort(out, {}, &Found::name);
  return out;
}

Result<Copy> copy_of(const Found& found, const TensorName& name, const Hyperparameters& of, u32 type) {
  Copy out{.name = name.name, .dimensions = {}, .pieces = {{found.file, found.at}}, .from = found.type, .values = {}};
  const std::string shown = text::display(found.name, 80);
  if (out.name.empty()) return no(shown, "a tensor of this name isn't supported for this architecture");
  if (found.shape.empty() || found.shape.size() > 2) return no(shown, "expected one or two dimensions");
  out.dimensions.assign(found.shape.rbegin(), found.shape.rend());
  const bool plain = found.shape.size() == 1 || out.name.ends_with("_norm.weight") || out.name.ends_with(".bias") ||
                     out.name.ends_with(".ffn_gate_inp.weight");
  if (!plain && found.type != type)
    return no(shown, "its type isn't that of the other matrices; expected one type for all of them");
  out.type = plain ? kF32 : type;
  out.shifted = of.architecture->shifted && out.name.ends_with("_norm.weight");
  const bool query = out.name.contains(".attn_q."), key = out.name.contains(".attn_k.");
  if (of.architecture->pairs && (query || key)) {
    out.heads = query ? of.heads : of.key_heads;
    if (found.shape[0] % (2 * out.heads) != 0) return no(shown, "its rows can't be divided among the heads");
  }
  const bool words = out.name == "token_embd.weight" || out.name == "output.weight";
  if (words && found.shape[0] != of.vocabulary)
    return no(shown, fmt::format("{} rows; expected vocab_size, {}", found.shape[0], of.vocabulary));
  if (name.expert) {
    if (*name.expert >= of.experts || out.dimensions.size() != 2)
      return no(shown, fmt::format("expected a matrix of one of {} experts", of.experts));
    out.dimensions.push_back(of.experts);
  }
  return out;
}

// The tensors of the output, in the order of their first piece. Those of experts become one, one behind the other.
Result<std::vector<Copy>> copies_of(const std::vector<Found>& found, const Hyperparameters& of, u32 type) {
  std::vector<Copy> out;
  std::map<std::string, std::size_t> known;
  std::map<std::string, std::map<u64, Piece>> experts;
  for (const Found& one : found) {
    if (of.tied && one.name == "lm_head.weight") continue;
    const TensorName name = renamed(one.name, of);
    SY_TRY(Copy copy, copy_of(one, name, of, type));
    const auto [at, fresh] = known.emplace(copy.name, out.size());
    const Piece piece = copy.pieces.front();
    if (!fresh && (!name.expert || copy.dimensions != out[at->second].dimensions))
      return no(text::display(one.name, 80),
                name.expert ? "its shape isn't that of the other experts" : "it is there twice");
    if (name.expert && !experts[copy.name].emplace(*name.expert, piece).second)
      return no(text::display(one.name, 80), "it is there twice");
    if (fresh) out.push_back(std::move(copy));
  }
  for (const auto& [name, pieces] : experts) {
    if (pieces.size() != of.experts)
      return no(name, fmt::format("{} of {} experts are there", pieces.size(), of.experts));
    Copy& copy = out[known[name]];
    copy.pieces.clear();
    for (const auto& [number, piece] : pieces) copy.pieces.push_back(piece);
  }
  return out;
}

u64 elements_of(const Copy& copy) {
  u64 out = 1;
  for (const u64 dimension : copy.dimensions) out = checked_mul(out, dimension).value_or(UINT64_MAX);
  return out;
}

// "135M": the number of parameters in at least two digits, as gguf-py rounds it; "8x150M" of experts: how many there
// are, and how many parameters a token would see with one of them.
std::string size_label(const std::vector<Copy>& copies, u64 experts) {
  u64 parameters = 0;
  for (const Copy& copy : copies) {
    const u64 parts = copy.pieces.size() > 1 ? copy.pieces.size() : 1;
    parameters = checked_add(parameters, elements_of(copy) / parts).value_or(UINT64_MAX);
  }
  const auto number = static_cast<double>(parameters);
  const auto [scale, unit] = number > 1e12  ? std::pair(1e-12, 'T')
                             : number > 1e9 ? std::pair(1e-9, 'B')
                             : number > 1e6 ? std::pair(1e-6, 'M')
                                            : std::pair(1e-3, 'K');
  const double scaled = number * scale;
  const double rounded = std::nearbyint(scaled);
  const int digits = rounded >= 10 ? 2 : rounded >= 1 ? 1 : 0;
  const std::string label = fmt::format("{:.{}f}{}", scaled, 2 - digits, unit);
  return experts > 0 ? fmt::format("{}x{}", experts, label) : label;
}

// Files that the index names, or all.
Result<std::vector<std::size_t>> weights(const std::vector<Part>& parts) {
  std::set<std::string> named;
  bool indexed = false;
  for (const Part& part : parts) {
    if (part.name != "model.safetensors.index.json") continue;
    SY_TRY(const json::Value index, document(part));
    indexed = true;
    for (const auto& [tensor, file] : index["weight_map"].object()) named.insert(file.string());
  }
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (weights_name(parts[i].name) && (!indexed || named.erase(parts[i].name) == 1)) out.push_back(i);
  }
  if (!named.empty()) return no("model.safetensors.index.json", "it names a file that isn't there: " + *named.begin());
  if (out.empty()) return no("model.safetensors", "no file of weights is there");
  std::ranges::sort(out, {}, [&](std::size_t i) { return parts[i].name; });
  return out;
}

float widened(u32 from, u16 bits) {
  if (from == kBf16) return std::bit_cast<float>(u32{bits} << 16);
  const u32 sign = (bits & 0x8000U) << 16, exponent = (bits >> 10) & 0x1FU, fraction = bits & 0x3FFU;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -small : small;
}

using Write = std::function<Result<bool>(Bytes)>;

// Rounded to what F16 holds: halves are added up as halves.
float as_half(float value) {
  const int exponent = value == 0 ? 0 : std::max(std::ilogb(value), -14);
  const float unit = std::ldexp(1.0F, exponent - 10);
  return std::nearbyint(value / unit) * unit;
}

Result<bool> write_elements(const Copy& copy, Bytes bytes, const Write& write) {
  if (copy.from == copy.type && !copy.shifted) return write(bytes);
  const std::size_t size = copy.from == kF32 ? 4 : 2;
  std::vector<float> out(bytes.size() / size);
  for (std::size_t i = 0; i < out.size(); ++i) {
    u16 bits = 0;
    if (size == 4) {
      std::memcpy(&out[i], bytes.data() + size * i, size);
    } else {
      std::memcpy(&bits, bytes.data() + size * i, size);
      out[i] = widened(copy.from, bits);
    }
    if (copy.shifted) out[i] = copy.from == kF16 ? as_half(out[i] + 1) : out[i] + 1;
  }
  return write(std::as_bytes(std::span(out)));
}

Result<bool> whole_read(const Source& source, u64 at, std::span<std::byte> out) {
  if (source.read(at, out) == out.size()) return true;
  return fail(ErrorCode::io, "a file of weights can't be read");
}

Result<bool> write_piece(const Copy& copy, Range at, const Source& source, const Write& write) {
  const u64 bytes = at.end - at.begin;
  std::vector<std::byte> window(std::min(bytes, kWindow));
  for (u64 done = 0; done < bytes;) {
    const std::span part = std::span(window).first(std::min<u64>(window.size(), bytes - done));
    SY_CHECK(whole_read(source, at.begin + done, part));
    SY_CHECK(write_elements(copy, part, write));
    done += part.size();
  }
  return true;
}

Result<bool> write_tensor(const Copy& copy, const std::vector<const Source*>& files, const Write& write) {
  if (copy.heads == 0) {
    for (const Piece& piece : copy.pieces) SY_CHECK(write_piece(copy, piece.at, *files[piece.file], write));
    return true;
  }
  const Piece& whole = copy.pieces.front();
  const u64 rows = copy.dimensions.back() / copy.heads;
  std::vector<std::byte> head((whole.at.end - whole.at.begin) / copy.heads), turned(head.size());
  const u64 row = head.size() / rows;
  for (u64 i = 0; i < copy.heads; ++i) {
    SY_CHECK(whole_read(*files[whole.file], whole.at.begin + i * head.size(), head));
    for (u64 j = 0; j < rows; ++j)
      std::memcpy(turned.data() + j * row, head.data() + (j % 2 * (rows / 2) + j / 2) * row, row);
    SY_CHECK(write_elements(copy, turned, write));
  }
  return true;
}

}  // namespace

bool part_of_conversion(const std::string& name) {
  constexpr std::array<std::string_view, 7> kNames = {
      "config.json",     "tokenizer.json",    "tokenizer_config.json",       "chat_template.jinja",
      "tokenizer.model", "added_tokens.json", "model.safetensors.index.json"};
  return std::ranges::find(kNames, name) != kNames.end() || weights_name(name);
}

Result<Plan> plan_conversion(const std::vector<Part>& parts, const std::string& name) {
  TokenizerFiles files;
  bool config = false, tokenizer = false;
  const bool pieces = std::ranges::find(parts, "tokenizer.model", &Part::name) != parts.end();
  for (const Part& part : parts) {
    if (part.name == "tokenizer.model") {
      files.pieces = part.source;
    } else if (part.name == "added_tokens.json") {
      SY_TRY(files.added, document(part));
    } else if (part.name == "config.json") {
      SY_TRY(files.config, document(part));
      config = true;
    } else if (part.name == "tokenizer.json") {
      // Beside SentencePiece's model its own is not needed, and tens of megabytes.
      SY_TRY(files.tokenizer, pieces ? members(part, {"added_tokens", "post_processor"}) : document(part));
      tokenizer = true;
    } else if (part.name == "tokenizer_config.json") {
      SY_TRY(files.settings, document(part));
    } else if (part.name == "chat_template.jinja") {
      SY_TRY(files.chat_template, text_of(part));
      if (!text::valid_utf8(*files.chat_template)) return no(part.name, "it isn't UTF-8");
    }
  }
  if (!config) return no("config.json", "it isn't there");
  if (!tokenizer && files.pieces == nullptr) return no("tokenizer.json", "it isn't there");
  SY_TRY(const Hyperparameters of, read_hyperparameters(files.config));
  SY_TRY(const std::vector<std::size_t> chosen, weights(parts));
  std::vector<Found> found;
  for (const std::size_t i : chosen) {
    SY_TRY(auto more, tensors_of(parts[i], static_cast<u32>(i)));
    std::ranges::move(more, std::back_inserter(found));
  }
  const auto matrix = std::ranges::find_if(found, [](const Found& one) { return one.shape.size() > 1; });
  if (matrix == found.end()) return no("model.safetensors", "no matrix is there");
  Plan out;
  if (!of.frequencies.empty())
    out.tensors.push_back(
        {.name = "rope_freqs.weight", .dimensions = {of.frequencies.size()}, .pieces = {}, .values = of.frequencies});
  SY_TRY(std::vector<Copy> copies, copies_of(found, of, matrix->type));
  std::ranges::move(copies, std::back_inserter(out.tensors));
  GgufKeys keys;
  keys.text("general.architecture", of.architecture->name);
  keys.text("general.type", "model");
  keys.text("general.name", name);
  keys.text("general.size_label", size_label(out.tensors, of.experts));
  SY_CHECK(put_hyperparameters(keys, files.config, of, matrix->type == kBf16 ? 32 : matrix->type));
  SY_CHECK(put_tokenizer(keys, files, of));
  out.keys = std::move(keys.bytes);
  out.key_count = keys.count;
  return out;
}

std::optional<u64> output_bytes(const Copy& copy) { return checked_mul(elements_of(copy), copy.type == kF32 ? 4 : 2); }

Result<bool> write_conversion(const Plan& plan, const std::vector<const Source*>& files, const Write& write) {
  std::vector<std::byte> head;
  put_number(head, 0x46554747, 4);  // "GGUF"
  put_number(head, 3, 4);
  put_number(head, plan.tensors.size(), 8);
  put_number(head, plan.key_count, 8);
  head.insert(head.end(), plan.keys.begin(), plan.keys.end());
  std::optional<u64> offset = 0;
  for (const Copy& copy : plan.tensors) {
    if (!offset) break;
    put_text(head, copy.name);
    put_number(head, copy.dimensions.size(), 4);
    for (const u64 dimension : copy.dimensions) put_number(head, dimension, 8);
    put_number(head, copy.type, 4);
    put_number(head, *offset, 8);
    const auto bytes = output_bytes(copy);
    const auto end = bytes ? checked_add(*offset, *bytes) : std::nullopt;
    offset = end ? checked_align(*end, kAlignment) : std::nullopt;
  }
  if (!offset) return fail(ErrorCode::usage, "the model is too large");
  constexpr std::array<std::byte, kAlignment> kZeros{};
  head.resize(*checked_align(head.size(), kAlignment));
  SY_CHECK(write(head));
  for (const Copy& copy : plan.tensors) {
    if (copy.values.empty()) {
      SY_CHECK(write_tensor(copy, files, write));
    } else {
      SY_CHECK(write(std::as_bytes(std::span(copy.values))));
    }
    const u64 bytes = *output_bytes(copy);
    SY_CHECK(write(Bytes(kZeros).first(*checked_align(bytes, kAlignment) - bytes)));
  }
  return true;
}

}  // namespace steelyard::quantize
