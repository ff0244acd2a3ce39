#include "host/host.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/embedded.hpp"
#include "host/system.hpp"
#include "wire/toml.hpp"

namespace steelyard::host {
namespace {

using namespace std::string_literals;

class Machine final : public Environment {
 public:
  explicit Machine(fs::path root) : root_(std::move(root)) {}
  std::optional<std::string> variable(const std::string& name) const override {
    return name == "HOME" ? std::optional<std::string>("/home/me") : std::nullopt;
  }
  i64 now() const override { return 1795515148; }
  fs::path root() const override { return root_; }

 private:
  fs::path root_;
};

class Host : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::canonical(testing::TempDir()) / ("host-" + std::to_string(::getpid()));
    clear();
  }
  void TearDown() override { fs::remove_all(root_); }
  void clear() {
    fs::remove_all(root_);
    fs::create_directories(root_);
    models_.clear();
  }

  static std::string unescape(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') {
        out += text[i];
      } else {
        const char c = text[++i];
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c;
      }
    }
    return out;
  }

  // The tree language of data/rules/HST.
  void build(const std::string& recipe) {
    std::istringstream lines(recipe);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string verb, path, third;
      words >> verb >> path >> third;
      if (verb.empty()) continue;
      fs::create_directories((root_ / path).parent_path());
      if (verb == "dir") {
        fs::create_directories(root_ / path);
        ::chmod((root_ / path).c_str(), static_cast<mode_t>(std::stoul(third, nullptr, 8)));
      } else if (verb == "file") {
        const auto open = line.find('"');
        std::ofstream(root_ / path, std::ios::binary) << unescape(line.substr(open + 1, line.rfind('"') - open - 1));
        ::chmod((root_ / path).c_str(), static_cast<mode_t>(std::stoul(third, nullptr, 8)));
      } else if (verb == "link") {
        fs::create_symlink(third, root_ / path);
      } else if (verb == "model") {
        models_.push_back("/" + path);
      } else {
        FAIL() << "unknown verb " << verb;
      }
    }
  }

  evidence::Record examine() { return host::examine(Machine(root_), models_); }
  std::string state(const std::string& check) {
    const auto record = examine();
    const Fact* fact = record.found.fact("host.check." + check);
    return fact == nullptr ? "absent" : fact->value["state"].string();
  }

  fs::path root_;
  std::vector<std::string> models_;
};

TEST_F(Host, RulesFireAndStaySilent) {
  int examples = 0;
  for (const auto& file : embedded::under("rules/HST/")) {
    const auto document = toml::Document::parse(std::string(file.text), std::string(file.path));
    ASSERT_TRUE(document) << document.error().message;
    toml::Table rule(**document, (*document)->root(), "rule");
    for (toml::Table& example : rule.tables("example")) {
      clear();
      build(example.text("recipe"));
      const auto record = examine();
      const bool fired =
          std::ranges::any_of(record.found.findings, [&](const Finding& f) { return f.rule == rule.text("id"); });
      EXPECT_EQ(fired, example.text("expect") == "fires") << file.path << ": " << example.text("title");
      ++examples;
    }
  }
  EXPECT_GE(examples, 10);
}

const char* const kServer =
    "file proc/1/cmdline 644 \"init\\0\"\n"
    "file proc/7/status 644 \"Uid:\\t1000\\t1000\\t1000\\t1000\\nCapEff:\\t0000000000000000\\nSeccomp:\\t0\\n\"\n"
    "file proc/7/environ 644 \"HOME=/\\0\"\n";

TEST_F(Host, NothingRunsIsOkOnlyWhenProcessesCanBeSeen) {
  build("file proc/1/cmdline 644 \"init\\0\"\n");
  EXPECT_EQ(state("server_exposure"), "ok");
  clear();
  EXPECT_EQ(state("server_exposure"), "unknown") << "no /proc";
  build("file proc/42/cmdline 644 \"me\\0\"\n");
  EXPECT_EQ(state("server_exposure"), "unknown") << "hidepid: process 1 can't be seen";
}

TEST_F(Host, WhatIsOnlyClaimedIsNotProofOfLoopback) {
  build(std::string(kServer) + "file proc/7/cmdline 644 \"llama-server\\0--host\\0127.0.0.1\\0\"\n");
  EXPECT_EQ(state("server_exposure"), "unknown") << "no socket was seen";
  clear();
  build(std::string(kServer) + "file proc/7/cmdline 644 \"llama-server\\0--host\\00.0.0.0\\0\"\n");
  EXPECT_EQ(state("server_exposure"), "bad");
  clear();
  build(std::string(kServer) +
        "file proc/7/cmdline 644 \"llama-server\\0--host\\00.0.0.0\\0--api-key\\0SeCrEtVaLuE\\0\"\n");
  EXPECT_EQ(state("server_exposure"), "ok");
}

TEST_F(Host, SecretsAreNamedButNeverShown) {
  build(std::string(kServer) + "file proc/7/cmdline 644 \"llama-server\\0--api-key\\0SeCrEtVaLuE\\0\"\n");
  std::ofstream(root_ / "proc/7/environ", std::ios::binary) << "HF_TOKEN=hf_SeCrEtVaLuE\0LLAMA_API_KEY=SeCrEtVaLuE\0"s;
  const std::string text = json::canonical(evidence::encode(examine()));
  EXPECT_NE(text.find("HF_TOKEN"), std::string::npos);
  EXPECT_EQ(text.find("SeCrEtVaLuE"), std::string::npos);
  EXPECT_EQ(state("secrets"), "bad");
}

