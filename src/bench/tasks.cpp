// Task files, and what a model makes of them. See task.hpp and checker.hpp.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "bench/bench.hpp"
#include "bench/code.hpp"
#include "bench/loaders.hpp"
#include "bench/statistics.hpp"
#include "io/file.hpp"
#include "wire/unpack.hpp"

namespace steelyard::bench {
namespace {

using wire::JsonNode;
using Kind = JsonNode::Kind;

constexpr std::size_t kMostItems = 1'000'000;
constexpr u64 kMostBytes = u64{1} << 30;
constexpr std::size_t kMostDocument = std::size_t{64} << 20;
constexpr u32 kMostTokens = 4096;  // of a generated answer
constexpr std::size_t kMostStops = 16;
constexpr std::size_t kTogether = 64;  // items in one request

std::string known_keys(const JsonNode& from, std::initializer_list<std::string_view> keys) {
  for (const auto& [key, value] : from.members) {
    if (std::ranges::find(keys, key) == keys.end())
      return fmt::format("unknown key \"{}\"; expected {}", text::display(key, 64), fmt::join(keys, ", "));
  }
  return {};
}

std::string read_choices(const JsonNode& from, Item& item) {
  for (const JsonNode& choice : from.find("choices")->items) {
    if (!choice.is(Kind::text) || choice.text.empty()) return "every choice must be a text that isn't empty";
    item.choices.push_back(choice.text);
  }
  if (item.choices.size() < 2) return "\"choices\" must name at least two";
  const JsonNode* answer = from.find("answer");
  const auto index = answer != nullptr && answer->is(Kind::number) ? answer->number.whole() : std::nullopt;
  if (!index || *index >= item.choices.size()) return "\"answer\" must be the index of a choice";
  item.answer = static_cast<std::size_t>(*index);
  return known_keys(from, {"prompt", "choices", "answer"});
}

// Fills `item`; what is wrong with the line, or nothing.
std::string read(const JsonNode& from, Item& item) {
  const JsonNode* prompt = from.find("prompt");
  if (prompt == nullptr || !prompt->is(Kind::text)) return "\"prompt\" must be a text";
  item.prompt = prompt->text;
  if (from.find("choices") != nullptr) {
    item.plain = true;
    return read_choices(from, item);
  }
  const JsonNode none;
  const JsonNode* expected = from.find("expected");
  const auto names = Checker::names();
  if (std::ranges::find(names, from.text_of("checker")) == names.end())
    return fmt::format("either \"choices\", or \"checker\": one of {}", fmt::join(names, ", "));
  auto checker = expected != nullptr && expected->is(Kind::text)
                     ? Checker::read(from.text_of("checker"), expected->text)
                     : Checker::read(from.text_of("checker"), expected == nullptr ? none : *expected);
  if (!checker) return fmt::format("\"expected\": {}", checker.error().message);
  item.checker = std::move(*checker);
  if (const JsonNode* plain = from.find("plain")) {
    if (!plain->is(Kind::boolean)) return "\"plain\" must be true or false";
    item.plain = plain->flag;
  }
  if (const JsonNode* tokens = from.find("tokens")) {
    const auto number = tokens->is(Kind::number) ? tokens->number.whole() : std::nullopt;
    if (!number || *number < 1 || *number > kMostTokens)
      return fmt::format("\"tokens\" must be a whole number from 1 to {}", kMostTokens);
    item.tokens = static_cast<u32>(*number);
  }
  if (const JsonNode* stop = from.find("stop")) {
    for (const JsonNode& one : stop->items) {
      if (!one.is(Kind::text) || one.text.empty()) return "\"stop\" must be a list of texts that aren't empty";
      item.stop.push_back(one.text);
    }
    if (item.stop.empty() || item.stop.size() > kMostStops)
      return fmt::format("\"stop\" must be a list of 1 to {} texts", kMostStops);
  }
  return known_keys(from, {"prompt", "checker", "expected", "plain", "tokens", "stop"});
}

Result<std::string> unpacked(std::string text, const std::filesystem::path& path) {
  const auto bytes = std::as_bytes(std::span(text));
  if (wire::recognise_packing(bytes) != wire::Packing::gzip) return text;
  const MemorySource packed(bytes);
  wire::UnpackBudget budget{.fuel = kMostBytes};
  const wire::Unpacked plain(packed, 0, packed.size(), wire::Packing::gzip, budget);
  if (plain.ended() != wire::Unpacked::End::complete)
    return fail(ErrorCode::usage, fmt::format("{}: it can't be unpacked whole", text::display(path.string())));
  std::string out(static_cast<std::size_t>(plain.size()), '\0');
  out.resize(plain.read(0, std::as_writable_bytes(std::span(out))));
  return out;
}

// One item a line.
Result<bool> read_lines(std::string_view text, const std::string& shown, Task& task) {
  const Loader* loader = nullptr;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto wrong = [&](std::string_view why) {
      return fail(ErrorCode::usage, fmt::format("{}:{}: {}", shown, number, why));
    };
    const auto node = wire::read_json(line);
    if (!node) return wrong(node.error().message);
    if (task.items.empty()) {
      loader = loader_of(*node);
      if (loader != nullptr) task.name = task.data_set = loader->name;
    }
    Item item;
    if (loader == nullptr) {
      if (const std::string why = read(*node, item); !why.empty()) return wrong(why);
    } else {
      if (!loader->recognises(*node)) return wrong(fmt::format("no item of {}, as the first is", loader->name));
      auto loaded = loader->item(*node);
      if (!loaded) return wrong(loaded.error().message);
      item = std::move(*loaded);
    }
    if (task.items.size() == kMostItems) return fail(ErrorCode::usage, "a task of more than a million items");
    task.items.push_back(std::move(item));
  }
  if (task.items.empty()) return fail(ErrorCode::usage, fmt::format("{}: no item", shown));
  return true;
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

// How many items have the right choice for the likeliest: in all and per byte.
struct Picked {
  u64 plain = 0;
  u64 normalised = 0;
};

// What items share, such as worked examples, the engine decodes once for all of them.
Result<Picked> pick(engine::Pool& pool, const Task& task, std::span<const std::size_t> which,
                    const engine::Listener& listener) {
  engine::Engine& engine = pool.first();
  engine::Score request;
  for (const std::size_t i : which) {
    const Item& item = task.items[i];
    SY_TRY(const engine::Tokens context,
           engine.tokenize({.text = task.examples + item.prompt, .special = true, .parse = false}));
    for (const std::string& choice : item.choices) {
      SY_TRY(engine::Tokens tokens, engine.tokenize({.text = choice, .special = false, .parse = false}));
      request.continuations.push_back({context, std::move(tokens)});
    }
  }
  SY_TRY(const auto scores, pool.score(request, listener));
  Picked out;
  std::size_t at = 0;
  for (const std::size_t i : which) {
    const Item& item = task.items[i];
    std::size_t best = 0, best_normalised = 0;
    std::vector<double> sums;
    for (const std::string& choice : item.choices) {
      double sum = 0;
      for (const float value : scores[at].logprobs) sum += static_cast<double>(value);
      sums.push_back(sum);
      const auto each = [&](std::size_t k) { return sums[k] / static_cast<double>(item.choices[k].size()); };
      const std::size_t last = sums.size() - 1;
      if (sum > sums[best]) best = last;
      if (sum / static_cast<double>(choice.size()) > each(best_normalised)) best_normalised = last;
      ++at;
    }
    out.plain += best == item.answer ? 1U : 0U;
    out.normalised += best_normalised == item.answer ? 1U : 0U;
  }
  return out;
}

// What ends an answer: its length, or one of these texts.
using Ending = std::pair<u32, std::vector<std::string>>;

// How many answers of the items at `which`, all of which end alike, pass.
Result<u64> ask(engine::Pool& pool, const Task& task, const Ending& ending, const std::vector<std::size_t>& which,
                const engine::Listener& listener) {
  engine::Engine& engine = pool.first();
  engine::Generate request{.most = ending.first, .stops = ending.second};
  if (task.shots > 0) {
    SY_TRY(request.prefix, engine.tokenize({.text = task.examples, .special = true, .parse = false}));
  }
  for (const std::size_t i : which) {
    const Item& item = task.items[i];
    auto tokens = task.shots > 0 ? engine.tokenize({.text = item.question, .special = false, .parse = false})
                  : item.plain   ? engine.tokenize({.text = item.prompt, .special = true, .parse = false})
                                 : tokens_of(engine, item.prompt);
    if (!tokens) return std::unexpected(tokens.error());
    request.prompts.push_back(std::move(*tokens));
  }
  SY_TRY(const auto answers, pool.generate(request, listener));
  u64 right = 0;
  for (std::size_t k = 0; k < which.size(); ++k) {
    const Item& item = task.items[which[k]];
    const Outcome outcome = item.checker->check(answers[k].text);
    if (outcome == Outcome::undetermined)
      return fail(ErrorCode::resource, fmt::format("item {} of {} couldn't be checked: {}", which[k] + 1,
                                                   text::display(task.name), no_code()));
    right += outcome == Outcome::passed ? 1U : 0U;
  }
  return right;
}

}  // namespace

Result<Task> read_task(const std::filesystem::path& path) {
  SY_TRY(std::string content, io::read_text(path, kMostBytes));
  Task task;
  task.name = path.stem().string();
  task.sha256 = sha256(content);
  SY_TRY(const std::string text, unpacked(std::move(content), path));
  const std::string shown = text::display(path.string());
  // A document of its own goes over several lines, or is the only one.
  const auto document = wire::read_json(text, {.bytes = kMostDocument, .values = kMostItems});
  if (document && is_bbh(*document)) {
    auto items = bbh_items(*document);
    if (!items) return fail(ErrorCode::usage, fmt::format("{}: {}", shown, items.error().message));
    task.items = std::move(*items);
    task.data_set = "bbh";
    task.name = "bbh_" + task.name;
    return task;
  }
  SY_CHECK(read_lines(text, shown, task));
  return task;
}

Result<Task> with_shots(Task task, u32 shots) {
  if (shots == 0) return task;
  if (task.items.size() <= shots)
    return fail(ErrorCode::usage, fmt::format("{} has {} items: no more than worked examples are asked for",
                                              text::display(task.name), task.items.size()));
  if (std::ranges::any_of(task.items, [](const Item& item) { return item.question.empty(); }))
    return fail(ErrorCode::usage,
                fmt::format("{} has no worked examples: --shots is for data sets that have", text::display(task.name)));
  for (u32 i = 0; i < shots; ++i) task.examples += task.items[i].question + task.items[i].solution + "\n\n";
  task.items.erase(task.items.begin(), task.items.begin() + shots);
  task.shots = shots;
  return task;
}

Result<std::vector<Measurement>> run_task(engine::Pool& pool, const Task& task, std::size_t most,
                                          const engine::Listener& listener) {
  const std::size_t count = most == 0 ? task.items.size() : std::min(most, task.items.size());
  const auto runs_code = [](const Item& item) { return item.checker && item.checker->runs_code(); };
  if (std::ranges::any_of(task.items, runs_code)) {
    if (const std::string why = no_code(); !why.empty())
      return fail(ErrorCode::resource, fmt::format("{} runs code: {}", text::display(task.name), why));
  }
  std::vector<std::size_t> chosen;
  std::map<Ending, std::vector<std::size_t>> generated;
  for (std::size_t i = 0; i < count; ++i) {
    const Item& item = task.items[i];
    if (item.choices.empty())
      generated[{item.tokens, item.stop}].push_back(i);
    else
      chosen.push_back(i);
  }
  u64 done = 0;
  const auto told = [&](u64 part, u64) {
    if (listener) listener(done + part, count);
  };
  u64 right = 0, normalised = 0;
  for (std::size_t at = 0; at < chosen.size(); at += kTogether) {
    const auto which = std::span(chosen).subspan(at, std::min(kTogether, chosen.size() - at));
    SY_TRY(const Picked picked, pick(pool, task, which, {}));
    right += picked.plain;
    normalised += picked.normalised;
    done += which.size();
    told(0, 0);
  }
  for (const auto& [ending, which] : generated) {
    SY_TRY(const u64 passed, ask(pool, task, ending, which, told));
    right += passed;
    done += which.size();
  }
  json::Value slice = json::Value()
                          .set("task", task.name)
                          .set("sha256", task.sha256)
                          .set("items", count == task.items.size() ? "all" : "the first");
  if (!task.data_set.empty()) slice.set("data_set", task.data_set);
  if (task.shots > 0) slice.set("shots", std::to_string(task.shots));
  std::vector<Measurement> out;
  Measurement score = share(right, count);
  score.metric = "quality";
  score.slice = slice;
  out.push_back(std::move(score));
  if (chosen.size() == count) {
    Measurement per_byte = share(normalised, count);
    per_byte.metric = "quality_per_byte";
    per_byte.slice = slice;
    out.push_back(std::move(per_byte));
  }
  return out;
}

Result<std::optional<Measurement>> run_expectation(engine::Pool& pool, const Expectation& expectation) {
  engine::Generate request{.most = kAnswerTokens};
  request.sampling.temperature = 0.8F;
  SY_TRY(request.prefix, tokens_of(pool.first(), expectation.prompt));
  request.prompts.assign(expectation.samples, {});
  if (const std::string& text = expectation.checker.settling(); !text.empty()) request.stops = {text};
  SY_TRY(const auto answers, pool.generate(request));
  u64 right = 0;
  for (const auto& answer : answers) {
    const bool settled = !request.stops.empty() && answer.stop == engine::Stop::word;
    const Outcome outcome = settled ? Outcome::passed : expectation.checker.check(answer.text);
    if (outcome == Outcome::undetermined) return std::nullopt;
    right += outcome == Outcome::passed ? 1U : 0U;
  }
  Measurement out = share(right, expectation.samples);
  out.metric = "pass_rate";
  out.slice = json::Value().set("expect", expectation.digest);
  return out;
}

}  // namespace steelyard::bench
