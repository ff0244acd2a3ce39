// Repository: the files of one model held against each other: what refers to what, and which code runs when a
// loader opens it.
//
// Follows the references that formats found (repo.references, python.imports) from the places where loaders
// begin: auto_map and the like, names of files, classes and functions that frameworks look for, and modules
// that hide others. Code that is reached is judged by what it does (python.effects); code that nobody loads
// is only code. An archive's members are such files too: wheels, TorchServe's .mar, SageMaker's model.tar.gz.
// Attack resisted: T11: code two imports away from the configuration; names that look like others.
// Pure; thread-safe.
// Tested by tests/unit/repository_test.cpp and tests/cli/repository_test.py.
#pragma once

#include "core/examination.hpp"

namespace steelyard::identity {

// Adds findings and facts for a target of several files, or of archives; a single file is left alone.
void close_references(Examination& found);

}  // namespace steelyard::identity
