// context.toml, read strictly: what is misspelt or contradicts itself is an error with its place.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "context/context.hpp"
#include "context/graph.hpp"
#include "wire/toml.hpp"

namespace steelyard::context {
namespace {

constexpr std::string_view kSchema = "steelyard/context/1";
const std::vector<std::string> kConfidentialities = {"public", "internal", "private"};
const std::vector<std::string> kApprovals = {"none", "tainted", "always"};
const std::vector<std::string> kRemote = {"none", "listed", "any"};

std::string identifier(toml::Table& table, std::set<std::string>& ids) {
  std::string id = table.required_text("id");
  const bool plain = !id.empty() && id.size() <= 48 &&
                     id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  if (!id.empty() && !plain) table.error("id", "id may hold lower-case letters, digits, - and _ (at most 48)");
  if (plain && !ids.insert(id).second) table.error("id", fmt::format("the id \"{}\" is used twice", id));
  return id;
}

class Reader {
 public:
  explicit Reader(toml::Document& document) : document_(document) {}

  Context read() {
    toml::Table root(document_, document_.root(), "context");
    if (const std::string schema = root.required_text("schema"); !schema.empty() && schema != kSchema)
      root.error("schema", fmt::format("schema is \"{}\"; this version reads \"{}\"", schema, kSchema));
    context_.name = root.required_text("name");
    context_.title = root.text("title");
    if (auto table = root.table("use")) use(*table);
    if (auto table = root.table("data")) {
      context_.data.set("personal", table->flag("personal"));
      context_.data.set("sensitivity", table->choice("sensitivity", kConfidentialities, "internal"));
      table->finish();
    }
    if (auto table = root.table("network")) network(*table);
    if (auto table = root.table("limits")) limits(*table);
    for (auto& table : root.tables("tool")) tool(table);
    for (auto& table : root.tables("source")) source(table);
    for (auto& table : root.tables("memory")) memory(table);
    for (auto& table : root.tables("sink")) sink(table);
    for (auto& table : root.tables("attest")) attest(table);
    if (!root.has("source")) root.error("source", "at least one [[source]] is needed: what does the model read?");
    root.finish();
    return std::move(context_);
  }

 private:
  void use(toml::Table& table) {
    context_.use.set("commercial", table.flag("commercial"));
    context_.use.set("purpose", table.text("purpose"));
    users_ = table.choice("users", {"me", "employees", "public"}, "me");
    context_.use.set("users", users_);
    table.finish();
  }

  void network(toml::Table& table) {
    const std::string listen = table.text("listen", "127.0.0.1");
    const std::string authentication = table.choice("authentication", {"none", "key", "sso"}, "none");
    internet_ = table.flag("internet");
    const bool everywhere = listen == "0.0.0.0" || listen == "::";
    if (everywhere && users_ == "me")
      table.error("listen", fmt::format("listens on {}, but [use] users says that only you use it", listen));
    context_.network.set("authentication", authentication).set("internet", internet_).set("listen", listen);
    network_stated_ = true;
    table.finish();
  }

  void limits(toml::Table& table) {
    for (const char* key : {"max_tool_calls", "tokens_per_minute", "seconds"}) {
      const auto value = table.integer(key);
      if (value && *value <= 0) table.error(key, fmt::format("{} must be above 0", key));
      if (value) context_.limits.set(key, *value);
    }
    table.finish();
  }

