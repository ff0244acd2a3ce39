#include "scan/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <ranges>
#include <set>
#include <thread>

#include "identity/identity.hpp"
#include "rules/advisories.hpp"
#include "rules/catalog.hpp"
#include "scan/origin.hpp"
#include "scan/protocol.hpp"

namespace steelyard::scan {
namespace {

constexpr std::size_t kBatchFiles = 64;
constexpr u64 kBatchBytes = u64{8} << 20;
constexpr std::size_t kExcerpt = 32;

// One file of the target on its way to becoming an artifact.
struct Job {
  std::size_t index = 0;  // into Target::files
  io::File file;
  std::string sha256;
  bool from_cache = false;
  bool changed = false;
  std::optional<Examination> found;
  std::string lost;  // why there is no examination
};

// Where in the file the finding's bytes stand; nothing when they are encoded there.
std::optional<u64> in_file(const Examination& found, const Finding& finding) {
  if (!finding.at || finding.at->begin == finding.at->end || !finding.artifact) return std::nullopt;
  u64 offset = finding.at->begin;
  for (std::optional<u32> i = finding.artifact; i; i = found.artifacts[*i].parent) {
    if (!found.artifacts[*i].encoding.empty()) return std::nullopt;
    offset += found.artifacts[*i].range.begin;
  }
  return offset;
}

class Run {
 public:
  Run(const Target& target, const Options& options, const Services& services)
      : target_(target), options_(options), services_(services) {}

  Result<evidence::Record> record();

 private:
  void open();
  void hash(Job& job);
  void hash_all();
  void parse(std::span<Job> jobs);
  void hash_parts(Job& job) const;
  bool parallel(std::vector<std::function<void()>> tasks);
  evidence::Record skeleton() const;
  void merge(Job& job, evidence::Record& record) const;

  const Target& target_;
  const Options& options_;
  const Services& services_;
  std::vector<Job> jobs_;
  std::vector<std::string> problems_;  // one per file of the target, empty when it was opened
  std::atomic<u64> hashed_ = 0;
  u64 total_ = 0;
  std::mutex mutex_;
  std::optional<Error> error_;
};

void Run::open() {
  problems_.resize(target_.files.size());
  for (std::size_t i = 0; i < target_.files.size(); ++i) {
    const TargetFile& entry = target_.files[i];
    if (!entry.problem.empty()) {
      problems_[i] = entry.problem;
      continue;
    }
    auto file = entry.open ? entry.open->again() : io::File::open(entry.path);
    if (!file) {
      problems_[i] = file.error().message;
      continue;
    }
    jobs_.push_back({.index = i, .file = std::move(*file), .sha256 = {}, .found = {}, .lost = {}});
  }
}

void Run::hash(Job& job) {
  if (services_.digests != nullptr && !options_.rehash) {
    if (auto known = services_.digests->find(job.file.stat())) {
      job.sha256 = std::move(*known);
      job.from_cache = true;
      return;
    }
  }
  u64 last = 0;
  job.sha256 = io::hash(job.file, services_.progress ? [&](u64 done) {
    services_.progress(hashed_ += done - last, total_);
    last = done;
  } : std::function<void(u64)>());
  if (job.sha256.empty() || !job.file.unchanged()) {
    job.sha256.clear();
    job.changed = true;
  } else if (services_.digests != nullptr) {
    services_.digests->remember(job.file.stat(), job.sha256, services_.environment.now());
  }
}

// A file that the target has under many names is read once.
void Run::hash_all() {
  std::map<std::pair<u64, u64>, Job*> first;
  std::vector<std::function<void()>> tasks;
  for (Job& job : jobs_) {
    const io::Stat& stat = job.file.stat();
    if (!first.emplace(std::pair(stat.device, stat.inode), &job).second) continue;
    total_ += stat.bytes;
    tasks.emplace_back([this, &job] { hash(job); });
  }
  (void)parallel(std::move(tasks));
  for (Job& job : jobs_) {
    const Job& same = *first.at({job.file.stat().device, job.file.stat().inode});
    if (&same == &job) continue;
    job.changed = same.changed || job.file.stat() != same.file.stat();
    if (!job.changed) job.sha256 = same.sha256;
    job.from_cache = same.from_cache;
  }
}

void Run::parse(std::span<Job> jobs) {
  sandbox::Batch batch{.task = 0, .files = {}, .request = {std::byte{options_.tensor_digests}}};
  const auto append = [&](Bytes bytes) { batch.request.insert(batch.request.end(), bytes.begin(), bytes.end()); };
  std::vector<u64> sizes;
  for (const Job& job : jobs) {
    batch.files.push_back(job.file.descriptor());
    // Its own name only: what a worker sees of the system is what its files say.
    std::string_view name = target_.files[job.index].name;
    name.remove_prefix(name.find_last_of('/') + 1);
    const auto length = static_cast<u32>(name.size());
    append(std::as_bytes(std::span(&job.file.stat().bytes, 1)));
    append(std::as_bytes(std::span(&length, 1)));
    append(as_bytes(name));
    sizes.push_back(job.file.size());
  }
  auto reply = services_.zygote.run(batch);
  if (!reply) {
    const std::lock_guard lock(mutex_);
    error_ = std::move(reply.error());
    return;
  }
  Decoded decoded = decode(reply->output, sizes);
  const bool all = std::ranges::all_of(decoded.items, [](const auto& item) { return item.has_value(); });
  if (!all && jobs.size() > 1) {
    parse(jobs.first(jobs.size() / 2));
    parse(jobs.subspan(jobs.size() / 2));
    return;
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    jobs[i].found = std::move(decoded.items[i]);
    if (jobs[i].found) continue;
    switch (reply->ending) {
      case sandbox::Ending::finished:
        jobs[i].lost = "the parser's answer was malformed";
        break;
      case sandbox::Ending::crashed:
        jobs[i].lost = "the parser crashed";
        break;
      case sandbox::Ending::timed_out:
        jobs[i].lost = "the parser ran out of time";
        break;
      case sandbox::Ending::too_much_output:
        jobs[i].lost = "the parser's answer was too large";
        break;
    }
  }
}

bool Run::parallel(std::vector<std::function<void()>> tasks) {
  const unsigned wanted = options_.jobs != 0 ? options_.jobs : std::max(1U, std::thread::hardware_concurrency());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) tasks[i]();
  };
  {
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min<std::size_t>(wanted, tasks.size()); ++i) helpers.emplace_back(work);
    work();
  }
  return !error_;
}

