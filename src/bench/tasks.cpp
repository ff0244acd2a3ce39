// Task files and expected answers.
//
// A task file is JSON Lines: {"prompt", "choices", "answer"} or {"prompt", "checker", "expected"}. Attack resisted: the
// answer is the model's, so what checks it is bounded: a regular expression sees 1,024 bytes of it at most.
#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "bench/bench.hpp"
#include "bench/statistics.hpp"
#include "io/file.hpp"

namespace steelyard::bench {
namespace {

constexpr std::size_t kMostMatched = 1024;  // of a recursive matcher's stack
constexpr std::size_t kMostItems = 1'000'000;
constexpr u32 kAnswer = 256;  // tokens of a generated answer
constexpr std::string_view kCheckers[] = {"exact", "contains", "regex", "json"};

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

// Fills `item`; what is wrong with the line, or nothing.
std::string read(std::string_view line, Item& item) {
  const auto value = json::parse(line);
  if (!value) return value.error().message;
  if (!(*value)["prompt"].is_string()) return "\"prompt\" must be a text";
  item.prompt = (*value)["prompt"].string();
  if (const json::Value* choices = value->find("choices")) {
    for (const json::Value& choice : choices->array()) {
      if (!choice.is_string() || choice.string().empty()) return "every choice must be a text that isn't empty";
      item.choices.push_back(choice.string());
    }
    const json::Value* answer = value->find("answer");
    if (item.choices.size() < 2) return "\"choices\" must name at least two";
    if (answer == nullptr || !answer->is_integer() || answer->integer() < 0 ||
        static_cast<std::size_t>(answer->integer()) >= item.choices.size())
      return "\"answer\" must be the index of a choice";
    item.answer = static_cast<std::size_t>(answer->integer());
    return {};
  }
  item.checker = (*value)["checker"].string();
  item.expected = (*value)["expected"].string();
  if (std::ranges::find(kCheckers, item.checker) == std::end(kCheckers))
    return fmt::format("either \"choices\", or \"checker\": one of {}", fmt::join(kCheckers, ", "));
  if (item.checker == "regex") {
    try {
      const std::regex tried(item.expected);
    } catch (const std::regex_error&) {
      return "\"expected\" is no regular expression";
    }
  }
  return {};
}

Result<std::string> conversation(engine::Engine& engine, const std::string& prompt) {
  if (engine.loaded().chat_template.empty()) return prompt;
  return engine.apply_template({.messages = {{"user", prompt}}});
}

Result<engine::Tokens> tokens_of(engine::Engine& engine, const std::string& prompt) {
  SY_TRY(const std::string text, conversation(engine, prompt));
  const bool templated = !engine.loaded().chat_template.empty();
  return engine.tokenize({.text = text, .special = !templated, .parse = templated});
}

// The choice whose tokens are the likeliest, in all and per byte.
struct Picked {
  std::size_t plain = 0;
  std::size_t normalised = 0;
};

Result<Picked> pick(engine::Pool& pool, const Item& item) {
  engine::Engine& engine = pool.first();
  SY_TRY(engine::Tokens prefix, engine.tokenize({.text = item.prompt, .special = true, .parse = false}));
  engine::Score request{.prefix = std::move(prefix), .continuations = {}};
  for (const std::string& choice : item.choices) {
    SY_TRY(engine::Tokens tokens, engine.tokenize({.text = choice, .special = false, .parse = false}));
    request.continuations.push_back(std::move(tokens));
  }
  SY_TRY(const auto scores, pool.score(request));
  Picked out;
  double best = -1e300, best_normalised = -1e300;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    double sum = 0;
    for (const float value : scores[i].logprobs) sum += static_cast<double>(value);
    const double each = sum / static_cast<double>(item.choices[i].size());
    if (sum > best) best = sum, out.plain = i;
    if (each > best_normalised) best_normalised = each, out.normalised = i;
  }
  return out;
}

}  // namespace

