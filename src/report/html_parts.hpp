// The parts of the HTML report below the verdicts, and its drawings. Each list stops at a size of the
// page, so that hostile input can't make a report that no mail system takes; what is left out is
// counted. Tested by tests/unit/report_test.cpp and tests/report/html_test.py.
#pragma once

#include "html/writer.hpp"
#include "report/view.hpp"

namespace steelyard::report {

// The page ends within 200,000 bytes: each part may begin an item only below its mark.
inline constexpr std::size_t kMatrixMark = 30'000;
inline constexpr std::size_t kContextsMark = 85'000;
inline constexpr std::size_t kFactsMark = 115'000;
inline constexpr std::size_t kFindingsMark = 155'000;
inline constexpr std::size_t kCoverageMark = 165'000;
inline constexpr std::size_t kRecordsMark = 180'000;

// Calls each(item) for as many as fit, then says how many are left out and how to see them, in an
// element `tag`; `columns` is the width of a table whose rows the items are.
template <class Items, class Each>
void fitting(html::Writer& w, const Report& report, html::Name tag, const Items& items, std::size_t mark,
             std::size_t most, Each each, std::size_t columns = 1) {
  std::size_t done = 0;
  for (const auto& item : items) {
    if (w.size() >= mark || done == most) break;
    each(item);
    ++done;
  }
  if (done == std::size(items)) return;
  auto element = w.open(tag, {{"class", "left-out"}});
  const auto say = [&] {
    w.text(count(std::size(items) - done, "more is", "more are") + " left out here; all of them: ");
    w.put("code", reproduce(report, "--format json"));
  };
  if (tag.text == "tr") {
    auto cell = w.open("td", {{"colspan", std::to_string(columns)}});
    say();
  } else {
    say();
  }
}

// Around a table that may be wider than the screen: the keyboard can reach it to scroll.
html::Writer::Element scrolling(html::Writer& w, std::string label);

// A link to the record that a citation is from.
void put_citation(html::Writer& w, const Evidence& evidence, std::string_view citation);

void put_identity(html::Writer& w, const Report& report, const Evidence& evidence);
void put_measurements(html::Writer& w, const Report& report, const Evidence& evidence);
void put_findings(html::Writer& w, const Report& report, const Evidence& evidence);
void put_coverage(html::Writer& w, const Report& report, const Evidence& evidence);
void put_records(html::Writer& w, const Report& report, const Evidence& evidence);

// Source, model, tool: the paths that a context forbids; `number` makes ids unique on the page.
void draw_paths(html::Writer& w, const policy::Verdict& verdict, std::size_t number);
// How many tensors have which type, when a fact says so.
void draw_types(html::Writer& w, const Report& report);

}  // namespace steelyard::report
