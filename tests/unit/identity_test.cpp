#include "identity/identity.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace steelyard::identity {
namespace {

TEST(Identity, SizeLabels) {
  EXPECT_EQ(labelled_parameters("135M"), 135'000'000u);
  EXPECT_EQ(labelled_parameters("1.5B"), 1'500'000'000u);
  EXPECT_EQ(labelled_parameters("8x7B"), 56'000'000'000u);
  for (const char* bad : {"", "large", "7", "B", "-7B", "0B", "7Bx", "x7B", "99999x7B", "1e99B", "nanB", "infB"})
    EXPECT_EQ(labelled_parameters(bad), std::nullopt) << bad;
}

TEST(Identity, LicencesByAnotherName) {
  EXPECT_TRUE(same_licence("apache-2.0", "Apache License 2.0"));
  EXPECT_TRUE(same_licence("apache-2.0", "Apache License, Version 2.0"));
  EXPECT_TRUE(same_licence("llama3.1", "Llama 3.1 Community License Agreement"));
  EXPECT_TRUE(same_licence("gemma", "Gemma Terms of Use"));
  EXPECT_FALSE(same_licence("apache-2.0", "Gemma Terms of Use"));
  EXPECT_FALSE(same_licence("apache-2.0", "apache-1.1"));
  EXPECT_FALSE(same_licence("cc-by-4.0", "mit"));
  EXPECT_FALSE(same_licence("cc-by-4.0", "cc-by-nc-4.0"));
  EXPECT_FALSE(same_licence("qwen", "qwen-research"));
}

Fact claim(std::string key, json::Value value, u32 artifact) {
  return {std::move(key), std::move(value), artifact, std::nullopt, Assurance::claimed};
}

TEST(Identity, DisagreementBetweenFilesIsFound) {
  Examination found;
  found.facts = {claim("identity.licence", "mit", 0), claim("identity.licence", "gpl-3.0", 1)};
  weigh_claims(found);
  EXPECT_EQ(found.facts[0].assurance, Assurance::contradicted);
  EXPECT_EQ(found.facts[1].assurance, Assurance::contradicted);
  EXPECT_TRUE(std::ranges::any_of(found.findings, [](const Finding& f) { return f.rule == "IDN001"; }));
}

TEST(Identity, AgreementIsStillOnlyAClaim) {
  Examination found;
  found.facts = {claim("identity.licence", "mit", 0), claim("identity.licence", "MIT", 1)};
  weigh_claims(found);
  EXPECT_EQ(found.facts[0].assurance, Assurance::claimed);
  EXPECT_TRUE(found.findings.empty());
}

TEST(Identity, WhatNobodyStatesIsMissing) {
  Examination found;
  weigh_claims(found);
  ASSERT_NE(found.fact("identity.maker"), nullptr);
  EXPECT_EQ(found.fact("identity.maker")->assurance, Assurance::missing);
  EXPECT_TRUE(found.fact("identity.maker")->value.is_null());
}

TEST(Identity, AllPartsOfASplitModelMustBeThere) {
  const auto parts = [](std::vector<int> indices) {
    Examination found;
    u32 artifact = 0;
    for (const int index : indices) {
      found.facts.push_back(claim("split.index", index, artifact));
      found.facts.push_back(claim("split.count", 3, artifact++));
    }
    weigh_claims(found);
    return std::ranges::count(found.findings, "IDN004", &Finding::rule);
  };
  EXPECT_EQ(parts({0, 1, 2}), 0);
  EXPECT_EQ(parts({0, 2}), 1);
  EXPECT_EQ(parts({0, 1, 1}), 1);
  EXPECT_EQ(parts({0, 1, 7}), 1);
}

TEST(Identity, PrecisionClaimsWithinAMixtureAreFine) {
  Examination found;
  found.facts = {claim("model.file_type", "MOSTLY_Q4_K_M", 0), claim("model.quantization", "Q6_K", 0)};
  weigh_claims(found);
  EXPECT_TRUE(found.findings.empty());
  found.facts = {claim("model.file_type", "MOSTLY_Q8_0", 0), claim("model.quantization", "IQ2_XS", 0)};
  weigh_claims(found);
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].rule, "IDN003");
}

TEST(Identity, BasesAreComparedByTheirRepositories) {
  const auto contradicted = [](const char* one, const char* other) {
    Examination found;
    found.facts = {claim("identity.base", json::Value().push(json::Value().set("repository", one)), 0),
                   claim("identity.base", json::Value().push(json::Value().set("repo_url", other)), 1)};
    weigh_claims(found);
    return found.facts[0].assurance == Assurance::contradicted;
  };
  EXPECT_FALSE(contradicted("Org/Base", "https://hub.example/org/base"));
  EXPECT_TRUE(contradicted("Org/Base", "https://hub.example/org/another"));
  EXPECT_FALSE(contradicted("Org/Base", ""));
}

}  // namespace
}  // namespace steelyard::identity