bool passes(std::string_view checker, std::string_view expected, std::string_view answer) {
  if (checker == "exact") return trimmed(answer) == trimmed(expected);
  if (checker == "contains") return answer.find(expected) != std::string_view::npos;
  if (checker == "json") return json::parse(trimmed(answer)).has_value();
  try {
    return std::regex_search(std::string(answer.substr(0, kMostMatched)), std::regex(std::string(expected)));
  } catch (const std::regex_error&) {
    return false;
  }
}

Result<Task> read_task(const std::filesystem::path& path) {
  SY_TRY(const std::string text, io::read_text(path, u64{1} << 30));
  Task task{path.stem().string(), sha256(text), {}};
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    Item item;
    if (const std::string wrong = read(line, item); !wrong.empty())
      return fail(ErrorCode::usage, fmt::format("{}:{}: {}", text::display(path.string()), number, wrong));
    if (task.items.size() == kMostItems) return fail(ErrorCode::usage, "a task of more than a million items");
    task.items.push_back(std::move(item));
  }
  if (task.items.empty()) return fail(ErrorCode::usage, fmt::format("{}: no item", text::display(path.string())));
  return task;
}

Result<std::vector<Measurement>> run_task(engine::Pool& pool, const Task& task, std::size_t most,
                                          const engine::Listener& listener) {
  const std::size_t count = most == 0 ? task.items.size() : std::min(most, task.items.size());
  u64 right = 0, normalised = 0, chosen = 0;
  std::vector<std::size_t> generated;
  engine::Generate request{.prefix = {}, .prompts = {}, .most = kAnswer, .ignore_end = false, .sampling = {}};
  for (std::size_t i = 0; i < count; ++i) {
    const Item& item = task.items[i];
    if (item.choices.empty()) {
      SY_TRY(engine::Tokens tokens, tokens_of(pool.first(), item.prompt));
      request.prompts.push_back(std::move(tokens));
      generated.push_back(i);
      continue;
    }
    SY_TRY(const Picked picked, pick(pool, item));
    right += picked.plain == item.answer ? 1U : 0U;
    normalised += picked.normalised == item.answer ? 1U : 0U;
    ++chosen;
    if (listener) listener(i + 1, count);
  }
  if (!generated.empty()) {
    SY_TRY(const auto answers, pool.generate(request, listener));
    for (std::size_t k = 0; k < generated.size(); ++k) {
      const Item& item = task.items[generated[k]];
      right += passes(item.checker, item.expected, answers[k].text) ? 1U : 0U;
    }
  }
  const json::Value slice = json::Value()
                                .set("task", task.name)
                                .set("sha256", task.sha256)
                                .set("items", count == task.items.size() ? "all" : "the first");
  std::vector<Measurement> out;
  Measurement score = share(right, count);
  score.metric = "quality";
  score.slice = slice;
  out.push_back(std::move(score));
  if (chosen == count) {
    Measurement per_byte = share(normalised, count);
    per_byte.metric = "quality_per_byte";
    per_byte.slice = slice;
    out.push_back(std::move(per_byte));
  }
  return out;
}

Result<Measurement> run_expectation(engine::Pool& pool, const Expectation& expectation, u32 samples) {
  engine::Generate request{.prefix = {}, .prompts = {}, .most = kAnswer, .ignore_end = false, .sampling = {}};
  request.sampling.temperature = 0.8F;
  SY_TRY(request.prefix, tokens_of(pool.first(), expectation.prompt));
  request.prompts.assign(samples, {});
  SY_TRY(const auto answers, pool.generate(request));
  u64 right = 0;
  for (const auto& answer : answers) right += passes(expectation.checker, expectation.expected, answer.text) ? 1U : 0U;
  Measurement out = share(right, samples);
  out.metric = "pass_rate";
  out.slice = json::Value().set("expect", expectation.digest);
  return out;
}

}  // namespace steelyard::bench
