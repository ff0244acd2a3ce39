// The package database of a made-up root: what matches, what was exchanged (STK004), what nobody knows.

#include "stack/packages.hpp"
#include "stack/toolchain.hpp"
#include "stack_fixture.hpp"

namespace steelyard::stack {
namespace {

class Root {
 public:
  Root() {
    std::string pattern = (fs::temp_directory_path() / "steelyard-root-XXXXXX").string();
    folder_ = fs::canonical(::mkdtemp(pattern.data()));
    write("usr/bin/cc", "compiler");
    write("usr/lib/libc.so.6", "libc");
    write("opt/tool", "mine");
    fs::create_directory_symlink("usr/lib", folder_ / "lib");
    fs::create_symlink("cc", folder_ / "usr/bin/c++");
    write(
        "var/lib/dpkg/status",
        "Package: compiler\nArchitecture: all\nVersion: 12.2\n\nPackage: libc6\nArchitecture: amd64\nVersion: 2.36\n");
    for (const auto& [name, path] :
         {std::pair("compiler", "usr/bin/cc"), std::pair("libc6:amd64", "usr/lib/libc.so.6")}) {
      auto file = io::File::open(folder_ / path);
      write(fmt::format("var/lib/dpkg/info/{}.md5sums", name),
            fmt::format("short\n{}  {}\n", io::md5(*file), std::string(path).substr(name[0] == 'l' ? 4 : 0)));
    }
  }
  ~Root() { fs::remove_all(folder_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  void write(const std::string& path, const std::string& content) const {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << content;
  }
  const fs::path& folder() const { return folder_; }
  std::string states() const {
    std::string out;
    for (const Packaged& one : look_up(folder_, {"/usr/bin/c++", "/lib/libc.so.6", "/opt/tool", "/absent"}))
      out += fmt::format("{} {} {} {}; ", one.path, to_string(one.state), one.package, one.version);
    return out;
  }

 private:
  fs::path folder_;
};

TEST(StackPackages, FilesAreThoseOfTheirPackages) {
  const Root root;
  EXPECT_EQ(root.states(),
            "/usr/bin/cc matches compiler 12.2; /usr/lib/libc.so.6 matches libc6 2.36; /opt/tool unpackaged  ; "
            "/absent unknown  ; ");
}

TEST(StackPackages, AnExchangedFileDiffersAndIsAFinding) {
  const Root root;
  root.write("usr/lib/libc.so.6", "libd");
  EXPECT_NE(root.states().find("/usr/lib/libc.so.6 differs libc6 2.36"), std::string::npos);
  Examination found;
  const json::Value facts =
      check_packaged(root.folder(), {{"library", "", "/lib/libc.so.6"}, {"cc", "", "/usr/bin/cc"}}, found);
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(told(found), "STK004 /usr/lib/libc.so.6 libc6; ");
  EXPECT_TRUE(refused(found));
  EXPECT_EQ(facts.array()[0]["state"].string(), "differs");
  EXPECT_EQ(facts.array()[1]["state"].string(), "matches");
  EXPECT_EQ(facts.array()[1]["sha256"].string(), sha256("compiler"));
}

TEST(StackPackages, WithoutADatabaseNothingIsKnown) {
  const Root root;
  fs::remove_all(root.folder() / "var");
  EXPECT_EQ(root.states(),
            "/usr/bin/cc unknown  ; /usr/lib/libc.so.6 unknown  ; /opt/tool unknown  ; /absent unknown  ; ");
}

TEST(StackPackages, ADivertedFileIsNotJudged) {
  const Root root;
  root.write("usr/bin/cc", "another");
  root.write("var/lib/dpkg/diversions", "/usr/bin/cc\n/usr/bin/cc.real\nother\n");
  EXPECT_NE(root.states().find("/usr/bin/cc unknown compiler"), std::string::npos);
}

}  // namespace
}  // namespace steelyard::stack
