#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {kQuiet};

// The verdict documents in a file: one, or those of a report.
Result<std::vector<json::Value>> documents_in(const std::string& path) {
  SY_TRY(const std::string text, io::read_text(path, u64{256} << 20));
  auto parsed = json::parse(text, {.most_bytes = std::size_t{256} << 20});
  if (!parsed) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path), parsed.error().message));
  if ((*parsed)["schema"].string() == "steelyard/verdict/1") return std::vector{std::move(*parsed)};
  if ((*parsed)["verdicts"].array().empty())
    return fail(ErrorCode::usage, fmt::format("{}: expected a verdict or a report of `steelyard vet`, found neither",
                                              text::display(path)));
  return (*parsed)["verdicts"].array();
}

Result<bool> same(const json::Value& document) {
  if (document["schema"].string() != "steelyard/verdict/1")
    return fail(ErrorCode::usage, fmt::format("the schema is {}, this version reads \"steelyard/verdict/1\"",
                                              json::compact(document["schema"])));
  const json::Value& inputs = document["inputs"];
  std::vector<evidence::Record> records;
  for (const json::Value& encoded : inputs["records"].array()) {
    SY_TRY(evidence::Record record, evidence::decode(encoded));
    records.push_back(std::move(record));
  }
  SY_TRY(const policy::Requirements requirements, policy::decode_requirements(inputs["requirements"]));
  std::vector<accept::Accepted> accepted;
  for (const json::Value& encoded : inputs["accepted"].array()) {
    SY_TRY(accept::Accepted one, accept::decode(encoded));
    accepted.push_back(std::move(one));
  }
  const policy::Inputs again{records,
                             inputs["context"]["name"].string(),
                             inputs["context"]["digest"].string(),
                             &requirements,
                             inputs["now"].integer(),
                             accepted};
  return json::canonical(policy::encode(policy::evaluate(again))) == json::canonical(document["verdict"]);
}

int run(Session& session) {
  const std::string& path = session.arguments().positional.front();
  const auto documents = documents_in(path);
  if (!documents) return session.failed(documents.error());
  bool all = true;
  for (const json::Value& document : *documents) {
    const std::string context = text::display(document["verdict"]["context"].string(), 60);
    const auto result = same(document);
    if (!result)
      return session.failed(
          {result.error().code, fmt::format("{}: {}: {}", text::display(path), context, result.error().message)});
    all = all && *result;
    if (!session.arguments().has("quiet"))
      fmt::print(
          "{:<20} {}\n", context,
          *result ? "the same verdict follows from the records" : "DIFFERENT: the records don't lead to this verdict");
  }
  return all ? kClean : kFindings;
}

}  // namespace

extern const Command recheck_command;
const Command recheck_command{
    "recheck",
    "re-derive a stored verdict from its own records",
    "VERDICT",
    "VERDICT is a verdict or the JSON report of `steelyard vet`. Exit 1 when the records don't lead to it.\n"
    "python/steelyard_recheck.py does the same, independently.\n\nExample:\n  steelyard recheck report.json",
    kFlags,
    run};

}  // namespace steelyard::cli
