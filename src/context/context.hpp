// Context: the declared deployment (context.toml), and the attack paths through it.
//
// Every flow is worst case: untrusted text that reaches the model is assumed to control it, unless
// a mitigation stands between. Two classes of scenario are kept apart: integrity (untrusted source
// -> consequential tool) and confidentiality (untrusted source and private source -> egress). What
// the model writes to memory while it has read untrusted text is an untrusted source of later
// sessions (fix-point). Pure; thread-safe. Tested by tests/unit/context_test.cpp.
#pragma once

#include "evidence/record.hpp"

namespace steelyard::context {

struct Source {
  std::string id;
  bool trusted = true;           // integrity
  std::string confidentiality;   // "public", "internal", "private"
  std::vector<std::string> via;  // tools that return it; empty: it is in every prompt
  bool needed = false;
};

struct Tool {
  std::string id;
  std::vector<std::string> capabilities;  // closed vocabulary, see capabilities()
  std::string approval;                   // "none", "tainted", "always": what already stands
  std::string destinations;               // "any", "listed": of tools that send
  bool isolated = false;                  // attested: runs without network and secrets
  bool needed = false;
};

struct Memory {
  std::string id;
  bool persists = false;  // beyond one session
  bool model_writes = true;
  bool model_reads = true;
  bool needed = false;
};

struct Sink {
  std::string id;
  std::string kind;    // "text", "markdown", "html", "terminal"
  std::string images;  // "none", "listed", "any": remote images it loads
  std::string links;   // "none", "listed", "any"
  bool needed = false;
};

struct Attestation {
  std::string mitigation;  // "isolate:run_shell"
  std::string by;
  std::string reason;
};

struct Context {
  std::string name;
  std::string title;
  json::Value use = json::Object{};      // purpose, commercial, users
  json::Value data = json::Object{};     // sensitivity, personal
  json::Value network = json::Object{};  // listen, authentication, internet
  json::Value limits = json::Object{};
  std::vector<Source> sources;
  std::vector<Tool> tools;
  std::vector<Memory> memory;
  std::vector<Sink> sinks;
  std::vector<Attestation> attested;
};

// Strict: unknown keys, unknown ids, contradictions are errors with a suggestion and a caret.
Result<Context> parse(std::string text, const std::string& name);
// A built-in context under data/presets/.
Result<Context> preset(std::string_view name);
std::vector<std::string> preset_names();  // in the order in which they are shown
// Normalized form; its canonical text's SHA-256 is the context's digest.
json::Value encode(const Context& context);
std::string digest(const Context& context);

// The record of kind "context": scenarios as findings, mitigations as facts.
evidence::Record analyze(const Context& context);

}  // namespace steelyard::context
