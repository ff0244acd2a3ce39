#include "quantize/quantize.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "quantize/child.hpp"
#include "quantize/compare.hpp"
#include "stack/build.hpp"

namespace steelyard::quantize {
namespace {

namespace fs = std::filesystem;

// Beyond what its buffers need: the program, its libraries, stacks and arenas of threads.
constexpr u64 kMemory = u64{8} << 30;
constexpr u64 kSpare = u64{64} << 20;

Result<bool> check_room(const Request& request) {
  const u64 needed = expected_bytes(*request.layout, request.type.bits);
  const fs::path folder = request.beside.has_parent_path() ? request.beside.parent_path() : fs::path(".");
  struct statvfs room{};
  if (::statvfs(folder.c_str(), &room) != 0)
    return fail(ErrorCode::io, fmt::format("{}: {}", text::display(folder.string()), std::strerror(errno)));
  const u64 free = checked_mul(room.f_bavail, room.f_frsize).value_or(UINT64_MAX);
  if (needed <= free) return true;
  return fail(ErrorCode::resource, fmt::format("{}: {} needs about {}, {} are free", text::display(folder.string()),
                                               request.type.name, text::human_bytes(needed), text::human_bytes(free)));
}

// "[  12/ 272] …": what llama-quantize prints before each tensor.
void follow(std::string_view piece, const std::function<void(u64, u64)>& progress) {
  unsigned done = 0, of = 0;
  if (std::sscanf(std::string(piece.substr(0, 40)).c_str(), "[%u/%u]", &done, &of) == 2) progress(done, of);
}

}  // namespace

Result<Program> find_program(const fs::path& prefix, const std::string& name, const fs::path& named, bool foreign) {
  const auto folder = stack::current(prefix);
  std::optional<evidence::Record> record;
  if (folder) {
    if (auto read = stack::read_record(*folder)) record = std::move(*read);
  }
  fs::path path = named;
  if (path.empty()) {
    if (record) {
      for (const evidence::Subject& subject : record->subjects) {
        if (path.empty() && subject.role == "binary" && subject.path.ends_with("/bin/" + name))
          path = *folder / subject.path;
      }
    }
    if (path.empty())
      return fail(ErrorCode::usage,
                  fmt::format("{}: no stack{} was built there; steelyard stack build makes one",
                              text::display(prefix.string()), record ? " with " + name : std::string()));
  }
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path.string()), error.message()));
  SY_TRY(io::File file, io::File::open(whole));
  const std::string sha256 = io::hash(file);
  Program out{whole, std::move(file), sha256, {}, {}, {}};
  if (record) {
    for (const evidence::Subject& subject : record->subjects) {
      if (subject.role != "binary" || subject.sha256 != sha256 || !subject.path.ends_with("/" + name)) continue;
      out.stack = evidence::id(*record);
      if (const Fact* upstream = record->found.fact("stack.upstream")) {
        out.repository = upstream->value["repository"].string();
        out.commit = upstream->value["commit"].string();
      }
    }
  }
  if (out.stack.empty() && !foreign)
    return fail(ErrorCode::usage,
                fmt::format("{}: the stack's record doesn't know this program (sha256 {}); --foreign-stack uses it "
                            "all the same, on record",
                            text::display(whole.string()), sha256));
  return out;
}

Result<Made> make(const Request& request, const std::atomic<bool>& stop,
                  const std::function<void(u64, u64)>& progress) {
  SY_CHECK(check_room(request));
  Made out;
  SY_TRY(out.file, Temporary::create(request.beside));
  u64 largest = 0;
  for (const auto& [name, tensor] : request.layout->tensors) largest = std::max(largest, tensor.elements);
  const u64 expected = expected_bytes(*request.layout, request.type.bits);
  Job job{.name = "llama-quantize",
          .program = &request.program->file,
          .program_path = request.program->path,
          .source = request.source,
          .output = out.file->descriptor(),
          .named = request.matrix,
          .folder = request.matrix == nullptr ? fs::path() : request.matrix_path.parent_path(),
          .words = {},
          .memory_bytes = kMemory + 2 * request.source->size() + 16 * std::min(largest, UINT64_MAX / 64),
          .output_bytes = 2 * expected + kSpare};
  if (request.requantize) job.words.emplace_back("--allow-requantize");
  // The bare name becomes part of the output.
  if (request.matrix != nullptr) job.words.insert(job.words.end(), {"--imatrix", request.matrix_path.filename()});
  job.words.insert(job.words.end(), {std::string(kSourcePath), std::string(kOutputPath), request.type.name,
                                     std::to_string(request.threads)});
  SY_TRY(Ended how, run(job, stop, [&](std::string_view piece) {
           follow(piece, progress);
           return true;
         }));
  if (stop) return fail(ErrorCode::io, "interrupted; nothing was written");
  if (how.status != 0) return std::unexpected(why(job, how, request.beside.parent_path()));
  if (!request.source->unchanged()) return fail(ErrorCode::io, "the source changed while it was quantized");
  SY_TRY(const io::File made, io::File::open(fs::canonical(out.file->path())));
  auto layout = request.read(made);
  if (!layout) return fail(ErrorCode::io, "what llama-quantize wrote can't be read: " + layout.error().message);
  const auto wrong = disagreements(*request.source, *request.layout, made, *layout);
  if (!wrong.empty())
    return fail(ErrorCode::io, fmt::format("what llama-quantize wrote doesn't agree with its source in {} points: {}",
                                           wrong.size(), wrong.front()));
  out.layout = std::move(*layout);
  out.sandbox = std::move(how.sandbox);
  return out;
}

}  // namespace steelyard::quantize
