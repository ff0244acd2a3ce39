#include "formats/detail/template_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace steelyard::formats::chat {
namespace {

using jinja::Arena;
using jinja::Value;

constexpr u64 kMemory = u64{8} << 20;
constexpr u32 kFirstSource = 16;
constexpr std::array<std::string_view, 6> kRoles = {"system", "developer", "user", "assistant", "tool", "critic"};

// Builds a conversation and numbers the sources of its texts.
class World {
 public:
  World(Arena& arena, const Shape& shape, std::vector<Origin>& origins) : arena_(arena), origins_(origins) {
    origins_.assign(kFirstSource, {});
    origins_[jinja::kComputedSource].what = Origin::What::computed;
    origins_[2].what = Origin::What::ambient;
    out.missing = kOption;
    out.ambient = kAmbient;
    out.ambient_source = 2;
    out.loops = ~(kCount | jinja::shape_of(kCount));
    jinja::Values turns;
    for (u32 i = 0; i < shape.turns.size(); ++i) turns.push_back(turn(shape.turns[i], i));
    set("messages", arena_.list(std::move(turns), 0, kCount));
    set("bos_token", text("<s>", Origin::What::token, 0, kAmbient));
    set("eos_token", text("</s>", Origin::What::token, 0, kAmbient));
    set("pad_token", text("<pad>", Origin::What::token, 0, 0));
    set("unk_token", text("<unk>", Origin::What::token, 0, 0));
    set("add_generation_prompt", arena_.boolean(shape.prompt));
    set("tools", shape.tools ? tools(shape.note) : arena_.none(kTools));
    set("documents", shape.documents ? documents() : arena_.none(kTools));
    for (const auto& [name, value] : shape.options)
      set(name, value ? plain(*value).with(kOption) : arena_.boolean(true, kOption));
    for (const std::string& name : shape.off) set(name, arena_.boolean(false, kOption));
  }

  jinja::World out;

 private:
  void set(std::string name, Value value) { out.globals.insert_or_assign(std::move(name), value); }

  Value text(std::string bytes, Origin::What what, u32 turn_index, Labels labels) {
    const u32 source = static_cast<u32>(origins_.size());
    origins_.push_back({what, turn_index, bytes.size()});
    return arena_.text(std::move(bytes), {0, source, 0, 0, true}, labels);
  }

  Value plain(std::string_view bytes) {
    return arena_.text(std::string(bytes), {0, jinja::kComputedSource, 0, 0, true}, 0);
  }

  Value object(std::initializer_list<std::pair<std::string_view, Value>> items) {
    const Value made = arena_.dict();
    for (const auto& [key, value] : items) made.dict->items.emplace_back(plain(key), value);
    return made;
  }

  Value turn(const Turn& from, u32 index) {
    const Labels labels = label_of(from.role);
    const Value made = object({{"role", text(std::string(kRoles.at(static_cast<std::size_t>(from.role))),
                                             Origin::What::role, index, kRole)}});
    const auto add = [&](std::string_view key, Value value) { made.dict->items.emplace_back(plain(key), value); };
    if (from.body == Body::text) {
      add("content", text(from.text, Origin::What::content, index, labels));
    } else if (from.body == Body::none) {
      add("content", arena_.none(labels));
    } else {
      const std::size_t half = std::min(from.text.find('\n'), from.text.size());
      const Value whole = text(from.text, Origin::What::content, index, labels);
      const auto part = [&](std::size_t begin, std::size_t end) {
        jinja::Text* piece = arena_.make<jinja::Text>();
        piece->append(*whole.text, begin, end);
        return object({{"type", plain("text")}, {"text", arena_.text(piece, labels)}});
      };
      add("content", arena_.list({part(0, half), part(half, from.text.size())}));
    }
    if (!from.reasoning.empty()) {
      const Value reasoning = text(from.reasoning, Origin::What::reasoning, index, kAssistant);
      add("reasoning_content", reasoning);
    }
    if (from.calls) {
      const Value arguments = object(
          {{"city", text("Zürich \"West\"", Origin::What::call, index, kAssistant)}, {"days", arena_.integer(3)}});
      add("tool_calls", arena_.list({object(
                            {{"id", text("abcdefghi", Origin::What::call, index, kAssistant)},
                             {"type", plain("function")},
                             {"function", object({{"name", text("get_weather", Origin::What::call, index, kAssistant)},
                                                  {"arguments", arguments}})}})}));
    }
    if (from.role == Role::tool) {
      add("tool_call_id", text("abcdefghi", Origin::What::call, index, kAssistant));
      add("name", text("get_weather", Origin::What::call, index, kAssistant));
    }
    return made;
  }

