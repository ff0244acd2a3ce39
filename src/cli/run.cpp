// steelyard run: one prompt through the model, in the sandbox of the engine, scanned before.
#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "base/text.hpp"
#include "cli/engines.hpp"
#include "io/file.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"-p,--prompt", "TEXT", "what the model is asked", ""},
    kEngine,
    kOverride,
    {"-n,--tokens", "N", "most tokens of the answer (default: 256)", ""},
    {"--context", "N", "tokens of context (default: 2048)", ""},
    {"--raw", "", "continue the text as it is, without the model's chat template", ""},
    {"--temperature", "T", "0: always the likeliest token (default)", ""},
    {"--top-k", "K", "sample from the K likeliest tokens (default: 40)", ""},
    {"--top-p", "P", "… from those that make up this share (default: 0.95)", ""},
    {"--min-p", "P", "… from those at least this likely against the likeliest (default: 0.05)", ""},
    {"--repeat-penalty", "R", "above 1: repeat less (default: 1)", ""},
    {"--seed", "N", "of the random numbers (default: 0)", ""},
    kJobs,
    kSandbox,
    kListFormat,
    kQuiet,
};

struct Asked {
  engine::Generate generate;
  engine::Load load;
};

Result<Asked> asked(const Arguments& arguments) {
  Asked out;
  SY_TRY(out.generate.most, number<u32>(arguments, "tokens", 256, 1, 1'000'000));
  SY_TRY(out.load.context, number<u32>(arguments, "context", 2048, 16, 10'000'000));
  engine::Sampling& sampling = out.generate.sampling;
  SY_TRY(sampling.temperature, number<float>(arguments, "temperature", 0.0F, 0.0F, 100.0F));
  SY_TRY(sampling.top_k, number<std::int32_t>(arguments, "top-k", 40, 0, 10'000'000));
  SY_TRY(sampling.top_p, number<float>(arguments, "top-p", 0.95F, 0.0F, 1.0F));
  SY_TRY(sampling.min_p, number<float>(arguments, "min-p", 0.05F, 0.0F, 1.0F));
  SY_TRY(sampling.penalty_repeat, number<float>(arguments, "repeat-penalty", 1.0F, 0.01F, 100.0F));
  SY_TRY(sampling.seed, number<u32>(arguments, "seed", 0, 0, UINT32_MAX));
  return out;
}

std::string_view word(engine::Stop stop) {
  return stop == engine::Stop::end ? "end" : stop == engine::Stop::length ? "length" : "context";
}

Result<int> answer(Session& session) {
  const Arguments& arguments = session.arguments();
  SY_TRY(Asked wanted, asked(arguments));
  SY_TRY(const Cleared model, clear(session, arguments.positional[0]));
  engine::Options options;
  options.program = model.engine;
  options.model = &model.file;
  options.load = wanted.load;
  SY_TRY(auto engine, engine::Engine::start(options));
  std::string prompt = arguments.value("prompt");
  if (!arguments.has("prompt")) prompt.assign(std::istreambuf_iterator<char>(std::cin), {});
  engine::Tokenize request{.text = prompt, .special = true, .parse = false};
  if (!arguments.has("raw") && !engine->loaded().chat_template.empty()) {
    SY_TRY(request.text, engine->apply_template({.messages = {{"user", prompt}}}));
    request.parse = true;
    // A template that writes the beginning itself must not get it twice.
    request.special = false;
  }
  SY_TRY(wanted.generate.prefix, engine->tokenize(request));
  wanted.generate.prompts = {{}};
  SY_TRY(const auto answers, engine->generate(wanted.generate));
  const engine::Generated& one = answers.front();
  if (arguments.value("format", "text") == "json") {
    json::Value layers = json::Array{};
    for (const std::string& layer : engine->hello().sandbox) layers.push(text::display(layer, 40));
    fmt::print("{}\n", json::pretty(json::Value()
                                        .set("text", text::to_value(one.text))
                                        .set("stop", word(one.stop))
                                        .set("prompt_tokens", u64{wanted.generate.prefix.size()})
                                        .set("tokens", u64{one.tokens.size()})
                                        .set("first_token_ms", one.first_us / 1000)
                                        .set("total_ms", one.total_us / 1000)
                                        .set("load_ms", engine->loaded().milliseconds)
                                        .set("sandbox", std::move(layers))
                                        .set("model", "sha256:" + model.sha256)
                                        .set("engine", "sha256:" + model.engine_sha256)
                                        .set("override", model.overridden)));
  } else {
    for (std::size_t at = 0; at <= one.text.size();) {
      const std::size_t end = std::min(one.text.find('\n', at), one.text.size());
      fmt::print("{}\n", text::display(std::string_view(one.text).substr(at, end - at)));
      at = end + 1;
    }
    if (one.stop != engine::Stop::end)
      session.note(fmt::format("cut after {} tokens ({})", one.tokens.size(), word(one.stop)));
  }
  return kClean;
}

int run(Session& session) {
  const Result<int> exit = answer(session);
  return exit ? *exit : session.failed(exit.error());
}

}  // namespace

extern const Command run_command;
const Command run_command{
    "run",
    "one answer of the model, run in a sandbox by the controlled runtime",
    "MODEL",
    "The prompt is read from standard input without --prompt. The model is scanned first; one with\n"
    "findings of high severity or above isn't run.\n\nExamples:\n"
    "  steelyard run model.gguf -p \"Why is the sky blue?\"\n"
    "  steelyard run model.gguf --raw -n 40 < story.txt",
    kFlags,
    run};

}  // namespace steelyard::cli
