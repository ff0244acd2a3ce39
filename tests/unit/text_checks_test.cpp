// detail/text_checks: what writing needs is not hidden text; what hides is found, also between two windows.

#include "formats/detail/text_checks.hpp"

#include <gtest/gtest.h>

#include "formats/format.hpp"

namespace steelyard::formats {
namespace {

bool has(std::string_view text, HiddenText::Kind kind) {
  for (const HiddenText& hidden : hidden_text(text)) {
    if (hidden.kind == kind) return true;
  }
  return false;
}

TEST(TextChecks, WritingIsNotHidden) {
  for (const std::string_view text :
       {"English "
        "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xA5\xF3\xA0\x81\xAE\xF3\xA0\x81\xA7\xF3\xA0\x81"
        "\xBF",  // flag of England
        "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 \xE2\x9D\xA4\xEF\xB8\x8F",  // joined
                                                                                                              // emoji
        "\xD9\x85\xDB\x8C\xE2\x80\x8C\xD8\xAE\xD9\x88\xD8\xA7\xD9\x87\xD9\x85", "soft\xC2\xADhyphen\ttab\r\n",
        "\xE8\x91\x9B\xF3\xA0\x84\x80"})  // an ideograph with a variation selector
    EXPECT_TRUE(hidden_text(text).empty()) << text;
}

TEST(TextChecks, HiddenTextIsFound) {
  EXPECT_TRUE(has("a\xF3\xA0\x81\xA7", HiddenText::Kind::smuggled));
  EXPECT_TRUE(
      has("a\xE2\x80\x8C\xE2\x80\x8D\xE2\x80\x8C\xE2\x80\x8C\xE2\x80\x8D\xE2\x80\x8C", HiddenText::Kind::smuggled));
  EXPECT_TRUE(has("x\xE2\x80\xAEy", HiddenText::Kind::bidi));
  EXPECT_TRUE(has("x\xE2\x80\x8By", HiddenText::Kind::invisible));
  EXPECT_TRUE(has("x\x1B[2Ky", HiddenText::Kind::invisible));
}

TEST(TextChecks, CredentialsNotPlaceholders) {
  const std::string body = "qWzRtYpLkJhGfDsAmNbVcXy";
  EXPECT_EQ(credentials("hf_" + body + "Kd83Tg5UiO2").size(), 1u);
  EXPECT_EQ(credentials("AKIA"
                        "J7QXM2PL4RTV6WZB")
                .size(),
            1u);
  EXPECT_TRUE(credentials("AKIAIOSFODNN7EXAMPLE").empty());
  EXPECT_TRUE(credentials("hf_" + std::string(34, 'x')).empty());
  EXPECT_TRUE(credentials("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----").empty());
  std::string key = "-----BEGIN RSA PRIVATE KEY-----\n";
  for (int i = 0; i < 200; ++i)
    key += static_cast<char>('A' + (i * 7 + i / 3) % 26), key += static_cast<char>('0' + i % 10);
  EXPECT_EQ(credentials(key).size(), 1u);
  EXPECT_TRUE(credentials("risk-" + std::string(60, 'a')).empty());
}

TEST(TextChecks, WholeFilesInWindows) {
  std::string text((std::size_t{256} << 10) - 2, 'a');
  text += "\xF3\xA0\x81\xA7 tail";  // across the edge of the first window
  const Examination found = examine(MemorySource(as_bytes(text)), "notes.txt");
  ASSERT_EQ(found.findings.size(), 1u);
  EXPECT_EQ(found.findings[0].rule, "TXT001");
  EXPECT_EQ(found.coverage[0].examined, text.size());
}

TEST(TextChecks, BytesBehindATextAreNotExamined) {
  std::string text(300'000, 'a');
  text[290'000] = '\0';
  const Examination found = examine(MemorySource(as_bytes(text)), "notes.txt");
  EXPECT_EQ(found.coverage[0].examined, 290'000u);
  EXPECT_EQ(found.coverage[0].gaps.size(), 1u);
}

}  // namespace
}  // namespace steelyard::formats
