#include "stack/build.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "io/file.hpp"
#include "rules/catalog.hpp"
#include "stack/features.hpp"
#include "wire/elf.hpp"

namespace steelyard::stack {
namespace {

namespace fs = std::filesystem;

i64 milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
}

// Paths get into flags and files of cmake and ninja.
bool plain_path(const std::string& path) {
  return path.starts_with('/') && path.find_first_not_of(
                                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                      "/._-+@") == std::string::npos;
}

void add(Examination& found, const std::string& rule, json::Value data) {
  const rules::Rule* known = rules::find(rule);
  found.findings.push_back(
      {rule, known != nullptr ? known->severity : Severity::high, std::nullopt, std::nullopt, std::move(data)});
}

json::Value texts(const std::vector<std::string>& items) {
  json::Value out = json::Array{};
  for (const std::string& item : items) out.push(item);
  return out;
}

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// Held while a root is worked on.
class RootLock {
 public:
  explicit RootLock(const fs::path& root) : fd_(::open((root / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {}
  ~RootLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  RootLock(const RootLock&) = delete;
  RootLock& operator=(const RootLock&) = delete;
  // Waits for whoever works there.
  bool take() const { return fd_ >= 0 && ::flock(fd_, LOCK_EX) == 0; }

 private:
  int fd_;
};

class Builder {
 public:
  Builder(const Request& request, const Environment& environment, const Progress& progress)
      : request_(request), lock_(request.lock), environment_(environment), progress_(progress) {
    variants_ = request.variants.empty() ? lock_.default_variants : request.variants;
    backends_ = request.backends.empty() ? lock_.default_backends : request.backends;
    std::ranges::sort(variants_);
    variants_.erase(std::ranges::unique(variants_).begin(), variants_.end());
    programs_ = lock_.targets;
    if (!request.files.contains("engine/src/engine/worker/CMakeLists.txt")) return;
    programs_.emplace_back(kEngine);
    const auto devices = [&](const std::string& name) {
      const Backend* backend = lock_.backend(name);
      return backend != nullptr && backend->devices;
    };
    if (std::ranges::any_of(backends_, devices)) programs_.emplace_back(kDeviceTest);
  }

  Result<Built> run() {
    SY_CHECK(check_request());
    std::error_code error;
    fs::create_directories(request_.root, error);
    stage("wait for another build");
    const RootLock held(request_.root);
    if (!held.take()) return fail(ErrorCode::io, fmt::format("{} can't be written", request_.root.string()));
    out_.stages.clear();
    stage("toolchain");
    SY_TRY(toolchain_, find_toolchain(environment_, lock_, backends_));
    variables_ = build_environment(environment_, lock_);
    fact("stack.tools", check_packaged(environment_.root(), toolchain_.tools, out_.record.found));
    digest_ = digest();
    // The same folder for every build: its path is in the flags, and so in the keys of the compiler cache.
    work_ = request_.root / "work";
    folder_ = request_.root / digest_.substr(0, 32);
    if (already_there()) return finish_present();
    if (refused(out_.record.found)) return finish();
    SY_CHECK(prove_source());
    if (refused(out_.record.found)) return finish();
    SY_CHECK(write_project(work_));
    SY_CHECK(libraries());
    if (refused(out_.record.found)) return finish();
    for (const std::string& name : variants_) SY_CHECK(build_variant(*lock_.variant(name)));
    if (refused(out_.record.found)) return finish();
    if (request_.again) SY_CHECK(build_again());
    facts();
    SY_CHECK(install());
    return finish();
  }

 private:
  Result<bool> check_request() const {
    if (!plain_path(request_.root.string()))
      return fail(
          ErrorCode::usage,
          fmt::format("{}: stack build needs an absolute path of letters, digits and /._-+@ only (--prefix DIR)",
                      text::display(request_.root.string(), 200)));
    const auto unknown = [](std::string_view what, const std::string& name, const auto& known) {
      std::vector<std::string> names;
      for (const auto& one : known) names.push_back(one.name);
      return fail(ErrorCode::usage, fmt::format("no {} \"{}\": expected one of {}", what, text::display(name, 64),
                                                fmt::join(names, ", ")));
    };
    for (const std::string& name : variants_) {
      const Variant* variant = lock_.variant(name);
      if (variant == nullptr) return unknown("variant", name, lock_.variants);
      utsname system{};
      if (!variant->machine.empty() && ::uname(&system) == 0 && variant->machine != system.machine)
        return fail(ErrorCode::usage, fmt::format("the variant {} is for {}, this machine is {}", name,
                                                  variant->machine, system.machine));
    }
    for (const std::string& name : backends_) {
      if (lock_.backend(name) == nullptr) return unknown("backend", name, lock_.backends);
    }
    return true;
  }

  void stage(std::string name) {
    close_stage();
    out_.stages.push_back({std::move(name), 0});
    started_ = milliseconds();
    if (progress_) progress_(out_.stages.back().name, "");
  }
  void close_stage() {
    if (!out_.stages.empty() && out_.stages.back().ms == 0)
      out_.stages.back().ms = static_cast<u64>(std::max<i64>(1, milliseconds() - started_));
  }
  void fact(std::string key, json::Value value, Assurance assurance = Assurance::verified) {
    out_.record.found.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, assurance});
  }

  // What every object file comes from, but for the project's own files, whose times tell when they change.
  std::string ingredients() const {
    json::Value tools = json::Array{};
    for (const json::Value& tool : out_.record.found.fact("stack.tools")->value.array())
      tools.push(tool["sha256"].string());
    return sha256(json::canonical(json::Value()
                                      .set("lock", sha256(request_.lock_text))
                                      .set("tools", std::move(tools))
                                      .set("backends", texts(backends_))));
  }

  std::string digest() const {
    json::Value files = json::Array{};
    for (const auto& [path, text] : request_.files) files.push(path).push(sha256(text));
    json::Value tools = json::Array{};
    for (const json::Value& tool : out_.record.found.fact("stack.tools")->value.array())
      tools.push(tool["sha256"].string());
    return sha256(json::canonical(json::Value()
                                      .set("lock", sha256(request_.lock_text))
                                      .set("files", std::move(files))
                                      .set("tools", std::move(tools))
                                      .set("backends", texts(backends_))
                                      .set("again", request_.again)));
  }

  // Every variant that is asked for is there, and every program is what the record says.
  bool already_there() {
    auto record = read_record(folder_);
    if (!record) return false;
    for (const std::string& variant : variants_) {
      for (const std::string& program : programs_) {
        const std::string path = fmt::format("{}/bin/{}", variant, program);
        const auto subject = std::ranges::find(record->subjects, path, &evidence::Subject::path);
        if (subject == record->subjects.end()) return false;
        const auto file = io::File::open(folder_ / path);
        if (!file || io::hash(*file) != subject->sha256) return false;
      }
    }
    out_.record = std::move(*record);
    return true;
  }
  Result<Built> finish_present() {
    out_.present = true;
    out_.folder = folder_;
    SY_CHECK(point());
    close_stage();
    return std::move(out_);
  }

  Result<bool> prove_source() {
    stage("prove the source");
    SY_TRY(const io::File archive, io::File::open(request_.archive));
    std::error_code error;
    const std::string stamp = ingredients();
    const auto before = io::read_text(work_ / "stamp");
    if (!before || *before != stamp) fs::remove_all(work_, error);
    SY_CHECK(io::write_atomically(work_ / "stamp", stamp));
    SY_TRY(const Proof proof, prove(archive, lock_, work_ / "src", work_ / "objects", out_.record.found));
    fs::remove_all(work_ / "objects", error);
    if (refused(out_.record.found)) return true;
    out_.record.subjects.push_back({"source", lock_.file, proof.sha256, proof.bytes});
    fact("stack.source", json::Value()
                             .set("name", lock_.name)
                             .set("version", lock_.version)
                             .set("file", lock_.file)
                             .set("sha256", proof.sha256)
                             .set("licence", lock_.licence));
    fact("stack.upstream", json::Value()
                               .set("name", lock_.upstream)
                               .set("version", lock_.upstream_version)
                               .set("release", lock_.release)
                               .set("repository", lock_.repository)
                               .set("commit", lock_.commit)
                               .set("tree", lock_.tree)
                               .set("files", proof.compared));
    fact("stack.upstream.signature",
         json::Value()
             .set("state", "undetermined")
             .set("key", proof.signer)
             .set("why", proof.commit.signature.empty() ? "the commit is not signed"
                         : proof.signer.empty()         ? "the signature names no key that could be read"
                                                        : "the key is not in the trust store"),
         Assurance::missing);
    return true;
  }

  // Rewrites only what changed: ninja goes by times.
  Result<bool> write_project(const fs::path& work) const {
    for (const auto& [path, text] : request_.files) {
      const auto there = io::read_text(work / "project" / path);
      if (!there || *there != text) SY_CHECK(io::write_atomically(work / "project" / path, text));
    }
    return true;
  }

  Result<bool> libraries() {
    stage("libraries");
    SY_TRY(const auto inputs, link_inputs(toolchain_, lock_, variables_, work_));
    std::vector<Tool> files;
    for (const std::string& path : inputs)
      files.push_back({path.find(".so") == std::string::npos ? "object" : "library", "", path});
    libraries_ = check_packaged(environment_.root(), files, out_.record.found);
    return true;
  }

  // Shared libraries that a program needs beyond those: found where the loader looks by itself.
  void needed(const io::File& program) {
    const auto image = wire::elf::read(program);
    if (!image) return;
    const auto known = [&](const std::string& name) {
      return std::ranges::any_of(libraries_.array(), [&](const json::Value& one) {
        const std::string& path = one["path"].string();
        return path.substr(path.rfind('/') + 1).starts_with(name) || one["soname"].string() == name;
      });
    };
    for (const std::string& name : image->needed) {
      if (name.find('/') != std::string::npos || known(name)) continue;
      fs::path found;
      std::vector<std::string> folders = image->search;
      for (const char* folder : {"/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib",
                                 "/usr/lib", "/usr/local/lib"})
        folders.emplace_back(folder);
      for (const std::string& folder : folders) {
        std::error_code error;
        if (found.empty() && fs::is_regular_file(fs::path(folder) / name, error)) found = fs::path(folder) / name;
      }
      const json::Value answer = check_packaged(
          environment_.root(), {{"library", "", found.empty() ? fs::path(name) : found}}, out_.record.found);
      json::Value one = answer.array().front();
      libraries_.push(one.set("soname", name));
    }
  }

  std::vector<std::string> compile_flags(const Variant& variant, const fs::path& work, const fs::path& folder) const {
    std::vector<std::string> flags = lock_.compile;
    flags.insert(flags.end(), variant.compile.begin(), variant.compile.end());
    flags.push_back(fmt::format("-ffile-prefix-map={}=stack", work.string()));
    flags.push_back(fmt::format("-ffile-prefix-map={}={}", (work / "src").string(), lock_.upstream));
    flags.push_back(fmt::format("-ffile-prefix-map={}=build", folder.string()));
    return flags;
  }

  // Configures and compiles in `work`, every variant in the same folder: only what its options change is compiled
  // again. Each option is set each time, so nothing is left from the one before. `cached`: with the compiler cache,
  // when there is one.
  Result<bool> compile(const Variant& variant, const fs::path& work, bool cached) {
    const fs::path folder = work / "build";
    const std::string flags = joined(compile_flags(variant, work, folder));
    Command configure{
        .arguments = {toolchain_.path("cmake").string(), "-G", "Ninja", "-S", (work / "project").string(), "-B",
                      folder.string(), "-DCMAKE_BUILD_TYPE=Release",
                      fmt::format("-DCMAKE_C_COMPILER={}", toolchain_.path("cc").string()),
                      fmt::format("-DCMAKE_CXX_COMPILER={}", toolchain_.path("c++").string()),
                      fmt::format("-DCMAKE_MAKE_PROGRAM={}", toolchain_.path("ninja").string()),
                      fmt::format("-DCMAKE_C_FLAGS={}", flags), fmt::format("-DCMAKE_CXX_FLAGS={}", flags),
                      fmt::format("-DCMAKE_EXE_LINKER_FLAGS={}", joined(lock_.link)),
                      fmt::format("-DSTEELYARD_SOURCE={}", (work / "src").string()),
                      fmt::format("-DSTEELYARD_INCLUDE={}", variant.include)},
        .environment = variables_,
        .folder = work};
    if (cached && !toolchain_.ccache.empty()) {
      configure.arguments.push_back(fmt::format("-DCMAKE_C_COMPILER_LAUNCHER={}", toolchain_.ccache.string()));
      configure.arguments.push_back(fmt::format("-DCMAKE_CXX_COMPILER_LAUNCHER={}", toolchain_.ccache.string()));
    }
    if (std::ranges::find(programs_, kEngine) != programs_.end())
      configure.arguments.push_back(fmt::format("-DSTEELYARD_ENGINE={}", (work / "project/engine").string()));
    const auto define = [&](const std::vector<std::string>& options) {
      for (const std::string& option : options) configure.arguments.push_back("-D" + option);
    };
    define(lock_.options);
    define(variant.options);
    for (const std::string& name : backends_) {
      const Backend& backend = *lock_.backend(name);
      define(backend.options);
      if (backend.host_flags.empty()) continue;
      configure.arguments.push_back(
          fmt::format("-D{}=-Xcompiler={}", backend.host_flags, fmt::join(compile_flags(variant, work, folder), ",")));
      configure.arguments.push_back(fmt::format("-DCMAKE_CUDA_HOST_COMPILER={}", toolchain_.path("c++").string()));
    }
    SY_TRY(const Finished configured, stack::run(configure));
    if (configured.status != 0) return failed("cmake", variant.name, configured.output);

    Command make{
        .arguments = {toolchain_.path("ninja").string(), "-C", folder.string(), "-j", fmt::format("{}", request_.jobs)},
        .environment = variables_,
        .folder = work};
    make.arguments.insert(make.arguments.end(), programs_.begin(), programs_.end());
    SY_TRY(const Finished made, stack::run(make, [&](std::string_view line) {
             if (line.starts_with('[') && progress_)
               progress_(out_.stages.back().name, line.substr(1, line.find(']') - 1));
           }));
    if (made.status != 0) return failed("ninja", variant.name, made.output);
    return true;
  }

  static std::unexpected<Error> failed(std::string_view tool, const std::string& variant, const std::string& output) {
    // What went wrong stands before ninja's own last line.
    const std::size_t error = std::min(output.find("FAILED:"), output.find("CMake Error"));
    const std::string part = output.substr(
        error == std::string::npos ? output.size() - std::min<std::size_t>(output.size(), 2000) : error, 2000);
    std::string shown;
    for (std::string_view rest = part; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      shown += "\n  " + text::display(rest.substr(0, end), 300);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return fail(ErrorCode::io, fmt::format("{} failed for {}:{}", tool, variant, shown));
  }

  Result<bool> build_variant(const Variant& variant) {
    stage("compile " + variant.name);
    SY_CHECK(compile(variant, work_, true));
    SY_CHECK(headers(variant, work_ / "build"));
    const fs::path folder = work_ / ("install-" + variant.name);
    SY_CHECK(collect(work_ / "build", folder));
    stage("test " + variant.name);
    std::vector<std::string> missing;
    const auto features = cpu_features(environment_.root());
    for (const std::string& feature : variant.cpu) {
      if (!features.contains(feature)) missing.push_back(feature);
    }
    json::Value entry = json::Value().set("name", variant.name).set("cpu", texts(variant.cpu));
    entry.set("flags", joined(compile_flags(variant, "", "/build")))
        .set("options", texts(variant.options))
        .set("include", variant.include);
    entry.set("self_test", self_test(variant, folder, missing));
    if (std::ranges::find(programs_, kDeviceTest) != programs_.end())
      entry.set("devices", devices(variant, folder, entry["self_test"]));
    variants_fact_.push(std::move(entry));
    for (const std::string& program : programs_) {
      SY_TRY(const io::File file, io::File::open(fs::canonical(folder / "bin" / program)));
      out_.record.subjects.push_back(
          {"binary", fmt::format("{}/bin/{}", variant.name, program), io::hash(file), file.size()});
      needed(file);
    }
    return true;
  }

  // The programs of a variant, before the next one is compiled in the same folder.
  Result<bool> collect(const fs::path& from, const fs::path& to) const {
    std::error_code error;
    fs::remove_all(to, error);
    fs::create_directories(to / "bin", error);
    for (const std::string& program : programs_) {
      fs::copy_file(from / "bin" / program, to / "bin" / program, error);
      if (error) return fail(ErrorCode::io, fmt::format("{} can't be written: {}", to.string(), error.message()));
    }
    return true;
  }

  // The system's headers that went in, from ninja's own list.
  Result<bool> headers(const Variant& variant, const fs::path& folder) {
    SY_TRY(const Finished listed,
           stack::run({.arguments = {toolchain_.path("ninja").string(), "-C", folder.string(), "-t", "deps"},
                       .environment = variables_,
                       .folder = work_,
                       .most_output = u64{256} << 20}));
    std::set<std::string> seen;
    std::vector<Tool> files;
    for (std::string_view rest = listed.output; !rest.empty();) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line.starts_with("    /")) continue;
      line.remove_prefix(4);
      if (line.starts_with(work_.string()) || !seen.insert(std::string(line)).second) continue;
      files.push_back({"header", "", std::string(line)});
    }
    const json::Value checked = check_packaged(environment_.root(), files, out_.record.found);
    u64 matched = 0;
    json::Value digests = json::Array{};
    json::Value others = json::Array{};
    for (const json::Value& one : checked.array()) {
      digests.push(one["path"].string()).push(one["sha256"].string());
      if (one["state"].string() == "matches")
        ++matched;
      else
        others.push(one["path"].string());
    }
    fact("stack.headers", json::Value()
                              .set("variant", variant.name)
                              .set("count", u64{files.size()})
                              .set("match", matched)
                              .set("others", std::move(others))
                              .set("sha256", sha256(json::canonical(digests))));
    return true;
  }

