// steelyard run: one prompt through the model, in the sandbox of the engine, scanned before.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iostream>
#include <iterator>

#include "base/text.hpp"
#include "cli/engines.hpp"
#include "cli/fitting.hpp"
#include "io/file.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"-p,--prompt", "TEXT", "what the model is asked", ""},
    kEngine,
    kOverride,
    {"-n,--tokens", "N", "most tokens of the answer (default: 256)", ""},
    {"--context", "N", "tokens of context (default: 2048)", ""},
    kMemory,
    {"--raw", "", "continue the text as it is, without the model's chat template", ""},
    {"--stop", "TEXT", "end the answer before this text", "", true},
    {"--seed", "N", "of the random numbers (default: 0)", ""},
    {"--temperature", "T", "0: always the likeliest token (default)", ""},
    {"--dynatemp-range", "R", "vary the temperature by up to R with the entropy (default: 0)", ""},
    {"--dynatemp-exponent", "E", "… how it follows the entropy (default: 1)", ""},
    {"--top-k", "K", "sample from the K likeliest tokens (default: 40)", ""},
    {"--top-p", "P", "… from those that make up this share (default: 0.95)", ""},
    {"--min-p", "P", "… from those at least this likely against the likeliest (default: 0.05)", ""},
    {"--typical-p", "P", "… from the locally typical ones that make up this share (default: 1)", ""},
    {"--top-n-sigma", "N", "… from those within N standard deviations of the likeliest (default: all)", ""},
    {"--xtc-probability", "P", "how often all but the last of the likely tokens are left out (default: 0)", ""},
    {"--xtc-threshold", "P", "… which are likely (default: 0.1)", ""},
    {"--repeat-last", "N", "tokens that penalties look at (default: 64)", ""},
    {"--repeat-penalty", "R", "above 1: repeat less (default: 1)", ""},
    {"--frequency-penalty", "R", "… by how often a token was there (default: 0)", ""},
    {"--presence-penalty", "R", "… when it was there at all (default: 0)", ""},
    {"--dry-multiplier", "R", "above 0: don't repeat sequences (default: 0)", ""},
    {"--dry-base", "B", "… the penalty grows by this factor with their length (default: 1.75)", ""},
    {"--dry-allowed-length", "N", "… beyond this length (default: 2)", ""},
    {"--mirostat", "VERSION", "sample for a constant surprise instead: 1 or 2 (default: 0, off)", ""},
    {"--mirostat-tau", "T", "… the surprise, in bits (default: 5)", ""},
    {"--mirostat-eta", "R", "… how fast it adapts (default: 0.1)", ""},
    {"--grammar", "FILE", "the answer follows this grammar (llama.cpp's GBNF, from root)", ""},
    {"--logit-bias", "TOKEN=BIAS", "add this to the logit of a token, by its number", "", true},
    kJobs,
    kSandbox,
    kListFormat,
    kQuiet,
};

struct Decimal {
  std::string_view flag;
  float engine::Sampling::* member;
  float least, most;
};
constexpr Decimal kDecimals[] = {
    {"temperature", &engine::Sampling::temperature, 0, 100},
    {"dynatemp-range", &engine::Sampling::dynatemp_range, 0, 100},
    {"dynatemp-exponent", &engine::Sampling::dynatemp_exponent, 0, 100},
    {"top-p", &engine::Sampling::top_p, 0, 1},
    {"min-p", &engine::Sampling::min_p, 0, 1},
    {"typical-p", &engine::Sampling::typical_p, 0, 1},
    {"top-n-sigma", &engine::Sampling::top_n_sigma, -1, 1000},
    {"xtc-probability", &engine::Sampling::xtc_probability, 0, 1},
    {"xtc-threshold", &engine::Sampling::xtc_threshold, 0, 1},
    {"repeat-penalty", &engine::Sampling::penalty_repeat, 0.01F, 100},
    {"frequency-penalty", &engine::Sampling::penalty_frequency, -100, 100},
    {"presence-penalty", &engine::Sampling::penalty_presence, -100, 100},
    {"dry-multiplier", &engine::Sampling::dry_multiplier, 0, 100},
    {"dry-base", &engine::Sampling::dry_base, 1, 100},
    {"mirostat-tau", &engine::Sampling::mirostat_tau, 0, 100},
    {"mirostat-eta", &engine::Sampling::mirostat_eta, 0, 10},
};

