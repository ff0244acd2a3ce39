// report_fixture FORMAT [REPORT [COLUMNS]]: prints a made-up report, for the scripts in tests/report, for the
// golden files (text matrix 100 > tests/report/matrix.golden) and for looking at.
#include <cstdio>
#include <cstdlib>

#include "../unit/report_fixture.hpp"

int main(int count, char** words) {
  using namespace steelyard;
  const report::Renderer* renderer = report::find(count > 1 ? words[1] : "html");
  const auto report = fixture::by_name(count > 2 ? words[2] : "matrix");
  if (renderer == nullptr || !report) {
    std::fputs(
        "usage: report_fixture FORMAT [matrix|fit|undetermined|conditions|unfit|scan|accepted|hostile|flood "
        "[COLUMNS]]\n",
        stderr);
    return 2;
  }
  const report::Style style{false, count > 3 ? static_cast<u32>(std::strtoul(words[3], nullptr, 10)) : 100, false};
  const std::string text = renderer->render(*report, style);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}
