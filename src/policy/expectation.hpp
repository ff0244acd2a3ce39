// What a [[expect]] table asks of a bench. Pure. Tested by tests/verdict/expect.json and
// tests/unit/requirements_test.cpp.
#pragma once

#include "base/json.hpp"

namespace steelyard::policy {

// By which its measurement is found: of {prompt, checker, expected}.
std::string expectation_digest(const json::Value& params);
// How many answers are asked for: as many as it takes for a good model to show the share that must pass.
u32 expectation_samples(const json::Value& params);

}  // namespace steelyard::policy
