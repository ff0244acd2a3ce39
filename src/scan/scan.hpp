// Scan: one target in, one record of kind "scan" out.
//
// The parent opens every file, hashes it itself and checks that it didn't change meanwhile; workers
// parse. Files go to workers in batches of at most 64 files or 8 MiB; a large file gets its own. A
// batch whose worker dies is halved until the file that kills it is known; that file's coverage is
// lost and said. scan() uses several threads; call it from one at a time.
// Tested by tests/unit/scan_test.cpp and tests/cli/.
#pragma once

#include <functional>

#include "base/environment.hpp"
#include "evidence/store.hpp"
#include "io/digest_cache.hpp"
#include "sandbox/sandbox.hpp"
#include "scan/target.hpp"

namespace steelyard::scan {

inline constexpr u32 kAnalyzer = 3;

struct Options {
  bool hash = true;              // without it the record has no digests and is never reused
  bool rehash = false;           // ignore remembered digests and records
  bool tensor_digests = false;   // also the SHA-256 of every tensor: reads every file a second time
  unsigned jobs = 0;             // 0: one per core
  i64 max_age = 90 * 24 * 3600;  // seconds: how old a reused record may be
};

struct Services {
  const Environment& environment;
  sandbox::Zygote& zygote;
  io::DigestCache* digests = nullptr;
  const evidence::Store* store = nullptr;
  std::function<void(u64 done, u64 total)> progress;  // bytes hashed; called from several threads
};

// Never an Error for what a file contains; an Error when the sandbox is gone.
Result<evidence::Record> scan(const Target& target, const Options& options, const Services& services);

// The task that runs in workers: give it to Zygote::start as task 0.
void worker_task(std::span<const int> files, Bytes request, const sandbox::Writer& write);

}  // namespace steelyard::scan
