// Output formats: what they say, and what hostile input can't make them do.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "base/embedded.hpp"
#include "base/environment.hpp"
#include "base/text.hpp"
#include "html/writer.hpp"
#include "policy/kind.hpp"
#include "report/explain.hpp"
#include "report/terminal.hpp"
#include "report_fixture.hpp"
#include "rules/catalog.hpp"

namespace steelyard {
namespace {

using report::Report;

std::string render(std::string_view format, const Report& report, const report::Style& style = {}) {
  const report::Renderer* renderer = report::find(format);
  return renderer == nullptr ? "no such format" : renderer->render(report, style);
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

bool printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < 0x20 && c != '\n') || c == 0x7F; }) &&
         text::valid_utf8(text) && text.find("\xe2\x80\xae") == std::string_view::npos;
}

struct Golden {
  const char* file;
  const char* format;
  const char* report;
  u32 columns = 100;
};

class GoldenTest : public ::testing::TestWithParam<Golden> {};

// After a wanted change: report_fixture FORMAT REPORT COLUMNS > tests/report/FILE.
TEST_P(GoldenTest, IsAsReviewed) {
  const std::string path = std::string(STEELYARD_SOURCE_DIR) + "/tests/report/" + GetParam().file;
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(render(GetParam().format, *fixture::by_name(GetParam().report), {.columns = GetParam().columns}),
            expected.str());
}

INSTANTIATE_TEST_SUITE_P(
    Report, GoldenTest,
    ::testing::Values(Golden{"matrix.golden", "text", "matrix"}, Golden{"narrow.golden", "text", "matrix", 60},
                      Golden{"fit.golden", "text", "fit"}, Golden{"conditions.golden", "text", "conditions"},
                      Golden{"undetermined.golden", "text", "undetermined"},
                      Golden{"unfit.golden", "text", "unfit", 80}, Golden{"accepted.golden", "text", "accepted"},
                      Golden{"concise.golden", "concise", "matrix"},
                      Golden{"concise-accepted.golden", "concise", "accepted"},
                      Golden{"jsonl.golden", "jsonl", "accepted"}, Golden{"markdown.golden", "markdown", "matrix"},
                      Golden{"markdown-accepted.golden", "markdown", "accepted"},
                      Golden{"junit.golden", "junit", "conditions"},
                      Golden{"junit-accepted.golden", "junit", "accepted"}, Golden{"csv.golden", "csv", "accepted"}));

TEST(TextReport, HeadlineCarriesContextAndAssurance) {
  EXPECT_TRUE(render("text", fixture::single(0))
                  .starts_with("FIT for offline-chat · static only: not attacked, not benchmarked\n"));
  EXPECT_TRUE(render("text", fixture::single(4)).starts_with("UNFIT for coding-agent · "));
}

