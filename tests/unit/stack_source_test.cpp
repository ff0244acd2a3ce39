// From archive to upstream commit: what is right passes, every way of tampering is refused by its rule
// (STK001, STK002, STK003).

#include "stack/source.hpp"
#include "stack_fixture.hpp"

namespace steelyard::stack {
namespace {

TEST(StackSource, AnHonestArchiveIsProved) {
  const Upstream upstream;
  for (const std::string how : {"status", "repack -qadf"}) {
    upstream.git(how);
    const Lock lock = upstream.archive();
    Examination found;
    const Proof proof = upstream.prove(lock, found);
    EXPECT_EQ(told(found), "");
    EXPECT_EQ(proof.compared, 48U);
    EXPECT_EQ(proof.files.size(), 48U);
    EXPECT_EQ(proof.commit.subject, "change 5");
    EXPECT_EQ(proof.signer, "");
    EXPECT_EQ(upstream.shell("diff -r --exclude=.git pack/src out/src && stat -c %a out/src/run.sh"), "755");
  }
}

TEST(StackSource, AnotherArchiveIsRefusedBeforeItIsUnpacked) {
  const Upstream upstream;
  Lock lock = upstream.archive();
  std::string bytes = upstream.text("pack.tar.gz");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  upstream.write("pack.tar.gz", bytes);
  Examination found;
  upstream.prove(lock, found);
  ASSERT_EQ(found.findings.size(), 1U);
  EXPECT_EQ(found.findings[0].rule, "STK001");
  EXPECT_TRUE(refused(found));
  EXPECT_FALSE(fs::exists(upstream.path("out")));
}

TEST(StackSource, TamperedFilesBehindARightDigestAreRefused) {
  const Upstream upstream;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"echo 'int main() { return 1; }' > pack/src/main.c", "STK002 main.c differs from the upstream tree; "},
      {"echo x > pack/src/deep/new.c", "STK002 deep/new.c is not in the upstream tree; "},
      {"rm pack/src/main.c", "STK002 main.c is missing; "},
      {"rm pack/src/main.c && ln -s run.sh pack/src/main.c", "STK002 main.c is another kind of file upstream; "},
      {"mkdir -p pack/src/deep/.git && echo x > pack/src/deep/.git/config",
       "STK002 deep/.git/config is not in the upstream tree; "},
  };
  for (const auto& [command, expected] : cases) {
    upstream.shell(command);
    Examination found;
    upstream.prove(upstream.archive(), found);
    EXPECT_EQ(told(found), expected) << command;
    EXPECT_TRUE(refused(found));
    upstream.git("checkout -q -f HEAD && git -C pack/src clean -qfdx || git -C pack/src clean -qffdx");
    upstream.shell("rm -rf pack/src/deep/.git");
  }
}

TEST(StackSource, PathsThatLeadOutAreNeverWritten) {
  const Upstream upstream;
  upstream.shell(
      "echo x > evil && tar cf pack.tar --exclude=git/hooks pack && tar rf pack.tar "
      "--transform='s,evil,pack/src/../../../evil2,' "
      "-P evil && gzip -f pack.tar");
  Lock lock = upstream.archive();
  upstream.shell(
      "tar cf pack.tar --exclude=git/hooks pack && tar rf pack.tar --transform='s,evil,pack/src/../../../evil2,' -P "
      "evil && "
      "gzip -f pack.tar");
  lock.sha256 = sha256(upstream.text("pack.tar.gz"));
  Examination found;
  upstream.prove(lock, found);
  EXPECT_EQ(told(found), "STK002 ../../../evil2 is not in the upstream tree; ");
  EXPECT_FALSE(fs::exists(upstream.path("evil2")) || fs::exists(upstream.path("../evil2")));
}

TEST(StackSource, AFileThatIsThereTwiceIsRefused) {
  const Upstream upstream;
  Lock lock = upstream.archive();
  upstream.shell("tar cf pack.tar --exclude=git/hooks pack && tar rf pack.tar pack/src/main.c && gzip -f pack.tar");
  lock.sha256 = sha256(upstream.text("pack.tar.gz"));
  Examination found;
  upstream.prove(lock, found);
  EXPECT_EQ(told(found), "STK002 main.c is in the archive twice; ");
}

TEST(StackSource, ACommitThatIsNotThereOrHasAnotherTreeIsRefused) {
  const Upstream upstream;
  Lock lock = upstream.archive();
  lock.commit = std::string(40, '1');
  Examination absent;
  upstream.prove(lock, absent);
  EXPECT_EQ(told(absent), "STK003 commit " + lock.commit + ": it is absent; ");

  lock = upstream.archive();
  lock.tree = upstream.git("rev-parse HEAD~1^{tree}");
  Examination other;
  upstream.prove(lock, other);
  ASSERT_EQ(other.findings.size(), 1U);
  EXPECT_EQ(other.findings[0].rule, "STK003");

  lock = upstream.archive();
  lock.commit = lock.tree;
  Examination no_commit;
  upstream.prove(lock, no_commit);
  EXPECT_EQ(told(no_commit), "STK003 commit " + lock.commit + ": it is no commit; ");
}

TEST(StackSource, ACorruptPackIsRefused) {
  const Upstream upstream;
  upstream.git("repack -qadf --depth=40");
  const std::string pack = upstream.shell("ls pack/git/objects/pack/*.pack");
  std::string bytes = upstream.text(pack);
  fs::permissions(upstream.path(pack), fs::perms::owner_write, fs::perm_options::add);
  for (std::size_t at = 12; at < bytes.size() - 20; at += 3) bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
  Lock lock = upstream.archive();
  upstream.write(pack, bytes);
  upstream.shell("tar czf pack.tar.gz --exclude=git/hooks pack");
  lock.sha256 = sha256(upstream.text("pack.tar.gz"));
  Examination found;
  upstream.prove(lock, found);
  ASSERT_EQ(found.findings.size(), 1U) << told(found);
  EXPECT_EQ(found.findings[0].rule, "STK003");
  EXPECT_FALSE(fs::exists(upstream.path("out/src/main.c")));
}

TEST(StackSource, WhatChangesAfterUnpackingIsSeen) {
  const Upstream upstream;
  Examination found;
  const Proof proof = upstream.prove(upstream.archive(), found);
  ASSERT_EQ(told(found), "");
  upstream.shell(
      "echo y >> out/src/main.c && rm out/src/run.sh && ln -s /etc/passwd out/src/run.sh && touch out/src/extra");
  ASSERT_TRUE(compare(upstream.path("out/src"), proof.files, found));
  EXPECT_EQ(told(found),
            "STK002 extra is not in the upstream tree; STK002 main.c differs from the upstream tree; "
            "STK002 run.sh differs from the upstream tree; ");
}

TEST(StackLock, TheLockIsWholeAndStrict) {
  const auto lock = stack::lock();
  ASSERT_TRUE(lock) << lock.error().message;
  EXPECT_EQ(lock->upstream, "llama.cpp");
  EXPECT_FALSE(parse_lock("schema = \"steelyard/stack/1\"", "x"));
  EXPECT_FALSE(parse_lock("schema = \"steelyard/stack/1\"\n[source]\nname = \"x\"\nsha256 = \"12\"\n", "x"));
}

}  // namespace
}  // namespace steelyard::stack
