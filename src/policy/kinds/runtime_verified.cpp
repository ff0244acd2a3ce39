// runtime_verified: the programs that run the model are what they were when they were built or packaged, and hardened.
//
// Reads what `steelyard stack verify` recorded of each program and library, and which engine measurements were made
// with: one that isn't among the verified programs leaves the question open. Attack resisted: a program that nobody
// vouches for is undetermined, never fine; one changed file makes the whole unmet, whatever stands beside it; a build
// whose known answer was never computed on this machine is undetermined. Tested by tests/verdict/runtime_verified.json.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/reading.hpp"

namespace steelyard::policy {
namespace {

constexpr std::string_view kVerify = "steelyard stack verify";
constexpr Param kParams[] = {
    {.name = "origins",
     .type = Param::Type::texts,
     .choices = "built,packaged",
     .meaning = "built: by stack build from proved source; packaged: as the package database has it (default: both)"},
    {.name = "hardening",
     .type = Param::Type::texts,
     .choices = "pie,relro,nx,canary,fortify,ibt,shstk",
     .meaning = "what every program must have (default: pie, relro, nx)"},
};

std::vector<std::string> texts_or(const Requirement& requirement, std::string_view key,
                                  const std::vector<std::string>& fallback) {
  auto given = texts(requirement, key);
  return given.empty() ? fallback : given;
}

// What is wrong with one program, and what isn't known of it.
struct Judged {
  std::string bad;
  std::string open;
};

Judged judge(const json::Value& program, const std::vector<std::string>& origins,
             const std::vector<std::string>& hardening) {
  const std::string& origin = program["origin"].string();
  if (origin == "changed") return {fmt::format("changed: {}", shown(program["why"])), {}};
  const bool known = origin == "built" || origin == "packaged";
  if (known && std::ranges::find(origins, origin) == origins.end()) return {fmt::format("{} only", origin), {}};
  Judged out;
  if (program["program"].boolean()) {
    for (const std::string& property : hardening) {
      const std::string& has = program["hardening"][property].string();
      if (has == "no") return {fmt::format("without {}", property), {}};
      if (has != "yes" && out.open.empty()) out.open = fmt::format("{} isn't known", property);
    }
  }
  if (!known) out.open = "no build and no package vouches for it";
  if (origin == "built" && program["tested"].string() != "passed") out.open = "its known answer was not computed here";
  return out;
}

Ruling evaluate(const Requirement& requirement, const Inputs& inputs) {
  const auto stacks = records_of(inputs, "stack");
  const Statements lists = statements(stacks, "runtime.programs");
  const auto origins = texts_or(requirement, "origins", {"built", "packaged"});
  const auto hardening = texts_or(requirement, "hardening", {"pie", "relro", "nx"});
  std::vector<std::string> bad, open, bad_cites, open_cites;
  std::set<std::string> digests;
  std::size_t programs = 0;
  for (const Statement& list : lists.stated) {
    for (const json::Value& program : list.fact->value.array()) {
      ++programs;
      digests.insert("sha256:" + program["sha256"].string());
      const Judged judged = judge(program, origins, hardening);
      if (!judged.bad.empty()) {
        bad.push_back(fmt::format("{} ({})", shown(program["path"]), judged.bad));
        bad_cites.push_back(list.cite);
      } else if (!judged.open.empty()) {
        open.push_back(fmt::format("{} ({})", shown(program["path"]), judged.open));
        open_cites.push_back(list.cite);
      }
    }
  }
  for (const Item& bench : records_of(inputs, "bench")) {
    const std::string& engine = bench.record->method.engine;
    if (programs == 0 || engine.empty() || digests.contains(engine)) continue;
    open.push_back(fmt::format("measured with another engine, {}", shown(engine)));
    open_cites.push_back(bench.id);
  }
  if (programs == 0)
    return undetermined(fmt::format("no program that runs models in {}", counted(stacks.size(), "stack record")),
                        ids_of(stacks), std::string(kVerify));
  if (!bad.empty()) {
    const std::size_t number = bad.size();
    return unmet(
        fmt::format("{} of {} not as required: {}", number, counted(programs, "file"), listing(std::move(bad))),
        std::move(bad_cites));
  }
  if (!open.empty()) {
    const std::size_t number = open.size();
    return undetermined(
        fmt::format("{} of {} not decided: {}", number, counted(programs, "file"), listing(std::move(open))),
        std::move(open_cites), "steelyard stack build, and models run by what it builds");
  }
  for (const Item& stack : stacks) {
    if (stack.record->status != evidence::Status::complete)
      return undetermined("the verification of the runtime was cut short", {stack.id}, std::string(kVerify));
  }
  return met(fmt::format("{} as built or packaged", counted(programs, "file")), cites_of(lists.stated));
}

}  // namespace

extern const Kind runtime_verified_kind;
const Kind runtime_verified_kind{"runtime_verified",
                                 Layer::infrastructure,
                                 "The programs that run models are as they were built or packaged, and hardened.",
                                 kParams,
                                 "stack",
                                 evaluate};

}  // namespace steelyard::policy
