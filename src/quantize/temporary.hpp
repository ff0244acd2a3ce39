// Temporary: a file that is gone with this object, unless publish() gave it its name.
//
// It is locked as long as it is written, so that the next one beside the same place removes those that a killed
// process left and none that another still writes. Linux: flock(2). Tested by tests/unit/quantize_test.cpp and
// tests/cli/quantize_test.py.
#pragma once

#include <filesystem>
#include <memory>

#include "base/result.hpp"

namespace steelyard::quantize {

class Temporary {
 public:
  // In the folder of `beside`, with a hidden name that begins like its own.
  static Result<std::unique_ptr<Temporary>> create(const std::filesystem::path& beside);
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::filesystem::path& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  Result<bool> publish(const std::filesystem::path& name);

 private:
  Temporary(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  std::filesystem::path path_;
  int descriptor_;
};

}  // namespace steelyard::quantize
