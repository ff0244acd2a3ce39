#include "stack/verify.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "io/tree.hpp"
#include "rules/catalog.hpp"
#include "stack/build.hpp"
#include "stack/packages.hpp"
#include "wire/elf.hpp"

namespace steelyard::stack {
namespace {

namespace fs = std::filesystem;
namespace elf = wire::elf;

constexpr std::size_t kMostFiles = 4096;
constexpr std::size_t kMostFindings = 50;
constexpr std::size_t kMostMap = std::size_t{16} << 20;

// A file of the process as its mapping names it.
struct Mapping {
  std::string path;
  u64 device_major = 0;
  u64 device_minor = 0;
  u64 inode = 0;
  bool deleted = false;
};

// A file of /proc, which has no size; nothing when it can't be read.
std::optional<std::string> read_proc(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::string out;
  std::array<char, 64 * 1024> window;
  while (out.size() < kMostMap && in.read(window.data(), window.size()).gcount() > 0)
    out.append(window.data(), static_cast<std::size_t>(in.gcount()));
  return out;
}

// Executable mappings of files, each file once. Lines of proc_pid_maps(5).
std::vector<Mapping> mappings(const std::string& text) {
  std::vector<Mapping> out;
  std::set<std::string> seen;
  std::istringstream lines(text);
  std::string line;
  while (std::getline(lines, line) && out.size() < kMostFiles) {
    std::istringstream words(line);
    std::string range, rights, offset, device, inode;
    words >> range >> rights >> offset >> device >> inode;
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos || rights.size() < 3 || rights[2] != 'x') continue;
    Mapping one;
    one.path = line.substr(slash);
    constexpr std::string_view kDeleted = " (deleted)";
    if (one.path.ends_with(kDeleted)) {
      one.deleted = true;
      one.path.resize(one.path.size() - kDeleted.size());
    }
    const std::size_t colon = std::min(device.find(':'), device.size());
    std::from_chars(device.data(), device.data() + colon, one.device_major, 16);
    std::from_chars(device.data() + std::min(colon + 1, device.size()), device.data() + device.size(), one.device_minor,
                    16);
    std::from_chars(inode.data(), inode.data() + inode.size(), one.inode);
    if (seen.insert(line.substr(slash)).second) out.push_back(std::move(one));
  }
  return out;
}

class Verifier {
 public:
  Verifier(const evidence::Record* built, const fs::path& folder, const Environment& environment)
      : built_(built), folder_(folder), environment_(environment) {
    if (built_ == nullptr) return;
    for (const auto& subject : built_->subjects) {
      if (subject.role != "binary") continue;
      by_digest_[subject.sha256] = subject.path;
      by_path_[(folder_ / subject.path).string()] = subject.sha256;
    }
  }

  // Every program of the build.
  void whole_build() {
    for (const auto& subject : built_->subjects) {
      if (subject.role == "binary") files_.push_back({folder_ / subject.path, std::nullopt});
    }
  }

  Result<bool> add(const fs::path& path) {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error) return fail(ErrorCode::io, fmt::format("{}: {}", text::display(path.string()), error.message()));
    if (!fs::is_directory(real)) {
      files_.push_back({real, std::nullopt});
      return true;
    }
    SY_TRY(io::Tree tree, io::Tree::open(real));
    SY_TRY(const auto entries, tree.walk("", [&](const std::string& lost, const std::string&) { gap(real / lost); }));
    for (const auto& entry : entries) {
      if (entry.kind != io::Tree::Kind::file) continue;
      const auto file = io::File::open(tree.absolute(entry.name));
      std::array<std::byte, 4> magic{};
      if (!file) {
        gap(tree.absolute(entry.name));
        continue;
      }
      if (file->read(0, magic) == magic.size() && as_text(magic) == "\177ELF")
        files_.push_back({tree.absolute(entry.name), std::nullopt});
      if (files_.size() > kMostFiles)
        return fail(ErrorCode::usage, fmt::format("{}: more than {} programs", real.string(), kMostFiles));
    }
    return true;
  }

  Result<bool> add_process(u64 process) {
    const fs::path proc = environment_.root() / "proc" / fmt::format("{}", process);
    const auto maps = read_proc(proc / "maps");
    if (!maps)
      return fail(
          ErrorCode::io,
          fmt::format("process {}: its memory map can't be read: there is no such process, or it is another user's",
                      process));
    const auto found = mappings(*maps);
    if (found.empty())
      return fail(ErrorCode::io, fmt::format("process {}: it has no program (a kernel thread?)", process));
    process_ = process;
    for (const Mapping& one : found) files_.push_back({one.path, one});
    return true;
  }

