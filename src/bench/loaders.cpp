#include "bench/loaders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace steelyard::bench {
namespace {

using wire::JsonNode;
using Kind = JsonNode::Kind;

constexpr u32 kCodeTokens = 512;
constexpr std::size_t kFewChoices = 3;

bool has_text(const JsonNode& item, std::string_view key) {
  const JsonNode* value = item.find(key);
  return value != nullptr && value->is(Kind::text);
}

std::vector<std::string> texts(const JsonNode* list) {
  std::vector<std::string> out;
  for (const JsonNode& item : list == nullptr ? std::vector<JsonNode>() : list->items) {
    if (item.is(Kind::text)) out.push_back(item.text);
  }
  return out;
}

JsonNode text_node(std::string text) {
  JsonNode node;
  node.kind = Kind::text;
  node.text = std::move(text);
  return node;
}

// GSM8K: the answer is a derivation that ends with "#### 18".
bool is_gsm8k(const JsonNode& item) { return has_text(item, "question") && item.text_of("answer").contains("#### "); }

Result<Item> gsm8k(const JsonNode& from) {
  const std::string& answer = from.text_of("answer");
  const std::string& question = from.text_of("question");
  Item item;
  item.prompt = question + "\n\nWork it out step by step. End with the answer as a number after ####.";
  SY_TRY(item.checker, Checker::read("number", answer.substr(answer.rfind("#### "))));
  item.question = "Question: " + question + "\nAnswer:";
  item.solution = " " + answer;
  item.stop = {"Question:"};
  return item;
}

// HumanEval: a function is to be continued, and its tests decide.
bool is_human_eval(const JsonNode& item) {
  return has_text(item, "task_id") && has_text(item, "prompt") && has_text(item, "entry_point") &&
         has_text(item, "test");
}

Result<Item> human_eval(const JsonNode& from) {
  Item item;
  item.prompt = from.text_of("prompt");
  item.plain = true;
  item.tokens = kCodeTokens;
  item.stop = {"\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n```"};
  JsonNode expected;
  expected.kind = Kind::object;
  expected.members.emplace_back("before", text_node(item.prompt));
  expected.members.emplace_back(
      "test", text_node(fmt::format("{}\ncheck({})\n", from.text_of("test"), from.text_of("entry_point"))));
  SY_TRY(item.checker, Checker::read("program", expected));
  return item;
}

Result<Item> choice(std::string question, std::vector<std::string> choices, std::size_t answer) {
  if (choices.size() < 2 || answer >= choices.size() || std::ranges::any_of(choices, &std::string::empty))
    return fail(ErrorCode::usage, "expected two choices or more, and the index of the right one");
  Item item;
  item.prompt = std::move(question);
  item.plain = true;
  for (std::string& one : choices) one.insert(0, " ");
  item.choices = std::move(choices);
  item.answer = answer;
  item.question = item.prompt;
  item.solution = item.choices[answer];
  return item;
}

// HellaSwag: {"ctx", "endings", "label"}.
bool is_hellaswag(const JsonNode& item) {
  return has_text(item, "ctx") && item.find("endings") != nullptr && item.find("label") != nullptr;
}

Result<Item> hellaswag(const JsonNode& from) {
  const JsonNode& label = *from.find("label");
  const auto answer = label.is(Kind::text) ? wire::Decimal::parse(label.text) : std::optional(label.number);
  const auto index = answer ? answer->whole() : std::nullopt;
  if (!index) return fail(ErrorCode::usage, "\"label\" must be the index of an ending");
  const std::string& activity = from.text_of("activity_label");
  return choice((activity.empty() ? "" : activity + ": ") + from.text_of("ctx"), texts(from.find("endings")),
                static_cast<std::size_t>(*index));
}

// ARC: {"question": {"stem", "choices": [{"text", "label"}]}, "answerKey"}.
bool is_arc(const JsonNode& item) {
  const JsonNode* question = item.find("question");
  return question != nullptr && has_text(*question, "stem") && question->find("choices") != nullptr &&
         has_text(item, "answerKey");
}

Result<Item> arc(const JsonNode& from) {
  const JsonNode& question = *from.find("question");
  std::vector<std::string> choices;
  std::size_t answer = question.find("choices")->items.size();
  for (const JsonNode& one : question.find("choices")->items) {
    if (one.text_of("label") == from.text_of("answerKey")) answer = choices.size();
    choices.push_back(one.text_of("text"));
  }
  return choice("Question: " + question.text_of("stem") + "\nAnswer:", std::move(choices), answer);
}

// MMLU: {"question", "subject", "choices": [4 texts], "answer": 2}; asked as lm-evaluation-harness does.
bool is_mmlu(const JsonNode& item) {
  const JsonNode* choices = item.find("choices");
  const JsonNode* answer = item.find("answer");
  return has_text(item, "question") && choices != nullptr && choices->is(Kind::array) && answer != nullptr &&
         answer->is(Kind::number);
}

Result<Item> mmlu(const JsonNode& from) {
  constexpr std::string_view kLetters = "ABCDEFGHIJ";
  const std::vector<std::string> said = texts(from.find("choices"));
  const auto answer = from.find("answer")->number.whole();
  if (said.size() < 2 || said.size() > kLetters.size() || !answer || *answer >= said.size())
    return fail(ErrorCode::usage, "\"answer\" must be the index of one of 2 to 10 \"choices\"");
  std::string question = from.text_of("question");
  std::vector<std::string> letters;
  for (std::size_t i = 0; i < said.size(); ++i) {
    letters.emplace_back(1, kLetters[i]);
    question += fmt::format("\n{}. {}", letters.back(), said[i]);
  }
  question += "\nAnswer:";
  std::string subject = from.text_of("subject");
  std::ranges::replace(subject, '_', ' ');
  const std::string about =
      subject.empty()
          ? ""
          : fmt::format("The following are multiple choice questions (with answers) about {}.\n\n", subject);
  SY_TRY(Item item, choice(about + question, std::move(letters), static_cast<std::size_t>(*answer)));
  item.question = std::move(question);
  return item;
}

constexpr std::array<Loader, 5> kLoaders = {{
    {"gsm8k", "grade-school mathematics; the last number of the answer counts", is_gsm8k, gsm8k},
    {"humaneval", "Python functions; their tests run in the sandbox (pass@1, greedy)", is_human_eval, human_eval},
    {"hellaswag", "the likeliest ending of a text", is_hellaswag, hellaswag},
    {"arc", "science questions with choices", is_arc, arc},
    {"mmlu", "questions about many subjects, with lettered choices", is_mmlu, mmlu},
}};

// "(A) …" lines behind "Options:".
std::vector<std::string> lettered(std::string_view input) {
  std::vector<std::string> out;
  const std::size_t options = input.find("Options:\n");
  if (options == std::string_view::npos) return out;
  for (std::size_t at = input.find('\n', options); at != std::string_view::npos; at = input.find('\n', at + 1)) {
    const std::string_view line = input.substr(at + 1, 3);
    if (line.size() == 3 && line[0] == '(' && line[2] == ')') out.emplace_back(line);
  }
  return out;
}

}  // namespace

