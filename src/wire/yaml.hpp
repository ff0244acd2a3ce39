// YamlPull: YAML 1.1 as libyaml reads it (which PyYAML, Hydra and OmegaConf use), one token at a time.
//
// Spec: yaml.org/spec/1.1; front matter of model cards, Hydra configurations, MLmodel. Attack resisted:
// aliases that multiply (an alias of a collection is a token of its own and is never expanded; that of a
// scalar repeats its text, up to a limit; what they would unfold to is counted), nesting and documents of any size
// (depth and bytes are bounded), tags that construct Python objects (they are kept for the caller). The first fault
// sticks. Not thread-safe. Tested, against PyYAML, by tests/oracle/repository_test.py; fuzzed through the formats that
// use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/source.hpp"

namespace steelyard::wire {

class YamlPull {
 public:
  enum class Token { object, end_object, array, end_array, key, text, alias, end, fault };

  // Bytes [begin, end) of `source`.
  YamlPull(const Source& source, u64 begin, u64 end);
  ~YamlPull();
  YamlPull(const YamlPull&) = delete;
  YamlPull& operator=(const YamlPull&) = delete;

  // The next token of the next document; after the last one `end`.
  Token next();
  // Of a key or text: its characters. Of an alias: its name.
  const std::string& content() const { return content_; }
  // Whether the text was written without quotes, so that it may stand for a number, a flag or null.
  bool plain() const { return plain_; }
  // Of a collection or scalar: its tag when it has one that is not of the core schema.
  const std::string& tag() const { return tag_; }
  // Where the token begins in the source.
  u64 offset() const { return begin_; }
  const std::string& fault() const { return fault_; }
  // Whether what was read so far stands for more values than the largest document could spell out.
  bool unfolds() const { return unfolds_; }

  static constexpr u64 kLargest = u64{4} << 20;
  static constexpr std::size_t kDeepest = 64;
  static constexpr std::size_t kMostAnchors = 1024;

 private:
  struct State;
  Token refuse(std::string why);
  void count(u64 values);
  Token scalar_or_key(Token otherwise);

  std::unique_ptr<State> state_;
  std::string content_;
  std::string tag_;
  std::string fault_;
  bool plain_ = false;
  bool unfolds_ = false;
  u64 begin_;
};

}  // namespace steelyard::wire