  evidence::Record finish() {
    std::vector<std::string> paths;
    for (const auto& [path, mapping] : files_) paths.push_back(path.string());
    const auto packaged = look_up(environment_.root(), paths);
    json::Value programs = json::Array{};
    for (std::size_t i = 0; i < files_.size(); ++i) programs.push(one(files_[i].first, files_[i].second, packaged[i]));
    if (record_.subjects.empty()) record_.status = evidence::Status::failed;
    fact("runtime.programs", std::move(programs));
    if (process_) fact("runtime.process", *process_);
    carry();
    record_.kind = "stack";
    record_.method = {.tool = STEELYARD_VERSION,
                      .analyzer = kAnalyzer,
                      .rules = rules::pack_digest(),
                      .engine = {},
                      .params = json::Object{},
                      .seed = {},
                      .uses = {}};
    if (built_ != nullptr) record_.method.uses.push_back(evidence::id(*built_));
    record_.run = {.at = format_time(environment_.now()), .ms = 0, .sandbox = {}, .digest_source = "hashed"};
    return std::move(record_);
  }

 private:
  void fact(std::string key, json::Value value, Assurance assurance = Assurance::verified) {
    record_.found.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, assurance});
  }
  void finding(const std::string& rule, json::Value data) {
    if (static_cast<std::size_t>(std::ranges::count(record_.found.findings, rule, &Finding::rule)) >= kMostFindings)
      return;
    const rules::Rule* known = rules::find(rule);
    record_.found.findings.push_back(
        {rule, known != nullptr ? known->severity : Severity::high, std::nullopt, std::nullopt, std::move(data)});
  }
  void gap(const fs::path&) { record_.status = evidence::Status::partial; }

  // What the record of the build says about the source, and of this variant's self-test.
  void carry() {
    if (built_ == nullptr) return;
    for (const char* key :
         {"stack.source", "stack.upstream", "stack.upstream.signature", "stack.variants", "stack.flags"}) {
      if (const Fact* known = built_->found.fact(key)) record_.found.facts.push_back(*known);
    }
  }

  json::Value one(const fs::path& path, const std::optional<Mapping>& mapping, const Packaged& packaged) {
    const std::string shown = path.string();
    json::Value out = json::Value().set("path", text::to_value(shown));
    auto file = open(path, mapping);
    const bool gone = mapping && mapping->deleted;
    if (!file || gone) {
      const auto expected = by_path_.find(shown);
      if (gone) {
        finding(
            "STK008",
            json::Value().set("path", text::to_value(shown)).set("how", "was deleted or replaced after it was loaded"));
      } else if (expected != by_path_.end()) {
        finding("STK006", json::Value().set("path", text::to_value(shown)).set("how", "is missing"));
      } else {
        record_.status = evidence::Status::partial;
      }
      return out.set("sha256", "")
          .set("origin", gone || expected != by_path_.end() ? "changed" : "unknown")
          .set("why", gone                         ? "deleted while it is in use"
                      : expected != by_path_.end() ? "missing"
                                                   : "it can't be read")
          .set("package", "")
          .set("tested", "unknown")
          .set("program", false)
          .set("hardening", json::Object{})
          .set("rpc", "unknown");
    }
    const std::string digest = io::hash(*file);
    record_.subjects.push_back({"binary", text::display(shown), digest, file->size()});
    const auto [origin, why] = origin_of(shown, digest, mapping, *file, packaged);
    out.set("sha256", digest).set("origin", origin).set("why", why);
    out.set("package", packaged.package.empty() ? "" : fmt::format("{} {}", packaged.package, packaged.version));
    out.set("tested", tested(digest));
    const auto image = elf::read(*file, true);
    if (!image) {
      record_.status = evidence::Status::partial;
      return out.set("program", false).set("hardening", json::Object{}).set("rpc", "unknown");
    }
    out.set("program", image->kind == elf::Kind::executable || image->kind == elf::Kind::position_independent);
    for (const std::string& problem : image->problems)
      finding("STK010", json::Value().set("path", text::to_value(shown)).set("why", text::display(problem, 200)));
    return out.set("hardening", hardening(shown, *image, origin)).set("rpc", rpc(*image));
  }

  // The file behind a mapping is opened as the process sees it.
  std::optional<io::File> open(const fs::path& path, const std::optional<Mapping>& mapping) const {
    if (!mapping) {
      auto file = io::File::open(path);
      return file ? std::optional(std::move(*file)) : std::nullopt;
    }
    const fs::path seen = environment_.root() / "proc" / fmt::format("{}", *process_) / "root" / path.relative_path();
    const int descriptor = ::open(seen.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) return std::nullopt;
    auto file = io::File::adopt(descriptor, seen);
    return file ? std::optional(std::move(*file)) : std::nullopt;
  }

  std::pair<std::string, std::string> origin_of(const std::string& path, const std::string& digest,
                                                const std::optional<Mapping>& mapping, const io::File& file,
                                                const Packaged& packaged) {
    if (mapping && (mapping->inode != file.stat().inode ||
                    (mapping->device_major != 0 && (mapping->device_major != major(file.stat().device) ||
                                                    mapping->device_minor != minor(file.stat().device))))) {
      finding(
          "STK008",
          json::Value().set("path", text::to_value(path)).set("how", "is another file than the one that is loaded"));
      return {"changed", "another file lies in its place since it was loaded"};
    }
    if (const auto known = by_digest_.find(digest); known != by_digest_.end())
      return {"built", "as " + known->second + " was built"};
    if (by_path_.contains(path)) {
      finding("STK006", json::Value().set("path", text::to_value(path)).set("how", "isn't the file that was built"));
      return {"changed", "the record of the build has another digest"};
    }
    if (packaged.state == Packaged::State::differs) {
      finding("STK006", json::Value()
                            .set("path", text::to_value(path))
                            .set("how", fmt::format("isn't the file of the package {}", packaged.package)));
      return {"changed", "the package database has another digest"};
    }
    // The database is that of this machine: in a container another one would count.
    if (packaged.state == Packaged::State::matches && packaged.sha256 == digest)
      return {"packaged", "as its package has it"};
    return {"unknown", "no build and no package vouches for it"};
  }

  json::Value hardening(const std::string& path, const elf::Image& image, const std::string& origin) {
    const bool program = image.kind == elf::Kind::executable || image.kind == elf::Kind::position_independent;
    const elf::Has pie = image.kind == elf::Kind::executable ? elf::Has::no : elf::Has::yes;
    const auto both = [](elf::Has a, elf::Has b) {
      if (a == elf::Has::no || b == elf::Has::no) return elf::Has::no;
      return a == elf::Has::yes && b == elf::Has::yes ? elf::Has::yes : elf::Has::unknown;
    };
    const std::pair<std::string_view, elf::Has> all[] = {
        {"pie", pie},
        {"relro", both(image.relro, image.bind_now)},
        {"nx", image.nx},
        {"canary", image.canary},
        {"fortify", image.fortify},
        {"ibt", image.ibt},
        {"shstk", image.shstk},
    };
    json::Value out;
    std::vector<std::string_view> lacks;
    for (const auto& [name, has] : all) {
      out.set(std::string(name), elf::to_string(has));
      // CET needs a libc that is built for it; a library without calls to fortify has none.
      const bool counts = name == "pie" || name == "relro" || name == "nx" || (program && name == "canary");
      if (has == elf::Has::no && counts) lacks.push_back(name);
    }
    // The distribution's own files are its business.
    if (!lacks.empty() && origin != "packaged")
      finding("STK007",
              json::Value().set("path", text::to_value(path)).set("what", fmt::format("{}", fmt::join(lacks, ", "))));
    return out;
  }

  // What the self-test of the variant said when it was built: "passed", "failed", "not run"; else "unknown".
  std::string tested(const std::string& digest) const {
    const auto known = by_digest_.find(digest);
    const Fact* variants = built_ == nullptr ? nullptr : built_->found.fact("stack.variants");
    if (known == by_digest_.end() || variants == nullptr) return "unknown";
    for (const json::Value& variant : variants->value.array()) {
      if (known->second.starts_with(variant["name"].string() + "/")) return variant["self_test"]["state"].string();
    }
    return "unknown";
  }

  // Whether the remote-procedure backend of ggml is in it, by its symbols.
  static std::string_view rpc(const elf::Image& image) {
    constexpr std::string_view kSymbol = "ggml_backend_rpc_init";
    const auto has = [&](const std::vector<std::string>& names) { return std::ranges::binary_search(names, kSymbol); };
    if (has(image.names) || has(image.imports)) return "present";
    const bool linked =
        std::ranges::any_of(image.needed, [](const std::string& name) { return name.starts_with("libggml"); });
    return image.names.empty() || linked ? "unknown" : "absent";
  }

  const evidence::Record* built_;
  fs::path folder_;
  const Environment& environment_;
  std::map<std::string, std::string> by_digest_;
  std::map<std::string, std::string> by_path_;
  std::vector<std::pair<fs::path, std::optional<Mapping>>> files_;
  std::optional<u64> process_;
  evidence::Record record_;
};

}  // namespace

Result<evidence::Record> verify(const Wanted& wanted, const evidence::Record* built, const fs::path& folder,
                                const Environment& environment) {
  Verifier verifier(built, folder, environment);
  for (const fs::path& file : wanted.files) SY_CHECK(verifier.add(file));
  if (wanted.process) SY_CHECK(verifier.add_process(*wanted.process));
  if (wanted.files.empty() && !wanted.process) {
    if (built == nullptr)
      return fail(ErrorCode::usage,
                  "no stack was built yet (steelyard stack build); name a program, or --pid PID of a running server");
    verifier.whole_build();
  }
  return verifier.finish();
}

}  // namespace steelyard::stack