  void tool(toml::Table& table) {
    Tool tool;
    tool.id = identifier(table, ids_);
    for (const std::string& capability : table.texts("capabilities")) {
      if (std::ranges::find(capabilities(), capability) == capabilities().end()) {
        const std::string near = text::closest(capability, capabilities());
        table.error("capabilities",
                    fmt::format("unknown capability \"{}\"; expected one of {}{}", text::display(capability, 64),
                                fmt::join(capabilities(), ", "),
                                near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
      }
      tool.capabilities.push_back(capability);
    }
    std::ranges::sort(tool.capabilities);
    if (tool.capabilities.empty())
      table.error("capabilities", "a tool without capabilities does nothing: say what it can do");
    tool.approval = table.choice("approval", kApprovals, "none");
    tool.destinations = table.choice("destinations", {"any", "listed"}, "any");
    tool.isolated = table.flag("isolated");
    tool.needed = table.flag("needed");
    const auto can = [&](std::string_view what) {
      return std::ranges::find(tool.capabilities, what) != tool.capabilities.end();
    };
    if (table.has("destinations") && !can("send_external") && !can("write_external"))
      table.error("destinations",
                  "destinations says where a tool sends, but this one has neither send_external nor write_external");
    if (tool.isolated && !can("exec"))
      table.error("isolated", "isolated is about running code, but this tool has no exec");
    if (network_stated_ && !internet_ && can("send_external") && tool.destinations == "any")
      table.error("capabilities", "the tool sends to any destination, but [network] internet is false");
    table.finish();
    context_.tools.push_back(std::move(tool));
  }

  void source(toml::Table& table) {
    Source source;
    source.id = identifier(table, ids_);
    source.trusted = table.choice("integrity", {"trusted", "untrusted"}, "untrusted") == "trusted";
    source.confidentiality = table.choice("confidentiality", kConfidentialities, "internal");
    source.via = table.texts("via");
    std::ranges::sort(source.via);
    for (const std::string& id : source.via) {
      std::vector<std::string> tools;
      for (const Tool& tool : context_.tools) tools.push_back(tool.id);
      if (std::ranges::find(tools, id) != tools.end()) continue;
      const std::string near = text::closest(id, tools);
      table.error("via", fmt::format("no tool is called \"{}\"{}", text::display(id, 64),
                                     near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near)));
    }
    source.needed = table.flag("needed");
    if (users_ == "public" && source.trusted && source.via.empty() && (source.id == "user" || source.id == "visitor"))
      table.error("integrity", "[use] users is public, so what users write is untrusted");
    table.finish();
    context_.sources.push_back(std::move(source));
  }

  void memory(toml::Table& table) {
    Memory memory;
    memory.id = identifier(table, ids_);
    memory.persists = table.flag("persists");
    memory.model_writes = table.flag("model_writes", true);
    memory.model_reads = table.flag("model_reads", true);
    memory.needed = table.flag("needed");
    if (!memory.model_writes && !memory.model_reads)
      table.error("model_reads", "a memory that the model neither reads nor writes is none");
    table.finish();
    context_.memory.push_back(std::move(memory));
  }

  void sink(toml::Table& table) {
    Sink sink;
    sink.id = identifier(table, ids_);
    sink.kind = table.choice("kind", {"text", "markdown", "html", "terminal"}, "text");
    const bool renders = sink.kind == "markdown" || sink.kind == "html";
    sink.images = table.choice("images", kRemote, renders ? "any" : "none");
    sink.links = table.choice("links", kRemote, renders ? "any" : "none");
    sink.needed = table.flag("needed");
    for (const char* key : {"images", "links"}) {
      if (!renders && (key == std::string_view("images") ? sink.images : sink.links) != "none")
        table.error(key, fmt::format("a {} sink renders no {}", sink.kind, key));
    }
    table.finish();
    context_.sinks.push_back(std::move(sink));
  }

  void attest(toml::Table& table) {
    Attestation attestation{table.required_text("mitigation"), table.required_text("by"),
                            table.required_text("reason")};
    const std::size_t colon = attestation.mitigation.find(':');
    if (!attestation.mitigation.empty() &&
        (colon == std::string::npos || !ids_.contains(attestation.mitigation.substr(colon + 1))))
      table.error("mitigation",
                  fmt::format("\"{}\" names nothing in this file; expected KIND:ID, such as isolate:run_shell",
                              text::display(attestation.mitigation, 80)));
    table.finish();
    context_.attested.push_back(std::move(attestation));
  }

  toml::Document& document_;
  Context context_;
  std::set<std::string> ids_;
  std::string users_ = "me";
  bool internet_ = false;
  bool network_stated_ = false;
};

template <class T>
std::vector<T> by_id(std::vector<T> items) {
  std::ranges::sort(items, {}, &T::id);
  return items;
}

json::Value texts(const std::vector<std::string>& items) {
  json::Value list = json::Array{};
  for (const auto& item : items) list.push(item);
  return list;
}

}  // namespace

const std::vector<std::string>& capabilities() {
  static const std::vector<std::string> kAll = {"read_private",  "read_untrusted", "write_local", "write_external",
                                                "send_external", "exec",           "spend",       "delete",
                                                "auth_change",   "memory_write"};
  return kAll;
}

Result<Context> parse(std::string text, const std::string& name) {
  SY_TRY(const auto document, toml::Document::parse(std::move(text), name));
  Context context = Reader(*document).read();
  SY_CHECK(document->check());
  return context;
}

Result<Context> preset(std::string_view name) {
  const std::string path = "presets/" + std::string(name) + ".toml";
  const std::string_view text = embedded::find(path);
  if (text.empty()) return fail(ErrorCode::usage, fmt::format("no built-in context \"{}\"", text::display(name, 64)));
  return parse(std::string(text), "data/" + path);
}

std::vector<std::string> preset_names() {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const auto& file : embedded::under("presets/")) {
    std::string name(file.path.substr(8, file.path.size() - 8 - 5));
    const auto context = preset(name);
    ranked.emplace_back(context ? scenarios(*context).size() : 0, std::move(name));
  }
  std::ranges::sort(ranked);  // the least exposed first
  std::vector<std::string> names;
  for (auto& [paths, name] : ranked) names.push_back(std::move(name));
  return names;
}

json::Value encode(const Context& context) {
  json::Value sources = json::Array{};
  for (const Source& s : by_id(context.sources))
    sources.push(json::Value()
                     .set("id", s.id)
                     .set("trusted", s.trusted)
                     .set("confidentiality", s.confidentiality)
                     .set("via", texts(s.via))
                     .set("needed", s.needed));
  json::Value tools = json::Array{};
  for (const Tool& t : by_id(context.tools))
    tools.push(json::Value()
                   .set("id", t.id)
                   .set("capabilities", texts(t.capabilities))
                   .set("approval", t.approval)
                   .set("destinations", t.destinations)
                   .set("isolated", t.isolated)
                   .set("needed", t.needed));
  json::Value memory = json::Array{};
  for (const Memory& m : by_id(context.memory))
    memory.push(json::Value()
                    .set("id", m.id)
                    .set("persists", m.persists)
                    .set("model_writes", m.model_writes)
                    .set("model_reads", m.model_reads)
                    .set("needed", m.needed));
  json::Value sinks = json::Array{};
  for (const Sink& s : by_id(context.sinks))
    sinks.push(json::Value()
                   .set("id", s.id)
                   .set("kind", s.kind)
                   .set("images", s.images)
                   .set("links", s.links)
                   .set("needed", s.needed));
  std::vector<Attestation> attested = context.attested;
  std::ranges::sort(attested, {}, &Attestation::mitigation);
  json::Value attestations = json::Array{};
  for (const Attestation& a : attested)
    attestations.push(json::Value().set("mitigation", a.mitigation).set("by", a.by).set("reason", a.reason));
  return json::Value()
      .set("schema", kSchema)
      .set("name", context.name)
      .set("title", context.title)
      .set("use", context.use)
      .set("data", context.data)
      .set("network", context.network)
      .set("limits", context.limits)
      .set("sources", std::move(sources))
      .set("tools", std::move(tools))
      .set("memory", std::move(memory))
      .set("sinks", std::move(sinks))
      .set("attested", std::move(attestations));
}

std::string digest(const Context& context) { return sha256(json::canonical(encode(context))); }

}  // namespace steelyard::context