  Value tools(const std::string& note) {
    const auto tool = [&](u32 index, std::string_view name, const std::string& description, std::string_view field,
                          std::string_view about) {
      const auto part = [&](std::string_view bytes) {
        return text(std::string(bytes), Origin::What::tool, index, kTools);
      };
      const Value property = object({{"type", plain("string").with(kTools)}, {"description", part(about)}});
      const Value properties = arena_.dict();
      properties.dict->items.emplace_back(part(field), property);
      const Value parameters = object({{"type", plain("object").with(kTools)},
                                       {"properties", properties},
                                       {"required", arena_.list({part(field)})}});
      return object({{"type", plain("function").with(kTools)},
                     {"function",
                      object({{"name", part(name)}, {"description", part(description)}, {"parameters", parameters}})}});
    };
    return arena_.list(
        {tool(0, "get_weather", "Tells the weather at a place. Costs nothing." + note, "city", "Which place"),
         tool(1, "send_mail", "Sends a message to somebody.", "body", "What it says"),
         tool(2, "read_file", "Reads a file of the user.", "path", "Which file")},
        kTools, kTools);
  }

  Value documents() {
    const auto document = [&](u32 index, std::string_view title, std::string_view content) {
      return object({{"title", text(std::string(title), Origin::What::document, index, kTools)},
                     {"text", text(std::string(content), Origin::What::document, index, kTools)},
                     {"content", text(std::string(content), Origin::What::document, index, kTools)}});
    };
    return arena_.list({document(0, "Report", "Sales grew."), document(1, "Notes", "Rain is due.")}, kTools, kTools);
  }

  Arena& arena_;
  std::vector<Origin>& origins_;
};

class Watcher : public jinja::Observer {
 public:
  Watcher(Seen& seen, std::size_t shape, const std::vector<std::pair<u32, bool>>& forced, bool once)
      : seen_(seen), shape_(shape), forced_(forced), once_(once) {}

  bool decide(u32 node, bool outcome, Labels labels) override {
    const auto found = std::ranges::find(forced_, node, &std::pair<u32, bool>::first);
    if (found != forced_.end() && !(once_ && !turned_.insert(node).second)) {
      if (found->second != outcome) turned |= labels;
      outcome = found->second;
    }
    const auto [entry, fresh] = seen_.decisions.try_emplace(node);
    if (fresh) {
      entry->second.shape = shape_;
      entry->second.forced = forced_;
    }
    // Where it depends on most is where it is worth turning round.
    if (!fresh && (labels & ~entry->second.all & 0xFFFF) != 0) {
      entry->second.shape = shape_;
      entry->second.forced = forced_;
    }
    entry->second.all |= labels;
    entry->second.seen[outcome] = true;
    if (forced_.empty()) entry->second.labels |= labels;
    return outcome;
  }
  void compared(u32, const Value& a, const Value& b) override {
    note(a, b);
    note(b, a);
  }
  void escaped(u32 node, std::string_view name) override { seen_.escapes.emplace(node, name); }
  void mutated(u32 node, std::string_view name) override { seen_.mutations.emplace(node, name); }
  void missing(u32, std::string_view name) override {
    if (seen_.missing.size() < 64) seen_.missing.emplace(name);
  }
  void called(u32 node, std::string_view name) override { seen_.calls.emplace(node, name); }

  Labels turned = 0;

 private:
  // A text of the template that something else is held against.
  void note(const Value& constant, const Value& other) {
    constexpr std::size_t kMost = 256;
    if (!constant.is_text() || constant.labels != 0 || other.labels == 0) return;
    // The types of parts: a template that expects a list of parts may walk over a text's characters instead.
    constexpr std::array<std::string_view, 10> kParts = {
        "text", "image", "image_url", "video", "video_url", "audio", "audio_url", "file", "input_audio", "input_image"};
    const std::string_view bytes = constant.view();
    if (std::ranges::find(kParts, bytes) != kParts.end()) return;
    if (bytes.empty() || bytes.size() > 256) return;
    if (seen_.constants.size() < kMost || seen_.constants.contains(std::string(bytes)))
      seen_.constants[std::string(bytes)] |= other.labels;
  }

