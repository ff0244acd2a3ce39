// Kind: one kind of requirement. One file per kind in policy/kinds/ defines
// `extern const Kind <stem>_kind`; CMake generates the registry from the file names.
#pragma once

#include "policy/verdict.hpp"

namespace steelyard::policy {

struct Param {
  std::string_view name;
  enum class Type { text, texts, integer, flag } type = Type::text;
  bool required = false;
  std::string_view choices = {};  // "low,medium,high": allowed texts; "sha256": digests; empty: any
  std::string_view meaning = {};  // for explain and the docs
  i64 least = 0;                  // of integers
  i64 most = json::kLargestInteger;
};

struct Kind {
  std::string_view name;
  Layer layer;
  std::string_view summary;  // for explain and the docs
  std::span<const Param> params;
  std::string_view evidence;  // kind of record it reads: "scan", "host", "context"
  // Pure. Fills state, because, decide (and scenarios, mitigations).
  Ruling (*evaluate)(const Requirement& requirement, const Inputs& inputs);
  // What is wrong with parameters that are fine one by one, or nothing. Beginning with the name of the one it is about.
  std::string (*fault)(const json::Value& params) = nullptr;
};

std::span<const Kind* const> kinds();  // by name
const Kind* find_kind(std::string_view name);

}  // namespace steelyard::policy
