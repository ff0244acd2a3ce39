// The judge against tests/pickle/attacks.toml and tests/pickle/libraries/, and what needs more than a recipe: PKL017,
// PKL018, PKL019.

#include "formats/detail/pickle_judge.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/detail/pickle_scan.hpp"
#include "formats/detail/pickle_text_rules.hpp"
#include "formats/format.hpp"
#include "recipe/recipe.hpp"
#include "rules/catalog.hpp"
#include "wire/toml.hpp"

namespace steelyard::formats {
namespace {

std::string file(const std::string& path) {
  std::ifstream in(std::string(STEELYARD_SOURCE_DIR "/") + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::byte> bytes(const std::string& recipe) {
  auto built = recipe::build(recipe);
  EXPECT_TRUE(built) << (built ? "" : built.error().message);
  return built ? *std::move(built) : std::vector<std::byte>{};
}

Examination examine(const std::string& recipe) {
  const auto content = bytes(recipe);
  return formats::examine(MemorySource(content), "model");
}

// As a member that a container hands on for `loader`.
Examination examine_for(const std::string& recipe, std::string_view loader) {
  const auto content = bytes(recipe);
  const MemorySource source(content);
  Examination found;
  found.artifacts.push_back({.parent = std::nullopt,
                             .subject = 0,
                             .path = "",
                             .format = "pickle",
                             .range = {0, source.size()},
                             .encoding = {},
                             .bytes = source.size()});
  Fuel fuel = Fuel::for_file(source.size());
  Item item(found, fuel, source, "data.pkl", 0, 0, loader);
  scan_pickles(item, {0, source.size()});
  return found;
}

bool fired(const Examination& found, std::string_view rule) {
  return std::ranges::any_of(found.findings, [&](const Finding& finding) { return finding.rule == rule; });
}

std::string all(const Examination& found) {
  std::string out;
  for (const Finding& finding : found.findings) out += finding.rule + " " + rules::message(finding) + "\n";
  return out;
}

std::string verdict(const Examination& found) {
  std::string worst = "none";
  for (const Fact& fact : found.facts)
    if (fact.key == "pickle.verdict" && worst != "malicious") worst = fact.value.string();
  return worst;
}

TEST(PickleJudge, EveryAttackIsFound) {
  const auto document = toml::Document::parse(file("tests/pickle/attacks.toml"), "attacks");
  ASSERT_TRUE(document) << document.error().message;
  toml::Table root(**document, (*document)->root(), "attacks");
  int count = 0;
  for (toml::Table& attack : root.tables("attack")) {
    const Examination found = examine(attack.text("recipe"));
    const std::string title = attack.text("title");
    for (const std::string& rule : attack.texts("expect"))
      EXPECT_TRUE(fired(found, rule)) << title << ": " << rule << "\n" << all(found);
    EXPECT_EQ(verdict(found), attack.text("verdict")) << title << "\n" << all(found);
    ++count;
  }
  EXPECT_GT(count, 40);
}

// What tests/oracle/library_pickles.py recorded: none of it is above info.
// torch.load() opens archives as well as pickles.
TEST(PickleJudge, WhatTorchIsGivenIsExaminedWhateverItIs) {
  const auto opens = [](std::string_view content) {
    const Examination found = examine(fmt::format(
        "PROTO 3\nGLOBAL torch.storage _load_from_bytes\nBINBYTES \"{}\"\nTUPLE1\nREDUCE\nSTOP\n", content));
    return found.artifacts.size() == 2 ? found.artifacts[1].format : "nothing";
  };
  EXPECT_EQ(opens("GGUF\\x03\\x00\\x00\\x00"), "gguf");
  EXPECT_EQ(opens("\\x80\\x02N."), "pickle");
  EXPECT_EQ(opens("\\x01\\x02\\x03\\x04"), "unknown");
}

TEST(PickleJudge, PicklesOfLibrariesAreInert) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(STEELYARD_SOURCE_DIR "/tests/pickle/libraries")) {
    const std::string path = "tests/pickle/libraries/" + entry.path().filename().string();
    const auto document = toml::Document::parse(file(path), path);
    ASSERT_TRUE(document) << document.error().message;
    toml::Table root(**document, (*document)->root(), path);
    for (toml::Table& pickle : root.tables("pickle")) {
      const Examination found = examine(pickle.text("recipe"));
      EXPECT_EQ(all(found), "") << pickle.text("title");
      EXPECT_EQ(verdict(found), "inert") << pickle.text("title");
      ++count;
    }
  }
  EXPECT_GT(count, 40);
}

TEST(PickleJudge, NoGadgetIsCalledUnseen) {
  const auto document = toml::Document::parse(file("tests/pickle/attacks.toml"), "attacks");
  ASSERT_TRUE(document) << document.error().message;
  toml::Table root(**document, (*document)->root(), "attacks");
  for (const std::string& name : root.texts("calls")) {
    const std::string module = name.substr(0, name.find(' '));
    const std::string function = name.substr(name.find(' ') + 1);
    const bool dotted = function.find('.') != std::string::npos;
    std::vector<std::string> ways = {"PROTO 4\nSHORT_BINUNICODE \"" + module + "\"\nSHORT_BINUNICODE \"" + function +
                                     "\"\nSTACK_GLOBAL\nSHORT_BINUNICODE x\nTUPLE1\nREDUCE\nSTOP"};
    if (!dotted) {
      ways.push_back("PROTO 2\nGLOBAL " + module + " " + function + "\nSHORT_BINUNICODE x\nTUPLE1\nREDUCE\nSTOP");
      ways.push_back("MARK\nSTRING \"'x'\"\nINST " + module + " " + function + "\nSTOP");
    }
    for (const std::string& way : ways)
      EXPECT_EQ(verdict(examine(way)), "malicious") << way << "\n" << all(examine(way));
  }
}

constexpr const char* kTensor =
    "PROTO 2\nGLOBAL torch._utils _rebuild_tensor_v2\nMARK\nMARK\nBINUNICODE storage\nGLOBAL torch "
    "FloatStorage\nBINUNICODE 0\n"
    "BINUNICODE cpu\nBININT1 16\nTUPLE\nBINPERSID\nBININT1 4\nBININT1 3\nBININT1 4\nTUPLE2\nBININT1 4\nBININT1 "
    "1\nTUPLE2\nNEWFALSE\n"
    "GLOBAL collections OrderedDict\nEMPTY_TUPLE\nREDUCE\nTUPLE\nREDUCE\nSTOP";

TEST(PickleJudge, PersistentIdsOfTorch) {
  const Examination plain = examine_for(kTensor, "torch");
  EXPECT_EQ(all(plain), "");
  EXPECT_EQ(verdict(plain), "inert");
  ASSERT_NE(plain.fact("pickle.storages"), nullptr);
  EXPECT_EQ(plain.fact("pickle.storages")->value.array()[0]["elements"].integer(), 16);
  EXPECT_TRUE(fired(examine_for("PROTO 2\nBINUNICODE other\nBINPERSID\nSTOP", "torch"), "PKL017"));
  EXPECT_FALSE(fired(examine_for("PROTO 2\nBINUNICODE other\nBINPERSID\nSTOP", ""), "PKL017"));
}

// torch.load returns the class of ('module', class, file, source), so this is what is created or called.
TEST(PickleJudge, ModulesOfOldTorch) {
  const auto module = [](const std::string& name, const std::string& then) {
    return "PROTO 2\nMARK\nBINUNICODE module\nGLOBAL " + name +
           "\nBINUNICODE linear.py\nBINUNICODE source\nTUPLE\nBINPERSID\n" + then + "\nSTOP";
  };
  const std::string made = "EMPTY_TUPLE\nNEWOBJ\nEMPTY_DICT\nBUILD";
  EXPECT_EQ(verdict(examine_for(module("torch.nn.modules.linear Linear", made), "torch")), "inert");
  EXPECT_EQ(verdict(examine_for(module("mymodule Net", made), "torch")), "unknown");
  EXPECT_EQ(verdict(examine_for(module("mymodule Net", made), "")), "malicious") << "nobody knows what it returns";
  const Examination called = examine_for(module("posix system", "BINUNICODE id\nTUPLE1\nREDUCE"), "torch");
  EXPECT_TRUE(fired(called, "PKL001")) << all(called);
}

TEST(PickleJudge, WhatWeightsOnlyRefuses) {
  const std::string other = "PROTO 2\nGLOBAL argparse Namespace\nEMPTY_TUPLE\nNEWOBJ\nEMPTY_DICT\nBUILD\nSTOP";
  EXPECT_TRUE(fired(examine_for(other, "torch"), "PKL018"));
  EXPECT_FALSE(fired(examine_for(other, "pickle"), "PKL018"));
  EXPECT_FALSE(fired(examine_for(kTensor, "torch"), "PKL018"));
}

// An array of joblib: 22 bytes that joblib.load takes as numbers; pickle.load takes them as opcodes.
std::string joblib(const std::string& content, const std::string& type, int count) {
  return "PROTO 4\nSHORT_BINUNICODE \"joblib.numpy_pickle\"\nSHORT_BINUNICODE "
         "NumpyArrayWrapper\nSTACK_GLOBAL\nEMPTY_TUPLE\nNEWOBJ\n"
         "EMPTY_DICT\nMARK\nSHORT_BINUNICODE subclass\nSHORT_BINUNICODE numpy\nSHORT_BINUNICODE "
         "ndarray\nSTACK_GLOBAL\nSHORT_BINUNICODE shape\n"
         "BININT1 " +
         std::to_string(count) +
         "\nTUPLE1\nSHORT_BINUNICODE order\nSHORT_BINUNICODE C\nSHORT_BINUNICODE dtype\nSHORT_BINUNICODE numpy\n"
         "SHORT_BINUNICODE dtype\nSTACK_GLOBAL\nSHORT_BINUNICODE \"" +
         type + "\"\nNEWFALSE\nNEWTRUE\nTUPLE3\nREDUCE\nSETITEMS\nBUILD\n" + content + "\nSTOP";
}

TEST(PickleJudge, ArraysOfJoblib) {
  const Examination data = examine(joblib("zeros 22", "u1", 22));
  EXPECT_EQ(all(data), "");
  const Examination program = examine(joblib("text \"0cos\\nsystem\\n(S'id'\\ntR\"", "u1", 22));
  EXPECT_TRUE(fired(program, "PKL019")) << all(program);
  // Of objects: another pickle in the middle.
  EXPECT_EQ(all(examine(joblib("PROTO 4\nEMPTY_LIST\nSTOP", "O8", 1))), "");
  EXPECT_TRUE(
      fired(examine(joblib("GLOBAL os system\nMARK\nSTRING \"'id'\"\nTUPLE\nREDUCE\nSTOP", "O8", 1)), "PKL001"));
}

TEST(PickleJudge, TextsThatLookLikeWhatTheyShouldBe) {
  using namespace text_rules;
  EXPECT_TRUE(argparser(
      "\ndef _parse_args(self, a, b, loc=0, scale=1):\n    return (a, b), loc, scale\n\n"
      "def _parse_args_rvs(self, a, b, loc=0, scale=1, size=None):\n    return self._argcheck_rvs(a, b, loc, scale, "
      "size=size)\n\n"
      "def _parse_args_stats(self, a, b, loc=0, scale=1, moments='mv'):\n    return (a, b), loc, scale, moments\n"));
  EXPECT_TRUE(argparser("\ndef _parse_args(self,  loc=0, scale=1):\n    return (), loc, scale\n"));
  for (const auto* text : {"import os", "def _parse_args(self, a=f()):\n", "def _parse_args(self, a=[1]):\n",
                           "def other(self):\n", "def _parse_args(self):\n    return exec(self)\n", "x = 1\n",
                           "@f\ndef _parse_args(self):\n", "    return f(1)\n"})
    EXPECT_FALSE(argparser(text)) << text;
  for (const auto* text : {"y ~ a + b:c", "y ~ C(a, Treatment(reference='x')) + np.log(b) - 1", "y ~ I(x**2) + (a + b)",
                           "np.log(y) ~ poly(x, 2) * z", ""})
    EXPECT_TRUE(formula(text)) << text;
  for (const auto* text : {"y ~ f(x)", "y ~ os.system", "y ~ a.b", "y ~ (a)(b)", "y ~ np.log(x)(y)", "y ~ f'{x}'",
                           "y ~ [x][0]", "y ~ __a", "y ~ exec ('x')", "y ~ a; b", "y ~ lambda: x", "y ~ C(x).m(1)",
                           "y ~ 'x\\'", "y ~ {x}", "y ~ np.load(x)", "y ~ @a", "y ~ C(getattr(x, y))"})
    EXPECT_FALSE(formula(text)) << text;
  EXPECT_TRUE(dtype("f8") && dtype("<U12") && dtype("M8[ns]") && dtype("V16") && dtype("int64"));
  EXPECT_FALSE(dtype("f8,(2)O") || dtype("") || dtype("8f") || dtype("M8[n s]"));
  EXPECT_TRUE(word("append") && !word("__class__") && !word("a.b") && !word(""));
}

// What is a pickle, and what only looks like text or another format.
TEST(PickleJudge, ContentDecides) {
  const auto confidence = [](std::string_view text) { return pickle_confidence(MemorySource(as_bytes(text)), 0); };
  for (const auto* text : {"{\"a\": 1}",
                           "[1, 2]",
                           "N.B. this is a text",
                           "(1). first\n",
                           "I am a text.\n",
                           "# Title\n",
                           "0. zero\n",
                           "Copyright (c)\n",
                           "import os\n",
                           "config\nvalue\n",
                           "---\na: b\n",
                           "",
                           ".",
                           "N",
                           "Licence\n\nText.\n",
                           "2.0\n",
                           "]\n",
                           "cats\ndogs\nbirds\n",
                           "GGUF\x03",
                           "PK\x03\x04",
                           "\x93NUMPY",
                           "build:\n  - x\n",
                           "(see below)\n",
                           "}\n",
                           "a,b,c\n1,2,3\n"})
    EXPECT_LT(confidence(text), 50) << text;
  for (const auto* text : {"(lp0\n.", "cos\nsystem\n(S'id'\ntR.", "cos\nsystem\n(S'id'\ntRgarbage",
                           "N0N0cposix\nsystem\n(S'id'\ntR.", "I1\n.", "(dp0\nS'a'\np1\nI1\ns."})
    EXPECT_GE(confidence(text), 60) << text;
}

}  // namespace
}  // namespace steelyard::formats
