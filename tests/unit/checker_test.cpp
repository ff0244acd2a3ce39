#include "bench/checker.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>

#include "bench/code.hpp"
#include "sandbox/script.hpp"

namespace steelyard::bench {
namespace {

Outcome check(std::string_view name, const std::string& expected, const std::string& answer) {
  const auto checker = Checker::read(name, expected);
  EXPECT_TRUE(checker) << name << ": " << (checker ? "" : checker.error().message);
  return checker ? checker->check(answer) : Outcome::undetermined;
}

bool passes(std::string_view name, const std::string& expected, const std::string& answer) {
  return check(name, expected, answer) == Outcome::passed;
}

std::string refusal(std::string_view name, const std::string& expected) {
  const auto checker = Checker::read(name, expected);
  return checker ? "" : checker.error().message;
}

TEST(Checker, Texts) {
  EXPECT_TRUE(passes("exact", "5", " 5\n"));
  EXPECT_FALSE(passes("exact", "5", "55"));
  EXPECT_TRUE(passes("contains", "Paris", "It is Paris."));
  EXPECT_FALSE(passes("contains", "Paris", "It is paris."));
  EXPECT_TRUE(passes("regex", "^[0-9]+$", "1234"));
  EXPECT_FALSE(passes("regex", "^[0-9]+$", "12a"));
  EXPECT_TRUE(passes("regex", "^.{3}$", "äöü"));
  EXPECT_TRUE(passes("json", "", "\n{\"a\": 1.5}\n"));
  EXPECT_FALSE(passes("json", "", "Sure! {\"a\": 1}"));
}

TEST(Checker, TheLastNumberCounts) {
  EXPECT_TRUE(passes("number", "18", "16 - 3 - 4 = 9, 9 * 2 = $18."));
  EXPECT_TRUE(passes("number", "#### 1,250", "It costs $1,250.00!"));
  EXPECT_TRUE(passes("number", "-3", "-3"));
  EXPECT_TRUE(passes("number", "3", "that is 5-3")) << "a minus between numbers is an operation";
  EXPECT_TRUE(passes("number", "0.5", "= .5 or 0.50"));
  EXPECT_FALSE(passes("number", "18", "18 eggs, 2 dollars each"));
  EXPECT_FALSE(passes("number", "18", "no number"));
  EXPECT_FALSE(passes("number", "1", "version 1.2.3"));
  EXPECT_NE(refusal("number", "many"), "");
}

TEST(Checker, SchemasAndCalls) {
  const std::string schema =
      R"({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}}, "required": ["city"], "additionalProperties": false})";
  EXPECT_TRUE(passes("json_schema", schema, "{\"city\": \"Rome\", \"days\": 7}"));
  EXPECT_FALSE(passes("json_schema", schema, "{\"city\": \"Rome\", \"days\": 7.5}"));
  EXPECT_FALSE(passes("json_schema", schema, "{\"city\": \"Rome\", \"country\": \"Italy\"}"));
  EXPECT_FALSE(passes("json_schema", schema, "{\"city\": \"Rome\", \"city\": \"Oslo\"}")) << "readers differ";
  EXPECT_NE(refusal("json_schema", R"({"requird": []})").find("/requird"), std::string::npos);
  EXPECT_NE(refusal("json_schema", "{"), "");

  const std::string call = R"({"name": "weather", "arguments": {"city": "Rome", "days": 2}})";
  const std::string by_schema = R"({"name": "weather", "schema": )" + schema + "}";
  for (
      const std::string& good : {
          std::string(R"(<tool_call>
{"name": "weather", "arguments": {"days": 2, "city": "Rome"}}
</tool_call>)"),
          std::string(
              R"(I'll look. <tool_call>{"name": "weather", "arguments": {"city": "Rome", "days": 2.0}}</tool_call>)"),
          std::string(R"({"name": "weather", "parameters": {"city": "Rome", "days": 2}})"),
          std::string(R"(<|python_tag|>{"name": "weather", "parameters": {"city": "Rome", "days": 2}})"),
          std::string(R"([TOOL_CALLS][{"name": "weather", "arguments": {"city": "Rome", "days": 2}}])"),
          std::string(R"([TOOL_CALLS]weather[ARGS]{"city": "Rome", "days": 2})"),
          std::string(R"([{"name": "weather", "arguments": {"city": "Rome", "days": 2}}])"),
          std::string(
              R"({"type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Rome\", \"days\": 2}"}})"),
          std::string(
              R"({"tool_calls": [{"id": "1", "function": {"name": "weather", "arguments": {"city": "Rome", "days": 2}}}]})"),
          std::string("```json\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\": 2}}\n```"),
      }) {
    EXPECT_TRUE(passes("tool_call", call, good)) << good;
    EXPECT_TRUE(passes("tool_call", by_schema, good)) << good;
  }
  for (
      const std::string& bad : {
          std::string("I would call weather for Rome."),
          std::string(R"({"city": "Rome", "days": 2})"),
          std::string(R"({"name": "news", "arguments": {"city": "Rome", "days": 2}})"),
          std::string(R"({"name": "weather", "arguments": {"city": "Rome", "days": 9}})"),
          std::string(R"({"name": "weather", "arguments": "Rome"})"),
          std::string(
              R"([{"name": "weather", "arguments": {"city": "Rome", "days": 2}}, {"name": "weather", "arguments": {"city": "Rome", "days": 2}}])"),
          std::string(
              R"(<tool_call>{"name": "weather", "arguments": {"city": "Rome", "days": 2}}</tool_call><tool_call>{"name": "x")"),
      }) {
    EXPECT_FALSE(passes("tool_call", call, bad)) << bad;
    EXPECT_FALSE(passes("tool_call", by_schema, bad)) << bad;
  }
  EXPECT_NE(refusal("tool_call", R"({"name": "weather"})"), "");
  EXPECT_NE(refusal("tool_call", R"({"name": "weather", "arguments": {}, "args": 1})"), "");
}

