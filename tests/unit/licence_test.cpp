// Licences are told by their text, and those that differ in one word are not taken for each other.

#include <gtest/gtest.h>

#include "formats/detail/licences.hpp"
#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

using Ids = std::vector<std::string>;

TEST(Licences, CreativeCommonsVariants) {
  EXPECT_EQ(licences_in("Creative Commons Attribution 4.0 International Public License"), Ids{"cc-by-4.0"});
  EXPECT_EQ(licences_in("Creative Commons Attribution-NonCommercial 4.0\nInternational Public License"),
            Ids{"cc-by-nc-4.0"});
  EXPECT_EQ(licences_in("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International Public License"),
            Ids{"cc-by-nc-nd-4.0"});
}

TEST(Licences, VersionsOfLlama) {
  EXPECT_EQ(licences_in("**LLAMA 3.1 COMMUNITY LICENSE AGREEMENT**"), Ids{"llama3.1"});
  EXPECT_EQ(licences_in("META LLAMA 3 COMMUNITY LICENSE AGREEMENT"), Ids{"llama3"});
  EXPECT_TRUE(licences_in("All rights reserved.").empty());
}

TEST(Licences, AFileIsRecognisedByItsName) {
  const std::string_view text =
      "                 Apache License\n           Version 2.0, January 2004\n\n   TERMS AND CONDITIONS FOR USE, "
      "REPRODUCTION, AND DISTRIBUTION\n";
  const Examination found = examine(MemorySource(as_bytes(text)), "LICENSE");
  EXPECT_EQ(found.artifacts[0].format, "licence_text");
  ASSERT_NE(found.fact("identity.licence"), nullptr);
  EXPECT_EQ(found.fact("identity.licence")->value.string(), "apache-2.0");
}

}  // namespace
}  // namespace steelyard::formats
