// SHA-256 (FIPS 180-4) through OpenSSL's EVP, which uses the CPU's own instructions; and the SHA-1 by
// which git names contents and the MD5 of package databases, good only to compare with what was named so.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.hpp"

namespace steelyard {

// Feed with update(), end with finish(). Not thread-safe; one object per stream.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(Bytes bytes);
  // 64 lowercase hex digits. The object may not be used afterwards.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The name that git gives a content of `size` bytes: SHA-1 of "blob <size>", a zero byte and the content; of
// other kinds of objects: "commit", "tree", "tag".
class GitBlob {
 public:
  explicit GitBlob(u64 size, std::string_view type = "blob");
  ~GitBlob();
  GitBlob(const GitBlob&) = delete;
  GitBlob& operator=(const GitBlob&) = delete;

  void update(Bytes bytes);
  // 40 lowercase hex digits; empty where the system forbids SHA-1.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;

  void update(Bytes bytes);
  // 32 lowercase hex digits; empty where the system forbids MD5.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(Bytes bytes);
inline std::string sha256(std::string_view text) { return sha256(as_bytes(text)); }
// Whether `text` is 64 lowercase hex digits.
bool is_sha256(std::string_view text);

}  // namespace steelyard
