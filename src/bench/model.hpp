// Which of the files that were scanned are the GGUF model that is run. Pure. Tested by tests/cli/parts_test.py.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/examination.hpp"

namespace steelyard::bench {

// Its parts in their order, as indices of artifacts. An Error, of code usage, when there is no GGUF model or more than
// one; `name`: of what was scanned, for the message.
Result<std::vector<u32>> gguf_model(const Examination& found, const std::string& name);
// Whether there are other weights beside GGUF files, so that what such a file does says nothing about all of them.
bool other_weights(const Examination& found);
// The facts about these artifacts.
Examination about(const Examination& found, const std::vector<u32>& artifacts);

}  // namespace steelyard::bench