TEST(Checker, Instructions) {
  struct Case {
    std::string check, good, bad;
  };
  for (const auto& [one, good, bad] : std::vector<Case>{
           {R"({"max_words": 3})", "one two three", "one two three four"},
           {R"({"min_words": 3})", "one  two\nthree", "one two"},
           {R"({"max_sentences": 2})", "It is 3.5 km. Go!", "One. Two. Three."},
           {R"({"min_sentences": 2})", "One. Two", "Only 1.5 of it."},
           {R"({"paragraphs": 2})", "a\nb\n\n\nc", "a\n\nb\n\nc"},
           {R"({"max_paragraphs": 1})", "a\nb", "a\n\nb"},
           {R"({"bullets": 2})", "List:\n* a\n- b", "* a"},
           {R"({"min_bullets": 1})", "* a\n* b", "a"},
           {R"({"starts_with": "Dear"})", "\nDear all", "Hello, Dear"},
           {R"({"ends_with": "Bye."})", "So. Bye. ", "Bye. So."},
           {R"({"excludes": "sorry"})", "No.", "I am sorry"},
           {R"({"contains_n": {"text": "la", "at_least": 2, "at_most": 3}})", "la la", "la la la la"},
           {R"({"no_comma": true})", "a b", "a, b"},
           {R"({"lowercase": true})", "äpfel 12", "Äpfel"},
           {R"({"lowercase": true})", "a", "12"},
           {R"({"uppercase": true})", "ÄPFEL!", "ÄPFEl"},
           {R"({"quoted": true})", "\"a b\"", "a \"b\""},
           {R"({"regex": "^a"})", "ab", "ba"},
           {R"({"json": true})", "[1]", "[1"},
       }) {
    EXPECT_TRUE(passes("all_of", "[" + one + "]", good)) << one << good;
    EXPECT_FALSE(passes("all_of", "[" + one + "]", bad)) << one << bad;
  }
  EXPECT_TRUE(passes("all_of", R"([{"max_words": 3}, {"contains": "b"}])", "a b"));
  EXPECT_FALSE(passes("all_of", R"([{"max_words": 3}, {"contains": "b"}])", "a c"));
  for (const char* wrong : {"[]", "{}", R"([{"max_word": 3}])", R"([{"max_words": "3"}])", R"([{"no_comma": false}])",
                            R"([{"contains_n": {"text": "a"}}])", R"([{"a": 1, "b": 2}])", R"([{"all_of": []}])"})
    EXPECT_NE(refusal("all_of", wrong), "") << wrong;
}

