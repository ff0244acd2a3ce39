// A quantized model against its source and against another: on recipes, without a stack.

#include "quantize/quantize.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/sha256.hpp"
#include "quantize/attestation.hpp"
#include "quantize/calibrate.hpp"
#include "quantize/compare.hpp"
#include "recipe/recipe.hpp"

namespace steelyard::quantize {
namespace {

std::vector<std::byte> built(const std::string& text) { return recipe::build(text).value(); }

// Two tensors: "a", four Q8_0 blocks; "b", eight floats.
std::string model(std::string_view name = "Tiny", std::string_view more = "", std::string_view keys = "2") {
  return "gguf 3 2 " + std::string(keys) + "\nkv_str general.architecture \"llama\"\nkv_str general.name \"" +
         std::string(name) + "\"\n" + std::string(more) +
         "tensor \"a\" 8 0 32 4\ntensor \"b\" 0 160 8\nalign 32\nfill 1 136\nalign 32\nfill 2 32\n";
}

struct Opened {
  explicit Opened(std::vector<std::byte> content) : bytes(std::move(content)), source(bytes) {
    layout = read_layout(source).value();
  }
  std::vector<std::byte> bytes;
  MemorySource source;
  Layout layout;
};

Difference differ(const Opened& expected, const Opened& found) {
  return compare(expected.source, expected.layout, found.source, found.layout).value();
}

TEST(Quantize, TypesAreNamedInAnyCase) {
  EXPECT_EQ(type_named("q4_k_m").value().name, "Q4_K_M");
  const auto none = type_named("Q4_X");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("Q4_K_S"), std::string::npos);
  for (const Type& type : types()) EXPECT_GT(type.bits, 0U) << type.name;
}

TEST(Quantize, LayoutSaysWhereEverythingIs) {
  const Opened it(built(model()));
  ASSERT_EQ(it.layout.tensors.size(), 2U);
  const Tensor& a = it.layout.tensors.at("a");
  EXPECT_EQ(a.type, "Q8_0");
  EXPECT_EQ(a.at.end - a.at.begin, 136U);
  EXPECT_EQ(a.at.begin, it.layout.data);
  EXPECT_TRUE(quantized(it.layout));
  // 128 weights of 4 bits, 8 of 32, and rounding.
  EXPECT_EQ(expected_bytes(it.layout, 4), it.layout.data + 17 * 4 + 2 * 32);
}

TEST(Quantize, BrokenLayoutsAreErrors) {
  const std::vector<std::byte> whole = built(model());
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const std::vector<std::byte> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
    EXPECT_FALSE(read_layout(MemorySource(part))) << cut;
  }
  for (const char* text : {"gguf 3 1 0\ntensor \"a\" 0 0 18446744073709551615 2\n", "gguf 3 1 0\ntensor \"a\" 4 0 32\n",
                           "gguf 3 1 0\ntensor \"a\" 8 0 33\n", "gguf 3 9999999 0\n", "gguf 4 0 0\n",
                           "gguf 3 1 0\ntensor \"a\" 0 18446744073709551600 8\n"})
    EXPECT_FALSE(read_layout(MemorySource(built(text)))) << text;
}

TEST(Quantize, TheSameIsIdentical) {
  const Opened a(built(model())), b(built(model()));
  EXPECT_TRUE(differ(a, b).identical);
  EXPECT_TRUE(disagreements(a.source, a.layout, b.source, b.layout).empty());
}

TEST(Quantize, EveryByteThatDiffersIsFound) {
  const Opened a(built(model()));
  for (u64 at = 0; at < a.bytes.size(); ++at) {
    auto bytes = a.bytes;
    bytes[at] ^= std::byte{0x10};
    const MemorySource source(bytes);
    const auto layout = read_layout(source);
    if (!layout) continue;  // said before anything is compared
    const Difference found = compare(a.source, a.layout, source, *layout).value();
    ASSERT_FALSE(found.identical) << at;
    ASSERT_TRUE(!found.keys.empty() || !found.tensors.empty() || found.first || found.elsewhere != 0) << at;
  }
}

