#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "base/sha256.hpp"
#include "io/digest_cache.hpp"
#include "io/spool.hpp"
#include "scan/target.hpp"

namespace steelyard {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path write(const std::string& name, const std::string& content) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
    return folder_ / name;
  }
  fs::path folder_ = fs::canonical(testing::TempDir()) / ("files-" + std::to_string(::getpid()));
};

using io::File;

TEST_F(Files, HashIsThatOfTheBytes) {
  const std::string content(1'000'000, 'q');
  const auto file = File::open(write("a", content));
  ASSERT_TRUE(file);
  EXPECT_EQ(io::hash(*file), sha256(content));
  EXPECT_EQ(io::hash(*File::open(write("empty", ""))),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(Files, ShrinkingFileHasNoDigest) {
  const auto path = write("a", std::string(100'000, 'q'));
  const auto file = File::open(path);
  fs::resize_file(path, 10);
  EXPECT_EQ(io::hash(*file), "");
  EXPECT_FALSE(file->unchanged());
}

TEST_F(Files, OnlyRegularFilesOpen) {
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  fs::create_symlink(write("a", "x"), folder_ / "link");
  const auto message = [&](const fs::path& path) {
    const auto file = File::open(path);
    return file ? std::string("opened") : file.error().message;
  };
  EXPECT_NE(message(folder_ / "fifo").find("found a FIFO"), std::string::npos);
  EXPECT_NE(message(folder_).find("found a directory"), std::string::npos);
  EXPECT_NE(message("/dev/null").find("found a device"), std::string::npos);
  EXPECT_NE(message(folder_ / "link").find("cannot open"), std::string::npos);
  EXPECT_EQ(message(folder_ / "a"), "opened");
}

TEST_F(Files, AtomicWriteReplacesAndLeavesNothingElse) {
  const auto path = folder_ / "out.json";
  ASSERT_TRUE(io::write_atomically(path, "one"));
  ASSERT_TRUE(io::write_atomically(path, "two"));
  EXPECT_EQ(*io::read_text(path), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
  EXPECT_FALSE(io::write_atomically("/proc/nowhere/out.json", "x"));
}

TEST_F(Files, DigestCacheForgetsOnAnyChange) {
  const auto path = write("model", "content");
  const auto file = File::open(path);
  const io::Stat stat = file->stat();
  const i64 settled = stat.changed / 1'000'000'000 + 10;
  {
    io::DigestCache cache(folder_ / "digests");
    cache.remember(stat, sha256("content"), stat.changed / 1'000'000'000);
    EXPECT_FALSE(cache.find(stat)) << "ctime under two seconds old";
    cache.remember(stat, sha256("content"), settled);
    EXPECT_EQ(cache.find(stat), sha256("content"));
  }
  const io::DigestCache again(folder_ / "digests");
  EXPECT_EQ(again.find(stat), sha256("content"));
  for (int field = 0; field < 5; ++field) {
    io::Stat other = stat;
    if (field == 0) ++other.device;
    if (field == 1) ++other.inode;
    if (field == 2) ++other.bytes;
    if (field == 3) ++other.modified;
    if (field == 4) ++other.changed;
    EXPECT_FALSE(again.find(other)) << field;
  }
}

TEST_F(Files, DigestCacheSkipsTornAndForgedLines) {
  const auto file = File::open(write("model", "content"));
  const io::Stat stat = file->stat();
  {
    io::DigestCache(folder_ / "digests").remember(stat, sha256("content"), stat.changed / 1'000'000'000 + 10);
  }
  std::string text = *io::read_text(folder_ / "digests");
  const std::string torn = text.substr(0, text.size() - 5);
  ASSERT_TRUE(io::write_atomically(folder_ / "digests", torn + "\n", 0600));
  EXPECT_FALSE(io::DigestCache(folder_ / "digests").find(stat));
  ASSERT_TRUE(io::write_atomically(folder_ / "digests", text, 0666));
  EXPECT_FALSE(io::DigestCache(folder_ / "digests").find(stat)) << "writable by others";
}

// What is written to a pipe while it is spooled.
Result<File> spooled(const std::string& content, u64 most) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  std::jthread writer([&] {
    [[maybe_unused]] const ssize_t written = ::write(ends[1], content.data(), content.size());
    ::close(ends[1]);
  });
  auto file = io::spool(ends[0], "standard input", testing::TempDir(), most);
  ::close(ends[0]);
  return file;
}

TEST_F(Files, PipesAreSpooledWithinACap) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto file = spooled(std::string(300'000, 'x'), 300'000);
  ASSERT_TRUE(file);
  EXPECT_EQ(io::hash(*file), sha256(std::string(300'000, 'x')));
  struct stat s{};
  ASSERT_EQ(::fstat(file->descriptor(), &s), 0);
  EXPECT_EQ(s.st_nlink, 0u) << "the file has no name";
  EXPECT_NE(spooled(std::string(300'000, 'x'), 299'999).error().message.find("more than"), std::string::npos);
  EXPECT_TRUE(spooled("", 10));
}

TEST_F(Files, ARegularFileIsTakenAsItIs) {
  const auto path = write("a", "content");
  const int fd = ::open(path.c_str(), O_RDONLY);
  const auto file = io::spool(fd, "standard input", testing::TempDir(), 1);
  ::close(fd);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->stat(), File::open(path)->stat());
  EXPECT_EQ(io::hash(*file->again()), sha256("content"));
}

TEST_F(Files, SpoolingNeedsAPlace) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[1]);
  EXPECT_NE(io::spool(ends[0], "standard input", folder_ / "absent", 10).error().message.find("cannot be kept"),
            std::string::npos);
  ::close(ends[0]);
  EXPECT_FALSE(io::spool(-1, "standard input", folder_, 10));
}

std::vector<std::string> names(const Result<scan::Target>& target) {
  std::vector<std::string> out;
  for (const auto& file : target->files) out.push_back(file.name + (file.problem.empty() ? "" : " (problem)"));
  return out;
}

TEST_F(Files, ShardsComeTogether) {
  for (const char* name : {"m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "m-00001-of-00003.gguf", "other.gguf"})
    write(name, "x");
  EXPECT_EQ(names(scan::resolve((folder_ / "m-00001-of-00002.gguf").string())),
            (std::vector<std::string>{"m-00001-of-00002.gguf", "m-00002-of-00002.gguf"}));
  EXPECT_EQ(names(scan::resolve((folder_ / "other.gguf").string())), (std::vector<std::string>{"other.gguf"}));
  for (const char* name : {"s-00001-of-00002.safetensors", "s-00002-of-00002.safetensors", "s.safetensors.index.json"})
    write(name, "x");
  EXPECT_EQ(names(scan::resolve((folder_ / "s-00001-of-00002.safetensors").string())),
            (std::vector<std::string>{"s-00001-of-00002.safetensors", "s-00002-of-00002.safetensors",
                                      "s.safetensors.index.json"}));
}

TEST_F(Files, DirectoriesAreWalkedWithoutLoopsOrDevices) {
  write("b/model.gguf", "x");
  write("a.txt", "x");
  fs::create_symlink("loop2", folder_ / "loop1");
  fs::create_symlink("loop1", folder_ / "loop2");
  fs::create_directory_symlink(folder_, folder_ / "b" / "up");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(names(scan::resolve(folder_.string())),
            (std::vector<std::string>{"a.txt", "b/model.gguf", "b/up (problem)", "loop1 (problem)", "loop2 (problem)",
                                      "pipe (problem)"}));
}

TEST_F(Files, TargetsThatCannotBeAreErrors) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_NE(scan::resolve((folder_ / "pipe").string()).error().message.find("found a FIFO"), std::string::npos);
  EXPECT_NE(scan::resolve("/dev/null").error().message.find("found a device"), std::string::npos);
  EXPECT_NE(scan::resolve((folder_ / "absent").string()).error().message.find("No such file"), std::string::npos);
}

}  // namespace
}  // namespace steelyard
