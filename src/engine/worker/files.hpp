// Files that were opened before the sandbox, as llama.cpp finds them: by name, several times.
//
// A model may be several files, and llama.cpp's loader opens each by its name, once for the header and once for the
// weights. Linked with --wrap=ggml_fopen: a name that was given here is one of these streams, any other is opened as
// ever, which the sandbox refuses. Tested by tests/cli/engine_test.py and tests/cli/parts_test.py.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::engine {

// Names for `count` descriptors, from `first` on. Before the sandbox: streams ask for flags, which is forbidden later.
// Empty when one of them isn't open.
std::vector<std::string> hand_over(int first, u32 count);

}  // namespace steelyard::engine
