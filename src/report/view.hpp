// What the output formats share: which records a report shows, what a citation points to, and which
// facts decide.
//
// Views of records, as docs/design.md §1 asks: nothing here learns or judges anything. Whatever came
// from a model leaves through shown(), so no format can forget to sanitise it.
// Pure; thread-safe. Tested by tests/unit/report_test.cpp.
#pragma once

#include <map>

#include "report/renderer.hpp"

namespace steelyard::report {

// Longest text of one item on any page: a name of ten megabytes is as unreadable as it is hostile.
inline constexpr std::size_t kMostShown = 240;

// text::display, cut at `most` characters.
std::string shown(std::string_view text, std::size_t most = kMostShown);
// A fact's value or a finding's datum in one line: "Q4_K 168, F32 73" for an object.
std::string value_text(const json::Value& value, std::size_t most = kMostShown);
// "0x1f0", or "0x1f0..0x210" when the range has an end that tells more.
std::string offsets(const Range& range);
// As one word of a shell command: quoted when needed, never an option.
std::string shell_word(std::string_view word);

// The item that a citation names.
struct Cited {
  std::size_t record = 0;  // index into Report::records
  std::string section;     // "findings", "facts", …; empty: the record as a whole
  std::size_t index = 0;
};

// The records of a report with their ids, which cost a hash each and are taken once.
class Evidence {
 public:
  explicit Evidence(const Report& report);

  const std::vector<std::string>& ids() const { return ids_; }
  // By "ev1:…#findings/3"; a beginning of the id that fits one record only will do.
  std::optional<Cited> find(std::string_view citation) const;
  // "ev1:ab12cd#findings/3": as many digits as tell the records apart, at least six.
  std::string brief(std::string_view citation) const;
  // The item in words: "GGF004 …message… weights.gguf @0x1f0". Empty when it isn't in the report.
  std::string describe(std::string_view citation) const;
  const Finding* finding(const Cited& cited) const;
  // Whether somebody accepted a finding, and why; nullptr when not.
  const accept::Accepted* accepted(std::size_t record, std::size_t finding) const;

 private:
  const Report* report_;
  std::vector<std::string> ids_;
  std::map<std::string, const accept::Accepted*, std::less<>> accepted_;  // by citation
  std::size_t digits_ = 6;
};

// "weights.pt!archive/data.pkl @0x1c": artifact and offset, as far as they are known.
// A measurement with what it was made on, its interval and its n.
std::string words(const Measurement& measurement);
std::string where(const evidence::Record& record, const std::optional<u32>& artifact, const std::optional<Range>& at);
// Where a place in an artifact lies in the file itself. Behind a decompressor: all of the compressed member.
std::optional<Range> in_file(const evidence::Record& record, const std::optional<u32>& artifact,
                             const std::optional<Range>& at);

// "(accepted until 2027-01-31: reason)".
std::string acceptance(const accept::Accepted& accepted);

// One ruling that decides, with the contexts in which it does.
struct Decisive {
  const policy::Ruling* ruling = nullptr;
  std::vector<std::string_view> contexts;
};
// Worst first: unmet, undetermined, turned by conditions; those that are met decide only a fit.
std::vector<Decisive> decisive(std::span<const policy::Verdict> verdicts);
// "unmet", "undetermined", "met with conditions" or "met".
std::string_view word(const policy::Ruling& ruling);
// The sentence behind a verdict in one line, for the matrix.
std::string reason(const policy::Verdict& verdict);
// One layer over several contexts: the worst line, and in how many of them it stands.
struct LayerView {
  const policy::LayerLine* line = nullptr;
  std::size_t same = 0;
  std::size_t of = 0;
};
std::vector<LayerView> layers(std::span<const policy::Verdict> verdicts);

// One file (or the host, or a context) and what was found in it.
struct Examined {
  const evidence::Record* record = nullptr;
  std::size_t number = 0;  // of the record
  bool first = true;       // of its record
  std::string path;
  std::string format;
  const evidence::Subject* subject = nullptr;
  std::vector<std::size_t> findings;  // that count: most severe first, then by place
  std::vector<std::size_t> accepted;  // that somebody accepted
  std::size_t not_selected = 0;       // that the run didn't ask for
  std::vector<std::size_t> facts;
  u64 bytes = 0;
  u64 examined = 0;
  std::vector<std::pair<const Artifact*, const Gap*>> gaps;
  std::size_t artifacts = 0;
};
std::vector<Examined> examined(const Report& report, const Evidence& evidence);

// What the model calls itself and what it is: "gguf · 134.5 M parameters · 93.8 MiB".
std::string summary(const Report& report);
// The command line that makes this report again; `more` is appended.
std::string reproduce(const Report& report, std::string_view more = {});
// "99.9 %": rounded down, so that 100 % means every byte.
std::string percent(u64 part, u64 whole);
std::string count(std::size_t number, std::string_view one, std::string_view many);
std::string upper(std::string_view ascii);

}  // namespace steelyard::report
