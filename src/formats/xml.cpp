// XML documents that readers of models are given: PMML, OpenVINO's IR, data and settings.
//
// Spec: XML 1.0, the document type declaration. What the elements say no loader runs; what their entities stand
// for is resolved before anybody looks. Attacks resisted: entities that are files of the machine or addresses
// (XXE), a document type that is fetched, entities of entities that unfold to gigabytes. Drawings and web
// pages are others' (plain_text). Tested by data/rules/CFG/CFG019.toml and CFG020.toml; fuzzed.

#include <algorithm>
#include <array>
#include <map>

#include "base/text.hpp"
#include "formats/detail/packages.hpp"
#include "formats/detail/references.hpp"
#include "formats/detail/text_checks.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

constexpr u64 kLargest = u64{1} << 20;  // of the part before the first element
constexpr u64 kMost = u64{8} << 20;     // characters of an entity: where libexpat begins to refuse
constexpr std::size_t kMostEntities = 4096;
constexpr std::size_t kLongestName = 1024;

class Prologue {
 public:
  Prologue(std::string_view text, Item& item) : text_(text), item_(item) {}

  void run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    while (true) {
      spaces();
      if (taken("<?")) {
        behind("?>");
      } else if (taken("<!--")) {
        behind("-->");
      } else if (taken("<!DOCTYPE")) {
        return doctype();
      } else {
        return;
      }
    }
  }

 private:
  bool more() const { return at_ < text_.size(); }
  void spaces() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool taken(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  void behind(std::string_view mark) {
    const std::size_t found = text_.find(mark, at_);
    at_ = found == std::string_view::npos ? text_.size() : found + mark.size();
  }
  std::string_view word() {
    spaces();
    const std::size_t begin = at_;
    at_ = std::min(text_.find_first_of(" \t\r\n\"'[]<>", at_), text_.size());
    return text_.substr(begin, at_ - begin);
  }
  // A quoted text, or nothing.
  std::optional<std::string_view> literal() {
    spaces();
    if (!more() || (text_[at_] != '"' && text_[at_] != '\'')) return std::nullopt;
    const char quote = text_[at_++];
    const std::size_t begin = at_;
    at_ = std::min(text_.find(quote, at_), text_.size());
    const std::string_view value = text_.substr(begin, at_ - begin);
    if (more()) ++at_;
    return value;
  }
  // Behind SYSTEM "…" or PUBLIC "…" "…": the address, or nothing.
  std::optional<std::string_view> external() {
    spaces();
    const bool known = text_.substr(at_).starts_with("PUBLIC");
    if (!taken("SYSTEM") && !taken("PUBLIC")) return std::nullopt;
    const auto first = literal();
    return known ? literal() : first;
  }

  void doctype() {
    const std::size_t begin = at_;
    (void)word();
    if (const auto address = external()) outside("the document type", *address, {begin, at_});
    spaces();
    if (!taken("[")) return;
    while (more() && !taken("]")) {
      if (taken("<!ENTITY")) {
        entity();
      } else if (taken("<!--")) {
        behind("-->");
      } else if (taken("<?")) {
        behind("?>");
      } else if (text_[at_] == '"' || text_[at_] == '\'') {
        (void)literal();
      } else {
        ++at_;
      }
    }
  }

  void entity() {
    const std::size_t begin = at_;
    std::string_view name = word();
    if (name == "%") name = word();
    if (const auto address = external()) {
      outside("an entity", *address, {begin, at_}, true);
    } else if (const auto value = literal(); value && sizes_.size() < kMostEntities) {
      const u64 size = unfolded(*value);
      if (size > kMost && !said_) {
        said_ = true;
        item_.report().add(
            "CFG019", Range{begin, at_},
            json::Value().set("name", text::display(item_.name(), 80)).set("count", kMost).set("what", "characters"));
      }
      if (name.size() < kLongestName) sizes_.emplace(name, size);  // the first declaration binds
    }
    behind(">");
  }

  // Characters of the text with its references resolved.
  u64 unfolded(std::string_view value) const {
    u64 size = 0;
    for (std::size_t at = 0; at < value.size() && size <= kMost; ++at) {
      const bool reference = value[at] == '&' || value[at] == '%';
      const std::string_view name = reference ? value.substr(at + 1, kLongestName) : std::string_view();
      const std::size_t end = name.find(';');
      const auto known = end == std::string_view::npos ? sizes_.end() : sizes_.find(name.substr(0, end));
      size += known == sizes_.end() ? 1 : known->second;
      if (known != sizes_.end()) at += 1 + end;
    }
    return std::min(size, kMost + 1);
  }

  // Files beside the document are its own. The document types that everybody names are in catalogues.
  void outside(std::string_view what, std::string_view address, Range at, bool any_file = false) {
    static constexpr std::array<std::string_view, 8> kKnown = {
        "w3.org",          "dmg.org", "apple.com", "oasis-open.org", "docbook.org", "docbook.sourceforge.net",
        "freedesktop.org", "sun.com"};
    const std::string host = host_of(address);
    const bool known = std::ranges::any_of(
        kKnown, [&](std::string_view one) { return host == one || host.ends_with("." + std::string(one)); });
    if (known || address.empty() || (path_kind(address) == PathKind::plain && !any_file)) return;
    if (path_kind(address) == PathKind::plain && address.ends_with(".dtd")) return;
    item_.report().add("CFG020", at,
                       json::Value()
                           .set("name", text::display(item_.name(), 80))
                           .set("what", what)
                           .set("target", text::display(address, 120)));
  }

  std::string_view text_;
  Item& item_;
  std::size_t at_ = 0;
  std::map<std::string, u64, std::less<>> sizes_;
  bool said_ = false;
};

void parse(Item& item) {
  const auto broken = check_whole_text(item);
  item.coverage().examined = broken.value_or(item.size());
  if (broken)
    item.coverage().gaps.push_back({{*broken, item.size()}, "it begins as text and goes on as something else"});
  Prologue(read_text(item.source(), kLargest), item).run();
}

int sniff(const Sniff& sniff) {
  const std::string name = text::lower(sniff.name);
  std::string_view head = as_text(sniff.head);
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  head.remove_prefix(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  const bool page = name.ends_with(".svg") || name.ends_with(".html") || name.ends_with(".htm");
  const bool named = name.ends_with(".xml") || name.ends_with(".pmml");
  if (page || !looks_like_text(as_text(sniff.head)) || !head.starts_with('<')) return 0;
  return named || head.starts_with("<?xml") ? 40 : 0;
}

}  // namespace

extern const Format xml_format;
const Format xml_format{"xml", "XML document (PMML, OpenVINO IR)", "xml,pmml", "XML 1.0", sniff, parse};

}  // namespace steelyard::formats
