// Store: one place where models live on this machine, and what it says about them.
//
// One file per store in this folder defines `extern const Store <stem>_store`; CMake generates the
// registry from the file names. Stores are read, never changed, and never left: a link that leads
// out is reported, not followed. What a store says (names, references, manifests, digests) was
// written by whoever made the model, so it is read with caps, and a name from it opens nothing
// outside the store. What a store promises about contents is held against them by scan/origin.
// Layouts: huggingface_hub and hub-docs (local cache), llama.cpp, Ollama, Docker Model Runner, LM
// Studio, RamaLama and Anaconda AI sources, OCI image layout 1.1.
// Tested by tests/unit/stores_test.cpp and tests/cli/stores_test.py.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/environment.hpp"
#include "core/examination.hpp"
#include "io/tree.hpp"

namespace steelyard::stores {

struct File {
  std::string name;            // in the model, unique: "config.json", "template"
  std::filesystem::path path;  // without a link, inside the store; empty when there is nothing to open
  io::Stat stat;
  std::string digest;   // of its content, as the store has it: "sha256:…" or "git-sha1:…"; or empty
  std::string rule;     // not empty: it can't be examined, and by which rule that is reported
  std::string problem;  // why
  json::Value data = json::Object{};
};

struct Model {
  std::string store;               // its id
  std::vector<std::string> names;  // by which it may be asked for; the first is shown, the last is the fullest
  std::vector<File> files;
  std::vector<Fact> facts;        // "source.…": claims about where it came from
  std::vector<Finding> findings;  // about no single file

  std::string target() const { return store + ":" + names.front(); }
  u64 bytes() const;
};

struct Place {
  std::string store;
  std::filesystem::path root;
  std::size_t models = 0;
  std::string problem;  // not empty: it is there but couldn't be listed
};

struct Listing {
  std::vector<Place> places;  // those that exist
  std::vector<Model> models;
  std::vector<std::string> notes;
};

struct Store {
  std::string_view id;  // "hf", which is also the scheme of its targets
  std::string_view title;
  // Where it is on this machine, whether or not anything is there. Null: only where the user says.
  std::vector<std::filesystem::path> (*where)(const Environment& environment);
  // Adds the models and notes of one place. An Error says why that couldn't be listed.
  Result<bool> (*list)(io::Tree& tree, Listing& out);
};

// Every store, in the order of their file names.
std::span<const Store* const> all();
const Store* find(std::string_view id);

// What is on this machine, in one store or (nullptr) in all. Never an error: what can't be listed is a
// Place with a problem.
Listing list(const Environment& environment, const Store* store = nullptr);
// What is in a store at `root`.
Listing list_at(const Store& store, const std::filesystem::path& root);

}  // namespace steelyard::stores