TEST_F(Host, OtherProgramsAreNotServers) {
  build(
      "file proc/1/cmdline 644 \"init\\0\"\nfile proc/8/cmdline 644 \"vim\\0llama-server.cpp\\0\"\nfile proc/9/cmdline "
      "644 \"grep\\0vllm\\0\"\n"
      "file proc/10/cmdline 644 \"ollama\\0list\\0\"\n");
  const auto record = examine();
  EXPECT_TRUE(record.found.fact("host.servers")->value.array().empty());
}

TEST_F(Host, ServersBehindInterpretersAreFound) {
  build(std::string(kServer) +
        "file proc/7/cmdline 644 \"/usr/bin/python3\\0-m\\0vllm.entrypoints.openai.api_server\\0\"\n");
  const auto record = examine();
  ASSERT_EQ(record.found.fact("host.servers")->value.array().size(), 1u);
  EXPECT_EQ(record.found.fact("host.servers")->value.array()[0]["server"].string(), "vllm");
}

TEST_F(Host, PermissionsOfFoldersCount) {
  build("dir a 755\ndir a/b 1777\nfile a/b/m.gguf 644 \"x\"\nmodel a/b/m.gguf\n");
  EXPECT_EQ(state("model_permissions"), "ok") << "sticky folders don't let others exchange the file";
  ::chmod((root_ / "a").c_str(), 0777);
  EXPECT_EQ(state("model_permissions"), "bad");
  ::chmod((root_ / "a").c_str(), 0755);
  ::chmod((root_ / "a/b/m.gguf").c_str(), 0666);
  EXPECT_EQ(state("model_permissions"), "bad");
}

TEST_F(Host, RuntimesComeFromFilesNotFromRunningThem) {
  build(
      "file usr/local/bin/llama-server 755 \"#!/bin/false\"\n"
      "file usr/lib/python3/dist-packages/safetensors-0.5.2.dist-info/METADATA 644 \"Name: safetensors\\nVersion: "
      "0.5.2\\n\"\n"
      "file usr/lib/python3/dist-packages/requests-2.0.dist-info/METADATA 644 \"Name: requests\\nVersion: 2.0\\n\"\n");
  const auto record = examine();
  const std::string text = json::canonical(record.found.fact("host.runtimes")->value);
  EXPECT_EQ(text,
            "[{\"name\":\"llama-server\",\"path\":\"/usr/local/bin/llama-server\",\"version\":\"unknown\"},"
            "{\"name\":\"safetensors\",\"path\":\"/usr/lib/python3/dist-packages/"
            "safetensors-0.5.2.dist-info\",\"version\":\"0.5.2\"}]");
}

TEST_F(Host, SameMachineSameRecord) {
  build(std::string(kServer) + "file proc/7/cmdline 644 \"llama-server\\0\"\n");
  EXPECT_EQ(evidence::id(examine()), evidence::id(examine()));
}

TEST_F(Host, NamesWithControlCharactersAreSafe) {
  build(std::string(kServer));
  std::ofstream(root_ / "proc/7/cmdline", std::ios::binary) << "llama-server\0--host\0ev\x1b[31mil\0"s;
  EXPECT_EQ(json::canonical(evidence::encode(examine())).find("\\u001b"), std::string::npos);
}

TEST(Listeners, BothFamiliesAndMappedAddresses) {
  const auto v4 = listeners(
      "h\n 0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 11 1\n 1: 00000000:2CAA 0:0 0A 0:0 00:0 0 0 0 12 1\n 2: "
      "0100007F:0050 0:0 01 0:0 00:0 0 0 0 13 1\n",
      false);
  ASSERT_EQ(v4.size(), 2u) << "only listening sockets";
  EXPECT_EQ(v4[0].address, "127.0.0.1:8080");
  EXPECT_TRUE(v4[0].loopback);
  EXPECT_EQ(v4[1].address, "0.0.0.0:11434");
  EXPECT_FALSE(v4[1].loopback);
  const auto v6 = listeners(
      "h\n 0: 00000000000000000000000001000000:1F90 0:0 0A 0:0 00:0 0 0 0 21 1\n"
      " 1: 0000000000000000FFFF00000100007F:1F90 0:0 0A 0:0 00:0 0 0 0 22 1\n"
      " 2: 00000000000000000000000000000000:1F90 0:0 0A 0:0 00:0 0 0 0 23 1\n",
      true);
  ASSERT_EQ(v6.size(), 3u);
  EXPECT_TRUE(v6[0].loopback);
  EXPECT_TRUE(v6[1].loopback);
  EXPECT_FALSE(v6[2].loopback);
}

// The real /proc: a process of that name that listens everywhere is found, and is gone afterwards.
TEST(LiveHost, AListeningProcessIsFound) {
  const auto servers = [] {
    const auto record = host::examine(Machine("/"), {});
    return json::canonical(record.found.fact("host.servers")->value);
  };
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 || ::listen(fd, 1) != 0) ::_exit(1);
    ::dup2(ready[1], 100);
    ::dup2(fd, 101);
    ::execl("/bin/bash", "llama-server", "-c", "echo x >&100; read -t 20 <&100 || sleep 20", nullptr);
    ::_exit(1);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const std::string during = servers();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_NE(during.find("\"pid\":" + std::to_string(child)), std::string::npos) << during;
  EXPECT_NE(during.find("0.0.0.0:"), std::string::npos) << during;
  EXPECT_EQ(servers().find("\"pid\":" + std::to_string(child)), std::string::npos);
}

}  // namespace
}  // namespace steelyard::host
