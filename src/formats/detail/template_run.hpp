// One rendering of a chat template: the conversation that goes in, and what comes out with its origins.
//
// Private to the check of chat templates (chat_template.hpp).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "wire/jinja/interpreter.hpp"

namespace steelyard::formats::chat {

namespace jinja = wire::jinja;
using jinja::Labels;

// What a decision or a text may depend on. The upper half of the bits says "only on its presence, type or emptiness".
inline constexpr Labels kUser = 1 << 0;       // content of user messages
inline constexpr Labels kSystem = 1 << 1;     // content of system and developer messages
inline constexpr Labels kAssistant = 1 << 2;  // content, reasoning and calls of assistant messages
inline constexpr Labels kTool = 1 << 3;       // results of tools
inline constexpr Labels kRole = 1 << 4;
inline constexpr Labels kCount = 1 << 5;                     // how many messages there are, and which one this is
inline constexpr Labels kAmbient = 1 << 6;                   // the date, chance, and which model it is
inline constexpr Labels kOption = 1 << 7;                    // what the caller of the template may set: enable_thinking
inline constexpr Labels kTools = 1 << 8;                     // definitions of tools, and documents
inline constexpr Labels kForeign = kUser | kSystem | kTool;  // content that others than the model write

enum class Role : u8 { system, developer, user, assistant, tool, other };

// How a message carries its content.
enum class Body : u8 { text, parts, none };

struct Turn {
  Role role = Role::user;
  std::string text;
  Body body = Body::text;
  bool calls = false;     // with a call of a tool
  std::string reasoning;  // a field of its own
};

struct Shape {
  std::string name;
  std::vector<Turn> turns;
  bool tools = false;
  std::string note;  // behind what the first tool's description says
  bool documents = false;
  bool prompt = true;  // add_generation_prompt
  // Options that are set: flag or text.
  std::vector<std::pair<std::string, std::optional<std::string>>> options;  // nullopt: true
  std::vector<std::string> off;                                             // options that are false
};

// Where bytes come from, by the number of their source.
struct Origin {
  enum class What : u8 { literal, computed, ambient, content, reasoning, role, call, tool, document, token };
  What what = What::literal;
  u32 turn = 0;  // index into the shape's turns, or of the tool
  u64 size = 0;
};

struct Decision {
  bool seen[2] = {false, false};
  Labels labels = 0;  // in runs where nothing was turned round
  Labels all = 0;
  std::size_t shape = 0;                     // where it was reached first
  std::vector<std::pair<u32, bool>> forced;  // and under which decisions
};

struct Forced {
  u32 site = jinja::kNone;
  bool outcome = false;
};

// What all runs together saw.
struct Seen {
  std::map<u32, Decision> decisions;
  std::map<std::string, Labels> constants;  // what contents were compared with
  std::set<std::string> missing;            // globals that nobody set
  std::map<u32, std::string> escapes;
  std::map<u32, std::string> mutations;
  std::map<u32, std::string> calls;
  u64 fuel = 0;
};

struct Rendered {
  const Shape* shape = nullptr;
  jinja::Stop stop = jinja::Stop::finished;
  std::string why;
  u32 node = jinja::kNone;
  std::string text;
  std::vector<jinja::Run> runs;
  std::vector<Origin> origins;
  Labels forced = 0;  // what the decisions depend on that were turned round
};

std::string_view name_of(Role role);
Labels label_of(Role role);

// Conversations that every template should carry over.
std::vector<Shape> usual_shapes();
// A message's text with everything in it that careless handling changes.
std::string rich_text(std::string_view name);

// Renders `tree` over `shape`, with decisions turned round as said (always, or once each), and adds to `seen`.
Rendered render(const jinja::Tree& tree, const Shape& shape, std::size_t number,
                const std::vector<std::pair<u32, bool>>& forced, Seen& seen, u64 fuel, bool once = false);

}  // namespace steelyard::formats::chat
