#include "cli/converting.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "quantize/worker.hpp"

namespace steelyard::cli {
namespace {

namespace fs = std::filesystem;

// What is converted has to be what was scanned: the digest that the record has for each file.
Result<std::string> recorded(const evidence::Record& record, const std::string& name, const io::File& file) {
  std::string sha256 = io::hash(file);
  for (const evidence::Subject& subject : record.subjects) {
    if (subject.path == name && !sha256.empty() && subject.sha256 == sha256) return sha256;
  }
  return fail(ErrorCode::io, fmt::format("{} changed while it was being scanned", text::display(name)));
}

auto appender(int descriptor) {
  return [descriptor](Bytes bytes) -> Result<bool> {
    while (!bytes.empty()) {
      const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0)
        return fail(errno == ENOSPC ? ErrorCode::resource : ErrorCode::io,
                    fmt::format("the converted model can't be written: {}", std::strerror(errno)));
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  };
}

}  // namespace

Result<std::optional<Converted>> converted(Session& session, const std::string& name, const fs::path& beside) {
  SY_TRY(const auto targets, session.targets({name}));
  const scan::Target& target = targets.front();
  const auto directory = [](const scan::TargetFile& file) { return file.name == "config.json"; };
  if (std::ranges::none_of(target.files, directory)) return std::optional<Converted>();
  SY_TRY(scan::Options options, session.scan_options());
  options.hash = true;
  SY_TRY(const auto services, session.services());
  SY_TRY(evidence::Record record, scan::scan(target, options, services));
  const std::string shown = text::display(name);
  const std::string why = objection(record);
  if (!why.empty() && !session.arguments().has("override"))
    return fail(ErrorCode::usage, fmt::format("{} isn't converted: {} (steelyard scan {}; --override uses it all the "
                                              "same)",
                                              shown, why, shown));
  std::vector<io::File> files;
  std::vector<std::string> names;
  std::vector<quantize::Named> parts;
  for (const scan::TargetFile& one : target.files) {
    if (!quantize::part_of_conversion(one.name) || !one.problem.empty()) continue;
    SY_TRY(io::File file, io::File::open(one.path));
    SY_TRY(std::string sha256, recorded(record, one.name, file));
    parts.push_back({one.name, std::move(sha256), file.size()});
    names.push_back(one.name);
    files.push_back(std::move(file));
  }
  std::vector<const io::File*> pointers;
  std::vector<const Source*> sources;
  for (const io::File& file : files) {
    pointers.push_back(&file);
    sources.push_back(&file);
  }
  std::error_code error;
  const fs::path whole = fs::canonical(name, error);
  std::string called = error ? fs::path(name).filename().string() : whole.filename().string();
  const auto plan = quantize::plan_in_worker(services.zygote, pointers, names, text::display(called, 200));
  if (!plan) return fail(plan.error().code, fmt::format("{}: {}", shown, plan.error().message));
  SY_TRY(auto file, quantize::Temporary::create(beside));
  SY_CHECK(quantize::write_conversion(*plan, sources, appender(file->descriptor())));
  if (!std::ranges::all_of(files, &io::File::unchanged))
    return fail(ErrorCode::io, shown + " changed while it was converted");
  SY_TRY(io::File out, io::File::open(fs::canonical(file->path())));
  std::string sha256 = io::hash(out);
  std::vector<Weights> weights;
  weights.push_back({called, std::move(out), std::move(sha256)});
  return std::optional(Converted{std::move(file), Scanned{std::move(weights), std::move(record), {}, why},
                                 std::move(called), std::move(parts)});
}

}  // namespace steelyard::cli
