// Objects and listings against git itself, and what damaged repositories yield.

#include "stack/git_objects.hpp"

#include "stack/git_tree.hpp"
#include "stack_fixture.hpp"

namespace steelyard::stack {
namespace {

// Every commit and tree that git knows, read by us and compared by name and size.
void expect_all_readable(const Upstream& upstream) {
  const auto objects = Objects::open(fs::canonical(upstream.objects()));
  ASSERT_TRUE(objects) << objects.error().message;
  std::istringstream lines(upstream.git("cat-file --batch-check --batch-all-objects"));
  std::string id, type;
  u64 size = 0;
  std::size_t count = 0;
  while (lines >> id >> type >> size) {
    std::string why;
    const auto object = objects->read(id, why);
    ASSERT_TRUE(object) << id << " " << type << ": " << why;
    EXPECT_EQ(object->type, type);
    EXPECT_EQ(object->content.size(), size);
    ++count;
  }
  EXPECT_GT(count, 25U);
}

TEST(GitObjects, LooseAndPackedObjectsAreThoseOfGit) {
  const Upstream upstream;
  expect_all_readable(upstream);
  upstream.git("repack -qadf --depth=40 --window=50");
  EXPECT_NE(upstream.git("verify-pack -v $PWD/pack/git/objects/pack/*.idx | grep -c 'chain length'"), "0");
  expect_all_readable(upstream);
  upstream.git("-c pack.indexVersion=2 -c repack.useDeltaBaseOffset=false repack -qadf --depth=40");
  expect_all_readable(upstream);
}

TEST(GitObjects, ListingsAreThoseOfGit) {
  const Upstream upstream;
  upstream.shell("cd pack/src && ln -s main.c link && git add link && git commit -qm link && git repack -qadf");
  const auto objects = Objects::open(fs::canonical(upstream.objects()));
  ASSERT_TRUE(objects);
  std::string why;
  const auto listing = list_tree(*objects, upstream.git("rev-parse HEAD^{tree}"), why);
  ASSERT_TRUE(listing) << why;
  std::string ours;
  for (const auto& [path, leaf] : *listing) {
    const std::string_view mode = leaf.kind == Leaf::Kind::executable ? "100755"
                                  : leaf.kind == Leaf::Kind::link     ? "120000"
                                                                      : "100644";
    ours += fmt::format("{} blob {}\t{}\n", mode, leaf.id, path);
  }
  EXPECT_EQ(ours, upstream.git("ls-tree -r HEAD") + "\n");
}

TEST(GitObjects, EveryDamagedByteOfAPackIsFoundOrHarmless) {
  const Upstream upstream;
  upstream.git("repack -qadf --depth=40");
  const fs::path pack = upstream.shell("ls pack/git/objects/pack/*.pack");
  const std::string good = upstream.text(pack.string());
  const std::string tree = upstream.git("rev-parse HEAD^{tree}");
  fs::permissions(upstream.path(pack.string()), fs::perms::owner_write, fs::perm_options::add);
  std::string why;
  const auto expected = list_tree(*Objects::open(fs::canonical(upstream.objects())), tree, why);
  ASSERT_TRUE(expected);
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); at += 7) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x15);
    upstream.write(pack.string(), bad);
    const auto objects = Objects::open(fs::canonical(upstream.objects()));
    ASSERT_TRUE(objects);
    const auto listing = list_tree(*objects, tree, why);
    if (!listing)
      ++refused;
    else
      EXPECT_TRUE(std::ranges::equal(*listing, *expected, [](const auto& a, const auto& b) {
        return a.first == b.first && a.second.id == b.second.id;
      })) << at;
  }
  EXPECT_GT(refused, 10U);
}

TEST(GitObjects, IndexesThatLieYieldNothing) {
  const Upstream upstream;
  upstream.git("repack -qadf");
  const fs::path index = upstream.shell("ls pack/git/objects/pack/*.idx");
  const std::string good = upstream.text(index.string());
  fs::permissions(upstream.path(index.string()), fs::perms::owner_write, fs::perm_options::add);
  const std::string head = upstream.git("rev-parse HEAD");
  std::vector<std::string> bad = {"", good.substr(0, 40), good.substr(0, 1032), good.substr(0, good.size() / 2)};
  bad.push_back(good);
  for (std::size_t i = 4 + 4 + 255 * 4; i < 1032; ++i) bad.back()[i] = '\377';  // four thousand million objects
  bad.push_back(good);
  for (std::size_t i = bad.back().size() / 2; i < bad.back().size(); ++i)
    bad.back()[i] = '\377';  // offsets far outside
  for (const std::string& content : bad) {
    upstream.write(index.string(), content);
    const auto objects = Objects::open(fs::canonical(upstream.objects()));
    ASSERT_TRUE(objects);
    std::string why;
    EXPECT_FALSE(objects->read(head, why));
    EXPECT_FALSE(why.empty());
  }
}

TEST(GitTree, NamesThatLeadOutAreRefused) {
  const Upstream upstream;
  for (const std::string name : {"..", ".git", ".GIT", "."}) {
    // mktree refuses such names, hash-object --literally doesn't.
    upstream.shell(
        fmt::format("cd pack/src && {{ printf '100644 {}\\0'; perl -e 'print pack \"H*\", $ARGV[0]' $(git rev-parse "
                    "HEAD:main.c); }} > ../../tree && git hash-object -w -t tree --literally ../../tree > ../../id",
                    name));
    const std::string id = upstream.text("id").substr(0, 40);
    std::string why;
    EXPECT_FALSE(list_tree(*Objects::open(fs::canonical(upstream.objects())), id, why)) << name;
    EXPECT_NE(why.find("name or kind"), std::string::npos) << why;
  }
}

TEST(GitTree, CommitsAreReadByTheirHeadersOnly) {
  const std::string tree(40, 'a');
  const std::string other(40, 'b');
  const auto commit = parse_commit(fmt::format(
      "tree {}\nauthor A <a@example.org> 1 +0000\ngpgsig -----BEGIN\n tree {}\n END\n\nsubject\n\ntree {}\n", tree,
      other, other));
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->tree, tree);
  EXPECT_EQ(commit->subject, "subject");
  EXPECT_EQ(commit->signature, fmt::format("-----BEGIN\ntree {}\nEND\n", other));
  EXPECT_FALSE(parse_commit(fmt::format("author A\n\ntree {}\n\n", tree)));
  EXPECT_FALSE(parse_commit(fmt::format("tree {}", tree)));
}

TEST(GitTree, TheIssuerOfASignature) {
  // The front of a signature that a public commit carries; only its header is read.
  const std::string head =
      "-----BEGIN PGP SIGNATURE-----\n\nwsFcBAABCAAQBQJqvcFkCRC1aQ7uu5UhlAAAd44QADW8a4A/CgTsOAvtexAsoYjk\n";
  EXPECT_EQ(issuer_of(head), "B5690EEEBB952194");
  for (std::size_t cut = 0; cut < head.size(); ++cut) issuer_of(head.substr(0, cut));
  EXPECT_EQ(issuer_of("-----BEGIN PGP SIGNATURE-----\n\n////////////////////////\n"), "");
  EXPECT_EQ(issuer_of("-----BEGIN SSH SIGNATURE-----\n\nwsFcBAAB\n"), "");
}

}  // namespace
}  // namespace steelyard::stack
