#include "host/machine.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace steelyard::host {
namespace {

namespace fs = std::filesystem;

class Made final : public Environment {
 public:
  Made() : root_(fs::canonical(testing::TempDir()) / ("machine-" + std::to_string(::getpid()))) {
    fs::remove_all(root_);
  }
  ~Made() override { fs::remove_all(root_); }
  std::optional<std::string> variable(const std::string&) const override { return std::nullopt; }
  i64 now() const override { return 0; }
  fs::path root() const override { return root_; }
  Made& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
    return *this;
  }

 private:
  fs::path root_;
};

constexpr u64 kGiB = u64{1} << 30;
const std::string kMeminfo = "MemTotal:       16777216 kB\nMemFree:  1 kB\nMemAvailable:    8388608 kB\n";

TEST(Machine, MemoryThatIsAvailable) {
  Made made;
  made.file("proc/meminfo", kMeminfo);
  EXPECT_EQ(memory(made).total, 16 * kGiB);
  EXPECT_EQ(memory(made).available, 8 * kGiB);
  EXPECT_FALSE(memory(made).group);
}

TEST(Machine, TheNarrowestControlGroupCounts) {
  Made made;
  made.file("proc/meminfo", kMeminfo)
      .file("proc/self/cgroup", "0::/outer/inner\n")
      .file("sys/fs/cgroup/outer/inner/memory.max", "max\n")
      .file("sys/fs/cgroup/outer/inner/memory.current", "100\n")
      .file("sys/fs/cgroup/outer/memory.max", std::to_string(4 * kGiB) + "\n")
      .file("sys/fs/cgroup/outer/memory.current", std::to_string(3 * kGiB) + "\n")
      .file("sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file " + std::to_string(kGiB) + "\n");
  const Memory found = memory(made);
  EXPECT_EQ(found.total, 4 * kGiB);
  EXPECT_EQ(found.available, 2 * kGiB) << "pages of unused files give way";
  EXPECT_TRUE(found.group);
}

TEST(Machine, ControlGroupsOfTheFirstVersion) {
  Made made;
  made.file("proc/meminfo", kMeminfo)
      .file("proc/self/cgroup", "3:cpu,cpuacct:/x\n4:memory:/a\n0::/\n")
      .file("sys/fs/cgroup/memory/a/memory.limit_in_bytes", std::to_string(kGiB))
      .file("sys/fs/cgroup/memory/a/memory.usage_in_bytes", std::to_string(2 * kGiB))
      .file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
      .file("sys/fs/cgroup/memory/memory.usage_in_bytes", "5");
  EXPECT_EQ(memory(made).available, 0U) << "more is used than allowed";
  EXPECT_TRUE(memory(made).group);
}

TEST(Machine, NothingThatCanBeRead) {
  Made made;
  EXPECT_EQ(memory(made).available, 0U);
  EXPECT_GE(cores(made), 1U);
  made.file("proc/meminfo", "MemTotal: many kB\nMemAvailable: 99999999999999999999 kB\n")
      .file("proc/self/cgroup", "0::/../../etc\nnonsense\n");
  EXPECT_EQ(memory(made).available, 0U);
}

TEST(Machine, ThreadsOfOneCoreCountOnce) {
  Made made;
  for (int cpu = 0; cpu < 4; ++cpu)
    made.file("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings", "f\n");
  EXPECT_EQ(cores(made), 1U);
}

TEST(Machine, AQuotaLimitsCores) {
  Made made;
  for (int cpu = 0; cpu < 4; ++cpu)
    made.file("sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings",
              std::to_string(1 << cpu));
  made.file("proc/self/cgroup", "0::/\n").file("sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(cores(made), 1U);
}

}  // namespace
}  // namespace steelyard::host