  // {"state": "passed" | "failed" | "not run", "digest", "why"}
  json::Value self_test(const Variant& variant, const fs::path& folder, const std::vector<std::string>& missing) {
    const auto not_run = [](std::string why) {
      return json::Value().set("state", "not run").set("digest", "").set("why", std::move(why));
    };
    if (!missing.empty()) return not_run(fmt::format("this machine lacks {}", fmt::join(missing, ", ")));
    if (std::ranges::find(programs_, kEngine) == programs_.end()) return not_run("there is no engine in this build");
    const Answer answer = known_answer(folder / "bin" / kEngine);
    if (answer.why.empty()) return json::Value().set("state", "passed").set("digest", answer.digest).set("why", "");
    add(out_.record.found, "STK005", json::Value().set("variant", variant.name).set("why", answer.why));
    return json::Value().set("state", "failed").set("digest", "").set("why", answer.why);
  }

  // [{"state": "passed" | "failed", "name", "description"}], of the devices of this machine that the build can use.
  json::Value devices(const Variant& variant, const fs::path& folder, const json::Value& cpu) {
    json::Value out = json::Array{};
    if (cpu["state"].string() != "passed") return out;
    const Answer answer = known_answer(folder / "bin" / kDeviceTest);
    for (std::string_view rest = answer.output; !rest.empty();) {
      std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      for (const std::string_view state : {"passed", "failed"}) {
        const std::string head = fmt::format("device {} ", state);
        const std::size_t colon = line.find(": ");
        if (!line.starts_with(head) || colon == std::string_view::npos) continue;
        out.push(json::Value()
                     .set("state", state)
                     .set("name", text::display(line.substr(head.size(), colon - head.size()), 64))
                     .set("description", text::display(line.substr(colon + 2), 200)));
      }
    }
    if (!answer.why.empty())
      add(out_.record.found, "STK005",
          json::Value().set("variant", variant.name).set("why", "on a device: " + answer.why));
    return out;
  }

