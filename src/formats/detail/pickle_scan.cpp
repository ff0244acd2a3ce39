#include "formats/detail/pickle_scan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "formats/detail/pickle_judge.hpp"
#include "formats/detail/pickle_text_rules.hpp"

namespace steelyard::formats {
namespace {

using wire::pickle::Event;
using wire::pickle::Form;
using wire::pickle::Framing;
using wire::pickle::Kind;
using wire::pickle::Machine;
using wire::pickle::Observer;
using wire::pickle::Outcome;
using wire::pickle::Value;

constexpr u64 kOpcodes = u64{1} << 32;       // of one pickle
constexpr u64 kMemoryOfMemo = u64{1} << 26;  // an index that makes CPython allocate 1 GiB
// No library's pickle comes near: what isn't in the file isn't made while loading it.
constexpr double kMostMemory = 64 << 20;
constexpr double kMostFold = 100;       // times the bytes of the pickle
constexpr double kMostValues = 1e9;     // visited by hashing, printing or comparing
constexpr double kMostExpanded = 1e12;  // and that many whatever the size
constexpr u32 kDeepest = 10'000;        // CPython's own picklers stop at 1,000 to 10,000
constexpr u64 kMostColliding = 4096;
constexpr u64 kMostAsked = u64{1} << 40;  // bytes
constexpr std::size_t kTraceLines = 200;
constexpr std::size_t kTraceLine = 240;
constexpr std::size_t kGlobalsShown = 256;
constexpr std::size_t kDecoded = 4 << 20;  // bytes of an encoded pickle inside a pickle
constexpr u64 kPicklesInARow = 4096;

// Issues of these rules mean that the pickle does harm; any other issue that it needs trust.
constexpr auto kMalicious =
    std::to_array<std::string_view>({"PKL001", "PKL002", "PKL003", "PKL004", "PKL005", "PKL008", "PKL009", "PKL010",
                                     "PKL013", "PKL019", "PKL020", "PKL025", "PKL023"});

class Tracer final : public Observer {
 public:
  void event(const Machine& machine, const Event& event) override {
    lines.push(fmt::format("{:#x}: {}{}", event.at, event.after_fault ? "(after a fault) " : "",
                           wire::pickle::python(machine, event, kTraceLine)));
    ++count;
  }
  bool enough() const override { return count >= kTraceLines; }
  json::Value lines = json::Array{};
  std::size_t count = 0;
};

// Reports once per artifact what all its pickles have shown.
class Scan {
 public:
  Scan(Item& item, const PickleRange& range) : item_(item), range_(range) {}

  PickleExtent run() {
    extent_.end = range_.begin;
    u64 at = range_.begin;
    while (at < range_.end && extent_.pickles < range_.most && extent_.pickles < kPicklesInARow) {
      if (extent_.pickles > 0 && !another(at)) break;
      const Outcome outcome = walk(at);
      at = outcome.end;
      extent_.end = at;
      if (extent_.pickles == 0) protocol_ = outcome.protocol;
      if (!outcome.stopped) break;
      ++extent_.pickles;
    }
    report();
    return extent_;
  }

 private:
  // Another pickle, and not bytes that happen to begin like one.
  bool another(u64 at) const { return pickle_confidence(item_.source(), at) >= 50; }

  Outcome walk(u64 at) {
    PickleJudge judge(findings_, item_.loader());
    Machine machine(item_.source(), at, range_.end, judge, {.fuel = kOpcodes});
    const Outcome outcome = machine.run();
    judge.finish();
    if (outcome.crossing) {
      finding("PKL013", *outcome.crossing, json::Object{});
      extent_.malicious = true;
      for (const Framing framing : {Framing::dropping, Framing::strict}) {
        PickleJudge other(findings_, item_.loader());
        Machine(item_.source(), at, range_.end, other, {.framing = framing, .fuel = kOpcodes}).run();
        other.finish();
      }
    }
    if (outcome.fault) {
      finding("PKL011", outcome.fault->offset,
              json::Value().set("fault", text::display(to_string(*outcome.fault), 200)).set("calls", findings_.calls));
      if (outcome.fault->field == "pickle" || !outcome.stopped)
        gap({outcome.end, range_.end}, "the pickle is broken: " + outcome.fault->field);
    }
    if (outcome.exhausted) {
      finding("PKL015", outcome.end, json::Object{});
      gap({outcome.end, range_.end}, "the pickle has more opcodes, or is nested deeper, than is followed");
    }
    // Who counts entries one by one needs five bytes for each.
    if (outcome.largest_memo >= kMemoryOfMemo && outcome.largest_memo > outcome.end - at) {
      extent_.malicious = true;
      finding("PKL012", at, json::Value().set("index", outcome.largest_memo).set("gib", outcome.largest_memo >> 26));
    }
    exhausting(outcome, judge.cost(), at);
    nested(machine);
    return outcome;
  }