TEST(TextReport, ScanListsFindingsMostSevereFirstAndWhatWasNotExamined) {
  const Report report = fixture::scan();
  const std::string text = render("text", report);
  const std::size_t high = text.find("TPL901  high");
  const std::size_t medium = text.find("IDN001  medium");
  ASSERT_NE(high, std::string::npos) << text;
  ASSERT_NE(medium, std::string::npos) << text;
  EXPECT_LT(high, medium);
  for (const char* part : {"@0x834..0x874", "contradicted", "not examined: ", "1432 bytes belong to no tensor",
                           "(99.9 %)", "note: 1 file was read from the cache"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(TextReport, NothingExaminedIsNotClean) {
  Report report = fixture::scan();
  for (auto& record : report.records) record.found.findings.clear();
  report.records[0].status = evidence::Status::partial;
  const std::string text = render("text", report);
  EXPECT_NE(text.find("no finding in what was examined"), std::string::npos);
  EXPECT_NE(text.find("this record is partial"), std::string::npos);
  EXPECT_EQ(text.find("clean"), std::string::npos);
}

TEST(TextReport, ColourOnlyWhenAskedForAndOnlyAsAnAddition) {
  for (const char* name : {"matrix", "conditions", "scan"}) {
    const Report report = *fixture::by_name(name);
    const std::string plain = render("text", report);
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    std::string painted = render("text", report, {true, 100, false});
    EXPECT_NE(painted.find("\x1b["), std::string::npos);
    for (std::size_t at; (at = painted.find("\x1b[")) != std::string::npos;)
      painted.erase(at, painted.find('m', at) - at + 1);
    EXPECT_EQ(painted, plain) << name;
  }
}

TEST(TextReport, EveryLineFits) {
  for (const char* name : {"matrix", "fit", "conditions", "undetermined", "unfit", "scan", "accepted", "hostile"}) {
    for (const u32 columns : {40u, 60u, 100u, 200u}) {
      for (const auto& line : lines(render("text", *fixture::by_name(name), {false, columns, true}))) {
        EXPECT_LE(report::width(line), columns) << name << ": " << line;
      }
    }
  }
}

TEST(TextReport, HostileTextStaysText) {
  Report hostile = fixture::hostile();
  EXPECT_TRUE(printable(render("text", hostile, {false, 100, true})));
  EXPECT_TRUE(printable(render("html", hostile)));
  hostile.verdicts.clear();
  EXPECT_TRUE(printable(render("text", hostile, {false, 100, true})));
  EXPECT_TRUE(printable(*report::explain(evidence::id(hostile.records[0]) + "#findings/0", &hostile, {})));
  hostile.matrix = false;
  hostile.verdicts = fixture::hostile().verdicts;
  EXPECT_TRUE(printable(render("text", hostile, {false, 100, true})));
}

TEST(TextReport, LongListsAreCutAndCounted) {
  const Report flood = fixture::flood();
  EXPECT_LT(render("text", flood).size(), 100'000u);
  Report scan = flood;
  scan.verdicts.clear();
  scan.records.resize(1);
  const std::string text = render("text", scan);
  EXPECT_LT(lines(text).size(), 150u);
  EXPECT_NE(text.find("and 4982 findings less severe: "), std::string::npos) << text.substr(0, 6'000);
}

TEST(TextReport, FilesWithNothingToTellAreCounted) {
  Report report = fixture::scan();
  auto& record = report.records[0];
  for (u32 i = 1; i <= 20; ++i) {
    const std::string path = "shard-" + std::to_string(i);
    record.subjects.push_back({"weights", path, "", 8});
    record.found.artifacts.push_back({std::nullopt, i, path, "safetensors", {0, 8}, {}, 8});
    record.found.coverage.push_back({i + 1, 8, 8, {}});
  }
  const auto has = [&](std::string_view part) { return render("text", report).find(part) != std::string::npos; };
  EXPECT_TRUE(has("findings: 1 high, 2 medium\n"));
  EXPECT_TRUE(has("and 20 files examined whole, without a finding"));
  EXPECT_FALSE(has("shard-7"));
  record.found.coverage[8].examined = 7;
  EXPECT_TRUE(has("and 19 files examined whole"));
  EXPECT_TRUE(has("shard-7"));
  record.status = evidence::Status::partial;
  EXPECT_FALSE(has("examined whole"));
}

TEST(TextReport, WhatWasAcceptedOrNotSelectedIsCounted) {
  const Report report = fixture::accepted();
  const std::string brief = render("text", report);
  EXPECT_NE(brief.find("findings: 1 high · 2 accepted · 1 not selected\n"), std::string::npos) << brief;
  EXPECT_NE(brief.find("accepted ones: steelyard scan models/tiny-llama-Q4_K_M.gguf --show-suppressed"),
            std::string::npos);
  EXPECT_EQ(brief.find("IDN001"), std::string::npos);
  const std::string full = render("text", report, {.columns = 200, .show_accepted = true});
  EXPECT_NE(full.find("(accepted until 2027-01-31: the maker confirmed apache-2.0)"), std::string::npos) << full;
  EXPECT_NE(full.find("(accepted by the baseline: known | at <adoption>)"), std::string::npos) << full;
  const std::string page = render("html", report);
  EXPECT_NE(page.find("the maker confirmed apache-2.0"), std::string::npos);
  EXPECT_NE(page.find("1 finding was not selected in this run."), std::string::npos);
}

TEST(Formats, EveryOneKeepsHostileTextAway) {
  Report hostile = fixture::hostile();
  for (const auto* renderer : report::all()) {
    if (renderer->id == "json") continue;  // keeps what a model says, escaped as JSON
    for (const report::Style& style : {report::Style{}, report::Style{.verbose = true, .show_accepted = true}}) {
      std::string text = renderer->render(hostile, style);
      std::erase(text, '\r');  // RFC 4180
      EXPECT_TRUE(printable(text)) << renderer->id;
    }
  }
  // One line stays one line.
  const std::string concise = render("concise", hostile, {.show_accepted = true});
  hostile = fixture::hostile("x");
  EXPECT_EQ(lines(concise).size(), lines(render("concise", hostile, {.show_accepted = true})).size());
}

TEST(Formats, EveryOneWorksForEveryReport) {
  for (const auto* renderer : report::all()) {
    for (const char* name : {"matrix", "fit", "scan", "accepted"}) {
      Report report = *fixture::by_name(name);
      EXPECT_FALSE(renderer->render(report, {}).empty()) << renderer->id << " " << name;
      report.records.clear();
      report.origins.clear();
      (void)renderer->render(report, {});
      report.verdicts.clear();
      (void)renderer->render(report, {});
    }
  }
}

TEST(Formats, SpreadsheetsCalculateNothing) {
  for (const char* attack : {"=1+1", "+1", "-1", "@SUM(A1)", " =1", "\"=1", "'=1",
                             "\xef\xbc\x9d"
                             "1",
                             "\t=1", "\r=1"}) {
    const std::string table = render("csv", fixture::hostile(attack));
    for (std::size_t at = 0; (at = table.find(",\"", at)) != std::string::npos; at += 2) {
      std::string_view field = std::string_view(table).substr(at + 2, 8);
      while (field.starts_with("\"\"") || field.starts_with(" ")) field.remove_prefix(field.starts_with(" ") ? 1 : 2);
      EXPECT_EQ(std::string_view("=+-@").find(field.empty() ? '.' : field[0]), std::string_view::npos) << field;
    }
  }
}

TEST(View, PlacesAreFoundInTheFile) {
  evidence::Record record;
  record.found.artifacts = {{std::nullopt, 0, "a.zip", "zip", {0, 1000}, {}, 1000},
                            {0, 0, "a.zip!stored", "pickle", {100, 200}, {}, 100},
                            {0, 0, "a.zip!packed", "tar", {200, 300}, "deflate", 5000},
                            {2, 0, "a.zip!packed!x", "pickle", {1000, 2000}, {}, 1000},
                            {1, 0, "a.zip!stored!y", "npy", {10, 20}, {}, 10}};
  EXPECT_EQ(report::in_file(record, 0, Range{5, 6}), (Range{5, 6}));
  EXPECT_EQ(report::in_file(record, 1, Range{5, 6}), (Range{105, 106}));
  EXPECT_EQ(report::in_file(record, 1, std::nullopt), (Range{100, 200}));
  EXPECT_EQ(report::in_file(record, 2, Range{5, 6}), (Range{200, 300}));
  EXPECT_EQ(report::in_file(record, 3, Range{5, 6}), (Range{200, 300}));
  EXPECT_EQ(report::in_file(record, 4, Range{5, 6}), (Range{115, 116}));
  EXPECT_EQ(report::in_file(record, 0, std::nullopt), std::nullopt);
  EXPECT_EQ(report::in_file(record, std::nullopt, Range{5, 6}), (Range{5, 6}));
}

TEST(JsonReport, ParsesBackWithEverything) {
  const Report report = fixture::matrix();
  const auto parsed = json::parse(render("json", report));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  std::vector<std::string> keys;
  for (const auto& [key, value] : parsed->object()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"schema", "tool", "command", "target", "at", "verdicts", "records",
                                            "accepted", "notes", "exit"}));
  EXPECT_EQ((*parsed)["schema"].string(), "steelyard/report/1");
  EXPECT_EQ((*parsed)["at"].string(), format_time(report.now));
  ASSERT_EQ((*parsed)["records"].array().size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto record = evidence::decode((*parsed)["records"].array()[i]);
    ASSERT_TRUE(record.has_value()) << record.error().message;
    EXPECT_EQ(evidence::id(*record), evidence::id(report.records[i]));
  }
  EXPECT_EQ(render("json", report), render("json", fixture::matrix()));
}

TEST(JsonReport, PassesVerdictDocumentsOnUnchanged) {
  Report report = fixture::single(0);
  const json::Value document =
      json::Value().set("schema", "steelyard/verdict/1").set("inputs", json::Value().set("now", 5));
  report.documents.push(document);
  const auto parsed = json::parse(render("json", report));
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ((*parsed)["verdicts"].array().size(), 1u);
  EXPECT_EQ((*parsed)["verdicts"].array()[0], document);
}

TEST(JsonReport, BytesThatAreNotUtf8AreKeptReversibly) {
  Report report = fixture::scan();
  report.target = "a\xff";
  const auto parsed = json::parse(render("json", report));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  EXPECT_EQ((*parsed)["target"]["escaped"].string(), "a\\xff");
}

TEST(HtmlReport, HostileTextNeverAppearsRaw) {
  const std::string page = render("html", fixture::hostile());
  for (const char* raw : {"<script", "<img", "</style><img", "\"' onload", "\xe2\x80\xae", "\x1b", "<b>"}) {
    EXPECT_EQ(page.find(raw), std::string::npos) << raw;
  }
  for (const char* seen : {"&lt;script&gt;", "\\u{202e}", "\\x1b[31m", "\\xff"}) {
    EXPECT_NE(page.find(seen), std::string::npos) << seen;
  }
}

TEST(HtmlReport, StaysSmallWhateverWasFound) {
  // A tag character costs nine bytes where it is shown, a quotation mark six.
  std::string tags;
  for (int i = 0; i < 500; ++i) tags += "\xf3\xa0\x80\x81";
  Report worst = fixture::hostile(tags);
  for (int i = 0; i < 5'000; ++i) worst.records[0].found.findings.push_back(worst.records[0].found.findings[0]);
  const std::array<Report, 4> reports = {fixture::flood(), fixture::hostile(std::string(2u << 20, 'x')),
                                         fixture::hostile(std::string(1u << 16, '"')), std::move(worst)};
  for (const auto& report : reports) {
    const std::string page = render("html", report);
    EXPECT_LE(page.size(), 200'000u);
    EXPECT_TRUE(page.ends_with("</html>\n"));
  }
  const std::string flood = render("html", reports[0]);
  EXPECT_NE(flood.find("left out here; all of them: <code>steelyard vet"), std::string::npos);
}

TEST(HtmlReport, SaysWhatDecidesWithItsEvidence) {
  const Report report = fixture::matrix();
  const std::string page = render("html", report);
  for (const auto& record : report.records) EXPECT_NE(page.find(evidence::id(record)), std::string::npos);
  for (const char* part :
       {"mail-assistant", "fit with conditions", "confirm:send_mail", "Conditions that you attest", "contradicted",
        "steelyard licence tiny-llama", "steelyard redteam", "steelyard recheck", "href=\"#ev-0\"", "id=\"ev-0\""}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  EXPECT_LT(page.find("class=\"matrix\""), page.find("class=\"card"));
}

TEST(HtmlWriter, EscapesByType) {
  html::Writer w;
  {
    auto a = w.open("a", {{"title", "\"><script>"}, {"class", ""}});
    w.text("<&>'\"\x01");
  }
  EXPECT_EQ(w.take(), "<a title=\"&quot;&gt;&lt;script&gt;\">&lt;&amp;&gt;&#39;&quot;\\x01</a>");
}

TEST(HtmlWriter, CspHashIsBase64OfSha256) {
  EXPECT_EQ(html::csp_hash(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  EXPECT_EQ(embedded::find("web/report.css").find("</"), std::string_view::npos);
  EXPECT_FALSE(embedded::find("web/report.css").empty());
}

TEST(View, CitationsResolveByPrefixAndOnlyWhenUnambiguous) {
  const Report report = fixture::matrix();
  const report::Evidence evidence(report);
  const std::string id = evidence::id(report.records[0]);
  ASSERT_TRUE(evidence.find(id.substr(0, 12) + "#findings/1"));
  EXPECT_EQ(evidence.finding(*evidence.find(id + "#findings/1"))->rule, "TPL901");
  EXPECT_EQ(evidence.brief(id + "#findings/1"), id.substr(0, 10) + "#findings/1");
  for (const char* bad : {"", "ev1:", "ev1", "ev2:abcd", "ev1:#findings/0"}) EXPECT_FALSE(evidence.find(bad)) << bad;
  for (const char* bad : {"#findings/2", "#findings/x", "#findings/-1", "#findings/", "#findings", "#nothing/0",
                          "#findings/99999999999999999999"}) {
    EXPECT_FALSE(evidence.find(id + bad)) << bad;
  }
}

TEST(View, ShellWordsAreSafeToPaste) {
  EXPECT_EQ(report::shell_word("models/a-b_c.gguf"), "models/a-b_c.gguf");
  EXPECT_EQ(report::shell_word("a b; rm -rf ~"), "'a b; rm -rf ~'");
  EXPECT_EQ(report::shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(report::shell_word("--offline"), "./--offline");
  EXPECT_EQ(report::shell_word("$(id)"), "'$(id)'");
  EXPECT_EQ(report::shell_word(""), "''");
}

TEST(View, TheCommandMakesTheReportAgain) {
  EXPECT_EQ(report::reproduce(fixture::single(3)),
            "steelyard vet models/tiny-llama-Q4_K_M.gguf --context mail-assistant --profile business");
  Report report = fixture::scan();
  report.target = "a.gguf $(b)";  // as many words as records: two targets
  EXPECT_EQ(report::reproduce(report), "steelyard scan a.gguf '$(b)'");
  report.records.pop_back();
  EXPECT_EQ(report::reproduce(report), "steelyard scan 'a.gguf $(b)'");
  report.command = "host";
  EXPECT_EQ(report::reproduce(report, "--verbose"), "steelyard host --verbose");
}

TEST(View, PercentNeverRoundsUpToEverything) {
  EXPECT_EQ(report::percent(99'999, 100'000), "99.9 %");
  EXPECT_EQ(report::percent(5, 5), "100 %");
  EXPECT_EQ(report::percent(0, 5), "0.0 %");
  EXPECT_EQ(report::percent(UINT64_MAX - 1, UINT64_MAX), "99.9 %");
}

TEST(View, WideCharactersTakeTwoColumns) {
  EXPECT_EQ(report::width("模型"), 4u);
  EXPECT_EQ(report::width("é…"), 2u);
  EXPECT_EQ(report::cut("模型模型", 5), "模型…");
}

TEST(Renderers, AreFoundByIdAndByExtension) {
  EXPECT_EQ(report::for_path("out/report.html")->id, "html");
  EXPECT_EQ(report::for_path("report.json")->id, "json");
  EXPECT_EQ(report::for_path("report.junit.xml")->id, "junit");
  EXPECT_EQ(report::for_path("a.txt")->id, "text");
  EXPECT_EQ(report::for_path("a.concise.txt")->id, "concise");
  EXPECT_EQ(report::for_path("report"), nullptr);
  EXPECT_EQ(report::find("html5"), nullptr);
}

TEST(Explain, EveryRuleAndKindHasAPage) {
  for (const auto& [id, rule] : rules::catalog()) {
    const auto page = report::explain(text::lower(id), nullptr, {});
    ASSERT_TRUE(page) << id;
    EXPECT_TRUE(page->starts_with(id));
    EXPECT_NE(page->find("What to do"), std::string::npos) << id;
  }
  for (const auto* kind : policy::kinds()) {
    const auto page = report::explain(kind->name, nullptr, {});
    ASSERT_TRUE(page) << kind->name;
    for (const auto& param : kind->params) EXPECT_NE(page->find(param.name), std::string::npos);
  }
  const auto family = report::explain("IDN", nullptr, {});
  ASSERT_TRUE(family);
  EXPECT_NE(family->find("IDN001"), std::string::npos);
}

TEST(Explain, UnknownWordsGetSuggestions) {
  EXPECT_FALSE(report::explain("IDN901", nullptr, {}));
  EXPECT_FALSE(report::explain("", nullptr, {}));
  EXPECT_FALSE(report::explain("I", nullptr, {}));
  const auto near = report::closest("IDN0O1");
  EXPECT_NE(std::ranges::find(near, "IDN001"), near.end());
  EXPECT_TRUE(report::closest("zzzzzzzzzzzzzzzzzzzz").empty());
}

TEST(Explain, ShowsACitedFindingInAReportFile) {
  const Report report = fixture::matrix();
  const auto loaded = report::load(render("json", report));
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  ASSERT_EQ(loaded->records.size(), 2u);
  const std::string cite = evidence::id(report.records[0]).substr(0, 14) + "#findings/0";
  const auto page = report::explain(cite, &*loaded, {});
  ASSERT_TRUE(page);
  for (const char* part : {"IDN001", "Gemma Terms of Use", "tiny-llama-Q4_K_M.gguf", "Why it matters"}) {
    EXPECT_NE(page->find(part), std::string::npos) << part;
  }
  EXPECT_FALSE(report::explain(cite, nullptr, {}));
  EXPECT_FALSE(report::load("{}").has_value());
  EXPECT_FALSE(report::load("not json").has_value());
}

}  // namespace
}  // namespace steelyard
