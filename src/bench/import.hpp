// What others measured: results files of lm-evaluation-harness, as a record of kind "scores".
//
// Nothing in such a file is bound to bytes: it names a model, at best with a revision. Who hands it in says that it is
// about this model; so a record of kind "scores" is claimed, and counts only for requirements that accept claims. The
// file is hostile: read within bounds, names are cut and shown escaped. Pure. Tested by tests/unit/import_test.cpp.
#pragma once

#include "evidence/record.hpp"

namespace steelyard::bench {

// An Error when the text is no such file, or holds no score between 0 and 1 with a standard error or a number of
// samples.
Result<evidence::Record> import_scores(std::string_view text, evidence::Subject subject);

}  // namespace steelyard::bench
