#include "sandbox/script.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace steelyard::sandbox {
namespace {

std::filesystem::path interpreter() {
  std::error_code error;
  return std::filesystem::canonical("/usr/bin/python3", error);
}

Result<Ran> python(const std::string& code, const std::string& input = {}) {
  return run_script({.interpreter = interpreter(), .arguments = {"-c", code}, .input = input, .seconds = 2});
}

TEST(Script, RunsWithItsInputAndSaysInWhichSandbox) {
  if (interpreter().empty()) GTEST_SKIP() << "no python3";
  const auto ran = python("import sys, json\nprint(json.dumps(sys.stdin.read().upper()))\nsys.exit(7)", "abc\n");
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(ran->status, 7);
  EXPECT_EQ(ran->output, "\"ABC\\n\"\n");
  for (const char* layer : {"seccomp", "rlimits", "no_new_privs"})
    EXPECT_NE(std::ranges::find(ran->sandbox, layer), ran->sandbox.end()) << layer;
}

TEST(Script, OfWhatItPrintsTheEndIsKept) {
  if (interpreter().empty()) GTEST_SKIP() << "no python3";
  const auto ran = python("print('x' * 10_000_000)\nprint('end')");
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_LE(ran->output.size(), 128U * 1024);
  EXPECT_TRUE(ran->output.ends_with("x\nend\n"));
}

TEST(Script, MemoryAndFilesAreBounded) {
  if (interpreter().empty()) GTEST_SKIP() << "no python3";
  const auto memory = python("x = bytearray(2 << 30)");
  ASSERT_TRUE(memory);
  EXPECT_NE(memory->output.find("MemoryError"), std::string::npos) << memory->output;
  const auto file = python("import os\nos.ftruncate(os.memfd_create('a'), 1 << 20)");
  ASSERT_TRUE(file);
  EXPECT_NE(file->status, 0) << "memory of files counts nowhere else";
}

TEST(Script, WhatIsNoFileIsAnError) {
  EXPECT_FALSE(run_script({.interpreter = "/nowhere/python3", .arguments = {}, .input = {}}));
}

}  // namespace
}  // namespace steelyard::sandbox
