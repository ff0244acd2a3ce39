// Origin: what a store claims about a model, and what came of holding it against the bytes.
//
// Attack resisted: contents exchanged under a digest's name. The SHA-256 of a file is the one that scan
// computed; only git's names need a pass of their own. Without digests nothing is compared, and the
// fact "source.digests" says so. Pure. Tested by tests/unit/origin_test.cpp.
#pragma once

#include "evidence/record.hpp"
#include "scan/target.hpp"

namespace steelyard::scan {

// For the method's parameters: everything about the origin that a record depends on. Null for a target
// without one.
json::Value origin_key(const Target& target);
bool named_by_git(const TargetFile& file);
// `git`: the names that git would give the files, in their order; empty where not computed.
void add_origin(const Target& target, const std::vector<std::string>& git, evidence::Record& record);

}  // namespace steelyard::scan
