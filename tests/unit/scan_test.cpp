// How scan() deals with workers that die, files that change and files that can't be read: LIM002,
// LIM003, LIM004. The zygote here is a scripted one that runs the real task in this process.

#include "scan/scan.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "base/sha256.hpp"

namespace steelyard::scan {
namespace {

namespace fs = std::filesystem;

class FixedEnvironment final : public Environment {
 public:
  std::optional<std::string> variable(const std::string&) const override { return std::nullopt; }
  i64 now() const override { return 1795515148; }
  fs::path root() const override { return "/"; }
};

class ScriptedZygote final : public sandbox::Zygote {
 public:
  std::function<void(const sandbox::Batch&)> before;
  u64 deadly_size = UINT64_MAX;  // a batch with a file of this size crashes
  std::vector<std::size_t> batches;

  Result<sandbox::Reply> run(const sandbox::Batch& batch) override {
    batches.push_back(batch.files.size());
    if (before) before(batch);
    sandbox::Reply reply;
    for (const int fd : batch.files) {
      struct stat s{};
      ::fstat(fd, &s);
      if (static_cast<u64>(s.st_size) == deadly_size) reply.ending = sandbox::Ending::crashed;
    }
    if (reply.ending == sandbox::Ending::finished) {
      worker_task(batch.files, batch.request,
                  [&](Bytes bytes) { reply.output.insert(reply.output.end(), bytes.begin(), bytes.end()); });
    }
    return reply;
  }
  const std::vector<std::string>& layers() const override { return layers_; }

 private:
  std::vector<std::string> layers_;
};

class Scan : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, std::size_t bytes) { std::ofstream(folder_ / name) << std::string(bytes, 'x'); }
  evidence::Record scan(Options options = {.jobs = 1}) {
    const FixedEnvironment environment;
    const auto target = resolve(folder_.string());
    auto record = scan::scan(*target, options, {.environment = environment, .zygote = zygote_, .progress = {}});
    EXPECT_TRUE(record);
    return std::move(*record);
  }
  static std::vector<std::string> paths_with(const evidence::Record& record, const std::string& rule) {
    std::vector<std::string> out;
    for (const Finding& finding : record.found.findings) {
      if (finding.rule == rule) out.push_back(record.found.artifacts[*finding.artifact].path);
    }
    return out;
  }
  fs::path folder_ = fs::canonical(testing::TempDir()) / ("scan-" + std::to_string(::getpid()));
  ScriptedZygote zygote_;
};

TEST_F(Scan, OneDeadlyFileLosesOnlyItself) {
  for (std::size_t i = 0; i < 20; ++i) write("f" + std::to_string(100 + i), 10 + i);
  zygote_.deadly_size = 17;
  const auto record = scan();
  EXPECT_EQ(paths_with(record, "LIM002"), (std::vector<std::string>{"f107"}));
  EXPECT_EQ(record.status, evidence::Status::partial);
  EXPECT_EQ(record.found.artifacts.size(), 20u);
  EXPECT_LE(zygote_.batches.size(), 12u) << "halving, not one by one";
}

TEST_F(Scan, WithoutADeadlyFileNothingIsLost) {
  for (std::size_t i = 0; i < 20; ++i) write("f" + std::to_string(100 + i), 10 + i);
  const auto record = scan();
  EXPECT_TRUE(paths_with(record, "LIM002").empty());
  EXPECT_EQ(record.status, evidence::Status::complete);
  EXPECT_EQ(zygote_.batches, (std::vector<std::size_t>{20}));
}

TEST_F(Scan, BatchesHoldAtMost64FilesOr8MiB) {
  for (std::size_t i = 0; i < 100; ++i) write("a" + std::to_string(100 + i), 1);
  write("b1", 5 << 20);
  write("b2", 5 << 20);
  (void)scan();
  for (const std::size_t files : zygote_.batches) EXPECT_LE(files, 64u);
  EXPECT_GE(zygote_.batches.size(), 3u);
}

