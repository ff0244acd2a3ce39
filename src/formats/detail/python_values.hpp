// Values of the abstract evaluation in python_code.cpp, and what is computed with constants.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::formats {

template <class... T>
bool among(std::string_view word, T... names) {
  return ((word == names) || ...);
}

enum Mark : u32 {
  kDecoded = 1,    // out of base64, a compressed or ciphered text
  kRemote = 2,     // from the network
  kSecret = 4,     // credentials, the whole environment
  kFile = 8,       // read from a file
  kPieced = 16,    // a constant that was put together from pieces
  kTemplate = 32,  // a text of which parts are unknown, written {} there
};
// Marks that make running a value an alarm.
inline constexpr u32 kTainted = kDecoded | kRemote;

struct PythonValue {
  std::string path;                         // "os.system", "requests.get().text"; "" when unknown
  std::shared_ptr<const std::string> text;  // of a constant text or bytes
  std::optional<i64> number;
  std::shared_ptr<const std::vector<PythonValue>> list;  // of a list or tuple, at most kMostItems
  std::string name;                                      // the variable that it was read from
  std::string target;                                    // of a file object: the path it was opened with
  u32 marks = 0;

  const std::vector<PythonValue>& items() const {
    static const std::vector<PythonValue> none;
    return list ? *list : none;
  }
  // The text when all of it is known.
  const std::string* exact() const { return text && (marks & kTemplate) == 0 ? text.get() : nullptr; }

  static constexpr std::size_t kMostItems = 4096;
};

// The text of a call on constants (base64.b64decode, "".join, bytes.fromhex, chr, …), or nothing.
// `callee`: the dotted path; for methods of texts "str.join", with `self`.
std::optional<std::string> computed(std::string_view callee, const PythonValue& self,
                                    const std::vector<PythonValue>& arguments);

// Places whose content is nobody else's business: "~/.ssh/id_rsa".
bool secret_place(std::string_view text);
// Places that run what is written to them later: "~/.bashrc".
bool persistent_place(std::string_view text);
// A folder whose removal destroys more than a model: "/", "~".
bool precious_place(std::string_view text);

}  // namespace steelyard::formats
