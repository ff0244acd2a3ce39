// Models by the names that their stores give them.

#include "scan/target.hpp"
#include "stores_fixture.hpp"

namespace steelyard {
namespace {

class Named : public Home {
 protected:
  void SetUp() override {
    Home::SetUp();
    const std::string base = "home/.cache/huggingface/hub/models--org--name/";
    write(base + "refs/main", commit_);
    for (const char* name : {"config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                             "model.safetensors.index.json", "other.gguf"})
      write(base + "snapshots/" + commit_ + "/" + name);
    write(base + "snapshots/" + other_ + "/config.json");
    write("home/.lmstudio/models/pub/model/m.gguf");
    write("home/.ollama/models/manifests/h/library/llama3/latest", manifest({}));
  }
  std::vector<std::string> names(const std::string& target) {
    const auto found = scan::resolve(target, environment_);
    EXPECT_TRUE(found) << found.error().message;
    std::vector<std::string> out;
    for (const auto& file : found ? found->files : std::vector<scan::TargetFile>()) out.push_back(file.name);
    return out;
  }
  std::string error(const std::string& target) {
    const auto found = scan::resolve(target, environment_);
    return found ? "resolved" : found.error().message;
  }
  const std::string commit_ = "0123456789abcdef0123456789abcdef01234567";
  const std::string other_ = "0123456fffffffffffffffffffffffffffffffff";
};

TEST_F(Named, ByNameRevisionAndFile) {
  EXPECT_EQ(names("hf:org/name").size(), 5u);
  EXPECT_EQ(names("hf://org/name").size(), 5u);
  EXPECT_EQ(names("hf:org/name@main").size(), 5u);
  EXPECT_EQ(names("hf:org/name@" + commit_).size(), 5u);
  EXPECT_EQ(names("hf:org/name@012345678").size(), 5u);
  EXPECT_EQ(names("hf:org/name@0123456f"), (Names{"config.json"}));
  EXPECT_EQ(names("hf:org/name:other.gguf"), (Names{"other.gguf"}));
  EXPECT_EQ(names("hf:org/name@main:config.json"), (Names{"config.json"}));
  EXPECT_EQ(
      names("hf:org/name:model-00002-of-00002.safetensors"),
      (Names{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}));
  EXPECT_EQ(names("lmstudio:pub/model"), (Names{"m.gguf"}));
  EXPECT_TRUE(names("ollama:llama3").empty());
  EXPECT_TRUE(names("ollama:llama3:latest").empty());
}

TEST_F(Named, FactsSayWhereItCameFrom) {
  const auto target = scan::resolve("hf:org/name", environment_);
  const auto fact = [&](const std::string& key) {
    const auto found = std::ranges::find(target->facts, key, &Fact::key);
    return found == target->facts.end() ? "" : found->value.string();
  };
  EXPECT_EQ(fact("source.store"), "hf");
  EXPECT_EQ(fact("source.target"), "hf:org/name");
  EXPECT_EQ(fact("source.model"), "org/name");
  EXPECT_EQ(fact("source.revision"), commit_);
}

TEST_F(Named, WhatFitsTwoModelsOpensNeither) {
  EXPECT_NE(error("hf:org/name@0123456").find("fits 2 models"), std::string::npos);
  EXPECT_NE(error("hf:org/name@012345").find("no such model"), std::string::npos) << "too short for a commit";
  write("root/usr/share/ollama/.ollama/models/manifests/h/library/llama3/latest",
        manifest({layer("application/vnd.ollama.image.model", "sha256:" + std::string(64, 'a'))}));
  EXPECT_NE(error("ollama:llama3").find("fits 2 models"), std::string::npos);
}

TEST_F(Named, UnknownNamesGiveNearMatches) {
  EXPECT_NE(error("hf:org/nam").find("did you mean hf:org/name"), std::string::npos) << error("hf:org/nam");
  EXPECT_NE(error("hf:NAME").find("did you mean hf:org/name"), std::string::npos);
  EXPECT_NE(error("hf:llama3").find("did you mean ollama:llama3:latest?"), std::string::npos) << "another store";
  EXPECT_NE(error("hf:org/name:othr.gguf").find("did you mean \"other.gguf\""), std::string::npos);
  EXPECT_NE(error("hf:zzz").find("hub: 2 models"), std::string::npos);
  EXPECT_EQ(error("hf:zzz").find("did you mean"), std::string::npos);
  EXPECT_NE(error("docker:ai/x").find("isn't on this machine"), std::string::npos);
  EXPECT_NE(error("hf:").find("no such model"), std::string::npos);
  EXPECT_NE(error("hf:../../etc/passwd").find("no such model"), std::string::npos);
  EXPECT_EQ(error("hf:a\x1b[31m").find('\x1b'), std::string::npos);
}

TEST_F(Named, PathsStayPaths) {
  write("hf.gguf");
  write("with:colon.gguf");
  EXPECT_EQ(names((folder_ / "hf.gguf").string()), (Names{"hf.gguf"}));
  EXPECT_EQ(names((folder_ / "with:colon.gguf").string()), (Names{"with:colon.gguf"}));
  EXPECT_NE(error("absent:x").find("No such file"), std::string::npos);
}

TEST_F(Named, LayoutsByTheirFolder) {
  const std::string weights = blob("oci/blobs/sha256/", "w");
  const std::string one = blob("oci/blobs/sha256/", manifest({layer("x", weights, title("m.gguf"))}));
  const std::string entry = layer("x", one, R"(,"annotations":{"org.opencontainers.image.ref.name":"v1"})");
  write("oci/index.json", R"({"manifests":[)" + entry + "]}");
  const std::string oci = "oci:" + (folder_ / "oci").string();
  for (const std::string& name : {oci, oci + ":v1", oci + ":" + one}) EXPECT_EQ(names(name), (Names{"m.gguf"})) << name;
  EXPECT_NE(error(oci + ":v2").find("no such model"), std::string::npos);
  EXPECT_NE(error("oci:" + folder_.string()).find("no OCI image layout"), std::string::npos);
  EXPECT_NE(error("oci:/absent/folder").find("No such file"), std::string::npos);
  write("oci/index.json",
        R"({"manifests":[)" + entry + "," + layer("x", blob("oci/blobs/sha256/", manifest({}))) + "]}");
  EXPECT_NE(error(oci).find("holds 2 models"), std::string::npos);
}

TEST_F(Named, PlacesThatCannotBeListedAreTargets) {
  EXPECT_TRUE(scan::unlisted(list()).empty());
  write("home/.docker/models/models.json", "{");
  const auto targets = scan::unlisted(list());
  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ(targets[0].name, "docker:");
  EXPECT_TRUE(targets[0].files.at(0).problem.starts_with("not JSON"));
}

}  // namespace
}  // namespace steelyard