TEST_F(Scan, AChangeWhileBeingReadIsFoundAndDropsTheDigest) {
  write("steady", 10);
  write("moving", 11);
  zygote_.before = [&](const sandbox::Batch&) { std::ofstream(folder_ / "moving", std::ios::app) << "more"; };
  const auto record = scan();
  EXPECT_EQ(paths_with(record, "LIM003"), (std::vector<std::string>{"moving"}));
  for (const auto& subject : record.subjects) EXPECT_EQ(subject.sha256.empty(), subject.path == "moving");
  EXPECT_EQ(evidence::cache_key(record), "");
}

TEST_F(Scan, WhatCannotBeReadIsReported) {
  write("good", 10);
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const auto record = scan();
  EXPECT_EQ(paths_with(record, "LIM004"), (std::vector<std::string>{"pipe"}));
  EXPECT_EQ(record.status, evidence::Status::partial);
}

TEST_F(Scan, RecordsDependOnContentNotOnPlaceOrThreads) {
  for (std::size_t i = 0; i < 30; ++i) write("f" + std::to_string(100 + i), 10 + i);
  const std::string one = evidence::id(scan({.jobs = 1}));
  EXPECT_EQ(evidence::id(scan({.jobs = 4})), one);
  const fs::path moved = folder_.string() + "-moved";
  fs::rename(folder_, moved);
  folder_ = moved;
  EXPECT_EQ(evidence::id(scan()), one);
}

TEST_F(Scan, DigestsAreThoseOfTheBytes) {
  write("a", 1000);
  EXPECT_EQ(scan().subjects.at(0).sha256, sha256(std::string(1000, 'x')));
  EXPECT_EQ(scan({.hash = false}).subjects.at(0).sha256, "");
}

TEST_F(Scan, AFileOfManyNamesIsReadOnce) {
  write("a", 100'000);
  fs::create_hard_link(folder_ / "a", folder_ / "b");
  fs::create_symlink("a", folder_ / "c");
  write("d", 7);
  u64 last = 0;
  const FixedEnvironment environment;
  const auto record = scan::scan(*resolve(folder_.string()), {.jobs = 1},
                                 {.environment = environment, .zygote = zygote_, .progress = [&](u64 done, u64 total) {
                                    last = std::max(last, done);
                                    EXPECT_EQ(total, 100'007u);
                                  }});
  EXPECT_EQ(last, 100'007u);
  for (const std::size_t i : {0u, 1u, 2u}) EXPECT_EQ(record->subjects.at(i).sha256, sha256(std::string(100'000, 'x')));
  EXPECT_EQ(record->subjects.at(3).sha256, sha256(std::string(7, 'x')));
}

std::string safetensors(const std::string& header, const std::string& data) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(header.size());
  return out + header + data;
}

TEST_F(Scan, DigestsOfTensorsAreThoseOfTheirBytes) {
  std::ofstream(folder_ / "w.safetensors", std::ios::binary) << safetensors(
      R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})",
      "abcde");
  const auto record = scan({.tensor_digests = true, .jobs = 1});
  const Fact* digests = record.found.fact("model.tensor_digests");
  ASSERT_NE(digests, nullptr);
  ASSERT_EQ(digests->value.array().size(), 2u);
  EXPECT_EQ(digests->value.array()[0]["sha256"].string(), sha256("abc"));
  EXPECT_EQ(digests->value.array()[1]["sha256"].string(), sha256("de"));
  EXPECT_EQ(scan().found.fact("model.tensor_digests"), nullptr);
  EXPECT_NE(evidence::cache_key(scan()), evidence::cache_key(record));
}

TEST_F(Scan, ShardsThatAnIndexNamesMustBeThere) {
  fs::create_directories(folder_ / "m");
  std::ofstream(folder_ / "m" / "model.safetensors.index.json")
      << R"({"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})";
  const std::string shard = safetensors(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x");
  std::ofstream(folder_ / "m" / "one.safetensors", std::ios::binary) << shard;
  std::ofstream(folder_ / "two.safetensors", std::ios::binary) << shard;
  EXPECT_EQ(paths_with(scan(), "IDN004"), (std::vector<std::string>{"m/model.safetensors.index.json"}));
  std::ofstream(folder_ / "m" / "two.safetensors", std::ios::binary) << shard;
  EXPECT_TRUE(paths_with(scan(), "IDN004").empty());
}

}  // namespace
}  // namespace steelyard::scan
