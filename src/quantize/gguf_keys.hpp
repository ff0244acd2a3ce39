// GgufKeys: the keys of a GGUF file, written one after the other. Spec: docs/gguf.md of ggml, version 3, little-endian.
#pragma once

#include <bit>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::quantize {

inline void put_number(std::vector<std::byte>& out, u64 number, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<std::byte>(number >> (8 * i)));
}

inline void put_text(std::vector<std::byte>& out, std::string_view text) {
  put_number(out, text.size(), 8);
  for (const char c : text) out.push_back(static_cast<std::byte>(c));
}

class GgufKeys {
 public:
  void number(std::string_view key, u32 value) {
    begin(key, 4);
    put_number(bytes, value, 4);
  }
  void decimal(std::string_view key, float value) {
    begin(key, 6);
    put_number(bytes, std::bit_cast<u32>(value), 4);
  }
  void flag(std::string_view key, bool value) {
    begin(key, 7);
    put_number(bytes, value ? 1 : 0, 1);
  }
  void text(std::string_view key, std::string_view value) {
    begin(key, 8);
    put_text(bytes, value);
  }
  void texts(std::string_view key, const std::vector<std::string>& values) {
    array(key, 8, values.size());
    for (const std::string& value : values) put_text(bytes, value);
  }
  void numbers(std::string_view key, const std::vector<u32>& values) {  // as int32
    array(key, 5, values.size());
    for (const u32 value : values) put_number(bytes, value, 4);
  }

  void decimals(std::string_view key, const std::vector<float>& values) {
    array(key, 6, values.size());
    for (const float value : values) put_number(bytes, std::bit_cast<u32>(value), 4);
  }

  std::vector<std::byte> bytes;
  u64 count = 0;

 private:
  void begin(std::string_view key, u32 type) {
    put_text(bytes, key);
    put_number(bytes, type, 4);
    ++count;
  }
  void array(std::string_view key, u32 type, u64 length) {
    begin(key, 9);
    put_number(bytes, type, 4);
    put_number(bytes, length, 8);
  }
};

}  // namespace steelyard::quantize
