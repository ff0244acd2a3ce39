#include "bench/code.hpp"

#include <fmt/format.h>

#include <array>
#include <random>

#include "base/json.hpp"
#include "base/sha256.hpp"
#include "sandbox/script.hpp"

namespace steelyard::bench {
namespace {

constexpr std::string_view kFence = "```";
constexpr int kSeconds = 5;
// Reads what is to be run only when its turn comes, so that the code doesn't find the test beside it.
constexpr std::string_view kDriver = R"(import sys
def take():
    size = int(sys.stdin.buffer.readline())
    return sys.stdin.buffer.read(size).decode()
space = {}
exec(compile(take(), "<answer>", "exec"), space)
exec(compile(take(), "<test>", "exec"), space)
sys.stdout.flush()
sys.stdout.write("\n" + take())
sys.stdout.flush()
)";

std::string secret() {
  std::random_device source;
  std::string out;
  for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", source());
  return out;
}

}  // namespace

std::filesystem::path interpreter() {
  for (const char* place : {"/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3"}) {
    std::error_code error;
    auto path = std::filesystem::canonical(place, error);
    if (!error) return path;
  }
  return {};
}

std::string code_in(const std::string& answer) {
  const std::size_t open = answer.find(kFence);
  if (open == std::string::npos) return answer;
  const std::size_t line = std::min(answer.find('\n', open), answer.size() - 1) + 1;
  return answer.substr(line, std::min(answer.find(kFence, line), answer.size()) - line);
}

Outcome run_code(const std::string& before, const std::string& code, const std::string& test) {
  sandbox::Script script;
  script.interpreter = interpreter();
  if (script.interpreter.empty()) return Outcome::undetermined;
  script.arguments = {"-s", "-S", "-B", "-c", std::string(kDriver)};
  script.seconds = kSeconds;
  const std::string end = secret();
  for (const std::string& part : {before + code + "\n", test + "\n", end})
    script.input += fmt::format("{}\n{}", part.size(), part);
  const auto ran = sandbox::run_script(script);
  if (!ran) return Outcome::undetermined;
  return ran->status == 0 && ran->output.ends_with("\n" + end) ? Outcome::passed : Outcome::failed;
}

std::string no_code() {
  if (interpreter().empty()) return "there is no /usr/bin/python3";
  sandbox::Script script;
  script.interpreter = interpreter();
  script.arguments = {"-s", "-S", "-B", "-c", "print(1)"};
  const auto ran = sandbox::run_script(script);
  if (!ran) return ran.error().message;
  return ran->output == "1\n" ? "" : "python3 doesn't run in the sandbox: " + ran->output.substr(0, 200);
}

}  // namespace steelyard::bench