TEST(Quantize, TheFirstBlockIsNamed) {
  const Opened a(built(model()));
  auto bytes = a.bytes;
  const u64 at = a.layout.tensors.at("a").at.begin;
  bytes[at + 2 * 34 + 5] = std::byte{0xff};
  bytes[at + 3 * 34] = std::byte{0xff};
  bytes.back() = std::byte{0xff};
  const Difference found = differ(a, Opened(bytes));
  ASSERT_TRUE(found.first);
  EXPECT_EQ(found.first->tensor, "a");
  EXPECT_EQ(found.first->index, 2U);
  EXPECT_EQ(found.first->offset, at + 68);
  EXPECT_EQ(found.first->expected.substr(8, 6), "010101");
  EXPECT_EQ(found.first->found.substr(8, 6), "01ff01");
  EXPECT_EQ(found.tensors_changed, 2U);
}

TEST(Quantize, KeysAndTensorsThatDifferAreNamed) {
  const Opened a(built(model()));
  EXPECT_EQ(differ(a, Opened(built(model("Tony")))).keys, std::vector<std::string>{"general.name"});
  const Opened more(built(model("Tiny", "kv_str x \"y\"\n", "3")));
  EXPECT_EQ(differ(a, more).keys, std::vector<std::string>{"x (too many)"});
  EXPECT_EQ(differ(more, a).keys, std::vector<std::string>{"x (missing)"});
  EXPECT_EQ(disagreements(a.source, a.layout, more.source, more.layout), std::vector<std::string>{"key x is new"});
  EXPECT_EQ(disagreements(more.source, more.layout, a.source, a.layout), std::vector<std::string>{"key x is gone"});
  const Opened other(
      built("gguf 3 1 2\nkv_str general.architecture \"llama\"\nkv_str general.name \"Tiny\"\n"
            "tensor \"a\" 8 0 64 2\nalign 32\nfill 1 136\nalign 32\n"));
  EXPECT_EQ(disagreements(a.source, a.layout, other.source, other.layout).size(), 2U);
  EXPECT_EQ(differ(a, other).tensors.size(), 2U);
}

TEST(Quantize, KeysOfTheQuantizerMayDiffer) {
  const Opened a(built(model()));
  const Opened b(built(model("Tiny", "kv_u32 general.file_type 7\nkv_u32 general.quantization_version 2\n", "4")));
  EXPECT_TRUE(disagreements(a.source, a.layout, b.source, b.layout).empty());
  EXPECT_FALSE(differ(a, b).identical);
}

Derivation example() {
  Derivation out;
  out.output = {"m-Q4_0.gguf", sha256("out"), 10};
  out.source = {"m.gguf", sha256("in"), 20};
  out.matrix = Named{"m.imatrix", sha256("matrix"), 5};
  out.type = "Q4_0";
  out.requantize = true;
  out.quantizer = sha256("program");
  out.stack = "ev1:" + sha256("stack");
  out.commit = std::string(40, 'a');
  out.repository = "https://example.org/llama.cpp";
  return out;
}

TEST(Quantize, AttestationsAreReadBack) {
  const Derivation out = example();
  const Derivation in = read_attestation(json::pretty(slsa(out))).value();
  EXPECT_EQ(in.output.sha256, out.output.sha256);
  EXPECT_EQ(in.source.sha256, out.source.sha256);
  EXPECT_EQ(in.matrix->sha256, out.matrix->sha256);
  EXPECT_EQ(in.type, "Q4_0");
  EXPECT_EQ(in.quantizer, out.quantizer);
  EXPECT_TRUE(in.requantize);
}

TEST(Quantize, HostileAttestationsAreRefused) {
  const std::string good = json::pretty(slsa(example()));
  const auto changed = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return read_attestation(text);
  };
  EXPECT_FALSE(read_attestation(json::pretty(ggufpacker(example()))));
  EXPECT_FALSE(changed("--allow-requantize", "--override-kv"));
  EXPECT_FALSE(changed(sha256("in"), "../../etc"));
  EXPECT_FALSE(changed("in-toto.io", "example.org"));
  EXPECT_FALSE(changed("urn:steelyard:quantize:1", "urn:x"));
  EXPECT_FALSE(read_attestation("{}"));
  EXPECT_FALSE(read_attestation(std::string(2 << 20, ' ')));
}