// "123=-5"
Result<engine::Bias> bias(const std::string& text) {
  engine::Bias out;
  const char* end = text.data() + text.size();
  const auto token = std::from_chars(text.data(), end, out.token);
  const auto value = token.ec == std::errc() && token.ptr != end && *token.ptr == '='
                         ? std::from_chars(token.ptr + 1, end, out.bias)
                         : std::from_chars_result{text.data(), std::errc::invalid_argument};
  if (value.ec != std::errc() || value.ptr != end || !(std::abs(out.bias) <= 1e6F) || out.token < 0)
    return fail(ErrorCode::usage,
                fmt::format("--logit-bias {}: expected TOKEN=BIAS, such as 123=-5", text::display(text, 64)));
  return out;
}

Result<engine::Sampling> sampling(const Arguments& arguments) {
  engine::Sampling out;
  for (const Decimal& one : kDecimals) {
    SY_TRY(out.*one.member, number<float>(arguments, one.flag, out.*one.member, one.least, one.most));
  }
  SY_TRY(out.top_k, number<std::int32_t>(arguments, "top-k", out.top_k, 0, 10'000'000));
  SY_TRY(out.penalty_last, number<std::int32_t>(arguments, "repeat-last", out.penalty_last, 0, 1'000'000));
  SY_TRY(out.dry_allowed, number<std::int32_t>(arguments, "dry-allowed-length", out.dry_allowed, 1, 1'000'000));
  SY_TRY(out.mirostat, number<std::int32_t>(arguments, "mirostat", 0, 0, 2));
  SY_TRY(out.seed, number<u32>(arguments, "seed", 0, 0, UINT32_MAX));
  for (const std::string& text : arguments.all("logit-bias")) {
    SY_TRY(const engine::Bias one, bias(text));
    out.biases.push_back(one);
  }
  if (arguments.has("grammar")) {
    SY_TRY(out.grammar, io::read_text(arguments.value("grammar"), u64{1} << 20));
  }
  return out;
}

struct Asked {
  engine::Generate generate;
  engine::Load load;
};

Result<Asked> asked(const Arguments& arguments) {
  Asked out;
  SY_TRY(out.generate.most, number<u32>(arguments, "tokens", 256, 1, 1'000'000));
  SY_TRY(out.load.context, number<u32>(arguments, "context", 2048, 16, 10'000'000));
  out.generate.stops = arguments.all("stop");
  SY_TRY(out.generate.sampling, sampling(arguments));
  return out;
}

std::string_view word(engine::Stop stop) {
  switch (stop) {
    case engine::Stop::end:
      return "end";
    case engine::Stop::length:
      return "length";
    case engine::Stop::context:
      return "context";
    case engine::Stop::word:
      break;
  }
  return "stop";
}

Result<int> answer(Session& session) {
  const Arguments& arguments = session.arguments();
  SY_TRY(Asked wanted, asked(arguments));
  SY_TRY(const Cleared model, clear(session, arguments.positional[0]));
  engine::Options options;
  options.program = model.engine;
  for (const Weights& one : model.files) options.model.push_back(&one.file);
  options.needs = model.needs;
  if (arguments.has("memory")) {
    SY_TRY(options.needs.available, memory_for_models(session));
  }
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
    json::Value files = json::Array{};
    for (const Weights& file : model.files) files.push("sha256:" + file.sha256);
    fmt::print("{}\n", json::pretty(json::Value()
                                        .set("text", text::to_value(one.text))
                                        .set("stop", word(one.stop))
                                        .set("prompt_tokens", u64{wanted.generate.prefix.size()})
                                        .set("tokens", u64{one.tokens.size()})
                                        .set("first_token_ms", one.first_us / 1000)
                                        .set("total_ms", one.total_us / 1000)
                                        .set("load_ms", engine->loaded().milliseconds)
                                        .set("sandbox", std::move(layers))
                                        .set("model", std::move(files))
                                        .set("engine", "sha256:" + model.engine_sha256)
                                        .set("override", model.overridden)));
  } else {
    for (std::size_t at = 0; at <= one.text.size();) {
      const std::size_t end = std::min(one.text.find('\n', at), one.text.size());
      fmt::print("{}\n", text::display(std::string_view(one.text).substr(at, end - at)));
      at = end + 1;
    }
    if (one.stop == engine::Stop::length || one.stop == engine::Stop::context)
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
    "findings of high severity or above isn't run. -f json says besides how the answer ended, times, the\n"
    "layers of the sandbox, and the digests of the model's files and of the engine.\n\nExamples:\n"
    "  steelyard run model.gguf -p \"Why is the sky blue?\"\n"
    "  steelyard run model.gguf --raw -n 40 < story.txt",
    kFlags,
    run};

}  // namespace steelyard::cli
