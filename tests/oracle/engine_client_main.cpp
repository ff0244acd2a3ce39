// Driver of tests/engine and bench/measure_engine.py: a pool of engines, one JSON request per line.
//   engine_client ENGINE MODEL WORKERS CONTEXT SEQUENCES THREADS [open] [fastest]
// First line of the output: {"start_ms", "load_ms", "exact", "sandbox"}. Requests:
//   {"do": "tokenize", "text"} · {"do": "generate", "prefix", "prompts", "most", "temperature" and "seed"}
//   {"do": "score", "prefix", "continuations"} · {"do": "memory"}; answers never stop before "most" tokens.

#include <fmt/format.h>

#include <bit>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <set>

#include "base/json.hpp"
#include "engine/pool.hpp"
#include "io/file.hpp"

namespace {

using namespace steelyard;
using engine::Tokens;

double now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string decimal(double value) { return fmt::format("{:.3f}", value); }

Tokens tokens(const json::Value& list) {
  Tokens out;
  for (const json::Value& token : list.array()) out.push_back(static_cast<engine::Token>(token.integer()));
  return out;
}

std::vector<Tokens> lists(const json::Value& list) {
  std::vector<Tokens> out;
  for (const json::Value& one : list.array()) out.push_back(tokens(one));
  return out;
}

json::Value value(const Tokens& list) {
  json::Value out = json::Array{};
  for (const engine::Token token : list) out.push(token);
  return out;
}

Result<json::Value> generate(engine::Pool& pool, const json::Value& asked) {
  engine::Generate request{.prefix = tokens(asked["prefix"]),
                           .prompts = lists(asked["prompts"]),
                           .most = static_cast<u32>(asked["most"].integer()),
                           .ignore_end = true};
  request.sampling.temperature = std::strtof(asked["temperature"].string().c_str(), nullptr);
  request.sampling.seed = static_cast<u32>(asked["seed"].integer());
  SY_TRY(const auto answers, pool.generate(request));
  json::Value out = json::Array{};
  for (const auto& one : answers) out.push(value(one.tokens));
  return json::Value().set("answers", std::move(out));
}

// Logarithms as bits, so that any difference shows.
Result<json::Value> score(engine::Pool& pool, const json::Value& asked) {
  engine::Score request{.prefix = tokens(asked["prefix"])};
  for (Tokens& one : lists(asked["continuations"])) request.continuations.push_back({.tokens = std::move(one)});
  SY_TRY(const auto scores, pool.score(request));
  json::Value out = json::Array{};
  for (const auto& one : scores) {
    json::Value bits = json::Array{};
    for (const float log : one.logprobs) bits.push(std::bit_cast<u32>(log));
    out.push(std::move(bits));
  }
  return json::Value().set("bits", std::move(out));
}

Result<json::Value> answer(engine::Pool& pool, const json::Value& asked) {
  const std::string& what = asked["do"].string();
  if (what == "generate") return generate(pool, asked);
  if (what == "score") return score(pool, asked);
  if (what == "memory") return json::Value().set("peak_rss", pool.first().peak_rss());
  SY_TRY(const Tokens list, pool.first().tokenize({.text = asked["text"].string()}));
  return json::Value().set("tokens", value(list));
}

Result<bool> serve(char** arguments, const std::set<std::string>& flags) {
  SY_TRY(const io::File model, io::File::open(arguments[2]));
  engine::Options options;
  options.program = arguments[1];
  options.model = {&model};
  options.load.context = static_cast<u32>(std::atoi(arguments[4]));
  options.load.sequences = static_cast<u32>(std::atoi(arguments[5]));
  options.load.threads = static_cast<u32>(std::atoi(arguments[6]));
  options.load.fastest = flags.contains("fastest");
  options.sandboxed = !flags.contains("open");
  const double start = now();
  SY_TRY(engine::Pool pool, engine::Pool::start(options, static_cast<u32>(std::atoi(arguments[3]))));
  json::Value layers = json::Array{};
  for (const std::string& layer : pool.first().hello().sandbox) layers.push(layer);
  std::cout << json::compact(json::Value()
                                 .set("start_ms", decimal(now() - start))
                                 .set("load_ms", pool.first().loaded().milliseconds)
                                 .set("exact", pool.first().loaded().exact)
                                 .set("sandbox", std::move(layers)))
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    SY_TRY(const json::Value asked, json::parse(line));
    const double begin = now();
    SY_TRY(json::Value said, answer(pool, asked));
    std::cout << json::compact(said.set("ms", decimal(now() - begin))) << std::endl;
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 7) return 2;
  const auto done = serve(arguments, {arguments + 7, arguments + count});
  if (!done) std::cerr << done.error().message << "\n";
  return done ? 0 : 1;
}
