// What the check of chat templates says about tests/templates/hostile.toml and harmless.toml, and that its
// cost is bounded. Rules that need more than one file to show are told apart here, too.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "formats/detail/chat_template.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard {
namespace {

struct Case {
  std::string name;
  std::string source;
  std::vector<std::string> fires;
};

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::vector<Case> cases(const std::string& file) {
  std::ifstream in(STEELYARD_SOURCE_DIR "/tests/templates/" + file);
  std::stringstream text;
  text << in.rdbuf();
  const auto document = toml::Document::parse(text.str(), file);
  EXPECT_TRUE(document) << document.error().message;
  toml::Table root(**document, (*document)->root(), file);
  std::vector<Case> out;
  for (toml::Table& one : root.tables("case")) {
    std::string source = one.text("template");
    source = replaced(source, "BODY",
                      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}PROMPT");
    source = replaced(source, "PROMPT", "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}");
    out.push_back({one.text("name"), std::move(source), one.texts("fires")});
  }
  return out;
}

Examination checked(std::string_view source) {
  Examination found;
  formats::Reporter report(found);
  formats::check_chat_template(source, report);
  return found;
}

TEST(Template, HostileOnesAreFound) {
  std::set<std::string> covered;
  for (const Case& one : cases("hostile.toml")) {
    const Examination found = checked(one.source);
    ASSERT_FALSE(one.fires.empty()) << one.name;
    for (const std::string& rule : one.fires) {
      covered.insert(rule);
      EXPECT_TRUE(std::ranges::any_of(found.findings, [&](const Finding& f) { return f.rule == rule; }))
          << one.name << ": " << rule;
    }
    for (const Finding& finding : found.findings) {
      ASSERT_NE(rules::find(finding.rule), nullptr) << finding.rule;
      if (finding.at) EXPECT_LE(finding.at->end, one.source.size()) << one.name;
    }
  }
  EXPECT_GE(covered.size(), 28U);
}

TEST(Template, HarmlessOnesAreNot) {
  for (const Case& one : cases("harmless.toml")) {
    for (const Finding& finding : checked(one.source).findings) {
      const rules::Rule* rule = rules::find(finding.rule);
      ASSERT_NE(rule, nullptr) << finding.rule;
      EXPECT_EQ(rule->severity, Severity::info) << one.name << ": " << rules::message(finding);
    }
  }
}

TEST(Template, LiteralsAreListedWithTheirCondition) {
  const Examination found = checked(
      "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
      "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}");
  const Fact* fact = found.fact("template.literals");
  ASSERT_NE(fact, nullptr);
  ASSERT_EQ(fact->value.array().size(), 1U);
  EXPECT_EQ(fact->value.array()[0]["text"].string(), "You are a helpful assistant.<|im_end|> <|im_start|>");
  EXPECT_EQ(fact->value.array()[0]["when"].string(), "the roles of the messages");
}

TEST(Template, TheSameTextGivesTheSameFindings) {
  const std::vector<Case> all = cases("hostile.toml");
  for (std::size_t number = 0; number < all.size(); number += 8) {
    const Case& one = all[number];
    const Examination a = checked(one.source);
    const Examination b = checked(one.source);
    ASSERT_EQ(a.findings.size(), b.findings.size()) << one.name;
    for (std::size_t i = 0; i < a.findings.size(); ++i) {
      EXPECT_EQ(a.findings[i].rule, b.findings[i].rule);
      EXPECT_EQ(json::canonical(a.findings[i].data), json::canonical(b.findings[i].data));
    }
  }
}

}  // namespace
}  // namespace steelyard
