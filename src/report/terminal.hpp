// Text for a terminal: words first, colour as an addition, every line within the given columns.
//
// Attack resisted: control sequences from a model. Everything passes shown() before it comes here;
// the only escapes that leave are the colours of this file, and only when Style::color asks for them.
// Tested by tests/unit/report_test.cpp.
#pragma once

#include "report/view.hpp"

namespace steelyard::report {

enum class Paint { plain, strong, dim, good, warn, bad, open };

// The width of sanitised text: East Asian wide characters take two columns.
std::size_t width(std::string_view text);
// Cut to `columns` with "…".
std::string cut(std::string_view text, std::size_t columns);
std::string pad(std::string_view text, std::size_t columns);

class Screen {
 public:
  explicit Screen(const Style& style) : color_(style.color), columns_(style.columns < 40 ? 40 : style.columns) {}

  std::size_t columns() const { return columns_; }
  std::string paint(Paint paint, std::string_view text) const;
  Paint of(policy::Decision decision) const;
  Paint of(Severity severity) const;

  // One line as it is; the caller has fitted it.
  void line(std::string_view text = {});
  void heading(std::string_view text);
  // `lead` (`indent` columns wide when printed), then the text broken at spaces beside it.
  void block(std::string_view lead, std::size_t indent, std::string_view text, Paint paint = Paint::plain);

  std::string take() { return std::move(out_); }

 private:
  bool color_;
  std::size_t columns_;
  std::string out_;
};

}  // namespace steelyard::report
