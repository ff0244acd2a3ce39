// Stores that list their files in manifests: Ollama, Docker Model Runner, OCI layouts, RamaLama.
// Rules STO001, STO003, STO004, STO007.

#include "stores_fixture.hpp"

namespace steelyard {
namespace {

using namespace std::string_literals;

const std::string kModel = "application/vnd.ollama.image.model";
const std::string kTemplate = "application/vnd.ollama.image.template";

class OllamaStore : public Home {
 protected:
  std::string blob(const std::string& content) { return Home::blob(models_ + "blobs/sha256-", content); }
  void put(const std::string& name, const std::string& content) { write(models_ + "manifests/" + name, content); }
  std::string good() { return manifest({layer(kModel, blob("weights"))}); }
  std::string models_ = "home/.ollama/models/";
};

TEST_F(OllamaStore, LayersAreFilesNamedByTheirRole) {
  std::vector<std::string> layers;
  for (const char* role :
       {"model", "template", "system", "params", "license", "license", "adapter", "projector", "messages"})
    layers.push_back(layer("application/vnd.ollama.image."s + role, blob(role + std::to_string(layers.size()))));
  layers.push_back(layer("application/vnd.ollama.image.tensor", blob("tensor"), R"(,"name":"model.embed.weight")"));
  layers.push_back(layer("application/vnd.ollama.image.json", blob("json"), R"(,"name":"tokenizer/config.json")"));
  put("host.example/library/llama3/latest",
      manifest(layers, layer("application/vnd.docker.container.image.v1+json", blob("{}"))));
  const auto listing = list("ollama");
  const auto& found = model(listing, "ollama:llama3:latest");
  EXPECT_EQ(files(found),
            (Names{"adapter.gguf", "config", "license", "license-2", "messages", "model.embed.weight", "model.gguf",
                   "params", "projector.gguf", "system", "template", "tokenizer/config.json"}));
  for (const auto& each : found.files) EXPECT_TRUE(each.digest.starts_with("sha256:")) << each.name;
  EXPECT_EQ(file(found, "template").digest, "sha256:" + sha256("template1"));
  EXPECT_TRUE(rules(found).empty());
  EXPECT_EQ(fact(found, "source.manifest").size(), 7u + 64u);
}

TEST_F(OllamaStore, NamesAsOllamaShowsThem) {
  put("host.example/library/llama3/latest", good());
  put("host.example/user/own/v1", good());
  put("hub.example/org/name/Q4", good());
  const auto listing = list("ollama");
  EXPECT_EQ(targets(listing), (Names{"ollama:hub.example/org/name:Q4", "ollama:llama3:latest", "ollama:user/own:v1"}));
  const auto& names = listing.models[1].names;
  for (const char* name : {"llama3", "library/llama3", "host.example/library/llama3:latest"})
    EXPECT_NE(std::ranges::find(names, name), names.end()) << name;
  // A second host with a library: neither is what the short name means.
  put("evil.example/library/llama3/latest", good());
  EXPECT_EQ(targets(list("ollama")),
            (Names{"ollama:hub.example/org/name:Q4", "ollama:evil.example/library/llama3:latest",
                   "ollama:host.example/library/llama3:latest", "ollama:user/own:v1"}));
}

TEST_F(OllamaStore, DigestsThatArePaths) {
  write("home/secret");
  int number = 0;
  for (const std::string& digest :
       {"sha256:../../../../secret"s, "sha256-"s + "../"s + std::string(61, 'a'), "sha256:"s + std::string(64, 'A'),
        "sha256:"s + std::string(63, 'a'), "sha256:"s + std::string(65, 'a'), "sha512:"s + std::string(64, 'a'),
        "/etc/passwd"s, ""s, "sha256:"s + std::string(64, 'a') + "\\u0000"}) {
    put("h/library/evil/" + std::to_string(number++), manifest({layer(kModel, digest)}));
  }
  const auto listing = list("ollama");
  EXPECT_EQ(listing.models.size(), 9u);
  for (const auto& each : listing.models) {
    EXPECT_EQ(rules(each), (Names{"STO004"})) << each.target();
    EXPECT_EQ(files(each), (Names{"model.gguf STO003"})) << each.target();
  }
}

TEST_F(OllamaStore, NamesThatLeaveTheModel) {
  for (const char* name : {"../../x", "/etc/x", "a/../b", "a//b", "a\\\\..\\\\b", "."}) {
    put("h/library/evil/latest", manifest({layer(kModel, blob("w"), R"(,"name":")"s + name + R"(")")}));
    const auto listing = list("ollama");
    EXPECT_EQ(rules(listing.models.at(0)), (Names{"STO004"})) << name;
    EXPECT_EQ(files(listing.models.at(0)), (Names{"model.gguf"})) << name;
  }
  const std::string twice = R"(,"name":"config.json")";
  put("h/library/evil/latest", manifest({layer(kModel, blob("1"), twice), layer(kModel, blob("2"), twice)}));
  EXPECT_EQ(rules(list("ollama").models.at(0)), (Names{"STO004"}));
  EXPECT_EQ(files(list("ollama").models.at(0)), (Names{"config-2.json", "config.json"}));
}

TEST_F(OllamaStore, MissingBlobsAndBlobsThatAreLinks) {
  write("outside", "weights");
  const std::string absent = "sha256:" + sha256("absent");
  const std::string linked = sha256("linked");
  link(models_ + "blobs/sha256-" + linked, folder_ / "outside");
  put("h/library/m/latest", manifest({layer(kModel, absent), layer(kTemplate, "sha256:" + linked)}));
  EXPECT_EQ(files(list("ollama").models.at(0)), (Names{"model.gguf STO003", "template STO002"}));
}

TEST_F(OllamaStore, ManifestsThatCannotBeRead) {
  put("h/library/a-huge/latest", R"({"layers":[)" + std::string(2 << 20, ' ') + "]}");
  put("h/library/b-text/latest", "not json");
  put("h/library/c-list/latest", "[]");
  put("h/library/d-deep/latest", std::string(100, '[') + std::string(100, ']'));
  put("h/library/e-twice/latest", R"({"layers":[],"layers":[]})");
  std::string many;
  for (int i = 0; i < 5000; ++i) many += (many.empty() ? "" : ",") + R"({"digest":""})"s;
  put("h/library/f-many/latest", R"({"layers":[)" + many + "]}");
  fifo(models_ + "manifests/h/library/g-fifo/latest");
  link(models_ + "manifests/h/library/h-loop/latest", "latest");
  put("h/library/i-empty/latest", "");
  const auto listing = list("ollama");
  ASSERT_EQ(listing.models.size(), 9u);
  for (const auto& each : listing.models) EXPECT_EQ(files(each), (Names{"manifest STO007"})) << each.target();
  write("outside.json", good());
  link(models_ + "manifests/h/library/outside/latest", folder_ / "outside.json");
  EXPECT_EQ(files(model(list("ollama"), "ollama:outside:latest")), (Names{"manifest STO002"}));
}

TEST_F(OllamaStore, TheSystemServiceIsLookedAtToo) {
  write("root/usr/share/ollama/.ollama/models/manifests/h/library/served/latest", manifest({}));
  put("h/library/own/latest", good());
  EXPECT_EQ(targets(list("ollama")), (Names{"ollama:own:latest", "ollama:served:latest"}));
  environment_.variables["OLLAMA_MODELS"] = (folder_ / "moved").string();
  write("moved/manifests/h/library/moved/latest", manifest({}));
  EXPECT_EQ(targets(list("ollama")), (Names{"ollama:moved:latest", "ollama:served:latest"}));
}

TEST_F(OllamaStore, BlobsOfNoModelAreNoted) {
  put("h/library/m/latest", good());
  blob("orphan");
  write(models_ + "blobs/sha256-" + sha256("x") + "-partial-0");
  const auto listing = list("ollama");
  ASSERT_EQ(listing.notes.size(), 2u);
  EXPECT_NE(listing.notes[0].find("1 blob of no model, not examined"), std::string::npos);
}

class DockerStore : public Home {
 protected:
  // Returns the id.
  std::string seed(const std::string& content, const std::string& tags = R"("host.example/ai/smollm2:latest")") {
    const std::string id = sha256(content);
    write(models_ + "manifests/sha256/" + id, content);
    write(models_ + "models.json", R"({"models":[{"id":"sha256:)" + id + R"(","tags":[)" + tags + R"(],"files":[]}]})");
    return id;
  }
  std::string good() {
    return manifest({layer("application/vnd.docker.ai.gguf.v3", blob(models_ + "blobs/sha256/", "weights")),
                     layer("application/vnd.docker.ai.license", blob(models_ + "blobs/sha256/", "licence"))},
                    layer("application/vnd.docker.ai.model.config.v0.1+json", blob(models_ + "blobs/sha256/", "{}")));
  }
  std::string models_ = "home/.docker/models/";
};

TEST_F(DockerStore, ModelsOfTheIndex) {
  const std::string id = seed(good());
  const auto listing = list("docker");
  const auto& found = model(listing, "docker:host.example/ai/smollm2:latest");
  EXPECT_EQ(files(found), (Names{"config", "license", "model.gguf"}));
  EXPECT_TRUE(rules(found).empty());
  for (const std::string& name : {"ai/smollm2"s, "ai/smollm2:latest"s, "sha256:" + id})
    EXPECT_NE(std::ranges::find(found.names, name), found.names.end()) << name;
  environment_.variables["MODELS_PATH"] = (folder_ / "nothing").string();
  EXPECT_TRUE(list("docker").places.empty());
}

TEST_F(DockerStore, AManifestThatIsNotWhatItsDigestSays) {
  const std::string id = seed(good());
  write(models_ + "manifests/sha256/" + id, good() + " ");
  EXPECT_EQ(rules(list("docker").models.at(0)), (Names{"STO001"}));
}

TEST_F(DockerStore, WhatIsLoadedIsTheBundle) {
  const std::string id = seed(good());
  const std::string bundle = models_ + "bundles/sha256/" + id + "/model/";
  fs::create_directories(folder_ / bundle);
  fs::create_hard_link(folder_ / (models_ + "blobs/sha256/" + sha256("weights")), folder_ / (bundle + "model.gguf"));
  EXPECT_EQ(files(list("docker").models.at(0)), (Names{"config", "license", "model.gguf"}));
  fs::remove(folder_ / (bundle + "model.gguf"));
  write(bundle + "model.gguf", "other weights");
  EXPECT_EQ(files(list("docker").models.at(0)), (Names{"bundle/model/model.gguf", "config", "license", "model.gguf"}));
  EXPECT_EQ(rules(list("docker").models.at(0)), (Names{"STO006"}));
}

TEST_F(DockerStore, HostileIndices) {
  write("secret", good());
  write(models_ + "models.json", R"({"models":[{"id":"sha256:../../../../secret","tags":["a/b"]}]})");
  EXPECT_EQ(rules(list("docker").models.at(0)), (Names{"STO004"}));
  write(models_ + "models.json", "{");
  EXPECT_FALSE(list("docker").places.at(0).problem.empty());
  seed(good());
  write(models_ + "manifests/sha256/" + std::string(64, 'e'), good());
  EXPECT_EQ(list("docker").notes.size(), 1u) << "a manifest that the index doesn't name";
}

class OciStore : public Home {
 protected:
  stores::Listing list_oci() { return stores::list_at(*stores::find("oci"), folder_ / "oci"); }
  std::string blob(const std::string& content) { return Home::blob("oci/blobs/sha256/", content); }
  static std::string entry(const std::string& digest, const std::string& tag) {
    return layer("application/vnd.oci.image.manifest.v1+json", digest,
                 tag.empty() ? "" : R"(,"annotations":{"org.opencontainers.image.ref.name":")" + tag + R"("})");
  }
};

TEST_F(OciStore, TitlesNameTheFiles) {
  const std::string id = blob(manifest({layer("application/octet-stream", blob("weights"), title("model.safetensors")),
                                        layer("application/octet-stream", blob("conf"), title("sub/config.json")),
                                        layer("application/octet-stream", blob("?"))},
                                       layer("application/vnd.oci.empty.v1+json", "sha256:" + sha256("{}"))));
  write("oci/index.json", R"({"manifests":[)" + entry(id, "v1") + "]}");
  const auto listing = list_oci();
  EXPECT_EQ(files(model(listing, "oci:v1")), (Names{"layer", "model.safetensors", "sub/config.json"}));
  EXPECT_TRUE(rules(listing.models[0]).empty());
}

TEST_F(OciStore, IndicesWithinIndicesEnd) {
  const std::string id = blob(manifest({layer("application/octet-stream", blob("w"), title("m.gguf"))}));
  const std::string inner = blob(R"({"manifests":[)" + entry(id, "") + "," + entry(id, "") + "]}");
  write("oci/index.json", R"({"manifests":[)" + entry(inner, "v2") + "]}");
  EXPECT_EQ(targets(list_oci()), (Names{"oci:v2"}));
  std::string wide;
  for (int i = 0; i < 400; ++i)
    wide += (wide.empty() ? "" : ",") + entry(blob(manifest({}) + std::string(static_cast<std::size_t>(i), ' ')), "");
  write("oci/index.json", R"({"manifests":[)" + wide + "]}");
  EXPECT_NE(list_oci().places.at(0).problem.find("more than 256"), std::string::npos);
}

TEST_F(OciStore, TamperedManifests) {
  const std::string id = blob(manifest({}));
  write("oci/blobs/sha256/" + id.substr(7),
        manifest({layer("application/octet-stream", blob("evil"), title("m.gguf"))}));
  write("oci/index.json", R"({"manifests":[)" + entry(id, "") + "]}");
  EXPECT_EQ(rules(list_oci().models.at(0)), (Names{"STO001"}));
  write("oci/index.json", R"({"manifests":[)" + entry("sha256:../../x", "") + "]}");
  EXPECT_EQ(rules(list_oci().models.at(0)), (Names{"STO004"}));
  EXPECT_EQ(files(list_oci().models.at(0)), (Names{"manifest STO007"}));
}

class RamalamaStore : public Home {
 protected:
  void reference(const std::string& files) {
    write(model_ + "refs/latest.json",
          R"({"hash":"sha256:abc","version":"v1.0.1","path":"/elsewhere","files":[)" + files + "]}");
  }
  static std::string entry(const std::string& name, const std::string& hash) {
    return R"({"name":")" + name + R"(","hash":")" + hash + R"(","type":"gguf"})";
  }
  std::string put(const std::string& name, const std::string& hash, const std::string& content) {
    write(model_ + "blobs/sha256-" + hash, content);
    link(model_ + "snapshots/sha256-abc/" + name, "../../blobs/sha256-" + hash);
    return "sha256:" + hash;
  }
  std::string model_ = "home/.local/share/ramalama/store/ollama/library/smollm2/";
};

TEST_F(RamalamaStore, DigestsOfContentsAndOfNames) {
  const std::string weights = put("smollm2", sha256("weights"), "weights");
  const std::string config = put("config.json", sha256("config.json"), "{}");
  reference(entry("smollm2", weights) + "," + entry("config.json", config));
  const auto listing = list("ramalama");
  const auto& found = model(listing, "ramalama:ollama/library/smollm2:latest");
  EXPECT_EQ(files(found), (Names{"config.json", "smollm2"}));
  EXPECT_EQ(file(found, "smollm2").digest, weights);
  EXPECT_EQ(file(found, "config.json").digest, "") << "named by its name";
  for (const char* name : {"library/smollm2", "ollama://library/smollm2:latest", "ollama/library/smollm2"})
    EXPECT_NE(std::ranges::find(found.names, name), found.names.end()) << name;
}

TEST_F(RamalamaStore, HostileReferences) {
  const std::string weights = put("m", sha256("weights"), "weights");
  reference(entry("m", "sha256:" + std::string(64, 'f')));
  EXPECT_EQ(rules(list("ramalama").models.at(0)), (Names{"STO004"})) << "the blob is not the snapshot's";
  reference(entry("../../../secret", weights));
  EXPECT_EQ(rules(list("ramalama").models.at(0)), (Names{"STO004"}));
  write(model_ + "refs/latest.json", R"({"hash":"../../..","files":[]})");
  EXPECT_EQ(files(list("ramalama").models.at(0)), (Names{"reference STO007"}));
  reference(entry("absent", weights));
  EXPECT_EQ(files(list("ramalama").models.at(0)), (Names{"absent STO003"}));
}

TEST_F(RamalamaStore, TheOlderReferenceAndOtherPlaces) {
  put("m", sha256("weights"), "weights");
  write(model_ + "refs/v1", "sha256:abc\nm---model\n");
  EXPECT_EQ(files(model(list("ramalama"), "ramalama:ollama/library/smollm2:v1")), (Names{"m"}));
  write("home/.config/ramalama/ramalama.conf", "[ramalama]\nstore = \"" + (folder_ / "conf").string() + "\"\n");
  write("conf/store/hf/org/name/refs/latest.json", R"({"hash":"x","files":[]})");
  write("root/var/lib/ramalama/store/hf/org/root/refs/latest.json", R"({"hash":"x","files":[]})");
  EXPECT_EQ(targets(list("ramalama")), (Names{"ramalama:hf/org/name:latest", "ramalama:hf/org/root:latest"}));
  environment_.variables["RAMALAMA_STORE"] = (folder_ / "env").string();
  write("env/store/hf/org/env/refs/latest.json", R"({"hash":"x","files":[]})");
  EXPECT_EQ(targets(list("ramalama")), (Names{"ramalama:hf/org/env:latest", "ramalama:hf/org/root:latest"}));
}

}  // namespace
}  // namespace steelyard
