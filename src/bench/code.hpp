// Code that a model wrote, run against a test.
//
// Code and test share one interpreter, so code that looks for the test can deceive it; ending early can't: an answer
// passes when the test was run to its end. Tested by tests/unit/checker_test.cpp.
#pragma once

#include "bench/checker.hpp"

namespace steelyard::bench {

// The first block between ``` in an answer, or all of it.
std::string code_in(const std::string& answer);
// `before`, the code and `test`, one after another in one module of Python.
Outcome run_code(const std::string& before, const std::string& code, const std::string& test);
// Why nothing can be run on this machine, or nothing.
std::string no_code();

}  // namespace steelyard::bench
