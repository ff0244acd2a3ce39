// Session: one run of the program: its arguments, environment, sandbox, caches and output.
#pragma once

#include <atomic>
#include <memory>

#include "accept/matcher.hpp"
#include "base/environment.hpp"
#include "cli/settings.hpp"
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
  Session(Arguments arguments, Settings settings)
      : arguments_(std::move(arguments)), settings_(std::move(settings)), warnings_(std::move(settings_.notes)) {}

  const Arguments& arguments() const { return arguments_; }
  const Environment& environment() const { return environment_; }

  // What the names stand for. A settings file within or beside one of them isn't used: ask for anything that
  // may be set there only afterwards.
  Result<std::vector<scan::Target>> targets(const std::vector<std::string>& names);

  // Who accepts findings in this run: the settings file's [[ignore]] and --baseline.
  Result<accept::Matcher> matcher() const;

  // Starts the sandbox, the first time, and opens the caches; call before any thread exists.
  Result<scan::Services> services();

  // Whether whole files are read: neither --no-hash nor --depth quick.
  bool hashes() const;
  // Scan options from that, --rehash and --jobs.
  Result<scan::Options> scan_options() const;

  // A report about `target`, ready to be filled.
  report::Report report(std::string command, std::string target) const;
  // Renders to standard output and to every --output file; returns the report's exit code, or kError, with a
  // message printed, when one could not be written.
  int deliver(report::Report report);

  // What earlier runs remember, to look at only: digests of files, and verdicts, newest first.
  io::DigestCache digests() const;
  std::vector<json::Value> verdicts(std::size_t most) const;

  // Keeps verdict documents for later runs, unless --no-cache; says when it can't.
  void keep(const json::Value& documents);
  // Keeps a record that cost something to make, unless --no-cache; services() has to be there.
  void keep(const evidence::Record& record);

  // Something that the user should know, on standard error and in the report.
  void warn(std::vector<std::string> texts);

  // "note: …" on standard error, unless --quiet was given `quiet` times or more.
  void note(const std::string& text, std::size_t quiet = 2) const;

  // What is kept between runs: $XDG_DATA_HOME/steelyard, $XDG_CACHE_HOME/steelyard; empty when there is no home.
  std::filesystem::path data_folder() const { return folder("XDG_DATA_HOME", ".local/share"); }
  std::filesystem::path cache_folder() const { return folder("XDG_CACHE_HOME", ".cache"); }

  // For text on standard output.
  report::Style style() const;

  // "steelyard: message" on standard error; returns kError.
  int failed(const Error& error) const;

 private:
  // $<variable>/steelyard, or ~/<fallback>/steelyard; empty when there is no home.
  std::filesystem::path folder(const std::string& variable, const std::string& fallback) const;
  bool color(int descriptor) const;
  void progress(i64 started, u64 done, u64 total);

  Arguments arguments_;
  Settings settings_;
  std::vector<std::string> warnings_;
  ProcessEnvironment environment_;
  std::unique_ptr<sandbox::Zygote> zygote_;
  std::unique_ptr<io::DigestCache> digests_;
  std::unique_ptr<evidence::Store> store_;
  std::atomic<i64> progress_shown_ = 0;
};

}  // namespace steelyard::cli