  // What loading it, or using the result, would take.
  void exhausting(const Outcome& outcome, const PickleCost& cost, u64 at) {
    const auto bytes = static_cast<double>(std::max<u64>(outcome.end - at, 1));
    const auto exhausts = [&](std::string why) {
      finding("PKL025", at, json::Value().set("why", std::move(why)));
      extent_.malicious = true;
    };
    if (cost.total() >= kMostMemory && cost.total() >= kMostFold * bytes)
      exhausts(fmt::format("{} makes {}", text::display(cost.worst(), 80), size_of(cost.total())));
    if (outcome.hashed >= kMostValues && outcome.hashed >= kMostFold * bytes)
      exhausts(fmt::format("hashing its keys visits {} values", shown(outcome.hashed)));
    if (outcome.deepest_key > kDeepest)
      exhausts(fmt::format("a key of {} tuples in each other overflows the stack", outcome.deepest_key));
    if (outcome.colliding >= kMostColliding)
      exhausts(fmt::format("{} numbers or tuples differ and have one hash", outcome.colliding));
    if (outcome.asked >= kMostAsked) exhausts(fmt::format("an argument says to have {} bytes", outcome.asked));
    if (outcome.expanded >= kMostExpanded || (outcome.expanded >= kMostValues && outcome.expanded >= bytes * bytes))
      finding("PKL026", at, json::Value().set("values", shown(outcome.expanded)));
    if (outcome.deepest > kDeepest) finding("PKL027", at, json::Value().set("depth", u64{outcome.deepest}));
  }

  static std::string shown(double number) { return number < 1e300 ? fmt::format("{:.0e}", number) : "endlessly many"; }
  static std::string size_of(double bytes) {
    return bytes < 1e300 ? fmt::format("{:.3g} GB", bytes / 1e9) : "something without an end";
  }

  void finding(std::string_view rule, u64 at, json::Value data) {
    item_.report().add(rule, Range{std::min(at, item_.size()), std::min(at + 1, item_.size())}, std::move(data));
    unusual_ = true;
  }

  void gap(Range range, std::string why) {
    if (range.begin < range.end) item_.coverage().gaps.push_back({range, std::move(why)});
  }

  // Bytes that are a pickle themselves, or that a loader is given, become artifacts.
  void nested(const Machine& machine) {
    if (findings_.more_nested > 0)
      gap({range_.begin, std::max(extent_.end, machine.offset())},
          fmt::format("{} more pieces of bytes that look like pickles", findings_.more_nested));
    findings_.more_nested = 0;
    const auto found = std::move(findings_.nested);
    findings_.nested.clear();
    for (const auto& [value, given] : found) {
      const Range range{value.offset, value.offset + value.size};
      const bool loaded = !value.is(Kind::bytes) || value.form != Form::plain;
      if (Machine::raw(value) && value.is(Kind::bytes)) {
        Window content(item_.source(), range);
        if (given || pickle_confidence(content, 0) >= 70) add(content, range, "");
      } else if (value.size <= kDecoded && loaded) {
        const std::string content = from_utf8(machine.text(value, kDecoded));
        const MemorySource source(as_bytes(content));
        if (given || pickle_confidence(source, 0) >= 70) add(source, range, "escaped");
      } else if (given) {
        gap(range, "a text that is loaded as bytes is longer than is decoded");
      }
    }
  }

  void add(const Source& content, Range range, std::string_view encoding) {
    item_.child(content, {fmt::format("bytes at {:#x}", range.begin), range, encoding, item_.loader()});
  }

  // Part of a source.
  class Window final : public Source {
   public:
    Window(const Source& source, Range range) : source_(source), range_(range) {}
    u64 size() const override { return range_.end - range_.begin; }
    std::size_t read(u64 offset, std::span<std::byte> out) const override {
      if (offset >= size()) return 0;
      return source_.read(range_.begin + offset, out.first(std::min<u64>(out.size(), size() - offset)));
    }

   private:
    const Source& source_;
    Range range_;
  };

  // The bytes that a text of characters up to U+00FF stands for.
  static std::string from_utf8(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<u8>(text[i]);
      if (byte >= 0xc2 && byte <= 0xc3 && i + 1 < text.size()) {
        out += static_cast<char>(((byte & 0x03) << 6) | (static_cast<u8>(text[++i]) & 0x3f));
      } else {
        out += static_cast<char>(byte);
      }
    }
    return out;
  }

