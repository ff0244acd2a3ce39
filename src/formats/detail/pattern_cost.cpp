#include "formats/detail/pattern_cost.hpp"

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kLongest = 4096;
constexpr int kDeepest = 64;
constexpr std::size_t kOther = 128;  // every letter beyond ASCII

using Set = std::bitset<kOther + 1>;

struct Item {
  enum class Kind { set, group, test } kind = Kind::set;  // test: anchors and what only looks
  Set set;
  std::vector<std::vector<Item>> branches;
  bool optional = false;
  bool endless = false;
  bool settled = false;  // possessive or atomic: never tried again
};
using Sequence = std::vector<Item>;

Set range(char first, char last) {
  Set out;
  for (auto c = static_cast<u8>(first); c <= static_cast<u8>(last); ++c) out.set(c);
  return out;
}
Set letters() { return (range('a', 'z') | range('A', 'Z')).set(kOther); }
Set spaces() { return range('\t', '\r').set(' '); }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::vector<Sequence> branches(int depth) {
    std::vector<Sequence> out(1);
    while (at_ < text_.size() && text_[at_] != ')') {
      if (text_[at_] == '|') {
        ++at_;
        out.emplace_back();
        continue;
      }
      Item item = atom(depth);
      quantifier(item);
      out.back().push_back(std::move(item));
    }
    return out;
  }

 private:
  char take() { return at_ < text_.size() ? text_[at_++] : '\0'; }
  bool taken(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  Item atom(int depth) {
    Item item;
    const char c = take();
    if (c == '(') {
      group(item, depth);
    } else if (c == '[') {
      item.set = characters(0);
    } else if (c == '.') {
      item.set.set().reset('\n');
    } else if (c == '^' || c == '$') {
      item.kind = Item::Kind::test;
    } else if (c == '\\') {
      escape(item);
    } else {
      literal(item.set, c);
    }
    return item;
  }

  static void literal(Set& set, char c) { set.set(static_cast<u8>(c) < 0x80 ? static_cast<u8>(c) : kOther); }

  void group(Item& item, int depth) {
    item.kind = Item::Kind::group;
    if (taken("?")) {
      if (taken("=") || taken("!") || taken("<=") || taken("<!")) {
        item.kind = Item::Kind::test;
      } else if (taken(">")) {
        item.settled = true;
      } else if (taken("P<") || taken("<")) {
        while (at_ < text_.size() && take() != '>') {
        }
      } else {
        while (at_ < text_.size() && text_[at_] != ':' && text_[at_] != ')') ++at_;
        (void)taken(":");
      }
    }
    if (depth >= kDeepest) {
      at_ = text_.size();
      return;
    }
    item.branches = branches(depth + 1);
    (void)taken(")");
  }

  // Of a class, or outside of one: \d, \p{L}, \n, \x41.
  Set escaped(char c) {
    Set set;
    if (c == 'd' || c == 'D') {
      set = range('0', '9');
    } else if (c == 's' || c == 'S') {
      set = spaces();
    } else if (c == 'w' || c == 'W') {
      set = (letters() | range('0', '9')).set('_');
    } else if (c == 'p' || c == 'P') {
      const std::size_t end = text_.substr(at_).starts_with('{') ? text_.find('}', at_) : at_;
      const std::string_view name =
          end == std::string_view::npos ? std::string_view() : text_.substr(at_, std::max(end, at_ + 1) - at_);
      at_ = end == std::string_view::npos ? text_.size() : std::min(end + 1, text_.size());
      if (name.contains('L')) set = letters();
      if (name.contains('N')) set = range('0', '9');
      if (name.contains('Z')) set = spaces();
      if (set.none()) return set;  // not known
    } else if (c == 'n' || c == 'r' || c == 't') {
      set.set(c == 'n' ? '\n' : c == 'r' ? '\r' : '\t');
    } else if (c == 'x' || c == 'u') {
      while (at_ < text_.size() && std::string_view("0123456789abcdefABCDEF{}").contains(text_[at_])) ++at_;
      return set;
    } else {
      literal(set, c);
    }
    return c == 'D' || c == 'S' || c == 'W' || c == 'P' ? ~set : set;
  }

  void escape(Item& item) {
    const char c = take();
    if (std::string_view("bBAzZGK").contains(c)) {
      item.kind = Item::Kind::test;
    } else {
      item.set = escaped(c);
    }
  }

  Set characters(int depth) {
    Set set;
    const bool inverted = taken("^");
    bool first = true;
    while (at_ < text_.size() && (text_[at_] != ']' || first)) {
      first = false;
      const char c = take();
      if (c == '[' && depth < kDeepest) {  // also [:alpha:]
        set |= characters(depth + 1);
      } else if (c == '\\') {
        set |= escaped(take());
      } else if (at_ + 1 < text_.size() && text_[at_] == '-' && text_[at_ + 1] != ']' && c < text_[at_ + 1] && c >= 0) {
        ++at_;
        set |= range(c, take());
      } else {
        literal(set, c);
      }
    }
    (void)take();
    return inverted ? ~set : set;
  }

  void quantifier(Item& item) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const std::string_view braces = c == '{' ? text_.substr(at_, text_.find('}', at_) - at_) : std::string_view();
      const bool counted =
          braces.size() > 1 && braces.substr(1).find_first_not_of("0123456789,") == std::string_view::npos;
      if (c == '?' || c == '*' || c == '+') {
        ++at_;
      } else if (counted) {
        at_ = std::min(at_ + braces.size() + 1, text_.size());
      } else {
        return;
      }
      item.optional = item.optional || c == '?' || c == '*' || braces.starts_with("{0") || braces.starts_with("{,");
      item.endless = item.endless || c == '*' || c == '+' || braces.ends_with(',');
      if (taken("+")) {
        item.settled = item.settled || !counted;
        item.endless = item.endless || counted;
      }
      (void)taken("?");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool nullable(const Sequence& sequence);
bool nullable(const Item& item) {
  return item.optional || item.kind == Item::Kind::test ||
         (item.kind == Item::Kind::group &&
          std::ranges::any_of(item.branches, [](const Sequence& s) { return nullable(s); }));
}
bool nullable(const Sequence& sequence) {
  return std::ranges::all_of(sequence, [](const Item& item) { return nullable(item); });
}

// Characters of which the item matches any row of: a set, or a group of nothing but one.
Set uniform(const Item& item) {
  if (item.settled || item.kind == Item::Kind::test) return {};
  if (item.kind == Item::Kind::set) return item.set;
  return item.branches.size() == 1 && item.branches[0].size() == 1 ? uniform(item.branches[0][0]) : Set();
}
bool endless(const Item& item) {
  return item.endless || (item.kind == Item::Kind::group && item.branches.size() == 1 && item.branches[0].size() == 1 &&
                          endless(item.branches[0][0]));
}

// Characters that one round of a group may be made of in more than one way when the group repeats.
Set ambiguous(const Item& group) {
  Set found;
  for (std::size_t one = 0; one < group.branches.size(); ++one) {
    const Sequence& branch = group.branches[one];
    for (std::size_t i = 0; i < branch.size(); ++i) {
      if (!endless(branch[i])) continue;
      // A round that is a row of this set alone: the others are left out, or are of it, too.
      Set shared = uniform(branch[i]);
      for (std::size_t k = 0; k < branch.size(); ++k) {
        if (k != i && branch[k].kind != Item::Kind::test && !nullable(branch[k])) shared &= uniform(branch[k]);
      }
      found |= shared;
    }
    if (branch.size() != 1) continue;
    for (std::size_t other = one + 1; other < group.branches.size(); ++other) {
      if (group.branches[other].size() == 1) found |= uniform(branch[0]) & uniform(group.branches[other][0]);
    }
  }
  return found;
}

// Whether what follows may refuse a row of these characters, wherever it ends.
struct Tail {
  const Sequence* sequence;
  std::size_t next;
};
bool refuses(const std::vector<Tail>& tails, const Set& row) {
  for (auto tail = tails.rbegin(); tail != tails.rend(); ++tail) {
    for (std::size_t i = tail->next; i < tail->sequence->size(); ++i) {
      const Item& item = (*tail->sequence)[i];
      if (item.kind == Item::Kind::test) return true;
      if (nullable(item)) continue;
      const Set set = uniform(item);
      return set.any() && (row & ~set).any();
    }
  }
  return false;
}

bool explodes(const Sequence& sequence, std::vector<Tail>& tails) {
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    const Item& item = sequence[i];
    if (item.kind != Item::Kind::group || item.settled) continue;
    tails.push_back({&sequence, i + 1});
    if (item.endless) {
      if (const Set row = ambiguous(item); row.any() && refuses(tails, row)) return true;
    }
    for (const Sequence& branch : item.branches) {
      if (explodes(branch, tails)) return true;
    }
    tails.pop_back();
  }
  return false;
}

}  // namespace

bool catastrophic(std::string_view pattern) {
  if (pattern.size() > kLongest) return false;
  const std::vector<Sequence> branches = Parser(pattern).branches(0);
  std::vector<Tail> tails;
  return std::ranges::any_of(branches, [&](const Sequence& branch) { return explodes(branch, tails); });
}

}  // namespace steelyard::formats
