// A home in a temporary folder, with stores in it.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "base/sha256.hpp"
#include "stores/store.hpp"

namespace steelyard {

namespace fs = std::filesystem;

class HomeEnvironment final : public Environment {
 public:
  std::map<std::string, std::string> variables;
  fs::path root_ = "/nonexistent";
  std::optional<std::string> variable(const std::string& name) const override {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  }
  i64 now() const override { return 1795515148; }
  fs::path root() const override { return root_; }
};

class Home : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "home");
    environment_.variables["HOME"] = (folder_ / "home").string();
    environment_.root_ = folder_ / "root";
  }
  void TearDown() override {
    ::chmod((folder_ / "locked").c_str(), 0755);
    fs::remove_all(folder_);
  }

  // Paths are relative to the temporary folder.
  void write(const std::string& path, const std::string& content = "x") {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path, std::ios::binary) << content;
  }
  void link(const std::string& path, const fs::path& to) {
    fs::create_directories((folder_ / path).parent_path());
    fs::create_symlink(to, folder_ / path);
  }
  void fifo(const std::string& path) {
    fs::create_directories((folder_ / path).parent_path());
    ASSERT_EQ(::mkfifo((folder_ / path).c_str(), 0600), 0);
  }
  // A blob under its digest: returns "sha256:…".
  std::string blob(const std::string& folder, const std::string& content) {
    const std::string digest = sha256(content);
    write(folder + digest, content);
    return "sha256:" + digest;
  }
  static std::string layer(const std::string& type, const std::string& digest, const std::string& more = "") {
    return R"({"mediaType":")" + type + R"(","digest":")" + digest + R"(","size":1)" + more + "}";
  }
  static std::string title(const std::string& name) {
    return R"(,"annotations":{"org.opencontainers.image.title":")" + name + R"("})";
  }
  static std::string manifest(const std::vector<std::string>& layers, const std::string& config = "") {
    std::string out =
        R"({"schemaVersion":2,)" + (config.empty() ? std::string() : R"("config":)" + config + ",") + R"("layers":[)";
    for (const auto& each : layers) out += (out.back() == '[' ? "" : ",") + each;
    return out + "]}";
  }

  stores::Listing list(const char* store = nullptr) const {
    return stores::list(environment_, store == nullptr ? nullptr : stores::find(store));
  }
  static const stores::Model& model(const stores::Listing& listing, const std::string& target) {
    static const stores::Model none{};
    for (const auto& each : listing.models) {
      if (each.target() == target) return each;
    }
    ADD_FAILURE() << "no model " << target;
    return none;
  }
  static std::vector<std::string> targets(const stores::Listing& listing) {
    std::vector<std::string> out;
    for (const auto& each : listing.models) out.push_back(each.target());
    return out;
  }
  static std::vector<std::string> files(const stores::Model& model) {
    std::vector<std::string> out;
    for (const auto& file : model.files) out.push_back(file.name + (file.rule.empty() ? "" : " " + file.rule));
    return out;
  }
  static std::vector<std::string> rules(const stores::Model& model) {
    std::vector<std::string> out;
    for (const auto& finding : model.findings) out.push_back(finding.rule);
    return out;
  }
  static const stores::File& file(const stores::Model& model, const std::string& name) {
    static const stores::File none{};
    for (const auto& each : model.files) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << "no file " << name;
    return none;
  }
  static std::string fact(const stores::Model& model, const std::string& key) {
    for (const auto& each : model.facts) {
      if (each.key == key) return each.value.string();
    }
    return "";
  }

  fs::path folder_ = fs::canonical(testing::TempDir()) / ("home-" + std::to_string(::getpid()));
  HomeEnvironment environment_;
};

using Names = std::vector<std::string>;

}  // namespace steelyard