// The worker only says where the tensors are; this process reads and hashes them.
void Run::hash_parts(Job& job) const {
  if (!job.found || job.found->parts.empty()) return;
  json::Value list = json::Array{};
  for (const Part& part : job.found->parts) {
    std::string digest = io::hash(job.file, part.at.begin, part.at.end);
    if (digest.empty()) {
      job.changed = true;
      return;
    }
    list.push(json::Value()
                  .set("name", part.name)
                  .set("bytes", part.at.end - part.at.begin)
                  .set("sha256", std::move(digest)));
  }
  job.found->facts.push_back({"model.tensor_digests", std::move(list), 0, std::nullopt, Assurance::verified});
}

evidence::Record Run::skeleton() const {
  evidence::Record record;
  record.kind = "scan";
  record.method = {.tool = STEELYARD_VERSION,
                   .analyzer = kAnalyzer,
                   .rules = rules::pack_digest(),
                   .engine = {},
                   .seed = {},
                   .uses = {}};
  if (options_.tensor_digests) record.method.params.set("tensor_digests", true);
  if (json::Value origin = origin_key(target_); !origin.is_null())
    record.method.params.set("origin", std::move(origin));
  for (const TargetFile& file : target_.files) record.subjects.push_back({"file", file.name, "", 0});
  for (const Job& job : jobs_) {
    record.subjects[job.index].sha256 = job.sha256;
    record.subjects[job.index].bytes = job.file.size();
  }
  return record;
}

