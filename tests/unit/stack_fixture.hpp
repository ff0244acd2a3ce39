// A small upstream: a repository that git makes, and an archive of it as a package registry would have it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/sha256.hpp"
#include "stack/source.hpp"

namespace steelyard::stack {

namespace fs = std::filesystem;

class Upstream {
 public:
  Upstream() {
    std::string pattern = (fs::temp_directory_path() / "steelyard-stack-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    shell(
        "mkdir pack && git init -q -b main --separate-git-dir=pack/git pack/src && cd pack/src && git config "
        "user.email a@example.org && git config user.name A "
        "&& mkdir deep && seq 1 3000 > deep/long.txt && echo 'int main() {}' > main.c && echo '#!/bin/sh' > run.sh && "
        "chmod "
        "755 run.sh && git add . && git commit -qm first && for i in 1 2 3 4 5; do echo $i >> deep/long.txt; for j in "
        "1 2 3 4 "
        "5 6 7 8 9; do echo $i > deep/file-$i-$j.txt; done; git add .; git commit -qm \"change $i\"; done");
  }
  ~Upstream() {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // Runs in the fixture's folder; its output.
  std::string shell(const std::string& command) const {
    const std::string line = fmt::format("cd {} && {{ {}; }} > output 2>&1", folder_.string(), command);
    EXPECT_EQ(std::system(line.c_str()), 0) << command << "\n" << text("output");
    std::string out = text("output");
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }
  std::string text(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }
  std::string git(const std::string& arguments) const { return shell("git -C pack/src " + arguments); }
  fs::path path(const std::string& name) const { return folder_ / name; }
  fs::path objects() const { return folder_ / "pack/git/objects"; }

  // The archive of what pack/ holds now, and a lock that pins it with the repository's commit.
  Lock archive() const {
    shell("rm -f pack.tar.gz; tar czf pack.tar.gz --exclude=git/hooks pack");
    Lock lock;
    lock.file = "pack.tar.gz";
    lock.sha256 = sha256(text("pack.tar.gz"));
    lock.folder = "pack/src";
    lock.objects = "pack/git/objects";
    lock.commit = git("rev-parse HEAD");
    lock.tree = git("rev-parse HEAD^{tree}");
    return lock;
  }
  Proof prove(const Lock& lock, Examination& found) const {
    auto file = io::File::open(fs::canonical(folder_ / "pack.tar.gz"));
    EXPECT_TRUE(file);
    auto proof = stack::prove(*file, lock, folder_ / "out/src", folder_ / "out/objects", found);
    EXPECT_TRUE(proof) << proof.error().message;
    return std::move(*proof);
  }

 private:
  fs::path folder_;
};

// "STK002 main.c differs from the upstream tree; …", sorted as found.
inline std::string told(const Examination& found) {
  std::string out;
  for (const Finding& f : found.findings) {
    out += f.rule;
    for (const auto& [key, value] : f.data.object()) out += " " + value.string();
    out += "; ";
  }
  return out;
}

}  // namespace steelyard::stack
