// What the documents claim; their forms are checked by other people's readers in tests/oracle/bom_test.py.

#include <gtest/gtest.h>

#include "stack/bom.hpp"
#include "stack/vex.hpp"

namespace steelyard::stack {
namespace {

evidence::Record record(std::vector<std::string> options, std::string release) {
  evidence::Record out;
  out.kind = "stack";
  out.subjects.push_back({"binary", "v3/bin/llama-server", std::string(64, 'a'), 1});
  json::Value list = json::Array{};
  for (std::string& option : options) list.push(std::move(option));
  const auto fact = [&](std::string key, json::Value value) {
    out.found.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, Assurance::verified});
  };
  fact("stack.flags", json::Value().set("options", std::move(list)));
  fact("stack.upstream", json::Value()
                             .set("name", "llama.cpp")
                             .set("repository", "https://github.com/ggml-org/llama.cpp")
                             .set("commit", "abc")
                             .set("release", std::move(release)));
  return out;
}

Answer::Status status(const evidence::Record& of, const std::string& option, const std::string& before,
                      const std::string& program = "llama-server") {
  rules::Advisory advisory{.id = "X",
                           .title = {},
                           .references = {},
                           .component = "a part",
                           .option = option,
                           .action = {},
                           .loaders = {{{program}, "", before}},
                           .triggers = {}};
  const auto all = answers(of, {advisory});
  return all.empty() ? Answer::Status::under_investigation : all.front().status;
}

TEST(StackVex, OnlyWhatIsKnownIsSaid) {
  using enum Answer::Status;
  const auto off = record({"GGML_RPC=OFF"}, "b10256");
  EXPECT_EQ(status(off, "GGML_RPC", "b3561"), not_affected);
  EXPECT_EQ(status(off, "GGML_RPC", ""), not_affected);
  EXPECT_EQ(status(off, "LLAMA_OPENSSL", ""), affected);
  EXPECT_EQ(status(off, "", "b10256"), fixed);
  EXPECT_EQ(status(off, "", "b10257"), under_investigation);
  EXPECT_EQ(status(off, "", "unknown"), under_investigation);
  EXPECT_EQ(status(off, "", "1.2.3"), under_investigation);
  EXPECT_EQ(status(record({"GGML_RPC=ON"}, "b10256"), "GGML_RPC", ""), affected);
  EXPECT_EQ(status(record({"GGML_RPC=OFF", "GGML_RPC=ON"}, "b10256"), "GGML_RPC", ""), affected);
  EXPECT_EQ(status(record({"GGML_RPC=OFFICE"}, "b1"), "GGML_RPC", "b2"), under_investigation);
  EXPECT_EQ(status(record({}, ""), "", "b2"), under_investigation);
  EXPECT_TRUE(answers(off, {rules::Advisory{.id = "Y",
                                            .title = {},
                                            .references = {},
                                            .component = {},
                                            .option = {},
                                            .action = {},
                                            .loaders = {{{"ollama"}, "", ""}},
                                            .triggers = {}}})
                  .empty());
}

TEST(StackBom, DocumentsNameTheBuild) {
  const auto of = record({}, "");
  EXPECT_EQ(upstream_purl(of), "pkg:github/ggml-org/llama.cpp@abc");
  const std::string uuid = document_uuid(of, "bom");
  EXPECT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '8');
  EXPECT_NE(uuid, document_uuid(of, "vex"));
  EXPECT_EQ(slsa(of)["subject"].array()[0]["digest"]["sha256"].string(), std::string(64, 'a'));
}

}  // namespace
}  // namespace steelyard::stack
