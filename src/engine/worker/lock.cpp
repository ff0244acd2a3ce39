#include "engine/worker/lock.hpp"

#include "sandbox/lockdown.hpp"

namespace steelyard::engine {
namespace {

constexpr int kSeconds = 7 * 24 * 3600;  // of CPU; the client has a watchdog for each request

}  // namespace

std::vector<std::string> lock(u64 memory_bytes, const std::function<void()>& start_threads) {
  std::vector<std::string> layers;
  const auto filter = sandbox::worker_filter();
  const auto children = start_threads ? sandbox::Children::threads : sandbox::Children::processes;
  if (sandbox::enter_namespaces(children)) layers.emplace_back("namespaces");
  if (const int abi = sandbox::restrict_landlock(); abi > 0) layers.push_back("landlock:" + std::to_string(abi));
  if (sandbox::drop_privileges()) layers.emplace_back("no_new_privs");
  if (sandbox::limit_resources(memory_bytes, kSeconds)) layers.emplace_back("rlimits");
  if (start_threads) start_threads();
  // This process isn't in a namespace of process ids, only its children would be.
  const bool alone = sandbox::forbid_signals_to_others();
  if (sandbox::install_filter(filter) && alone) layers.emplace_back("seccomp");
  return layers;
}

}  // namespace steelyard::engine