void Run::merge(Job& job, evidence::Record& record) const {
  Examination& all = record.found;
  const auto base = static_cast<u32>(all.artifacts.size());
  const auto subject = static_cast<u32>(job.index);
  const std::string& name = target_.files[job.index].name;
  if (!job.found) {
    job.found.emplace();
    job.found->artifacts.push_back({std::nullopt, 0, "", "unknown", {0, job.file.size()}, {}, job.file.size()});
    job.found->coverage.push_back({0, job.file.size(), 0, {{{0, job.file.size()}, job.lost}}});
    job.found->findings.push_back({"LIM002", Severity::medium, 0, std::nullopt, json::Value().set("why", job.lost)});
    record.status = evidence::Status::partial;
  }
  if (job.changed) {
    job.found->findings.push_back({"LIM003", Severity::high, 0, std::nullopt, json::Object{}});
    record.status = evidence::Status::partial;
  }
  for (Fact& fact : job.found->facts) {
    if (fact.artifact) *fact.artifact += base;
    all.facts.push_back(std::move(fact));
  }
  for (Finding& finding : job.found->findings) {
    // The worker is not asked for an excerpt: the bytes shown are those that this process reads.
    if (const auto offset = in_file(*job.found, finding)) {
      std::array<std::byte, kExcerpt> bytes{};
      const u64 length = std::min<u64>(bytes.size(), finding.at->end - finding.at->begin);
      const std::size_t count = job.file.read(*offset, std::span(bytes).first(length));
      finding.data.set(
          "excerpt",
          fmt::format("{:02x}", fmt::join(as_text(Bytes(bytes).first(count)) |
                                              std::views::transform([](char c) { return static_cast<u8>(c); }),
                                          "")));
    }
    if (finding.artifact) *finding.artifact += base;
    all.findings.push_back(std::move(finding));
  }
  for (Artifact& artifact : job.found->artifacts) {
    if (artifact.parent) *artifact.parent += base;
    artifact.subject = subject;
    artifact.path = artifact.path.empty() ? name : name + "!" + artifact.path;
    all.artifacts.push_back(std::move(artifact));
  }
  for (Coverage& coverage : job.found->coverage) {
    coverage.artifact += base;
    all.coverage.push_back(std::move(coverage));
  }
}

Result<evidence::Record> Run::record() {
  open();
  const i64 started = services_.environment.now();
  if (options_.hash) hash_all();
  evidence::Record record = skeleton();
  if (services_.store != nullptr && !options_.rehash) {
    if (auto known = services_.store->find(evidence::cache_key(record), started, options_.max_age))
      return std::move(*known);
  }

  std::vector<std::function<void()>> batches;
  for (std::size_t begin = 0; begin < jobs_.size();) {
    std::size_t end = begin;
    for (u64 bytes = 0; end < jobs_.size() && end - begin < kBatchFiles; ++end) {
      bytes += jobs_[end].file.size();
      if (bytes > kBatchBytes && end > begin) break;
    }
    batches.emplace_back([this, begin, end] { parse(std::span(jobs_).subspan(begin, end - begin)); });
    begin = end;
  }
  std::vector<std::string> git(target_.files.size());
  for (const Job& job : jobs_) {
    if (options_.hash && named_by_git(target_.files[job.index]))
      batches.emplace_back([&git, &job] { git[job.index] = io::git_blob(job.file); });
  }
  if (!parallel(std::move(batches))) return std::unexpected(*error_);
  if (options_.tensor_digests) {
    std::vector<std::function<void()>> files;
    for (Job& job : jobs_) files.emplace_back([this, &job] { hash_parts(job); });
    (void)parallel(std::move(files));
  }

  bool all_cached = !jobs_.empty();
  for (Job& job : jobs_) {
    job.changed = job.changed || !job.file.unchanged();
    if (job.changed) record.subjects[job.index].sha256.clear();
    all_cached = all_cached && job.from_cache;
    merge(job, record);
  }
  for (std::size_t i = 0; i < problems_.size(); ++i) {
    if (problems_[i].empty()) continue;
    const auto artifact = static_cast<u32>(record.found.artifacts.size());
    record.found.artifacts.push_back({std::nullopt, static_cast<u32>(i), target_.files[i].name, "unknown", {}, {}, 0});
    json::Value data = target_.files[i].data;
    record.found.findings.push_back(
        {target_.files[i].rule, Severity::medium, artifact, std::nullopt, std::move(data.set("why", problems_[i]))});
    record.found.coverage.push_back({artifact, 0, 0, {{{}, problems_[i]}}});
    record.status = evidence::Status::partial;
  }
  add_origin(target_, git, record);
  identity::weigh_claims(record.found);
  rules::note_advisories(record.found);
  for (Finding& finding : record.found.findings) {
    if (const rules::Rule* rule = rules::find(finding.rule)) finding.severity = rule->severity;
  }
  record.found.complete = record.status == evidence::Status::complete;
  record.run = {format_time(started), 0, services_.zygote.layers(),
                !options_.hash ? "none"
                : all_cached   ? "cache"
                               : "hashed"};
  if (services_.store != nullptr) (void)services_.store->put(record);
  return record;
}

}  // namespace

Result<evidence::Record> scan(const Target& target, const Options& options, const Services& services) {
  return Run(target, options, services).record();
}

}  // namespace steelyard::scan
