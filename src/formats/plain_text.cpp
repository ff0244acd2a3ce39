// Text that no loader interprets: vocabularies and merges, .gitattributes, notes, tables of data.
//
// Examined means: all of it is UTF-8 text, and what it hides has been looked for. A name under which a
// loader expects weights, an archive or an object doesn't hold text: then nobody knows what reads it,
// and it is not examined. Attack resisted: a pickle of protocol 0, which is text too, under such a name.
// Tested by data/rules/TXT/ and tests/unit/text_checks_test.cpp; fuzzed.

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "formats/detail/active_content.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/detail/token_mapping.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

// What loaders hand to something that runs code or reads numbers.
constexpr std::array<std::string_view, 24> kBinary = {
    ".bin",    ".pt",      ".pth",         ".ckpt",  ".pkl",  ".pickle", ".joblib", ".dill",
    ".npy",    ".npz",     ".h5",          ".hdf5",  ".onnx", ".gguf",   ".keras",  ".pb",
    ".tflite", ".msgpack", ".safetensors", ".model", ".mar",  ".nemo",   ".engine", ".so"};

// vocab.txt of WordPiece: the number of a token is that of its line.
void vocabulary(Item& item) {
  Cursor in(item.source());
  TokenMapping mapping;
  std::string line;
  u64 id = 0;
  while (in.remaining() > 0 && in.ok()) {
    const std::string_view window = as_text(in.peek(65'536));
    if (window.empty()) break;
    const std::size_t end = window.find('\n');
    const std::size_t length = std::min(end, window.size());
    if (line.size() < 1024) line += window.substr(0, length);
    in.skip(end == std::string_view::npos ? length : length + 1, "line");
    if (end == std::string_view::npos && in.remaining() > 0) continue;
    if (line.ends_with('\r')) line.pop_back();
    mapping.add(id++, line);
    line.clear();
  }
  mapping.report(item.report());
}

// Pages and drawings that a browser runs.
void active_content(Item& item) {
  constexpr u64 kLargest = u64{8} << 20;
  const std::string low = text::lower(read_text(item.source(), kLargest));
  const std::string name = text::display(item.name(), 80);
  if (const std::string_view what = acts(low); !what.empty())
    item.report().add("CRD004", Range{low.find(what), low.find(what) + what.size()},
                      json::Value().set("name", name).set("what", what));
  if (const std::string_view says = attacks(low); !says.empty())
    item.report().add("CRD005", std::nullopt, json::Value().set("name", name).set("says", says));
}

void parse(Item& item) {
  const std::string name = text::lower(item.name());
  const bool binary = std::ranges::any_of(kBinary, [&](std::string_view ending) { return name.ends_with(ending); });
  const auto broken = check_whole_text(item);
  if (name.ends_with(".svg") || name.ends_with(".html") || name.ends_with(".htm")) active_content(item);
  if (name == "vocab.txt") vocabulary(item);
  item.coverage().examined = binary ? 0 : broken.value_or(item.size());
  if (binary) {
    item.report().add("TXT004", Range{0, 0}, json::Value().set("name", text::display(item.name(), 80)));
    item.coverage().gaps.push_back({{0, item.size()}, "a text under the name of something else"});
  } else if (broken) {
    item.coverage().gaps.push_back({{*broken, item.size()}, "it begins as text and goes on as something else"});
    item.report().add("TXT005", Range{*broken, *broken}, json::Value().set("name", text::display(item.name(), 80)));
  }
}

int sniff(const Sniff& sniff) { return looks_like_text(as_text(sniff.head)) ? 5 : 0; }

}  // namespace

extern const Format plain_text_format;
const Format plain_text_format{"plain_text",       "plain text", "txt,csv,jsonl,gitattributes",
                               "UTF-8 (RFC 3629)", sniff,        parse};

}  // namespace steelyard::formats
