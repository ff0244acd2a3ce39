#include "stack/toolchain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "io/file.hpp"
#include "rules/catalog.hpp"

namespace steelyard::stack {
namespace {

namespace fs = std::filesystem;

constexpr u32 kCmakeMinor = 25;  // 3.25

struct Needed {
  std::string_view role;
  std::string_view program;
  std::string_view package;
};
constexpr Needed kNeeded[] = {
    {"cc", "gcc", "gcc"},        {"c++", "g++", "g++"},
    {"ld", "ld", "binutils"},    {"as", "as", "binutils"},
    {"ar", "ar", "binutils"},    {"ranlib", "ranlib", "binutils"},
    {"cmake", "cmake", "cmake"}, {"ninja", "ninja", "ninja-build"},
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string_view package_of(std::string_view tool) {
  return tool == "nvcc" ? "nvidia-cuda-toolkit" : tool == "glslc" ? "glslc" : tool;
}

// Whether "cmake version 3.25.1" is new enough.
bool cmake_suffices(const std::string& line) {
  unsigned major = 0;
  unsigned minor = 0;
  return std::sscanf(line.c_str(), "cmake version %u.%u", &major, &minor) == 2 &&
         (major > 3 || (major == 3 && minor >= kCmakeMinor));
}

}  // namespace

fs::path Toolchain::path(std::string_view role) const {
  const auto found = std::ranges::find(tools, role, &Tool::role);
  return found == tools.end() ? fs::path() : found->path;
}

std::vector<std::string> build_environment(const Environment& environment, const Lock& lock) {
  std::vector<std::string> out = {"LC_ALL=C", "TZ=UTC", "GIT_DIR=/nonexistent"};
  for (const char* name : {"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "CCACHE_DIR", "CUDA_PATH", "CUDACXX"}) {
    if (const auto value = environment.variable(name)) out.push_back(fmt::format("{}={}", name, *value));
  }
  out.push_back(fmt::format("SOURCE_DATE_EPOCH={}", parse_time(lock.released + "T00:00:00Z").value_or(0)));
  return out;
}

Result<Toolchain> find_toolchain(const Environment& environment, const Lock& lock,
                                 const std::vector<std::string>& backends) {
  Toolchain out;
  const auto variables = build_environment(environment, lock);
  const auto ask = [&](const fs::path& path, std::string argument) -> std::string {
    const auto said =
        run({.arguments = {path.string(), std::move(argument)}, .environment = variables, .folder = {}, .seconds = 20});
    return said && said->status == 0 ? first_line(said->output) : std::string();
  };
  for (const Needed& needed : kNeeded) {
    const fs::path path = program(environment, std::string(needed.program));
    if (path.empty())
      return fail(ErrorCode::usage,
                  fmt::format("{} is not in PATH: stack build needs it; on Debian: apt-get install {}", needed.program,
                              needed.package));
    out.tools.push_back({std::string(needed.role), ask(path, "--version"), path});
    if (out.tools.back().version.empty())
      return fail(ErrorCode::usage, fmt::format("{} doesn't run: {} --version failed", path.string(), path.string()));
  }
  if (!cmake_suffices(std::ranges::find(out.tools, "cmake", &Tool::role)->version))
    return fail(
        ErrorCode::usage,
        fmt::format("{} is \"{}\"; version 3.{} or newer is needed", out.path("cmake").string(),
                    text::display(std::ranges::find(out.tools, "cmake", &Tool::role)->version, 80), kCmakeMinor));
  for (const std::string& name : backends) {
    for (const std::string& tool : lock.backend(name)->tools) {
      const fs::path path = program(environment, tool);
      if (path.empty())
        return fail(ErrorCode::usage,
                    fmt::format("the backend {} needs {}, which is not in PATH; on Debian: apt-get install {}", name,
                                tool, package_of(tool)));
      out.tools.push_back({tool, ask(path, "--version"), path});
      if (tool != "nvcc") continue;
      // What it starts lies beside it.
      std::error_code error;
      const fs::path folder = fs::canonical(path, error).parent_path();
      for (const char* part : {"cudafe++", "ptxas", "fatbinary", "nvlink", "../nvvm/bin/cicc"}) {
        if (const fs::path beside = folder / part; fs::is_regular_file(beside, error))
          out.tools.push_back({beside.filename().string(), "", fs::canonical(beside, error)});
      }
    }
  }
  for (const char* part : {"cc1", "cc1plus", "collect2"}) {
    const fs::path path = ask(out.path("c++"), fmt::format("-print-prog-name={}", part));
    if (path.is_absolute()) out.tools.push_back({part, "", path});
  }
  out.ccache = program(environment, "ccache");
  return out;
}

Result<std::vector<std::string>> link_inputs(const Toolchain& toolchain, const Lock& lock,
                                             const std::vector<std::string>& environment, const fs::path& folder) {
  const fs::path source = folder / "probe.cpp";
  SY_CHECK(io::write_atomically(source, "int main() {}\n"));
  Command link{.arguments = {toolchain.path("c++").string()}, .environment = environment, .folder = folder};
  link.arguments.insert(link.arguments.end(), lock.compile.begin(), lock.compile.end());
  link.arguments.insert(link.arguments.end(), lock.link.begin(), lock.link.end());
  for (const char* word : {"-Wl,--trace", "-o", "probe", "probe.cpp", "-fopenmp", "-lpthread", "-ldl", "-lm"})
    link.arguments.emplace_back(word);
  SY_TRY(const Finished traced, run(link));
  if (traced.status != 0)
    return fail(ErrorCode::usage, fmt::format("the compiler can't link a program that does nothing:\n{}",
                                              text::display(traced.output, 400)));
  std::set<std::string> out;
  for (std::string_view rest = traced.output; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const fs::path path = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::error_code error;
    if (path.is_absolute() && fs::is_regular_file(path, error) && !path.string().starts_with("/tmp/"))
      out.insert(fs::canonical(path, error).string());
  }
  return std::vector<std::string>(out.begin(), out.end());
}

json::Value check_packaged(const fs::path& root, const std::vector<Tool>& files, Examination& found) {
  std::vector<std::string> paths;
  for (const Tool& file : files) paths.push_back(file.path.string());
  const auto answers = look_up(root, paths);
  const rules::Rule* rule = rules::find("STK004");
  json::Value out = json::Array{};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const Packaged& one = answers[i];
    out.push(json::Value()
                 .set("role", files[i].role)
                 .set("path", text::to_value(one.path))
                 .set("version", text::to_value(files[i].version))
                 .set("sha256", one.sha256)
                 .set("package", one.package)
                 .set("package_version", one.version)
                 .set("state", to_string(one.state)));
    if (one.state != Packaged::State::differs) continue;
    found.findings.push_back({"STK004", rule != nullptr ? rule->severity : Severity::high, std::nullopt, std::nullopt,
                              json::Value().set("path", text::to_value(one.path)).set("package", one.package)});
  }
  return out;
}

}  // namespace steelyard::stack
