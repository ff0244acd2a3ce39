// What the commands that run a model do alike: find the engine, and look at the model before it is loaded.
#pragma once

#include "bench/bench.hpp"
#include "cli/gather.hpp"
#include "engine/engine.hpp"
#include "io/file.hpp"

namespace steelyard::cli {

inline constexpr Flag kEngine = {"--engine", "FILE", "the engine to use (default: that of `steelyard stack build`)",
                                 ""};
inline constexpr Flag kOverride = {"--override", "", "use a model although its scan found something; goes on record",
                                   ""};

struct Weights {
  std::string name;  // as the scan's record has it
  io::File file;
  std::string sha256;
};

// A model that may be run.
struct Cleared {
  std::vector<Weights> files;  // in their order
  evidence::Record scan;
  std::vector<u32> artifacts;  // of the scan, that these files are
  std::filesystem::path engine;
  std::string engine_sha256;
  engine::Needs needs;
  bool overridden = false;
};

// A GGUF model that was scanned, and is still what was scanned.
struct Scanned {
  std::vector<Weights> files;  // in their order; several where it is split
  evidence::Record scan;       // of all that lies beside it too
  std::vector<u32> artifacts;  // of the scan, that these files are; none where it was converted
  std::string objection;       // why it shouldn't be used; with --override it is all the same
};

// Why a model with this scan isn't used, or nothing.
std::string objection(const evidence::Record& scan);

// An Error when what `name` stands for holds no GGUF model or several, or when the scan objects (unless --override).
// `verb`: what isn't done then, "run".
Result<Scanned> scanned(Session& session, const std::string& name, std::string_view verb);

// Scans what `name` stands for, in which there is one GGUF model. An Error when there isn't, when the scan finds
// anything of high severity or above or couldn't examine all of it (unless --override), or when there is no engine.
Result<Cleared> clear(Session& session, const std::string& name);

// Those that the requirements' [[expect]] tables ask for.
std::vector<bench::Expectation> expectations_of(const policy::Requirements& requirements);
// These claims, with what the scan says is claimed: languages and context.
std::vector<bench::Claim> claims_of(const Cleared& model, const std::vector<std::string>& names);
// The names of those that this model's own files make; of every chat model: that its template fits, JSON.
std::vector<std::string> claims_made(const Cleared& model);
// Fills in what the plan needs of the model, measures, and keeps the record for later verdicts.
Result<evidence::Record> run_plan(Session& session, const Cleared& model, bench::Plan plan);

}  // namespace steelyard::cli