  Seen& seen_;
  std::size_t shape_;
  const std::vector<std::pair<u32, bool>>& forced_;
  bool once_;  // decisions are turned round the first time only
  std::set<u32> turned_;
};

}  // namespace

std::string_view name_of(Role role) { return kRoles.at(static_cast<std::size_t>(role)); }

Labels label_of(Role role) {
  switch (role) {
    case Role::system:
    case Role::developer:
      return kSystem;
    case Role::assistant:
      return kAssistant;
    case Role::tool:
      return kTool;
    default:
      return kUser;
  }
}

std::string rich_text(std::string_view name) {
  return fmt::format(
      "{0} Begins with Words, a \"quote\", it's \\back, 100% & <b>bold</b> {{brace}} [box]\n\n"
      "  * second LINE,\twith é, 中文 and `code(x)`; see https://example.org/a?b=1#c\nlast of {0}.",
      name);
}

std::vector<Shape> usual_shapes() {
  std::vector<Shape> out;
  const auto say = [](Role role, std::string_view name) { return Turn{role, rich_text(name), Body::text, false, {}}; };
  const Turn system = say(Role::system, "Sys");
  const Turn user = say(Role::user, "First");
  const Turn reply = say(Role::assistant, "Reply");
  const Turn again = say(Role::user, "Second");
  Turn call{Role::assistant, "", Body::text, true, {}};
  Turn bare_call{Role::assistant, "", Body::none, true, {}};
  const Turn result = say(Role::tool, "Result");
  const auto add = [&](std::string name, std::vector<Turn> turns, bool prompt = true) -> Shape& {
    Shape& shape = out.emplace_back();
    shape.name = std::move(name);
    shape.turns = std::move(turns);
    shape.prompt = prompt;
    return shape;
  };
  add("a question", {user});
  add("a question under a system message", {system, user});
  add("a second question", {user, reply, again});
  add("a second question under a system message", {system, user, reply, again});
  add("an answered question", {user, reply}, false);
  add("a question with tools", {user}).tools = true;
  add("a question under a system message, with tools", {system, user}).tools = true;
  add("a second question, with tools", {system, user, reply, again}).tools = true;
  add("a tool's result", {user, call, result}).tools = true;
  add("a tool's result under a system message", {system, user, bare_call, result}).tools = true;
  add("a question after a tool's result", {user, call, result, say(Role::assistant, "Told"), again}).tools = true;
  add("a question with documents", {user}).documents = true;
  add("a developer's message", {say(Role::developer, "Dev"), user});
  {
    Turn parts = user;
    parts.body = Body::parts;
    add("a question in parts", {parts});
    Turn system_parts = system;
    system_parts.body = Body::parts;
    Turn again_parts = again;
    again_parts.body = Body::parts;
    add("messages in parts", {system_parts, user, reply, again_parts});
  }
  {
    Turn thought = reply;
    thought.reasoning = "Some thoughts.";
    add("a question after reasoning", {user, thought, again});
    Turn inlined = reply;
    inlined.text = "<think>\nSome thoughts.\n</think>\n\n" + inlined.text;
    add("a question after inline reasoning", {user, inlined, again});
  }
  add("an empty question", {Turn{Role::user, "", Body::text, false, {}}});
  std::vector<Turn> many = {system};
  for (int i = 0; i < 9; ++i) {
    many.push_back(say(Role::user, fmt::format("Q{}", i)));
    many.push_back(say(Role::assistant, fmt::format("A{}", i)));
  }
  many.push_back(say(Role::user, "Q9"));
  add("a long conversation", std::move(many));
  return out;
}

Rendered render(const jinja::Tree& tree, const Shape& shape, std::size_t number,
                const std::vector<std::pair<u32, bool>>& forced, Seen& seen, u64 fuel, bool once) {
  Rendered out;
  out.shape = &shape;
  Arena arena(kMemory);
  const World world(arena, shape, out.origins);
  Watcher watcher(seen, number, forced, once);
  const jinja::Result result = jinja::render(tree, arena, world.out, watcher, {fuel, 800});
  seen.fuel += result.fuel;
  out.stop = result.stop;
  out.why = result.why;
  out.node = result.node;
  out.forced = watcher.turned;
  if (result.output != nullptr) {
    out.text = result.output->bytes;
    out.runs = result.output->runs;
  }
  return out;
}

}  // namespace steelyard::formats::chat
