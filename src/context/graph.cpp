#include "context/graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

namespace steelyard::context {
namespace {

constexpr std::array<std::string_view, 8> kConsequential = {
    "write_local", "write_external", "send_external", "exec", "spend", "delete", "auth_change", "memory_write"};

bool can(const Tool& tool, std::string_view capability) {
  if (capability == "exec" && tool.isolated) return false;  // it runs, but reaches nothing that matters
  return std::ranges::find(tool.capabilities, capability) != tool.capabilities.end();
}

// Declared sources, and those that a tool's capabilities imply although no source names the tool.
std::vector<Source> all_sources(const Context& context) {
  std::vector<Source> sources = context.sources;
  for (const Tool& tool : context.tools) {
    const bool named = std::ranges::any_of(
        context.sources, [&](const Source& s) { return std::ranges::find(s.via, tool.id) != s.via.end(); });
    const bool untrusted = can(tool, "read_untrusted");
    const bool secret = can(tool, "read_private");
    if (named || (!untrusted && !secret)) continue;
    sources.push_back({"tool:" + tool.id, !untrusted, secret ? "private" : "internal", {tool.id}, tool.needed});
  }
  return sources;
}

std::string does(const Tool& tool) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kPhrases = {{
      {"exec", "runs code"},
      {"spend", "spends money"},
      {"auth_change", "changes access rights"},
      {"delete", "deletes"},
      {"send_external", "sends to the outside"},
      {"write_external", "writes to other systems"},
      {"write_local", "writes files"},
      {"memory_write", "writes to memory"},
  }};
  for (const auto& [capability, phrase] : kPhrases) {
    if (can(tool, capability)) return std::string(phrase);
  }
  return "acts";
}

// Somebody looks at the call before it happens, at least once untrusted text was read.
bool approved(const Tool& tool) { return tool.approval != "none"; }

struct Exit {
  std::string id;
  std::string how;
};

std::vector<Exit> exits(const Context& context) {
  std::vector<Exit> out;
  for (const Tool& tool : context.tools) {
    if (egress(tool)) out.push_back({tool.id, fmt::format("through {}", tool.id)});
  }
  for (const Sink& sink : context.sinks) {
    if (sink.images == "any") {
      out.push_back({sink.id, fmt::format("through an image address that {} loads by itself", sink.id)});
    } else if (sink.links == "any") {
      out.push_back({sink.id, fmt::format("through a link in {} that somebody clicks", sink.id)});
    }
  }
  return out;
}

}  // namespace

bool consequential(const Tool& tool) {
  return !approved(tool) && std::ranges::any_of(kConsequential, [&](std::string_view c) { return can(tool, c); });
}

bool egress(const Tool& tool) {
  if (approved(tool)) return false;
  const bool sends = can(tool, "send_external") || can(tool, "write_external");
  return can(tool, "exec") || (sends && tool.destinations == "any");
}

std::vector<Path> scenarios(const Context& context) {
  const auto sources = all_sources(context);
  std::vector<Path> paths;
  for (const Source& source : sources) {
    if (source.trusted) continue;
    for (const Tool& tool : context.tools) {
      if (!consequential(tool)) continue;
      paths.push_back(
          {fmt::format("{}>{}", source.id, tool.id),
           "integrity",
           source.id,
           {},
           {},
           tool.id,
           fmt::format("Untrusted text from {} can make the model call {}, which {}", source.id, tool.id, does(tool))});
      for (const Memory& memory : context.memory) {
        if (!memory.persists || !memory.model_writes || !memory.model_reads) continue;
        paths.push_back(
            {fmt::format("{}>{}>{}", source.id, memory.id, tool.id),
             "persistence",
             source.id,
             {},
             memory.id,
             tool.id,
             fmt::format("Untrusted text from {}, kept in {}, can make the model call {} in a later session", source.id,
                         memory.id, tool.id)});
      }
    }
    for (const Source& secret : sources) {
      if (secret.confidentiality == "public") continue;
      for (const Exit& exit : exits(context)) {
        paths.push_back({fmt::format("{}+{}>{}", source.id, secret.id, exit.id),
                         "confidentiality",
                         source.id,
                         secret.id,
                         {},
                         exit.id,
                         fmt::format("Untrusted text from {} can make the model carry {} data from {} out {}",
                                     source.id, secret.confidentiality, secret.id, exit.how)});
      }
    }
  }
  std::ranges::sort(paths, {}, [](const Path& p) { return std::tie(p.cls, p.id); });
  return paths;
}

}  // namespace steelyard::context
