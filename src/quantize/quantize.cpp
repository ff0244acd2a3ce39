#include "quantize/quantize.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
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

// The last line that says something.
std::string last_words(std::string_view tail) {
  std::string out;
  for (std::size_t at = 0; at < tail.size();) {
    const std::size_t end = std::min(tail.find('\n', at), tail.size());
    const std::string_view line = tail.substr(at, end - at);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      const bool better = out.find("rror") == std::string::npos && out.find("failed") == std::string::npos;
      if (better || line.find("rror") != std::string_view::npos) out = text::display(line, 200);
    }
    at = end + 1;
  }
  return out;
}

std::unexpected<Error> ended(const Ended& how, const Request& request) {
  struct statvfs room{};
  const bool full =
      ::statvfs(request.beside.parent_path().c_str(), &room) == 0 && room.f_bavail * room.f_frsize < kSpare / 8;
  if (how.status == 128 + SIGXFSZ) return fail(ErrorCode::resource, "llama-quantize wrote more than the type can take");
  std::string why = how.status > 128    ? fmt::format("llama-quantize was ended by signal {}", how.status - 128)
                    : how.status >= 126 ? std::string("llama-quantize can't be started")
                                        : fmt::format("llama-quantize ended with status {}", how.status);
  if (full) why += ", the disk is full";
  if (const std::string words = last_words(how.tail); !words.empty()) why += ": " + words;
  return fail(full ? ErrorCode::resource : ErrorCode::io, std::move(why));
}

}  // namespace

Result<Program> find_program(const fs::path& prefix, const fs::path& named, bool foreign) {
  const auto folder = stack::current(prefix);
  std::optional<evidence::Record> record;
  if (folder) {
    if (auto read = stack::read_record(*folder)) record = std::move(*read);
  }
  fs::path path = named;
  if (path.empty()) {
    if (record) {
      for (const evidence::Subject& subject : record->subjects) {
        if (path.empty() && subject.role == "binary" && subject.path.ends_with("/bin/llama-quantize"))
          path = *folder / subject.path;
      }
    }
    if (path.empty())
      return fail(ErrorCode::usage, fmt::format("{}: no stack was built there; steelyard stack build makes one",
                                                text::display(prefix.string())));
  }
  std::error_code error;
  const fs::path whole = fs::canonical(path, error);
  if (error) return fail(ErrorCode::usage, fmt::format("{}: {}", text::display(path.string()), error.message()));
  SY_TRY(io::File file, io::File::open(whole));
  const std::string sha256 = io::hash(file);
  Program out{whole, std::move(file), sha256, {}, {}, {}};
  if (record) {
    for (const evidence::Subject& subject : record->subjects) {
      if (subject.role != "binary" || subject.sha256 != sha256 || !subject.path.ends_with("/llama-quantize")) continue;
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

Result<std::unique_ptr<Temporary>> Temporary::create(const fs::path& beside) {
  std::string name = (beside.parent_path() / ("." + beside.filename().string() + ".XXXXXX")).string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0)
    return fail(ErrorCode::io,
                fmt::format("{}: cannot write: {}", text::display(beside.string()), std::strerror(errno)));
  return std::unique_ptr<Temporary>(new Temporary(std::move(name), fd));
}

Temporary::~Temporary() {
  ::close(descriptor_);
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<bool> Temporary::publish(const fs::path& name) {
  if (::fchmod(descriptor_, 0644) != 0 || ::fsync(descriptor_) != 0 || ::rename(path_.c_str(), name.c_str()) != 0)
    return fail(ErrorCode::io, fmt::format("{}: cannot write: {}", text::display(name.string()), std::strerror(errno)));
  path_.clear();
  return true;
}

Result<Made> make(const Request& request, const std::atomic<bool>& stop,
                  const std::function<void(u64, u64)>& progress) {
  SY_CHECK(check_room(request));
  Made out;
  SY_TRY(out.file, Temporary::create(request.beside));
  u64 largest = 0;
  for (const auto& [name, tensor] : request.layout->tensors) largest = std::max(largest, tensor.elements);
  const u64 expected = expected_bytes(*request.layout, request.type.bits);
  Job job{.program = &request.program->file,
          .program_path = request.program->path,
          .source = request.source,
          .output = out.file->descriptor(),
          .matrix = request.matrix,
          .matrix_path = request.matrix_path,
          .flags = {},
          .type = request.type.name,
          .threads = request.threads,
          .memory_bytes = kMemory + 2 * request.source->size() + 16 * std::min(largest, UINT64_MAX / 64),
          .output_bytes = 2 * expected + kSpare};
  if (request.requantize) job.flags.emplace_back("--allow-requantize");
  SY_TRY(Ended how, run(job, stop, progress));
  if (stop) return fail(ErrorCode::io, "interrupted; nothing was written");
  if (how.status != 0) return ended(how, request);
  if (!request.source->unchanged()) return fail(ErrorCode::io, "the source changed while it was quantized");
  SY_TRY(const io::File made, io::File::open(fs::canonical(out.file->path())));
  auto layout = read_layout(made);
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
