#include <fmt/format.h>

#include <algorithm>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "cli/gather.hpp"

namespace steelyard::cli {
namespace {

constexpr Flag kFlags[] = {
    {"--from", "CONTEXT", "the built-in context to start from (default: offline-chat)", ""},
    {"--profile", "PROFILE", "the requirements to start from (default: business)", "personal,business,regulated"},
    {"--settings", "", "write steelyard.toml too: defaults of flags, and findings that you accept", ""},
    {"--force", "", "overwrite files that exist", ""},
    kQuiet,
};

Result<bool> write(const std::string& path, const std::string& source, bool force) {
  const std::string_view content = embedded::find(source);
  if (content.empty()) return fail(ErrorCode::usage, fmt::format("no built-in \"{}\"", text::display(source)));
  if (!force && std::filesystem::exists(path))
    return fail(ErrorCode::usage, fmt::format("{} exists; --force overwrites it", path));
  return io::write_atomically(path, content);
}

int run(Session& session) {
  const Arguments& arguments = session.arguments();
  const std::string context = arguments.value("from", "offline-chat");
  const auto presets = context::preset_names();
  if (std::ranges::find(presets, context) == presets.end()) {
    const std::string near = text::closest(context, presets);
    return session.failed(
        {ErrorCode::usage, fmt::format("no built-in context \"{}\": expected one of {}{}", text::display(context, 80),
                                       fmt::join(presets, ", "),
                                       near.empty() ? std::string() : fmt::format("; did you mean \"{}\"?", near))});
  }
  const bool force = arguments.has("force");
  if (const auto done = write("context.toml", "presets/" + context + ".toml", force); !done)
    return session.failed(done.error());
  const std::string profile = arguments.value("profile", "business");
  if (const auto done = write("require.toml", "profiles/" + profile + ".toml", force); !done)
    return session.failed(done.error());
  if (arguments.has("settings")) {
    if (const auto done = write("steelyard.toml", "settings.toml", force); !done) return session.failed(done.error());
  }
  if (!arguments.has("quiet"))
    fmt::print(
        "wrote context.toml (your deployment) and require.toml (what must hold)\nnext: steelyard vet MODEL --context "
        "context.toml --require require.toml\n");
  return kClean;
}

}  // namespace

extern const Command init_command;
const Command init_command{"init", "write context.toml and require.toml, commented, to start from",
                           "",     "Example:\n  steelyard init --from mail-assistant --profile regulated",
                           kFlags, run};

}  // namespace steelyard::cli
