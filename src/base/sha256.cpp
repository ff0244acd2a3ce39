#include "base/sha256.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>

namespace steelyard {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    throw std::bad_alloc();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(Bytes bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string Sha256::finish() {
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(state_->context, digest.data(), nullptr);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

namespace {

// A digest that the system may forbid.
class Weak {
 public:
  explicit Weak(const EVP_MD* method)
      : good_(context_ != nullptr && EVP_DigestInit_ex(context_, method, nullptr) == 1) {}
  ~Weak() { EVP_MD_CTX_free(context_); }
  Weak(const Weak&) = delete;
  Weak& operator=(const Weak&) = delete;

  void update(Bytes bytes) {
    if (good_) EVP_DigestUpdate(context_, bytes.data(), bytes.size());
  }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!good_ || EVP_DigestFinal_ex(context_, digest.data(), &size) != 1) return {};
    return fmt::format("{:02x}", fmt::join(std::span(digest).first(size), ""));
  }

 private:
  EVP_MD_CTX* context_ = EVP_MD_CTX_new();
  bool good_;
};

}  // namespace

struct GitBlob::State : Weak {
  State() : Weak(EVP_sha1()) {}
};

GitBlob::GitBlob(u64 size, std::string_view type) : state_(std::make_unique<State>()) {
  const std::string head = fmt::format("{} {}", type, size);
  update(std::as_bytes(std::span(head.c_str(), head.size() + 1)));
}
GitBlob::~GitBlob() = default;
void GitBlob::update(Bytes bytes) { state_->update(bytes); }
std::string GitBlob::finish() { return state_->finish(); }

struct Md5::State : Weak {
  State() : Weak(EVP_md5()) {}
};

Md5::Md5() : state_(std::make_unique<State>()) {}
Md5::~Md5() = default;
void Md5::update(Bytes bytes) { state_->update(bytes); }
std::string Md5::finish() { return state_->finish(); }

std::string sha256(Bytes bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace steelyard
