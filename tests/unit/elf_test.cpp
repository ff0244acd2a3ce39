// Damaged headers yield answers, never a crash or a yes; what readelf says is compared in tests/oracle/elf_test.py.

#include "wire/elf.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "io/file.hpp"

namespace steelyard::wire::elf {
namespace {

std::string own_front() {
  const auto file = io::File::open(std::filesystem::canonical("/proc/self/exe"));
  EXPECT_TRUE(file);
  std::string out(file->size(), '\0');
  EXPECT_EQ(file->read(0, std::as_writable_bytes(std::span(out))), out.size());
  return out;
}

std::optional<Image> read_text(const std::string& bytes, bool names = false) {
  return read(MemorySource(as_bytes(bytes)), names);
}

TEST(Elf, TheTestItselfIsHardened) {
  const auto image = read_text(own_front(), true);
  ASSERT_TRUE(image);
  EXPECT_TRUE(image->problems.empty()) << image->problems.front();
  EXPECT_EQ(image->kind, Kind::position_independent);
  EXPECT_EQ(image->relro, Has::yes);
  EXPECT_EQ(image->bind_now, Has::yes);
  EXPECT_EQ(image->nx, Has::yes);
  EXPECT_EQ(image->canary, Has::yes);
  EXPECT_NE(std::ranges::find(image->needed, "libc.so.6"), image->needed.end());
  EXPECT_TRUE(std::ranges::binary_search(image->names, "main"));
  EXPECT_FALSE(image->build_id.empty());
}

TEST(Elf, OtherFilesAreNone) {
  EXPECT_FALSE(read_text(""));
  EXPECT_FALSE(read_text("#!/bin/sh\n"));
  EXPECT_FALSE(read_text("\177ELF"));
}

TEST(Elf, EveryByteOfTheHeadersMayBeAnything) {
  const std::string whole = own_front();
  const std::string front = whole.substr(0, 64 + 20 * 56);
  for (std::size_t at = 4; at < front.size(); ++at) {
    for (const char bits : {'\xff', '\x01', '\x80'}) {
      std::string bad = front;
      bad[at] = static_cast<char>(bad[at] ^ bits);
      ASSERT_TRUE(read_text(bad, true)) << at;
    }
  }
  for (std::size_t length = 16; length < front.size(); length += 5) {
    const auto image = read_text(front.substr(0, length), true);
    ASSERT_TRUE(image);
    // Where nothing could be read nothing is claimed.
    if (length < 64) {
      EXPECT_EQ(image->relro, Has::unknown);
      EXPECT_EQ(image->nx, Has::unknown);
    }
  }
}

TEST(Elf, CountsThatLieAreBounded) {
  std::string bad = own_front();
  bad[56] = bad[57] = '\xff';  // 65,535 program headers
  bad[60] = bad[61] = '\xff';  // and sections
  const auto image = read_text(bad, true);
  ASSERT_TRUE(image);
  EXPECT_FALSE(image->problems.empty());
}

TEST(Elf, AnExecutableStackAndAMissingOneAreNoNx) {
  std::string bytes = own_front();
  const auto count = static_cast<std::size_t>(static_cast<unsigned char>(bytes[56]));
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = 64 + 56 * i;
    if (bytes.substr(at, 4) != "\x51\xe5\x74\x64") continue;
    std::string executable = bytes;
    executable[at + 4] = 7;
    EXPECT_EQ(read_text(executable)->nx, Has::no);
    std::string absent = bytes;
    absent[at] = 0;
    EXPECT_EQ(read_text(absent)->nx, Has::no);
    return;
  }
  FAIL() << "no GNU_STACK";
}

}  // namespace
}  // namespace steelyard::wire::elf