const Loader* loader_of(const JsonNode& item) {
  const auto found = std::ranges::find_if(kLoaders, [&](const Loader& one) { return one.recognises(item); });
  return found == kLoaders.end() ? nullptr : &*found;
}

bool is_bbh(const JsonNode& document) {
  const JsonNode* examples = document.find("examples");
  return examples != nullptr && !examples->items.empty() && has_text(examples->items[0], "input") &&
         has_text(examples->items[0], "target");
}

Result<std::vector<Item>> bbh_items(const JsonNode& document) {
  std::set<std::string> targets;
  const auto& examples = document.find("examples")->items;
  for (const JsonNode& one : examples) targets.insert(one.text_of("target"));
  std::vector<Item> items;
  for (const JsonNode& one : examples) {
    const std::string& input = one.text_of("input");
    const std::string& target = one.text_of("target");
    if (input.empty() || target.empty())
      return fail(ErrorCode::usage, fmt::format("example {}: expected \"input\" and \"target\"", items.size() + 1));
    std::vector<std::string> choices = lettered(input);
    if (choices.empty() && targets.size() <= kFewChoices) choices.assign(targets.begin(), targets.end());
    const auto right = static_cast<std::size_t>(std::ranges::find(choices, target) - choices.begin());
    if (choices.size() > 1 && right < choices.size()) {
      SY_TRY(Item item, choice("Q: " + input + "\nA:", std::move(choices), right));
      items.push_back(std::move(item));
      continue;
    }
    Item item;
    item.prompt = "Q: " + input + "\nA:";
    item.plain = true;
    item.stop = {"\n"};
    SY_TRY(item.checker, Checker::read("exact", target));
    item.question = item.prompt;
    item.solution = " " + target;
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace steelyard::bench
