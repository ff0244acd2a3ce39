// identity/repository: which code a loader reaches, and what files of one folder say about each other. REP002,
// REP003, REP004, REP005, REP006, REP007, REP008.

#include "identity/repository.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "formats/format.hpp"
#include "identity/identity.hpp"

namespace steelyard::identity {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

// What a scan makes of a folder.
Examination folder(const Files& files) {
  Examination all;
  for (const auto& [path, content] : files) {
    Examination one = formats::examine(MemorySource(as_bytes(content)), path.substr(path.rfind('/') + 1));
    const auto base = static_cast<u32>(all.artifacts.size());
    for (Artifact& artifact : one.artifacts) {
      artifact.path = path;
      all.artifacts.push_back(artifact);
    }
    for (Fact& fact : one.facts) {
      if (fact.artifact) *fact.artifact += base;
      all.facts.push_back(fact);
    }
    for (Finding& finding : one.findings) {
      if (finding.artifact) *finding.artifact += base;
      all.findings.push_back(finding);
    }
  }
  weigh_claims(all);
  return all;
}

std::vector<std::string> at(const Examination& found, std::string_view rule) {
  std::vector<std::string> paths;
  for (const Finding& finding : found.findings) {
    if (finding.rule == rule) paths.push_back(found.artifacts[*finding.artifact].path);
  }
  return paths;
}

using Paths = std::vector<std::string>;
const std::string kMap = R"({"auto_map": {"AutoModel": "modeling_x.XModel"}})";

TEST(Repository, CodeThatNobodyLoadsIsOnlyCode) {
  const std::string code = "import subprocess\ndef f():\n    subprocess.run(['ls', x])\n";
  EXPECT_TRUE(at(folder({{"config.json", "{}"}, {"modeling_x.py", code}}), "REP003").empty());
  EXPECT_EQ(at(folder({{"config.json", kMap}, {"modeling_x.py", code}}), "REP003"), Paths{"modeling_x.py"});
}

TEST(Repository, ImportsAreFollowed) {
  const Files files = {{"config.json", kMap},
                       {"modeling_x.py", "from .sub.helper import f\n"},
                       {"sub/helper.py", "from .. import deep\n"},
                       {"deep.py", "import os\nos.system('touch x')\n"},
                       {"other.py", "import os\nos.system('touch x')\n"}};
  EXPECT_EQ(at(folder(files), "REP003"), Paths{"deep.py"});
}

TEST(Repository, WhatConventionsRun) {
  const std::string code = "import os\nos.system('touch x')\n";
  for (const char* name :
       {"handler.py", "hubconf.py", "setup.py", "conftest.py", "custom_generate/generate.py", "sub/sitecustomize.py"})
    EXPECT_EQ(at(folder({{"config.json", "{}"}, {name, code}}), "REP003"), Paths{name});
  EXPECT_TRUE(at(folder({{"config.json", "{}"}, {"train.py", code}}), "REP003").empty());
  EXPECT_TRUE(at(folder({{"config.json", "{}"},
                         {"setup.py", "import subprocess\nsubprocess.check_call(['cmake', '--build', d])\n"}}),
                 "REP003")
                  .empty());
}

TEST(Repository, OrdinaryCustomCodeIsNoAlarm) {
  const Examination found = folder(
      {{"config.json", kMap},
       {"modeling_x.py",
        "import torch\nfrom torch import nn\nfrom .configuration_x import XConfig\n\n\nclass XModel(nn.Module):\n    "
        "def forward(self, x):\n        return x\n"},
       {"configuration_x.py",
        "from transformers import PretrainedConfig\n\n\nclass XConfig(PretrainedConfig):\n    model_type = \"x\"\n"}});
  for (const Finding& finding : found.findings) EXPECT_EQ(finding.rule, "CFG003");
  ASSERT_NE(found.fact("repo.loaded_code"), nullptr);
  EXPECT_EQ(found.fact("repo.loaded_code")->value.array().size(), 2u);
}

TEST(Repository, NetworkWhenUsedIsLessThanWhenLoaded) {
  const std::string use = "import requests\ndef f(u):\n    return requests.get(u)\n";
  EXPECT_EQ(at(folder({{"config.json", kMap}, {"modeling_x.py", use}}), "REP004"), Paths{"modeling_x.py"});
  EXPECT_EQ(
      at(folder({{"config.json", kMap}, {"modeling_x.py", "import requests\nrequests.get('https://e.example')\n"}}),
         "REP003"),
      Paths{"modeling_x.py"});
}

TEST(Repository, MissingFiles) {
  EXPECT_EQ(at(folder({{"config.json", kMap}, {"README.md", "x"}}), "REP002"), Paths{"config.json"});
  const std::string modules =
      R"([{"idx": 0, "name": "0", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}])";
  EXPECT_TRUE(at(folder({{"modules.json", modules}, {"1_Pooling/config.json", "{}"}}), "REP002").empty());
  EXPECT_EQ(at(folder({{"modules.json", modules}, {"2_Pooling/config.json", "{}"}}), "REP002"), Paths{"modules.json"});
  EXPECT_TRUE(folder({{"config.json", kMap}}).fact("repo.loaded_code") == nullptr)
      << "a file alone is not a repository";
}

TEST(Repository, NamesAndSecondWeights) {
  EXPECT_EQ(at(folder({{"Config.json", "{}"}, {"config.json", "{}"}}), "REP006"), Paths{"config.json"});
  EXPECT_EQ(at(folder({{"a.json", "{}"}, {"model\xE2\x80\xAEgnp.py", "x = 1\n"}}), "REP007"),
            (Paths{"model\xE2\x80\xAEgnp.py"}));
  EXPECT_TRUE(at(folder({{"a.json", "{}"}, {"caf\xC3\xA9.py", "x = 1\n"}}), "REP007").empty());
  EXPECT_EQ(at(folder({{"model.safetensors", "x"}, {"pytorch_model.bin", "x"}}), "REP005"), Paths{"pytorch_model.bin"});
}

TEST(Repository, VocabulariesOfOneFolder) {
  EXPECT_TRUE(at(folder({{"vocab.txt", "a\nb\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
  EXPECT_EQ(at(folder({{"vocab.txt", "b\na\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008"), Paths{"vocab.txt"});
  EXPECT_TRUE(at(folder({{"x/vocab.txt", "b\na\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
  EXPECT_TRUE(at(folder({{"vocab.txt", "b\na\nc\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
}

}  // namespace
}  // namespace steelyard::identity
