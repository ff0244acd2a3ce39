#include "formats/detail/gadgets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/embedded.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats::gadgets {
namespace {

// Our reader takes a part of TOML; toml++ says what the files mean.
TEST(Gadgets, FilesAreTomlAndReadAlike) {
  for (const auto& file : embedded::under("gadgets/")) {
    const auto document = toml::Document::parse(std::string(file.text), std::string(file.path));
    ASSERT_TRUE(document) << file.path << ": " << document.error().message;
    for (const Setting& setting : read(file.text)) {
      EXPECT_FALSE(setting.key.empty()) << file.path;
      EXPECT_EQ(setting.value.find('"'), std::string_view::npos) << file.path << " " << setting.key;
      EXPECT_EQ(setting.section.find('"'), std::string_view::npos) << file.path << " " << setting.key;
    }
  }
}

TEST(Gadgets, ReadsTheTomlThatTheFilesUse) {
  const auto settings = read(
      "# comment\nstrict = true\nowns = [\"a\", # why\n  \"b\"]\n[allow.\"x.y\"]\n\"m n\" = \"call(any*)\"\nlong = "
      "\"\"\"one; \\\ntwo\"\"\"\n");
  ASSERT_EQ(settings.size(), 5u);
  EXPECT_EQ(settings[0].value, "true");
  EXPECT_EQ(settings[2].value, "b");
  EXPECT_EQ(settings[3].section, "allow");
  EXPECT_EQ(settings[3].module, "x.y");
  EXPECT_EQ(settings[3].key, "m n");
  EXPECT_EQ(settings[4].value, "one; \\\ntwo");
  for (const auto* broken : {"", "[", "[allow", "\"", "a", "a =", "a = [", "a = \"", "\"\"\"", "[x.\"", "a = [\"b\" c"})
    read(broken);
}

TEST(Gadgets, EveryRuleIsWellFormed) {
  constexpr auto kVerbs = std::to_array<std::string_view>(
      {"import", "call", "create", "build", "extend", "set", "add", "invoke", "pure", "newobj", "risky"});
  for (const auto& file : embedded::under("gadgets/")) {
    for (const Setting& setting : read(file.text)) {
      if (setting.section != "allow" && setting.key != "rule") continue;
      EXPECT_EQ(std::ranges::count(setting.value, '('), std::ranges::count(setting.value, ')'))
          << file.path << " " << setting.value;
      EXPECT_EQ(std::ranges::count(setting.value, '\'') % 2, 0) << file.path << " " << setting.value;
      std::string_view verb = setting.value;
      if (verb.starts_with("trust ")) verb.remove_prefix(6);
      if (verb.starts_with("native ")) verb.remove_prefix(7);
      verb = verb.substr(0, verb.find_first_of("(;"));
      EXPECT_TRUE(std::ranges::find(kVerbs, verb) != kVerbs.end()) << file.path << " " << setting.key << ": " << verb;
    }
  }
}

TEST(Gadgets, StarsInModulesStopAtDots) {
  const auto known = [](const char* module, const char* name) { return !look_up(module, name, 4).rules.empty(); };
  EXPECT_TRUE(known("transformers.models.bert.modeling_bert", "BertModel"));
  EXPECT_TRUE(known("transformers.models.bert.modeling_bert.inner", "BertModel"));
  EXPECT_TRUE(known("transformers.models.bert.tokenization_bert_fast", "BertTokenizerFast"));
  EXPECT_FALSE(known("transformers.models.bert.tokenization_bert", "BertTokenizer"));
  EXPECT_FALSE(known("transformers.models.bert.x.modeling_bert", "BertModel"));
  EXPECT_FALSE(known("transformers.models.modeling_bert", "BertModel"));
  EXPECT_FALSE(known("transformers.models.bert.my_modeling_bert", "BertModel"));
  EXPECT_FALSE(known("statsmodels.tsa.tests.test_x", "Test"));
  EXPECT_TRUE(known("statsmodels.tsa.arima.model", "ARIMA"));
}

TEST(Gadgets, OldNamesMeanWhatPython3CallsThem) {
  EXPECT_EQ(look_up("__builtin__", "xrange", 2).full(), "builtins.range");
  EXPECT_EQ(look_up("copy_reg", "_reconstructor", 2).full(), "copyreg._reconstructor");
  EXPECT_EQ(look_up("exceptions", "ValueError", 0).full(), "builtins.ValueError");
  // Newer protocols import the module of that name, which anybody may have put there.
  EXPECT_TRUE(look_up("copy_reg", "_reconstructor", 4).rules.empty());
  EXPECT_EQ(look_up("numpy._core.multiarray", "_reconstruct", 4).full(), "numpy.core.multiarray._reconstruct");
}

TEST(Gadgets, DotsThroughModulesAndSpecialAttributes) {
  EXPECT_TRUE(look_up("logging", "os.system", 4).traversal);
  EXPECT_FALSE(look_up("logging", "os.system", 4).harm.empty());
  EXPECT_FALSE(look_up("anything", "helper.subprocess.Popen", 4).harm.empty());
  EXPECT_TRUE(look_up("anything", "A.__init__.__globals__", 4).traversal);
  EXPECT_FALSE(look_up("anything", "Outer.Inner", 4).traversal);
  EXPECT_TRUE(look_up("anything", "Outer.Inner", 2).traversal);
}

TEST(Gadgets, ClassesByWhatTheyLookLike) {
  EXPECT_FALSE(look_up("sklearn.linear_model._logistic", "LogisticRegression", 4).rules.empty());
  EXPECT_TRUE(look_up("sklearn.externals.x", "Popen", 4).rules.empty());
  EXPECT_TRUE(look_up("numpy.lib._datasource", "DataSource", 4).rules.empty());
  EXPECT_EQ(look_up("sklearn.metrics._ranking", "roc_auc_score", 4).rules.front(), "import");
  EXPECT_TRUE(look_up("numpy", "load", 4).rules.empty());
  EXPECT_FALSE(look_up("numpy", "mean", 4).rules.empty());
}

}  // namespace
}  // namespace steelyard::formats::gadgets
