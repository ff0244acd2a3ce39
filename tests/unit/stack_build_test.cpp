// The build on a small project: what is recorded, what a second build gives, and what is refused
// (STK005: a variant whose known answer is wrong, STK009: two builds that differ).

#include "base/text.hpp"
#include "rules/catalog.hpp"
#include "stack/build.hpp"
#include "stack/process.hpp"
#include "stack_fixture.hpp"

namespace steelyard::stack {
namespace {

constexpr std::string_view kAnswer = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

class Machine final : public Environment {
 public:
  std::optional<std::string> variable(const std::string& name) const override {
    if (name == "CCACHE_DIR" || name == "HOME") return home;
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }
  i64 now() const override { return 1'700'000'000; }
  fs::path root() const override { return "/"; }

  std::string home;
};

class Project {
 public:
  Project() {
    upstream_.shell(
        "mkdir -p pack/src && printf '%s\\n' 'project(small C CXX)' 'add_executable(tool main.c)' > "
        "pack/src/CMakeLists.txt && printf '%s\\n' '#include <stdio.h>' 'int main(void) { puts(__FILE__); return 0; "
        "}' > pack/src/main.c");
    upstream_.git("add . && git -C pack/src commit -qm project");
    machine_.home = upstream_.path("home").string();
    request_.files["CMakeLists.txt"] =
        "cmake_minimum_required(VERSION 3.25)\nproject(all C CXX)\nset(CMAKE_RUNTIME_OUTPUT_DIRECTORY "
        "${CMAKE_BINARY_DIR}/bin)\nadd_subdirectory(${STEELYARD_SOURCE} "
        "upstream)\nadd_subdirectory(${STEELYARD_ENGINE}/src/engine/"
        "worker engine)\n";
    request_.files["engine/src/engine/worker/CMakeLists.txt"] = "add_executable(steelyard-engine main.cpp)\n";
    engine(fmt::format("std::puts(\"self-test {}\"); return 0;", kAnswer));
    request_.lock.targets = {"tool"};
    request_.lock.compile = {"-O1"};
    request_.lock.default_variants = {"plain"};
    request_.lock.default_backends = {"cpu"};
    request_.lock.variants = {
        {.name = "plain", .machine = "", .cpu = {}, .options = {}, .compile = {}, .include = ""},
        {.name = "alien", .machine = "", .cpu = {"no_such_feature"}, .options = {}, .compile = {}, .include = ""}};
    request_.lock.backends = {
        {.name = "cpu", .options = {}, .tools = {}, .host_flags = "", .devices = false},
        {.name = "gpu", .options = {"DEVICES=ON"}, .tools = {}, .host_flags = "", .devices = true},
        {.name = "alien", .options = {}, .tools = {"no-such-compiler"}, .host_flags = "", .devices = false}};
    request_.jobs = 2;
    const Lock archive = upstream_.archive();
    for (std::string Lock::* field :
         {&Lock::file, &Lock::sha256, &Lock::folder, &Lock::objects, &Lock::commit, &Lock::tree})
      request_.lock.*field = archive.*field;
    request_.archive = fs::canonical(upstream_.path("pack.tar.gz"));
    request_.root = fs::canonical(upstream_.path(".")) / "root";
  }

  void engine(const std::string& body) {
    request_.files["engine/src/engine/worker/main.cpp"] =
        fmt::format("#include <cstdio>\n#include <cstdlib>\nint main() {{ {} }}\n", body);
  }
  // The program that tests devices, in builds with the backend "gpu".
  void device_test(const std::string& body) {
    request_.backends = {"gpu"};
    request_.files["engine/src/engine/worker/CMakeLists.txt"] +=
        "if(DEVICES)\nadd_executable(steelyard-device-test device.cpp)\nendif()\n";
    request_.files["engine/src/engine/worker/device.cpp"] =
        fmt::format("#include <cstdio>\nint main() {{ {} }}\n", body);
  }
  Result<Built> build() { return stack::build(request_, machine_, {}); }
  Result<Program> find(std::string_view name) { return program_of(request_.root, name, machine_); }
  Request& request() { return request_; }
  const Upstream& upstream() const { return upstream_; }