  void report() {
    std::ranges::stable_sort(findings_.issues, {}, [](const PickleIssue& issue) { return issue.at.begin; });
    for (const PickleIssue& issue : findings_.issues) {
      extent_.malicious = extent_.malicious || std::ranges::find(kMalicious, issue.rule) != kMalicious.end();
      json::Value data = json::Value().set("call", issue.call);
      if (!issue.name.empty()) data.set("name", issue.name);
      if (!issue.what.empty()) data.set("what", issue.what);
      const Range at{std::min(issue.at.begin, item_.size()), std::min(issue.at.end, item_.size())};
      item_.report().add(issue.rule, at, std::move(data));
    }
    const Range whole{range_.begin, std::max(range_.begin, extent_.end)};
    Reporter& out = item_.report();
    const bool inert = findings_.issues.empty() && !unusual_;
    out.fact("pickle.verdict",
             extent_.malicious ? "malicious"
             : inert           ? "inert"
                               : "unknown",
             whole, Assurance::verified);
    out.fact("pickle.protocol", u64{static_cast<u32>(protocol_)}, whole, Assurance::verified);
    if (extent_.pickles > 1) out.fact("pickle.count", extent_.pickles, whole, Assurance::verified);
    if (!findings_.globals.empty()) {
      json::Value names = json::Array{};
      for (const auto& [name, at] : findings_.globals)
        if (names.array().size() < kGlobalsShown) names.push(name);
      out.fact("pickle.globals", std::move(names), whole, Assurance::verified);
    }
    if (item_.loader() == "torch") {
      if (!findings_.not_weights.empty()) out.add("PKL018", whole, json::Value().set("name", findings_.not_weights));
      json::Value storages = json::Array{};
      for (const auto& storage : findings_.storages)
        storages.push(
            json::Value().set("key", storage.key).set("elements", storage.elements).set("type", storage.type));
      if (!storages.array().empty()) out.fact("pickle.storages", std::move(storages), whole, Assurance::verified);
    }
    if (!inert) trace(whole);
    item_.coverage().examined += whole.end - whole.begin;
    // Read to the end, but not decided: nobody may take that for clean.
    if (!inert && !extent_.malicious && whole.end > whole.begin)
      item_.coverage().gaps.push_back({whole, "it uses what no rule knows, so loading it needs trust"});
  }

  void trace(Range whole) {
    Tracer tracer;
    for (u64 at = range_.begin, count = 0; count <= extent_.pickles && at < extent_.end && !tracer.enough(); ++count) {
      const u64 end = Machine(item_.source(), at, range_.end, tracer, {.fuel = kOpcodes}).run().end;
      if (end <= at) break;
      at = end;
    }
    if (tracer.count > 0) item_.report().fact("pickle.trace", std::move(tracer.lines), whole, Assurance::verified);
  }

  Item& item_;
  PickleRange range_;
  PickleFindings findings_;
  PickleExtent extent_;
  int protocol_ = 0;
  bool unusual_ = false;
};

// Counts what a load would do before the first fault.
class Watcher final : public Observer {
 public:
  void event(const Machine& machine, const Event& event) override {
    if (event.what == Event::What::import) {
      const auto& global = machine.global(event.target);
      imports += text_rules::dotted(global.module) ? 1 : 0;
      known = known || gadgets::look_up(global.module, global.name, global.protocol).known != gadgets::Known::no;
    } else {
      ++effects;
    }
  }
  bool enough() const override { return effects > 0 && imports > 0; }
  int imports = 0;
  int effects = 0;
  bool known = false;
};

constexpr u64 kTried = 4096;  // opcodes: no text has that many in a row

}  // namespace

PickleExtent scan_pickles(Item& item, const PickleRange& range) { return Scan(item, range).run(); }

int pickle_confidence(const Source& source, u64 begin) {
  std::array<std::byte, 2> head{};
  if (source.read(begin, head) < 2) return 0;
  const auto first = std::to_integer<u8>(head[0]);
  const auto protocol = std::to_integer<u8>(head[1]);
  const bool marked = first == 0x80 && protocol <= 5;
  const bool later = first == 0x80 && !marked && protocol < 16;  // CPython stops, another reader may not
  if (!marked && (first == '{' || first == '[' || first == '<' || first == '#' || first == '\0' || first == 0x7f))
    return 0;
  u64 at = begin;
  u64 opcodes = 0;
  for (int count = 0; count < 16; ++count) {
    Watcher watcher;
    Machine machine(source, at, source.size(), watcher, {.stop_at_fault = !later, .fuel = kTried});
    const Outcome outcome = machine.run();
    opcodes += outcome.opcodes;
    if (watcher.effects > 0 && watcher.imports > 0) return 90;
    if (outcome.stopped && !outcome.fault) {
      if (marked) return 90;
      if (watcher.imports > 0 && watcher.known) return 80;
      if (outcome.end == source.size()) return opcodes > 1 ? 70 : 0;
      at = outcome.end;
      continue;
    }
    if (outcome.exhausted) return marked ? 90 : 60;
    if (watcher.known) return 60;
    return marked && count == 0 ? 35 : 0;
  }
  return marked ? 90 : 60;
}

}  // namespace steelyard::formats
