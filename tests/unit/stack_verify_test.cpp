// What is said of programs: as built, as packaged, changed (STK006), not hardened (STK007), exchanged under a running
// server (STK008), damaged (STK010), or unknown.

#include <signal.h>
#include <sys/wait.h>

#include "stack/verify.hpp"
#include "stack_fixture.hpp"

namespace steelyard::stack {
namespace {

constexpr const char* kStrong = "-O2 -fPIE -pie -Wl,-z,relro,-z,now -fstack-protector-all -D_FORTIFY_SOURCE=2";

class Machine final : public Environment {
 public:
  std::optional<std::string> variable(const std::string&) const override { return std::nullopt; }
  i64 now() const override { return 1'700'000'000; }
  fs::path root() const override { return place; }

  fs::path place = "/";
};

class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "steelyard-verify-XXXXXX").string();
    path_ = fs::canonical(::mkdtemp(pattern.data()));
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path path(const std::string& name) const { return path_ / name; }
  // A copy of `from`, or a program of its own made with these flags.
  fs::path copy(const std::string& from, const std::string& name) const {
    fs::create_directories(path(name).parent_path());
    fs::copy_file(fs::canonical(from), path(name), fs::copy_options::overwrite_existing);
    return path(name);
  }
  fs::path compile(const std::string& flags, const std::string& name) const {
    std::ofstream(path("x.c")) << "#include <stdio.h>\nint main(int n, char** v) { char b[80]; sprintf(b, \"%s\", v[n "
                                  "- 1]); return puts(b); }\n"
                                  "int ggml_backend_rpc_init(void) { return 0; }\n";
    const std::string command = fmt::format("gcc -w {} -o {} {}", flags, path(name).string(), path("x.c").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return path(name);
  }
  // A record of a build of what lies there.
  evidence::Record record(const std::vector<std::string>& names) const {
    evidence::Record out;
    out.kind = "stack";
    for (const std::string& name : names) {
      const auto file = io::File::open(path(name));
      EXPECT_TRUE(file);
      out.subjects.push_back({"binary", name, io::hash(*file), file->size()});
    }
    out.found.facts.push_back(
        {"stack.upstream", json::Value().set("name", "x"), std::nullopt, std::nullopt, Assurance::verified});
    return out;
  }

 private:
  fs::path path_;
};

const json::Array& programs(const evidence::Record& record) {
  const Fact* fact = record.found.fact("runtime.programs");
  EXPECT_NE(fact, nullptr);
  return fact->value.array();
}

TEST(StackVerify, WhatWasBuiltIsKnownByItsBytes) {
  const Folder folder;
  fs::create_directories(folder.path("v3/bin"));
  folder.compile(kStrong, "v3/bin/server");
  folder.compile(kStrong, "v3/bin/tool");
  const evidence::Record built = folder.record({"v3/bin/server", "v3/bin/tool"});
  const Machine machine;
  const auto good = verify({}, &built, folder.path(""), machine);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(told(good->found), "");
  EXPECT_EQ(programs(*good).size(), 2U);
  EXPECT_EQ(programs(*good)[0]["origin"].string(), "built");
  EXPECT_EQ(good->method.uses, std::vector<std::string>{evidence::id(built)});
  EXPECT_NE(good->found.fact("stack.upstream"), nullptr);

  std::ofstream(folder.path("v3/bin/server"), std::ios::app) << "x";
  fs::remove(folder.path("v3/bin/tool"));
  const auto bad = verify({}, &built, folder.path(""), machine);
  ASSERT_TRUE(bad);
  const std::string said = told(bad->found);
  EXPECT_NE(said.find("STK006 " + folder.path("v3/bin/server").string() + " isn't the file that was built"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("STK006 " + folder.path("v3/bin/tool").string() + " is missing"), std::string::npos) << said;
  EXPECT_EQ(programs(*bad)[0]["origin"].string(), "changed");
}

TEST(StackVerify, ForeignProgramsAreUnknownAndTheirHardeningIsSeen) {
  const Folder folder;
  folder.compile("-no-pie -z norelro -z execstack -fno-stack-protector", "weak");
  folder.compile(kStrong, "strong");
  folder.compile("-s", "stripped");
  const auto record =
      verify({.files = {folder.path("weak"), folder.path("strong"), folder.path("stripped")}, .process = {}}, nullptr,
             {}, Machine());
  ASSERT_TRUE(record) << record.error().message;
  const auto& list = programs(*record);
  ASSERT_EQ(list.size(), 3U);
  for (const json::Value& one : list) EXPECT_EQ(one["origin"].string(), "unknown");
  EXPECT_NE(told(record->found).find("weak pie, relro, nx, canary"), std::string::npos) << told(record->found);
  EXPECT_EQ(told(record->found).find("strong"), std::string::npos) << told(record->found);
  EXPECT_EQ(list[1]["hardening"]["fortify"].string(), "yes");
  EXPECT_EQ(list[1]["rpc"].string(), "present");
  EXPECT_EQ(list[2]["rpc"].string(), "unknown");
}

TEST(StackVerify, PackagedProgramsAreKnown) {
  const auto record = verify({.files = {"/bin/ls"}, .process = {}}, nullptr, {}, Machine());
  ASSERT_TRUE(record);
  EXPECT_EQ(programs(*record)[0]["origin"].string(), "packaged");
  EXPECT_TRUE(programs(*record)[0]["package"].string().starts_with("coreutils "));
}

TEST(StackVerify, AFolderIsSearchedForPrograms) {
  const Folder folder;
  folder.copy("/bin/ls", "a/b/tool");
  std::ofstream(folder.path("a/readme")) << "text";
  const auto record = verify({.files = {folder.path("a")}, .process = {}}, nullptr, {}, Machine());
  ASSERT_TRUE(record);
  EXPECT_EQ(programs(*record).size(), 1U);
}

TEST(StackVerify, TheLibrariesOfARunningProcess) {
  const auto record = verify({.files = {}, .process = u64(::getpid())}, nullptr, {}, Machine());
  ASSERT_TRUE(record) << record.error().message;
  bool libc = false;
  for (const json::Value& one : programs(*record)) {
    libc = libc || one["path"].string().ends_with("libc.so.6");
    EXPECT_NE(one["origin"].string(), "changed") << one["path"].string() << " " << one["why"].string();
  }
  EXPECT_TRUE(libc);
  EXPECT_FALSE(verify({.files = {}, .process = u64{1} << 40}, nullptr, {}, Machine()));
}

TEST(StackVerify, AProgramThatWasExchangedUnderAServerIsSeen) {
  const Folder folder;
  const fs::path program = folder.copy("/bin/sleep", "server");
  const evidence::Record built = folder.record({"server"});
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(program.c_str(), "server", "60", nullptr);
    ::_exit(127);
  }
  // It runs once libc is loaded.
  for (int i = 0; i < 500; ++i) {
    std::ifstream maps(fmt::format("/proc/{}/maps", child));
    const std::string text{std::istreambuf_iterator<char>(maps), {}};
    if (text.find(program.string()) != std::string::npos && text.find("libc.so") != std::string::npos) break;
    ::usleep(10'000);
  }
  const auto origin = [&] {
    const auto record = verify({.files = {}, .process = static_cast<u64>(child)}, &built, folder.path(""), Machine());
    EXPECT_TRUE(record) << record.error().message;
    std::string out;
    for (const json::Value& one : programs(*record)) {
      if (one["path"].string() == program.string()) out = one["origin"].string();
    }
    return out + " " + told(record->found);
  };
  EXPECT_TRUE(origin().starts_with("built ")) << origin();
  // The same bytes in another file: what runs isn't what lies there.
  fs::copy_file(program, folder.path("new"));
  fs::rename(folder.path("new"), program);
  EXPECT_TRUE(origin().starts_with("changed STK008")) << origin();
  fs::remove(program);
  EXPECT_TRUE(origin().starts_with("changed STK008")) << origin();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(StackVerify, ADamagedProgramIsTold) {
  const Folder folder;
  const fs::path program = folder.copy("/bin/ls", "tool");
  std::fstream file(program, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(56);
  file.write("\xff\x7f", 2);
  file.close();
  const auto record = verify({.files = {program}, .process = {}}, nullptr, {}, Machine());
  ASSERT_TRUE(record);
  EXPECT_NE(told(record->found).find("STK010"), std::string::npos) << told(record->found);
}

}  // namespace
}  // namespace steelyard::stack