 private:
  Upstream upstream_;
  Machine machine_;
  Request request_;
};

const json::Value& fact(const Built& built, std::string_view key) {
  static const json::Value kNone;
  const Fact* found = built.record.found.fact(key);
  return found == nullptr ? kNone : found->value;
}

TEST(StackBuild, EverythingIsOnRecordAndASecondBuildIsTheSame) {
  Project project;
  project.request().again = true;
  project.request().files["engine/src/engine/worker/CMakeLists.txt"] +=
      "target_link_libraries(steelyard-engine -Wl,--no-as-needed z)\n";
  const auto built = project.build();
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(told(built->record.found), "");
  ASSERT_EQ(built->record.subjects.size(), 3U);
  EXPECT_EQ(built->record.subjects[1].path, "plain/bin/tool");
  const auto tool = io::File::open(built->folder / "plain/bin/tool");
  ASSERT_TRUE(tool);
  EXPECT_EQ(io::hash(*tool), built->record.subjects[1].sha256);
  EXPECT_EQ(fact(*built, "stack.upstream")["files"].integer(), 49);
  EXPECT_EQ(fact(*built, "stack.upstream.signature")["state"].string(), "undetermined");
  EXPECT_EQ(fact(*built, "stack.variants").array()[0]["self_test"]["digest"].string(), kAnswer);
  EXPECT_EQ(fact(*built, "stack.reproducible")["identical"].array().size(), 2U);
  EXPECT_GT(fact(*built, "stack.headers")["count"].integer(), 3);
  for (const std::string name : {"libc.so.6", "libz.so.1"}) {
    const auto& list = fact(*built, "stack.libraries").array();
    EXPECT_TRUE(std::ranges::any_of(list, [&](const json::Value& library) {
      return library["path"].string().find(name) != std::string::npos && is_sha256(library["sha256"].string());
    })) << name;
  }
  // No path of this machine is in the program.
  const auto said = run({.arguments = {(built->folder / "plain/bin/tool").string()}, .environment = {}, .folder = {}});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->output.find(project.request().root.string()), std::string::npos) << said->output;
  EXPECT_FALSE(fs::exists(project.request().root / "work"));

  const auto again = project.build();
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(again->present);
  EXPECT_EQ(evidence::id(again->record), evidence::id(built->record));
  EXPECT_EQ(current(project.request().root), fs::canonical(built->folder));

  const auto engine = project.find("steelyard-engine");
  ASSERT_TRUE(engine) << engine.error().message;
  EXPECT_EQ(engine->variant, "plain");
  EXPECT_EQ(engine->sha256, built->record.subjects[2].sha256);
  EXPECT_FALSE(project.find("absent"));

