// Answers: what a model said before, by model, engine, tokens and parameters; only for engines that are exact.
//
// One file per model, engine and context length, to which entries are appended: u32 length and SHA-256 (hex) of what
// follows, key (64 hex digits), then the message as the engine encodes it. An entry that doesn't match its digest ends
// the file; what a torn write left behind is cut off. Several processes may share a folder. A file beyond kMostBytes is
// begun anew. The folder is the user's own: whoever can write there can also write records. Times are not kept: an
// answer that was kept took none. Not thread-safe. Tested by tests/unit/answers_test.cpp.
#pragma once

#include <filesystem>
#include <map>
#include <optional>

#include "base/result.hpp"
#include "engine/protocol.hpp"

namespace steelyard::engine {

class Answers {
 public:
  static constexpr u64 kMostBytes = u64{256} << 20;

  // Digests in hex; `context`: tokens of one sequence. Reads what is there.
  static Result<Answers> open(const std::filesystem::path& folder, const std::string& model_sha256,
                              const std::string& engine_sha256, u32 context);

  // Of one prompt of the request, which counts for its seed.
  std::optional<Generated> find(const Generate& request, u32 prompt) const;
  void keep(const Generate& request, u32 prompt, Generated answer);
  std::optional<Scored> find(const Score& request, u32 continuation) const;
  void keep(const Score& request, u32 continuation, const Scored& score);
  // Appends what was kept since; an Error of the file system loses nothing that was there.
  Result<bool> write();

 private:
  explicit Answers(std::filesystem::path path) : path_(std::move(path)) {}
  u64 take(Bytes all, u64 begin);
  template <class M>
  std::optional<M> get(const std::string& key) const;
  void put(const std::string& key, std::vector<std::byte> message);

  std::filesystem::path path_;
  std::map<std::string, std::vector<std::byte>> known_;  // payloads by key
  std::vector<std::byte> fresh_;                         // entries that aren't written yet
  u64 valid_ = 0;                                        // bytes of the file that were taken
};

}  // namespace steelyard::engine
