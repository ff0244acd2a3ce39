// What Python callables do, by their dotted names (data/code/python.toml).
//
// Attack resisted: configurations and code that reach the system through an innocent library's own
// imports (torch.serialization.os.system): every part of a name counts, not only its beginning.
// Read-only after its first use; thread-safe. Tested by tests/unit/python_test.cpp and data/rules/CFG/.
#pragma once

#include <string>
#include <string_view>

namespace steelyard::formats {

struct Effect {
  std::string id;    // "process"
  std::string says;  // "starts a program"
};

// What calling `name` does, or nullptr when nothing is known of it.
const Effect* effect_of(std::string_view name);

// What a configuration that names a callable or a module asks for.
struct Target {
  enum class Kind {
    known,    // of a library that models are made with
    unknown,  // of some other module
    harmful,  // one with an effect, or one that reaches into the system
  };
  Kind kind = Kind::unknown;
  std::string says;  // of a harmful one
};
Target judge_target(std::string_view name);

bool known_library(std::string_view module);
// Of Python's own library, or one that nearly every machine has: "json", "requests".
bool standard_module(std::string_view module);
// A pipeline package of diffusers: "stable_diffusion".
bool diffusers_pipeline(std::string_view module);
// The framework that loads a file which defines such a class or function, or a class with such a base; or "".
std::string_view framework_of_name(std::string_view defined);
std::string_view framework_of_base(std::string_view base);

}  // namespace steelyard::formats