  // Who changed a program isn't believed a second time.
  std::ofstream(built->folder / "plain/bin/steelyard-engine", std::ios::app) << "x";
  EXPECT_NE(project.find("steelyard-engine").error().message.find("isn't the file that was built"), std::string::npos);
  std::ofstream(built->folder / "plain/bin/tool", std::ios::app) << "x";
  const auto repaired = project.build();
  ASSERT_TRUE(repaired) << repaired.error().message;
  EXPECT_FALSE(repaired->present);
  EXPECT_EQ(repaired->record.subjects[1].sha256, built->record.subjects[1].sha256);
}

TEST(StackBuild, AVariantWithAWrongAnswerIsNotInstalled) {
  for (const std::string body : {"std::abort();", "return 0;", "std::puts(\"self-test 12\"); return 0;"}) {
    Project project;
    project.engine(body);
    const auto built = project.build();
    ASSERT_TRUE(built) << built.error().message;
    EXPECT_TRUE(told(built->record.found).starts_with("STK005 plain")) << told(built->record.found);
    EXPECT_TRUE(built->folder.empty());
    EXPECT_FALSE(current(project.request().root));
  }
}

TEST(StackBuild, DevicesAreTestedWhereThereAreAny) {
  const std::string answer = fmt::format("std::puts(\"self-test {}\");", kAnswer);
  for (const auto& [body, states, refusal] :
       {std::tuple(answer, "", ""),
        std::tuple("std::puts(\"device passed GPU0: A: B\"); std::puts(\"device failed\"); " + answer,
                   "passed GPU0 A: B", ""),
        std::tuple(std::string("std::puts(\"device failed GPU0: A\"); return 1;"), "failed GPU0 A", "STK005 plain")}) {
    Project project;
    project.device_test(body);
    const auto built = project.build();
    ASSERT_TRUE(built) << built.error().message;
    EXPECT_TRUE(told(built->record.found).starts_with(refusal)) << told(built->record.found);
    EXPECT_EQ(built->folder.empty(), *refusal != 0);
    if (built->folder.empty()) continue;
    std::string found;
    for (const json::Value& one : fact(*built, "stack.variants").array()[0]["devices"].array())
      found += one["state"].string() + " " + one["name"].string() + " " + one["description"].string();
    EXPECT_EQ(found, states);
    EXPECT_TRUE(project.find("steelyard-device-test"));
  }
}

TEST(StackBuild, AVariantForAnotherProcessorIsBuiltButNotTested) {
  Project project;
  project.request().variants = {"alien"};
  const auto built = project.build();
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(fact(*built, "stack.variants").array()[0]["self_test"]["state"].string(), "not run");
  EXPECT_NE(project.find("tool").error().message.find("no variant"), std::string::npos);
}

TEST(StackBuild, TwoBuildsThatDifferAreTold) {
  Project project;
  // The folder of the build gets into the program.
  project.request().files["engine/src/engine/worker/CMakeLists.txt"] +=
      "target_compile_definitions(steelyard-engine PRIVATE WHERE=\"${CMAKE_BINARY_DIR}\")\n";
  project.engine(fmt::format("std::puts(\"self-test {} \" WHERE); return 0;", kAnswer));
  project.request().again = true;
  const auto built = project.build();
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_TRUE(told(built->record.found).starts_with("STK009 plain/bin/steelyard-engine")) << told(built->record.found);
  EXPECT_EQ(fact(*built, "stack.reproducible")["identical"].array().size(), 1U);
}

TEST(StackBuild, AnInterruptedBuildGoesOn) {
  Project project;
  project.engine("broken");
  const auto broken = project.build();
  ASSERT_FALSE(broken);
  EXPECT_NE(broken.error().message.find("ninja failed for plain"), std::string::npos) << broken.error().message;
  // Somebody changed what was unpacked.
  const fs::path work = project.request().root / "work";
  std::ofstream(work / "src/main.c") << "int main(void) { return 7; }\n";
  project.engine(fmt::format("std::puts(\"self-test {}\"); return 0;", kAnswer));
  const auto built = project.build();
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_EQ(run({.arguments = {(built->folder / "plain/bin/tool").string()}, .environment = {}, .folder = {}})->status,
            0);
}

TEST(StackBuild, ToolsAndNamesThatAreNotThereAreNamed) {
  Project project;
  project.request().backends = {"alien"};
  EXPECT_NE(project.build().error().message.find("the backend alien needs no-such-compiler"), std::string::npos);
  project.request().backends = {"none"};
  EXPECT_NE(project.build().error().message.find("no backend \"none\": expected one of cpu, gpu, alien"),
            std::string::npos);
  project.request().backends = {};
  project.request().lock.variants[0].machine = "vax";
  EXPECT_NE(project.build().error().message.find("the variant plain is for vax, this machine is "), std::string::npos);
  project.request().lock.variants[0].machine = "";
  project.request().root = "/tmp/a folder";
  EXPECT_NE(project.build().error().message.find("needs an absolute path"), std::string::npos);
}

TEST(StackProcess, ChildrenEndWithTheirOutputKept) {
  const auto said =
      run({.arguments = {"/bin/sh", "-c", "echo a; echo b >&2; exit 3"}, .environment = {}, .folder = {}});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->status, 3);
  EXPECT_EQ(said->output, "a\nb\n");
  const auto slow = run({.arguments = {"/bin/sleep", "30"}, .environment = {}, .folder = {}, .seconds = 1});
  ASSERT_TRUE(slow);
  EXPECT_TRUE(slow->timed_out);
  EXPECT_EQ(run({.arguments = {"/absent"}, .environment = {}, .folder = {}})->status, 127);
}

}  // namespace
}  // namespace steelyard::stack
