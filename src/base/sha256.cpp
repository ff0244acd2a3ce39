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

struct GitBlob::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  bool good = false;
  ~State() { EVP_MD_CTX_free(context); }
};

GitBlob::GitBlob(u64 size, std::string_view type) : state_(std::make_unique<State>()) {
  state_->good = state_->context != nullptr && EVP_DigestInit_ex(state_->context, EVP_sha1(), nullptr) == 1;
  const std::string head = fmt::format("{} {}", type, size);
  update(std::as_bytes(std::span(head.c_str(), head.size() + 1)));
}
GitBlob::~GitBlob() = default;

void GitBlob::update(Bytes bytes) {
  if (state_->good) EVP_DigestUpdate(state_->context, bytes.data(), bytes.size());
}

std::string GitBlob::finish() {
  std::array<unsigned char, 20> digest{};
  if (!state_->good || EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) != 1) return {};
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

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
