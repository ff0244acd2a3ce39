#include "context/context.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/embedded.hpp"
#include "context/graph.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard::context {
namespace {

std::string context_of(const std::string& body) { return "schema = \"steelyard/context/1\"\nname = \"x\"\n" + body; }

std::vector<std::string> ids(const Context& context, std::string_view cls = "") {
  std::vector<std::string> out;
  for (const Path& path : scenarios(context)) {
    if (cls.empty() || path.cls == cls) out.push_back(path.id);
  }
  return out;
}

std::vector<std::string> cuts(const Context& context, const std::string& id) {
  for (const Finding& finding : analyze(context).found.findings) {
    if (finding.data["id"].string() != id) continue;
    std::vector<std::string> out;
    for (const auto& cut : finding.data["cuts"].array()) out.push_back(cut.string());
    return out;
  }
  return {"no such path"};
}

TEST(Context, PresetsAreValidAndDiffer) {
  std::set<std::size_t> paths;
  for (const std::string& name : preset_names()) {
    const auto context = preset(name);
    ASSERT_TRUE(context) << context.error().message;
    EXPECT_EQ(context->name, name);
    paths.insert(scenarios(*context).size());
  }
  EXPECT_EQ(preset_names().size(), 5u);
  EXPECT_EQ(preset_names().front(), "offline-chat");
  EXPECT_GE(paths.size(), 3u);
  EXPECT_TRUE(paths.contains(0)) << "one use has no attack path";
}

TEST(Context, MailAssistantsNeededSendToolIsCutByAPersonOnly) {
  const auto context = preset("mail-assistant");
  EXPECT_EQ(ids(*context, "integrity"), (std::vector<std::string>{"inbox>send_mail"}));
  EXPECT_EQ(cuts(*context, "inbox>send_mail"), (std::vector<std::string>{"confirm:send_mail"}));
  EXPECT_EQ(cuts(*context, "inbox+inbox>send_mail"),
            (std::vector<std::string>{"confirm:send_mail", "pin_destinations:send_mail"}));
}

TEST(Context, WhatIsNeededIsNeverTakenAway) {
  for (const std::string& name : preset_names()) {
    const auto context = preset(name);
    std::set<std::string> needed;
    for (const auto& tool : context->tools) {
      if (tool.needed) needed.insert(tool.id);
    }
    for (const auto& source : context->sources) {
      if (source.needed) needed.insert(source.id);
    }
    for (const Fact& fact : analyze(*context).found.facts) {
      if (fact.key != "context.mitigation") continue;
      const std::string kind = fact.value["kind"].string();
      const std::string id = fact.value["id"].string();
      if (kind == "remove_tool" || kind == "remove_source" || kind == "block_tainted") {
        EXPECT_FALSE(needed.contains(id.substr(id.find(':') + 1))) << id;
      }
    }
  }
}

TEST(Context, AttestedMitigationsCountOnlyWhenAttested) {
  const std::string body =
      "[[source]]\nid = \"web\"\nneeded = true\n[[tool]]\nid = \"shell\"\ncapabilities = [\"exec\"]\nneeded = true\n";
  EXPECT_EQ(cuts(*parse(context_of(body), "t"), "web>shell"), (std::vector<std::string>{"confirm:shell"}));
  const std::string attested =
      body + "[[attest]]\nmitigation = \"isolate:shell\"\nby = \"ops\"\nreason = \"container\"\n";
  EXPECT_EQ(cuts(*parse(context_of(attested), "t"), "web>shell"),
            (std::vector<std::string>{"confirm:shell", "isolate:shell"}));
}

TEST(Context, CarriersCutOnlyWhenNothingElseBringsTheTextIn) {
  const std::string tools =
      "[[tool]]\nid = \"get\"\ncapabilities = [\"read_untrusted\"]\n[[tool]]\nid = \"get2\"\ncapabilities = "
      "[\"read_untrusted\"]\n"
      "[[tool]]\nid = \"pay\"\ncapabilities = [\"spend\"]\nneeded = true\n[[source]]\nid = \"web\"\nneeded = true\nvia "
      "= ";
  const auto one = cuts(*parse(context_of(tools + "[\"get\"]\n"), "t"), "web>pay");
  const auto two = cuts(*parse(context_of(tools + "[\"get\", \"get2\"]\n"), "t"), "web>pay");
  EXPECT_NE(std::ranges::find(one, "remove_tool:get"), one.end());
  EXPECT_EQ(std::ranges::find(two, "remove_tool:get"), two.end());
}

struct Bad {
  const char* body;
  const char* message;
};
class ContextRejects : public testing::TestWithParam<Bad> {};
TEST_P(ContextRejects, WithPlaceAndReason) {
  const auto context = parse(context_of(GetParam().body), "c.toml");
  ASSERT_FALSE(context);
  EXPECT_NE(context.error().message.find(GetParam().message), std::string::npos) << context.error().message;
  EXPECT_NE(context.error().message.find('^'), std::string::npos) << context.error().message;
  EXPECT_TRUE(context.error().message.starts_with("c.toml:")) << context.error().message;
}
const char* const kSource = "[[source]]\nid = \"s\"\n";
INSTANTIATE_TEST_SUITE_P(
    All, ContextRejects,
    testing::Values(
        Bad{"", "at least one [[source]]"},
        Bad{"[[source]]\nid = \"s\"\nintegrty = \"trusted\"\n", "did you mean \"integrity\"?"},
        Bad{"[[source]]\nid = \"s\"\nvia = [\"x\"]\n", "no tool is called \"x\""},
        Bad{"[[source]]\nid = \"s\"\n[[source]]\nid = \"s\"\n", "used twice"},
        Bad{"[[source]]\nid = \"s\"\n[[tool]]\nid = \"t\"\ncapabilities = [\"exce\"]\n", "did you mean \"exec\"?"},
        Bad{"[[source]]\nid = \"s\"\n[[tool]]\nid = \"t\"\ncapabilities = []\n", "without capabilities"},
        Bad{"[[source]]\nid = \"s\"\n[[sink]]\nid = \"k\"\nkind = \"text\"\nimages = \"listed\"\n",
            "renders no images"},
        Bad{"[network]\nlisten = \"0.0.0.0\"\n[use]\nusers = \"me\"\n[[source]]\nid = \"s\"\n", "only you use it"},
        Bad{"[network]\ninternet = false\n[[source]]\nid = \"s\"\n[[tool]]\nid = \"t\"\ncapabilities = "
            "[\"send_external\"]\n",
            "internet is false"},
        Bad{"[use]\nusers = \"public\"\n[[source]]\nid = \"user\"\nintegrity = \"trusted\"\n", "is untrusted"},
        Bad{"[[source]]\nid = \"s\"\n[[tool]]\nid = \"t\"\ncapabilities = [\"exec\"]\ndestinations = \"listed\"\n",
            "neither send_external"},
        Bad{"[[source]]\nid = \"s\"\n[[memory]]\nid = \"m\"\nmodel_reads = false\nmodel_writes = false\n",
            "neither reads nor writes"},
        Bad{"[[source]]\nid = \"s\"\n[[attest]]\nmitigation = \"isolate:nothing\"\nby = \"a\"\nreason = \"b\"\n",
            "names nothing"},
        Bad{"[[source]]\nid = \"Ünï\"\n", "lower-case letters"}));

TEST(Context, TheMinimumIsValid) { EXPECT_TRUE(parse(context_of(kSource), "t")); }

// Random contexts against a naive enumeration over (source, secret, memory, target) by the definitions.
Context random_context(std::mt19937& random) {
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  Context context;
  context.name = "random";
  static const std::vector<std::string> kConf = {"public", "internal", "private"};
  for (int i = 0; i < 1 + pick(4); ++i) {
    Tool tool{"t" + std::to_string(i),         {},           pick(4) == 0 ? "tainted" : "none",
              pick(3) == 0 ? "listed" : "any", pick(4) == 0, pick(2) == 0};
    for (const auto& capability : capabilities()) {
      if (pick(5) == 0) tool.capabilities.push_back(capability);
    }
    context.tools.push_back(tool);
  }
  for (int i = 0; i < 1 + pick(3); ++i) {
    Source source{"s" + std::to_string(i), pick(2) == 0, kConf[static_cast<std::size_t>(pick(3))], {}, pick(2) == 0};
    if (pick(2) == 0) source.via = {context.tools[0].id};
    context.sources.push_back(source);
  }
  if (pick(2) == 0) context.memory.push_back({"m", pick(2) == 0, pick(3) != 0, pick(3) != 0, false});
  if (pick(2) == 0)
    context.sinks.push_back({"k", "markdown", kConf[0] == "public" && pick(2) == 0 ? "any" : "none",
                             pick(2) == 0 ? "any" : "listed", true});
  return context;
}

std::size_t naive_count(const Context& context) {
  const auto has = [](const Tool& tool, const char* c) {
    return std::ranges::count(tool.capabilities, std::string(c)) > 0 && !(std::string(c) == "exec" && tool.isolated);
  };
  std::size_t untrusted = 0;
  std::size_t secret = 0;
  for (const Source& s : context.sources) {
    untrusted += s.trusted ? 0U : 1U;
    secret += s.confidentiality == "public" ? 0U : 1U;
  }
  for (const Tool& t : context.tools) {
    const bool named =
        std::ranges::any_of(context.sources, [&](const Source& s) { return std::ranges::count(s.via, t.id) > 0; });
    if (named || (!has(t, "read_untrusted") && !has(t, "read_private"))) continue;
    untrusted += has(t, "read_untrusted") ? 1U : 0U;
    secret += 1;  // what a tool reads is at least internal
  }
  std::size_t acting = 0;
  std::size_t leaving = 0;
  for (const Tool& t : context.tools) {
    if (t.approval != "none") continue;
    bool acts = false;
    for (const char* c :
         {"write_local", "write_external", "send_external", "exec", "spend", "delete", "auth_change", "memory_write"})
      acts = acts || has(t, c);
    acting += acts ? 1U : 0U;
    leaving +=
        has(t, "exec") || (t.destinations == "any" && (has(t, "send_external") || has(t, "write_external"))) ? 1U : 0U;
  }
  for (const Sink& s : context.sinks) leaving += s.images == "any" || s.links == "any" ? 1U : 0U;
  std::size_t memories = 0;
  for (const Memory& m : context.memory) memories += m.persists && m.model_reads && m.model_writes ? 1U : 0U;
  return untrusted * acting * (1 + memories) + untrusted * secret * leaving;
}

TEST(Context, NoPathIsMissedOnRandomContexts) {
  std::mt19937 random(7);
  std::size_t total = 0;
  for (int i = 0; i < 2000; ++i) {
    const Context context = random_context(random);
    const auto found = ids(context);
    EXPECT_EQ(found.size(), naive_count(context)) << json::canonical(encode(context));
    EXPECT_EQ(std::set(found.begin(), found.end()).size(), found.size()) << "ids are unique";
    total += found.size();
  }
  EXPECT_GT(total, 2000u);
}

TEST(Context, RemovingAToolOnlyRemovesPaths) {
  std::mt19937 random(11);
  for (int i = 0; i < 500; ++i) {
    Context context = random_context(random);
    const auto before = ids(context);
    const std::set<std::string> known(before.begin(), before.end());
    const std::string gone = context.tools.back().id;
    context.tools.pop_back();
    std::erase_if(context.sources, [&](const Source& s) { return std::ranges::count(s.via, gone) > 0; });
    for (const auto& id : ids(context)) EXPECT_TRUE(known.contains(id)) << id;
  }
}

TEST(Context, OrderOfDeclarationDoesNotMatter) {
  std::mt19937 random(13);
  for (int i = 0; i < 200; ++i) {
    Context context = random_context(random);
    const std::string id = evidence::id(analyze(context));
    std::ranges::reverse(context.tools);
    std::ranges::reverse(context.sources);
    EXPECT_EQ(evidence::id(analyze(context)), id);
  }
}

TEST(Context, RulesFireAndStaySilent) {
  for (const auto& file : embedded::under("rules/CTX/")) {
    const auto document = toml::Document::parse(std::string(file.text), std::string(file.path));
    toml::Table rule(**document, (*document)->root(), "rule");
    for (toml::Table& example : rule.tables("example")) {
      const auto context = parse(example.text("recipe"), std::string(file.path));
      ASSERT_TRUE(context) << context.error().message;
      const bool fired = std::ranges::any_of(analyze(*context).found.findings,
                                             [&](const Finding& f) { return f.rule == rule.text("id"); });
      EXPECT_EQ(fired, example.text("expect") == "fires") << file.path << ": " << example.text("title");
    }
  }
}

}  // namespace
}  // namespace steelyard::context
