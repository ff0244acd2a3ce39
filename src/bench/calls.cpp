// Calls of tools in an answer. Formats: the chat templates of Hermes and Qwen, Llama 3.1, Mistral, and OpenAI's API.
#include "base/text.hpp"
#include "bench/checker.hpp"

namespace steelyard::bench {
namespace {

using Kind = wire::JsonNode::Kind;

constexpr std::string_view kHermes = "<tool_call>", kHermesEnd = "</tool_call>", kLlama = "<|python_tag|>",
                           kMistral = "[TOOL_CALLS]", kArguments = "[ARGS]", kFence = "```";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

// Whether `node` is a call; arguments may be an object or a text that holds one.
bool call(const wire::JsonNode& node, Call& out) {
  if (const wire::JsonNode* function = node.find("function"); function != nullptr && function->is(Kind::object))
    return call(*function, out);
  const wire::JsonNode* arguments = node.find("arguments");
  if (arguments == nullptr) arguments = node.find("parameters");
  out.name = node.text_of("name");
  if (out.name.empty() || arguments == nullptr) return false;
  out.arguments = *arguments;
  if (arguments->is(Kind::text)) {
    auto inner = wire::read_json(arguments->text);
    if (!inner) return false;
    out.arguments = std::move(*inner);
  }
  return out.arguments.is(Kind::object);
}

// Adds what a JSON text holds; false when it is anything but calls.
bool add(std::string_view text, std::vector<Call>& calls) {
  auto node = wire::read_json(trimmed(text));
  if (!node) return false;
  if (const wire::JsonNode* list = node->find("tool_calls")) {
    wire::JsonNode inner = *list;
    *node = std::move(inner);
  }
  const std::vector<wire::JsonNode> single = {*node};
  for (const wire::JsonNode& item : node->is(Kind::array) ? node->items : single) {
    Call one;
    if (!call(item, one)) return false;
    calls.push_back(std::move(one));
  }
  return true;
}

// name[ARGS]{…}
bool add_named(std::string_view text, std::vector<Call>& calls) {
  const std::size_t at = text.find(kArguments);
  if (at == std::string_view::npos) return add(text, calls);
  auto arguments = wire::read_json(trimmed(text.substr(at + kArguments.size())));
  if (!arguments || !arguments->is(Kind::object)) return false;
  calls.push_back({std::string(trimmed(text.substr(0, at))), std::move(*arguments)});
  return true;
}

}  // namespace

std::vector<Call> calls_in(const std::string& answer) {
  std::vector<Call> calls;
  std::string_view text = trimmed(answer);
  bool good = true;
  if (text.contains(kHermes)) {
    for (std::size_t at = text.find(kHermes); good && at != std::string_view::npos; at = text.find(kHermes, at)) {
      at += kHermes.size();
      const std::size_t end = std::min(text.find(kHermesEnd, at), text.size());
      good = add(text.substr(at, end - at), calls);
      at = end;
    }
  } else if (const std::size_t at = text.find(kMistral); at != std::string_view::npos) {
    for (std::size_t begin = at; good && begin != std::string_view::npos;) {
      begin += kMistral.size();
      const std::size_t end = text.find(kMistral, begin);
      good = add_named(text.substr(begin, end - begin), calls);
      begin = end;
    }
  } else if (text.starts_with(kLlama)) {
    good = add(text.substr(kLlama.size()), calls);
  } else if (const std::size_t open = text.find(kFence); open != std::string_view::npos) {
    const std::size_t line = std::min(text.find('\n', open), text.size());
    good = add(text.substr(line, std::min(text.find(kFence, line), text.size()) - line), calls);
  } else {
    good = add(text, calls);
  }
  if (!good) calls.clear();
  return calls;
}

}  // namespace steelyard::bench
