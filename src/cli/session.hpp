// Session: one run of the program: its arguments, environment, sandbox, caches and output.
#pragma once

#include <atomic>
#include <memory>

#include "base/environment.hpp"
#include "cli/command.hpp"
#include "evidence/history.hpp"
#include "evidence/store.hpp"
#include "io/digest_cache.hpp"
#include "report/renderer.hpp"
#include "scan/scan.hpp"

namespace steelyard::cli {

class ProcessEnvironment final : public Environment {
 public:
  std::optional<std::string> variable(const std::string& name) const override;
  i64 now() const override;
  std::filesystem::path root() const override { return "/"; }
};

class Session {
 public:
  explicit Session(Arguments arguments) : arguments_(std::move(arguments)) {}

  const Arguments& arguments() const { return arguments_; }
  const Environment& environment() const { return environment_; }

  // Starts the sandbox and opens the caches; call before any thread exists.
  Result<scan::Services> services();

  // Scan options from --no-hash, --rehash and --jobs.
  Result<scan::Options> scan_options() const;

  // A report about `target`, ready to be filled.
  report::Report report(std::string command, std::string target) const;
  // Renders to standard output and to every --output file. False, with a message printed, when a
  // file could not be written or its ending names no format.
  bool deliver(const report::Report& report);

  // What earlier runs remember, to look at only: digests of files, and verdicts, newest first.
  io::DigestCache digests() const;
  std::vector<json::Value> verdicts(std::size_t most) const;

  // Keeps verdict documents for later runs, unless --no-cache; says when it can't.
  void keep(const json::Value& documents);

  // For text on standard output.
  report::Style style() const;

  // "steelyard: message" on standard error; returns kError.
  int failed(const Error& error) const;

 private:
  // $<variable>/steelyard, or ~/<fallback>/steelyard; empty when there is no home.
  std::filesystem::path folder(const std::string& variable, const std::string& fallback) const;
  bool color(int descriptor) const;
  void progress(u64 done, u64 total);

  Arguments arguments_;
  ProcessEnvironment environment_;
  std::unique_ptr<sandbox::Zygote> zygote_;
  std::unique_ptr<io::DigestCache> digests_;
  std::unique_ptr<evidence::Store> store_;
  std::atomic<i64> progress_shown_ = 0;
};

}  // namespace steelyard::cli