  struct Answer {
    std::string digest, why;  // why it is no answer; empty when it is
    std::string output;
  };
  static Answer known_answer(const fs::path& program) {
    const auto done = stack::run({.arguments = {program.string(), "--self-test"},
                                  .environment = {"LC_ALL=C", "OMP_WAIT_POLICY=passive"},
                                  .folder = program.parent_path(),
                                  .most_output = 64 * 1024,
                                  .seconds = 120});
    if (!done) return {.digest = {}, .why = done.error().message, .output = {}};
    constexpr std::string_view kLine = "self-test ";
    const std::size_t at = done->output.rfind(kLine);
    Answer out{.digest = at == std::string::npos ? std::string() : done->output.substr(at + kLine.size(), 64),
               .why = {},
               .output = done->output};
    if (done->status == 0 && is_sha256(out.digest)) return out;
    out.why = done->timed_out      ? "it didn't end within 120 s"
              : done->status > 128 ? fmt::format("it was ended by signal {}", done->status - 128)
                                   : fmt::format("it ended with status {} and no known answer", done->status);
    return out;
  }

  // A second build in another folder, without the compiler cache.
  Result<bool> build_again() {
    const fs::path again = request_.root / "work-again";
    std::error_code error;
    fs::remove_all(again, error);
    fs::create_directories(again, error);
    fs::copy(work_ / "src", again / "src", fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
    if (error) return fail(ErrorCode::io, fmt::format("{} can't be written: {}", again.string(), error.message()));
    SY_CHECK(write_project(again));
    for (const std::string& name : variants_) {
      stage("compile " + name + " again");
      SY_CHECK(compile(*lock_.variant(name), again, false));
      json::Value same = json::Array{};
      json::Value differing = json::Array{};
      for (const std::string& program : programs_) {
        const std::string path = fmt::format("{}/bin/{}", name, program);
        SY_TRY(const io::File file, io::File::open(fs::canonical(again / "build/bin" / program)));
        const auto first = std::ranges::find(out_.record.subjects, path, &evidence::Subject::path);
        if (io::hash(file) == first->sha256) {
          same.push(path);
          continue;
        }
        SY_TRY(const io::File other, io::File::open(fs::canonical(work_ / ("install-" + name) / "bin" / program)));
        const std::string why = difference(other, file);
        differing.push(json::Value().set("path", path).set("why", why));
        add(out_.record.found, "STK009", json::Value().set("path", path).set("why", why));
      }
      fact("stack.reproducible",
           json::Value().set("variant", name).set("identical", std::move(same)).set("different", std::move(differing)));
    }
    fs::remove_all(again, error);
    return true;
  }

  // Where two files begin to differ.
  static std::string difference(const io::File& a, const io::File& b) {
    if (a.size() != b.size()) return fmt::format("{} and {} bytes", a.size(), b.size());
    std::vector<std::byte> x(64 * 1024);
    std::vector<std::byte> y(64 * 1024);
    u64 count = 0;
    u64 first = UINT64_MAX;
    for (u64 at = 0; at < a.size(); at += x.size()) {
      const std::size_t length = std::min(a.read(at, x), b.read(at, y));
      for (std::size_t i = 0; i < length; ++i) {
        if (x[i] == y[i]) continue;
        first = std::min(first, at + i);
        ++count;
      }
    }
    return fmt::format("{} bytes differ, the first at 0x{:x}", count, first);
  }

  void facts() {
    fact("stack.libraries", std::move(libraries_));
    fact("stack.variants", std::move(variants_fact_));
    fact("stack.flags", json::Value()
                            .set("compile", texts(lock_.compile))
                            .set("link", texts(lock_.link))
                            .set("options", texts(lock_.options))
                            .set("backends", texts(backends_)));
    fact("stack.compiler_cache", !toolchain_.ccache.empty());
    json::Value cpu = json::Array{};
    for (const std::string& feature : cpu_features(environment_.root())) cpu.push(feature);
    fact("stack.cpu", std::move(cpu));
  }

  Result<bool> install() {
    stage("install");
    std::error_code error;
    for (const std::string& name : variants_) {
      fs::create_directories(folder_, error);
      fs::remove_all(folder_ / name, error);
      fs::rename(work_ / ("install-" + name), folder_ / name, error);
      if (error) return fail(ErrorCode::io, fmt::format("{} can't be written: {}", folder_.string(), error.message()));
    }
    describe();
    SY_CHECK(io::write_atomically(folder_ / "record.json", json::pretty(evidence::encode(out_.record)) + "\n"));
    SY_CHECK(point());
    fs::remove_all(work_, error);
    out_.folder = folder_;
    return true;
  }

  // <root>/current leads to this build.
  Result<bool> point() const {
    std::error_code error;
    const fs::path next = request_.root / ".current";
    fs::remove(next, error);
    fs::create_symlink(folder_.filename(), next, error);
    if (!error) fs::rename(next, request_.root / "current", error);
    if (error) return fail(ErrorCode::io, fmt::format("{} can't be written: {}", next.string(), error.message()));
    return true;
  }

  void describe() {
    out_.record.kind = "stack";
    out_.record.method = {.tool = STEELYARD_VERSION,
                          .analyzer = kAnalyzer,
                          .rules = rules::pack_digest(),
                          .engine = {},
                          .params = json::Value().set("digest", digest_),
                          .seed = {},
                          .uses = {}};
    u64 ms = 0;
    for (const Stage& one : out_.stages) ms += one.ms;
    out_.record.run = {.at = format_time(environment_.now()), .ms = ms, .sandbox = {}, .digest_source = "hashed"};
  }

  Result<Built> finish() {
    close_stage();
    describe();
    return std::move(out_);
  }

  const Request& request_;
  const Lock& lock_;
  const Environment& environment_;
  const Progress& progress_;
  std::vector<std::string> variants_;
  std::vector<std::string> backends_;
  std::vector<std::string> programs_;
  std::vector<std::string> variables_;
  Toolchain toolchain_;
  std::string digest_;
  fs::path work_;
  fs::path folder_;
  json::Value variants_fact_ = json::Array{};
  json::Value libraries_ = json::Array{};
  Built out_;
  i64 started_ = 0;
};

}  // namespace

Result<Request> embedded_request() {
  Request out;
  SY_TRY(out.lock, lock());
  out.lock_text = std::string(embedded::find("stack/llama.cpp.toml"));
  for (const auto& file : embedded::under("stack/")) {
    if (!file.path.ends_with(".toml")) out.files[std::string(file.path.substr(6))] = std::string(file.text);
  }
  for (const auto& file : embedded::under("engine/")) out.files[std::string(file.path)] = std::string(file.text);
  return out;
}

Result<Built> build(const Request& request, const Environment& environment, const Progress& progress) {
  return Builder(request, environment, progress).run();
}

Result<evidence::Record> read_record(const fs::path& folder) {
  SY_TRY(const std::string text, io::read_text(folder / "record.json"));
  SY_TRY(const json::Value document, json::parse(text));
  SY_TRY(evidence::Record record, evidence::decode(document));
  if (record.kind != "stack") return fail(ErrorCode::usage, fmt::format("{}: no record of a stack", folder.string()));
  return record;
}

std::optional<fs::path> current(const fs::path& root) {
  std::error_code error;
  const fs::path folder = fs::canonical(root / "current", error);
  return error ? std::nullopt : std::optional(folder);
}

Result<Program> program_of(const fs::path& root, std::string_view name, const Environment& environment) {
  const auto folder = current(root);
  if (!folder) return fail(ErrorCode::usage, "no runtime was built yet: steelyard stack build makes one");
  SY_TRY(const evidence::Record record, read_record(*folder));
  const auto features = cpu_features(environment.root());
  const Fact* variants = record.found.fact("stack.variants");
  std::string best;
  std::size_t widest = 0;
  for (const json::Value& variant : variants == nullptr ? json::Array{} : variants->value.array()) {
    const auto& needs = variant["cpu"].array();
    const bool fits =
        std::ranges::all_of(needs, [&](const json::Value& one) { return features.contains(one.string()); });
    if (!fits || variant["self_test"]["state"].string() != "passed" || needs.size() < widest) continue;
    best = variant["name"].string();
    widest = needs.size();
  }
  if (best.empty())
    return fail(ErrorCode::usage, fmt::format("{}: no variant that this processor has passed its self-test; steelyard "
                                              "stack build makes one",
                                              folder->string()));
  const std::string path = fmt::format("{}/bin/{}", best, name);
  const auto subject = std::ranges::find(record.subjects, path, &evidence::Subject::path);
  if (subject == record.subjects.end())
    return fail(ErrorCode::usage, fmt::format("{}: the build has no {}", folder->string(), name));
  SY_TRY(const io::File file, io::File::open(*folder / path));
  if (io::hash(file) != subject->sha256)
    return fail(ErrorCode::usage,
                fmt::format("{} isn't the file that was built: it is not run (steelyard stack verify)",
                            (*folder / path).string()));
  return Program{*folder / path, subject->sha256, best};
}

}  // namespace steelyard::stack
