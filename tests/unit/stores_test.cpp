// Stores whose layout is folders: the hub cache, llama.cpp, LM Studio, Anaconda; and what all have in
// common. Rules STO002, STO003, STO004, STO005, STO006; STO001 and STO007 in
// stores_manifests_test.cpp.

#include "stores_fixture.hpp"

namespace steelyard {
namespace {

constexpr const char* kHub = "home/.cache/huggingface/hub/";
const std::string kCommit(40, 'a');
const std::string kOther(40, 'b');

class HubStore : public Home {
 protected:
  // One snapshot with a file that git keeps and one that it doesn't.
  void seed(const std::string& commit = kCommit, const std::string& hub = kHub,
            const std::string& repo = "models--org--name") {
    const std::string base = hub + repo;
    write(base + "/refs/main", commit);
    write(base + "/blobs/" + std::string(40, '1'), "{}");
    write(base + "/blobs/" + std::string(64, '2'), "weights");
    link(base + "/snapshots/" + commit + "/config.json", "../../blobs/" + std::string(40, '1'));
    link(base + "/snapshots/" + commit + "/sub/model.gguf", "../../../blobs/" + std::string(64, '2'));
  }
  std::string base_ = std::string(kHub) + "models--org--name";
};

TEST_F(HubStore, FilesHaveTheirNamesAndDigests) {
  seed();
  const auto listing = list("hf");
  const auto& found = model(listing, "hf:org/name");
  EXPECT_EQ(files(found), (Names{"config.json", "sub/model.gguf"}));
  EXPECT_EQ(file(found, "config.json").digest, "git-sha1:" + std::string(40, '1'));
  EXPECT_EQ(file(found, "sub/model.gguf").digest, "sha256:" + std::string(64, '2'));
  EXPECT_EQ(file(found, "sub/model.gguf").path, folder_ / base_ / "blobs" / std::string(64, '2'));
  EXPECT_EQ(found.names, (Names{"org/name", "org/name@main", "org/name@" + kCommit}));
  EXPECT_EQ(fact(found, "source.revision"), kCommit);
  EXPECT_TRUE(rules(found).empty());
  EXPECT_EQ(found.bytes(), 9u);
  EXPECT_TRUE(listing.notes.empty());
}

TEST_F(HubStore, PrecedenceOfVariables) {
  const std::vector<std::pair<std::string, std::string>> order = {{"HF_HUB_CACHE", "one/"},
                                                                  {"HUGGINGFACE_HUB_CACHE", "two/"},
                                                                  {"HF_HOME", "three/hub/"},
                                                                  {"XDG_CACHE_HOME", "four/huggingface/hub/"}};
  seed(kCommit, kHub, "models--from--home");
  for (const auto& [variable, hub] : order) {
    seed(kCommit, hub, "models--from--" + variable);
    environment_.variables[variable] = (folder_ / hub.substr(0, hub.find('/'))).string();
  }
  for (const auto& [variable, hub] : order) {
    EXPECT_EQ(targets(list("hf")), (Names{"hf:from/" + variable}));
    environment_.variables.erase(variable);
  }
  EXPECT_EQ(targets(list("hf")), (Names{"hf:from/home"}));
  environment_.variables["HF_HUB_CACHE"] = "~/tilde";
  seed(kCommit, "home/tilde/");
  EXPECT_EQ(targets(list("hf")), (Names{"hf:org/name"}));
  environment_.variables.clear();
  EXPECT_TRUE(list("hf").models.empty()) << "without a home";
}

TEST_F(HubStore, EveryRevisionIsAModel) {
  seed();
  seed(kOther);  // main moves on
  write(base_ + "/refs/refs/pr/1", kCommit + "\n");
  const std::string third(40, 'c');
  link(base_ + "/snapshots/" + third + "/config.json", "../../blobs/" + std::string(40, '1'));
  EXPECT_EQ(targets(list("hf")), (Names{"hf:org/name", "hf:org/name@cccccccccccc", "hf:org/name@refs/pr/1"}));
  EXPECT_EQ(fact(model(list("hf"), "hf:org/name"), "source.revision"), kOther);
}

TEST_F(HubStore, LinksOutAreReportedAndNotFollowed) {
  seed();
  write("secret", "secret");
  const std::string snapshot = base_ + "/snapshots/" + kCommit + "/";
  link(snapshot + "up.json", "../../../../../../../../secret");
  link(snapshot + "rooted.json", folder_ / "secret");
  link(snapshot + "etc", "/etc");
  link(snapshot + "proc", "/proc/self/environ");
  const auto listing = list("hf");
  const auto& found = model(listing, "hf:org/name");
  EXPECT_EQ(files(found), (Names{"config.json", "etc STO002", "proc STO002", "rooted.json STO002", "sub/model.gguf",
                                 "up.json STO002"}));
  for (const auto& each : found.files) EXPECT_EQ(each.path.empty(), !each.rule.empty()) << each.name;
  EXPECT_EQ(file(found, "up.json").data["to"].string(), "../../../../../../../../secret");
}

TEST_F(HubStore, WholeFoldersThatAreLinksOut) {
  write("elsewhere/snapshots/" + kCommit + "/config.json");
  link(base_, folder_ / "elsewhere");
  EXPECT_EQ(files(model(list("hf"), "hf:org/name@unreadable")), (Names{"snapshots STO002"}));
  fs::remove(folder_ / base_);
  seed();
  link(base_ + "/snapshots/" + kOther, folder_ / "elsewhere/snapshots" / kCommit);
  EXPECT_EQ(targets(list("hf")), (Names{"hf:org/name", "hf:org/name@unreadable"}));
}

TEST_F(HubStore, LoopsFifosAndMissingBlobs) {
  seed();
  const std::string snapshot = base_ + "/snapshots/" + kCommit + "/";
  link(snapshot + "loop", "loop");
  link(snapshot + "cycle", "../" + kCommit);
  link(snapshot + "gone.bin", "../../blobs/" + std::string(64, '3'));
  fifo(snapshot + "pipe");
  EXPECT_EQ(files(model(list("hf"), "hf:org/name")),
            (Names{"config.json", "cycle LIM004", "gone.bin STO003", "loop LIM004", "pipe LIM004", "sub/model.gguf"}));
}

TEST_F(HubStore, AFileThatNoDigestHolds) {
  seed();
  write(base_ + "/snapshots/" + kCommit + "/modeling.py", "import os");
  link(base_ + "/snapshots/" + kCommit + "/payload.bin", "../../blobs/payload");
  write(base_ + "/blobs/payload");
  const auto listing = list("hf");
  const auto& found = model(listing, "hf:org/name");
  EXPECT_EQ(rules(found), (Names{"STO006"}));
  EXPECT_EQ(found.findings[0].data["count"].integer(), 2);
  // A cache on a system without links holds no file by digest: nothing stands out.
  fs::remove_all(folder_ / base_);
  write(base_ + "/snapshots/" + kCommit + "/config.json");
  EXPECT_TRUE(rules(model(list("hf"), "hf:org/name")).empty());
}

TEST_F(HubStore, HostileReferences) {
  seed();
  write(base_ + "/refs/evil", "../../../../etc");
  EXPECT_EQ(rules(model(list("hf"), "hf:org/name")), (Names{"STO004"}));
  write(base_ + "/refs/evil", std::string(100'000, 'a'));
  EXPECT_EQ(rules(model(list("hf"), "hf:org/name")), (Names{"STO004"}));
  fs::remove(folder_ / base_ / "refs/evil");
  fifo(base_ + "/refs/evil");
  EXPECT_EQ(rules(model(list("hf"), "hf:org/name")), (Names{"STO004"}));
}

TEST_F(HubStore, UnfinishedDownloadsAndBlobsOfNoRevision) {
  seed();
  write(base_ + "/blobs/" + std::string(64, '5') + ".incomplete");
  write(base_ + "/blobs/" + std::string(64, '6'));
  const auto listing = list("hf");
  EXPECT_EQ(rules(model(listing, "hf:org/name")), (Names{"STO005"}));
  ASSERT_EQ(listing.notes.size(), 1u);
  EXPECT_NE(listing.notes[0].find("1 blob of no revision, not examined"), std::string::npos);
}

TEST_F(HubStore, WhatIsNoModelIsNotListed) {
  write(std::string(kHub) + "datasets--org--name/snapshots/" + kCommit + "/data.csv");
  write(std::string(kHub) + "models--org--asked/.no_exist/" + kCommit + "/config.json");
  write(std::string(kHub) + "version.txt");
  fs::create_directories(folder_ / base_ / "snapshots" / kCommit);
  EXPECT_TRUE(list("hf").models.empty());
}

TEST_F(HubStore, AnUnreadableStoreIsAPlaceWithAProblem) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  write("locked/file");
  ::chmod((folder_ / "locked").c_str(), 0000);
  environment_.variables["HF_HUB_CACHE"] = (folder_ / "locked").string();
  const auto listing = list("hf");
  ASSERT_EQ(listing.places.size(), 1u);
  EXPECT_EQ(listing.places[0].problem, "Permission denied");
}

TEST_F(HubStore, AFileWhereAStoreShouldBe) {
  write(std::string(kHub).substr(0, std::string(kHub).size() - 1));
  const auto listing = list("hf");
  ASSERT_EQ(listing.places.size(), 1u);
  EXPECT_EQ(listing.places[0].problem, "Not a directory");
}

class FolderStores : public Home {};

TEST_F(FolderStores, LlamaCacheInBothForms) {
  const std::string cache = "home/.cache/llama.cpp/";
  for (const char* name : {"org_model.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf",
                           "org_model.gguf.json", "other.gguf.downloadInProgress"})
    write(cache + name);
  const auto listing = list("llama");
  EXPECT_EQ(targets(listing), (Names{"llama:big-00001-of-00002.gguf", "llama:org_model.gguf"}));
  EXPECT_EQ(files(listing.models[0]), (Names{"big-00001-of-00002.gguf", "big-00002-of-00002.gguf"}));
  EXPECT_EQ(listing.notes.size(), 1u);
  environment_.variables["LLAMA_CACHE"] = (folder_ / "new").string();
  write("new/models--org--name/snapshots/" + kCommit + "/m.gguf");
  write("new/flat.gguf");
  EXPECT_EQ(targets(list("llama")), (Names{"llama:flat.gguf", "llama:org/name"}));
}

TEST_F(FolderStores, LmStudioByPublisherAndModel) {
  const std::string models = "home/.lmstudio/models/";
  write(models + "pub/model/Q4.gguf");
  write(models + "pub/model/sub/mmproj.gguf");
  write(models + "pub/loose.gguf");
  write(models + ".DS_Store");
  write("outside.gguf");
  link(models + "pub/linked/model.gguf", folder_ / "outside.gguf");
  link(models + "pub/folder", folder_);
  const auto listing = list("lmstudio");
  EXPECT_EQ(targets(listing),
            (Names{"lmstudio:pub/folder", "lmstudio:pub/linked", "lmstudio:pub/loose.gguf", "lmstudio:pub/model"}));
  EXPECT_EQ(files(listing.models[0]), (Names{"folder STO002"}));
  EXPECT_EQ(files(listing.models[1]), (Names{"model.gguf STO002"}));
  EXPECT_EQ(files(listing.models[2]), (Names{"loose.gguf"}));
  EXPECT_EQ(files(listing.models[3]), (Names{"Q4.gguf", "sub/mmproj.gguf"}));
}

TEST_F(FolderStores, LmStudioMovedElsewhere) {
  write("home/.lmstudio-home-pointer", (folder_ / "moved").string() + "\n");
  write("moved/models/pub/model/m.gguf");
  write("home/.cache/lm-studio/models/old/model/m.gguf");
  EXPECT_EQ(targets(list("lmstudio")), (Names{"lmstudio:old/model", "lmstudio:pub/model"}));
  write("home/.lmstudio-home-pointer", "relative");
  EXPECT_EQ(targets(list("lmstudio")), (Names{"lmstudio:old/model"}));
}

TEST_F(FolderStores, AnacondaWhereverItsProgramsSay) {
  write("home/.anaconda/ai/models/author/model_Q4_K_M.gguf");
  write("home/.anaconda/config.toml",
        "[plugin.ai.backends.ai_catalyst]\nmodels_path = \"~/catalyst\"\n[other]\nx = 1\n");
  write("home/catalyst/author/second.gguf");
  write("home/.local/share/ai-navigator/config.json",
        R"({"downloadLocation": ")" + (folder_ / "navigator").string() + R"(", "f": 1.5})");
  write("navigator/author/model/third.gguf");
  EXPECT_EQ(targets(list("anaconda")),
            (Names{"anaconda:author/model_Q4_K_M.gguf", "anaconda:author/second.gguf", "anaconda:author/model"}));
  write("home/.anaconda/config.toml", "not toml [");
  write("home/.local/share/ai-navigator/config.json", "[]");
  EXPECT_EQ(targets(list("anaconda")), (Names{"anaconda:author/model_Q4_K_M.gguf"}));
}

TEST_F(FolderStores, EveryStoreIsRegisteredAndEmptyHomesHaveNone) {
  std::vector<std::string> ids;
  for (const auto* store : stores::all()) ids.emplace_back(store->id);
  EXPECT_EQ(ids, (Names{"anaconda", "docker", "hf", "llama", "lmstudio", "oci", "ollama", "ramalama"}));
  EXPECT_TRUE(list().models.empty());
  EXPECT_TRUE(list().places.empty());
}

}  // namespace
}  // namespace steelyard