TEST(Quantize, CalibrationsAreAttested) {
  Derivation out = example();
  out.calibration = Origin{{"t.txt", sha256("text"), 7}, 12, 20, sha256("calibrator")};
  EXPECT_EQ(read_attestation(json::pretty(slsa(out))).value().calibration->text.sha256, sha256("text"));
  const Derivation in = read_matrix_attestation(json::pretty(slsa_of_matrix(out))).value();
  EXPECT_EQ(in.matrix->sha256, out.matrix->sha256);
  EXPECT_EQ(in.source.sha256, out.source.sha256);
  EXPECT_EQ(in.calibration->program, sha256("calibrator"));
  EXPECT_EQ(in.calibration->windows, 12U);
  EXPECT_EQ(in.calibration->most, 20U);
  EXPECT_FALSE(read_matrix_attestation(json::pretty(slsa(out))));
  EXPECT_FALSE(read_attestation(json::pretty(slsa_of_matrix(out))));
  out.calibration->text.sha256 = "none";
  EXPECT_FALSE(read_attestation(json::pretty(slsa(out))));
}

TEST(Quantize, AMatrixNamesItsTextOnce) {
  const auto matrix = [](std::string_view texts, std::string_view key = "imatrix.datasets") {
    return built("gguf 3 1 3\nkv_str general.type \"imatrix\"\nkv_strs " + std::string(key) + " " + std::string(texts) +
                 "\nkv_u32 imatrix.chunk_count 64\ntensor \"a.in_sum2\" 0 0 8\nalign 32\nfill 2 32\n");
  };
  const auto once = [](const Opened& from) {
    const auto file = Temporary::create(std::filesystem::temp_directory_path() / "matrix").value();
    EXPECT_TRUE(name_text_once(from.source, from.layout, file->descriptor()));
    const io::File written = io::File::open(std::filesystem::canonical(file->path())).value();
    std::vector<std::byte> bytes(written.size());
    EXPECT_EQ(written.read(0, bytes), bytes.size());
    return bytes;
  };
  const std::vector<std::byte> single = matrix("\"t.txt\"");
  EXPECT_EQ(once(Opened(single)), single);
  EXPECT_EQ(once(Opened(matrix("\"t.txt\" \"t.txt\" \"other\""))), single);
  EXPECT_FALSE(name_text_once(Opened(matrix("\"t\"", "other")).source, Opened(matrix("\"t\"", "other")).layout, -1));
  EXPECT_FALSE(name_text_once(Opened(single).source, Opened(single).layout, -1));
}

TEST(Quantize, TemporaryFilesGo) {
  const auto folder = std::filesystem::temp_directory_path() / ("steelyard-quantize-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  {
    const auto gone = Temporary::create(folder / "x").value();
    EXPECT_TRUE(std::filesystem::exists(gone->path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  Temporary::create(folder / "x").value()->publish(folder / "x").value();
  EXPECT_TRUE(std::filesystem::exists(folder / "x"));
  EXPECT_FALSE(Temporary::create(folder / "none/x"));
  // Left by a killed process: removed. Held by another: not. Of another name: not.
  const auto held = Temporary::create(folder / "x").value();
  for (const char* name : {".x.steelyard-abcdef", ".y.steelyard-abcdef", ".x.steelyard-backup1"})
    std::ofstream(folder / name) << "left";
  const auto another = Temporary::create(folder / "x").value();
  EXPECT_TRUE(std::filesystem::exists(held->path()));
  EXPECT_FALSE(std::filesystem::exists(folder / ".x.steelyard-abcdef"));
  EXPECT_TRUE(std::filesystem::exists(folder / ".y.steelyard-abcdef"));
  EXPECT_TRUE(std::filesystem::exists(folder / ".x.steelyard-backup1"));
  std::filesystem::remove_all(folder);
}

TEST(Quantize, ProgramsThatNoRecordKnowsAreRefused) {
  EXPECT_FALSE(find_program("/nonexistent", "llama-quantize", {}, false));
  const auto refused = find_program("/nonexistent", "llama-quantize", "/proc/self/exe", false);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--foreign-stack"), std::string::npos);
  EXPECT_TRUE(find_program("/nonexistent", "llama-quantize", "/proc/self/exe", true).value().stack.empty());
}

}  // namespace
}  // namespace steelyard::quantize
