#include <fmt/format.h>

#include <csignal>
#include <exception>

#include "cli/session.hpp"

int main(int argc, char** argv) {
  using namespace steelyard;
  std::signal(SIGPIPE, SIG_IGN);
  try {
    cli::Parsed parsed = cli::parse(argc, argv);
    if (parsed.command == nullptr) return parsed.exit;
    const cli::ProcessEnvironment environment;
    auto settings = cli::settle(*parsed.command, parsed.arguments, environment);
    if (!settings) {
      fmt::print(stderr, "steelyard: {}\n", settings.error().message);
      return cli::kError;
    }
    if (parsed.arguments.has("show-settings")) return cli::show(*parsed.command, *settings, parsed.arguments);
    cli::Session session(std::move(parsed.arguments), std::move(*settings));
    return parsed.command->run(session);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "steelyard: out of memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "steelyard: internal error: {}\n", error.what());
  }
  return cli::kError;
}