TEST(Checker, CodeIsRunAgainstItsTest) {
  const std::string why = no_code();
  if (!why.empty()) GTEST_SKIP() << why;
  const std::string test = "assert twice(4) == 8";
  EXPECT_EQ(check("program", test, "def twice(n):\n    return 2 * n"), Outcome::passed);
  EXPECT_EQ(check("program", test, "Here:\n```python\ndef twice(n):\n    return 2 * n\n```\nDone."), Outcome::passed);
  EXPECT_EQ(check("program", test, "def twice(n):\n    return n"), Outcome::failed);
  EXPECT_EQ(check("program", test, "no code at all"), Outcome::failed);
  EXPECT_EQ(check("program", test, "import sys\nsys.exit(0)"), Outcome::failed) << "it ends before the test";
  EXPECT_EQ(check("program", test, "import os\nos._exit(0)"), Outcome::failed);
  EXPECT_EQ(check("program", test, "print('x' * 1000000)\ndef twice(n):\n    return 2 * n"), Outcome::passed);
  EXPECT_EQ(check("program", R"({"before": "def twice(n):\n", "test": "assert twice(4) == 8"})", "    return 2 * n"),
            Outcome::passed);
}

// Each tries something and raises when it is refused; the benign twin is the case above.
TEST(Checker, CodeReachesNothing) {
  const std::string why = no_code();
  if (!why.empty()) GTEST_SKIP() << why;
  for (const char* deed : {
           "open('/etc/passwd').read()",
           "open('/tmp/steelyard-escape', 'w')",
           "import os; os.listdir('/')",
           "import os; os.listdir('/proc/self')",
           "import socket; socket.socket()",
           "import os; os.fork()",
           "import os; os.execv('/bin/true', ['true'])",
           "import subprocess; subprocess.run(['/bin/true'])",
           "import os; os.kill(os.getppid(), 0)",
           "x = bytearray(1 << 31)",
           "import ctypes; ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0 or 1/0",
       })
    EXPECT_EQ(check("program", "pass", deed), Outcome::failed) << deed;
}

TEST(Checker, AnswersThatNeverEndAreEnded) {
  const std::string why = no_code();
  if (!why.empty()) GTEST_SKIP() << why;
  const auto begin = std::chrono::steady_clock::now();
  sandbox::Script script;
  script.interpreter = interpreter();
  script.seconds = 1;
  for (const char* code : {"while True: pass", "import time, os\nos.close(1)\nos.close(2)\ntime.sleep(1000)"}) {
    script.arguments = {"-c", code};
    const auto ran = sandbox::run_script(script);
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_GT(ran->status, 128) << code;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

// Whatever an answer is, it is judged soon.
TEST(Checker, HostileAnswers) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string many(10'000'000, '[');
  std::string nested = "0";
  for (int i = 0; i < 5000; ++i) nested = "[" + nested + "]";
  std::string flat = "[0";
  for (int i = 0; i < 90'000; ++i) flat += "," + std::to_string(i);
  flat += "]";
  for (const std::string& answer :
       {many, nested, "{\"a\":" + many, std::string(900'000, 'a'), std::string(1 << 20, '\0')}) {
    EXPECT_FALSE(passes("json", "", answer));
    EXPECT_FALSE(passes("json_schema", "{}", answer));
    EXPECT_FALSE(passes("tool_call", R"({"name": "a", "arguments": {}})", answer));
    EXPECT_FALSE(passes("regex", "(a+)+b", answer));
    EXPECT_FALSE(passes("regex", "(x+x+)+y", answer));
    EXPECT_FALSE(passes("number", "1", answer));
    EXPECT_FALSE(passes("all_of", R"([{"min_sentences": 3}])", answer));
  }
  EXPECT_TRUE(passes("json_schema", R"({"items": {"type": "integer"}})", flat));
  EXPECT_FALSE(passes("json_schema", R"({"uniqueItems": true})", flat)) << "too much work isn't valid";
  std::string doubling = R"({"$ref": "#/$defs/a0", "$defs": {"a28": {"type": "null"})";
  for (int i = 0; i < 28; ++i)
    doubling +=
        fmt::format(R"(, "a{0}": {{"anyOf": [{{"$ref": "#/$defs/a{1}"}}, {{"$ref": "#/$defs/a{1}"}}]}})", i, i + 1);
  EXPECT_FALSE(passes("json_schema", doubling + "}}", "1"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
}

}  // namespace
}  // namespace steelyard::bench
