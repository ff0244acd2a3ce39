// Environment: the only way in which code below cli/ learns about variables, clocks and the
// system's own files. Tests hand in a made-up one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/bytes.hpp"

namespace steelyard {

class Environment {
 public:
  virtual ~Environment() = default;
  // An environment variable, or nothing when it is unset or empty.
  virtual std::optional<std::string> variable(const std::string& name) const = 0;
  // Seconds since 1970-01-01 UTC.
  virtual i64 now() const = 0;
  // Where /proc, /etc, /usr and /home are looked up: "/" outside tests.
  virtual std::filesystem::path root() const = 0;
};

// 2026-11-24T10:12:28Z, and back (nothing when `text` has another shape).
std::string format_time(i64 seconds);
std::optional<i64> parse_time(std::string_view text);

}  // namespace steelyard
