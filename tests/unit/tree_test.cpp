#include "io/tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace steelyard::io {
namespace {

namespace fs = std::filesystem;

class TreeTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "root");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& content = "x") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << content;
  }
  void link(const std::string& name, const fs::path& to) {
    fs::create_directories((folder_ / name).parent_path());
    fs::create_symlink(to, folder_ / name);
  }
  Tree open() { return std::move(*Tree::open(folder_ / "root")); }
  fs::path folder_ = fs::canonical(testing::TempDir()) / ("tree-" + std::to_string(::getpid()));
};

TEST_F(TreeTest, LinksAreFollowedInside) {
  write("root/blobs/one", "content");
  link("root/snapshots/a/config.json", "../../blobs/one");
  link("root/absolute", folder_ / "root/blobs/one");
  link("root/folder", "snapshots");
  Tree tree = open();
  for (const char* path : {"snapshots/a/config.json", "absolute", "folder/a/config.json", "./blobs/../blobs//one"}) {
    const auto found = tree.find(path);
    EXPECT_EQ(found.kind, Tree::Kind::file) << path;
    EXPECT_EQ(found.path, "blobs/one") << path;
    EXPECT_EQ(found.stat.bytes, 7u);
  }
  EXPECT_EQ(*tree.read("absolute", 100), "content");
}

TEST_F(TreeTest, NothingOutsideIsReached) {
  write("secret", "secret");
  write("root/in/file");
  link("root/up", "../secret");
  link("root/in/up", "../../secret");
  link("root/rooted", folder_ / "secret");
  link("root/etc", "/etc");
  link("root/chain", "in/up");
  link("root/twin", folder_.string() + "/root-twin/secret");  // begins like the root
  write("root-twin/secret");
  Tree tree = open();
  for (const char* path :
       {"up", "in/up", "rooted", "etc", "etc/passwd", "chain", "twin", "..", "../secret", "in/../../secret"}) {
    EXPECT_EQ(tree.find(path).kind, Tree::Kind::outside) << path;
    EXPECT_FALSE(tree.read(path, 100)) << path;
    EXPECT_FALSE(tree.list(path)) << path;
  }
  EXPECT_EQ(tree.find("up").path, "../secret");
  EXPECT_EQ(tree.find("chain").path, "../../secret");
}

TEST_F(TreeTest, ARootBehindALinkMayBeWrittenEitherWay) {
  write("root/blobs/one");
  link("alias", "root");
  link("root/spelled", folder_ / "alias/blobs/one");
  auto tree = Tree::open(folder_ / "alias");
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->root(), folder_ / "root");
  EXPECT_EQ(tree->find("spelled").path, "blobs/one");
}

TEST_F(TreeTest, LoopsFifosAndAbsentFilesAreNamed) {
  link("root/a", "b");
  link("root/b", "a");
  link("root/self", "self/self/self");
  link("root/gone", "nowhere");
  write("root/file");
  ASSERT_EQ(::mkfifo((folder_ / "root/pipe").c_str(), 0600), 0);
  link("root/topipe", "pipe");
  Tree tree = open();
  EXPECT_EQ(tree.find("a").kind, Tree::Kind::loop);
  EXPECT_EQ(tree.find("self").kind, Tree::Kind::loop);
  EXPECT_EQ(tree.find("gone").kind, Tree::Kind::missing);
  EXPECT_EQ(tree.find("pipe").kind, Tree::Kind::special);
  EXPECT_EQ(tree.find("topipe").kind, Tree::Kind::special);
  EXPECT_EQ(tree.find("file/below").kind, Tree::Kind::missing);
  EXPECT_EQ(tree.find(std::string("file\0x", 6)).kind, Tree::Kind::missing);
  EXPECT_EQ(tree.find(std::string(5000, 'a')).kind, Tree::Kind::missing);
  EXPECT_EQ(tree.find("").kind, Tree::Kind::folder);
}

TEST_F(TreeTest, WalkListsEverythingOnceAndFollowsNothing) {
  write("root/b/c/file");
  write("root/a");
  link("root/b/up", "../../root");
  link("root/b/folder", "c");
  ASSERT_EQ(::mkfifo((folder_ / "root/pipe").c_str(), 0600), 0);
  std::string deep = "root/deep";
  for (int i = 0; i < 40; ++i) deep += "/d";
  write(deep + "/file");
  Tree tree = open();
  std::vector<std::string> lost;
  const auto entries = tree.walk("", [&](std::string path, std::string why) { lost.push_back(path + ": " + why); });
  ASSERT_TRUE(entries);
  std::vector<std::string> names;
  for (const auto& entry : *entries) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b/c/file", "b/folder", "b/up", "pipe"}));
  EXPECT_EQ((*entries)[2].kind, Tree::Kind::link);
  EXPECT_EQ((*entries)[4].kind, Tree::Kind::special);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_NE(lost[0].find("nested deeper than 32"), std::string::npos);
  const auto below = tree.walk("b", [](std::string, std::string) {});
  ASSERT_EQ(below->size(), 3u);
  EXPECT_EQ((*below)[0].name, "c/file");
}

TEST_F(TreeTest, LargeFilesAreNotRead) {
  write("root/file", std::string(1000, 'x'));
  Tree tree = open();
  EXPECT_TRUE(tree.read("file", 1000));
  EXPECT_NE(tree.read("file", 999).error().message.find("at most 999"), std::string::npos);
  EXPECT_FALSE(tree.read("absent", 10));
  EXPECT_FALSE(Tree::open(folder_ / "absent"));
  EXPECT_FALSE(Tree::open(folder_ / "root/file"));
}

// Between the walk and the opening a folder becomes a link.
TEST_F(TreeTest, AFolderExchangedForALinkIsNotFollowed) {
  write("root/in/file");
  write("elsewhere/file", "other");
  Tree tree = open();
  const auto found = tree.find("in/file");
  ASSERT_EQ(found.kind, Tree::Kind::file);
  fs::rename(folder_ / "root/in", folder_ / "root/was");
  fs::create_directory_symlink(folder_ / "elsewhere", folder_ / "root/in");
  EXPECT_FALSE(File::open(tree.absolute(found.path)));
}

}  // namespace
}  // namespace steelyard::io
