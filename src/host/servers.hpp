// Running model servers, from /proc: who runs, as whom, listening where, with what around it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "host/system.hpp"

namespace steelyard::host {

enum class Known { yes, no, unknown };

struct Server {
  std::string id;  // of data/host/servers.toml; what the process looks like
  u64 pid = 0;
  std::string user;  // uid
  bool root = false;
  std::vector<std::string> listen;  // addresses; empty when unknown
  bool listen_observed = false;     // from the kernel's socket table; otherwise from its command line
  Known exposed = Known::unknown;   // beyond this machine
  Known authentication = Known::unknown;
  Known contained = Known::unknown;  // a container or namespaces of its own
  Known filtered = Known::unknown;   // a seccomp filter
  Known capable = Known::unknown;    // holds any capability
  std::vector<std::string> secrets;  // names of secret-looking variables
  bool environment_read = false;
};

struct Servers {
  std::vector<Server> found;
  bool complete = true;  // every process could be identified
};

Servers servers(const fs::path& root);

// Whether a variable's name looks like that of a secret.
bool secret_name(std::string_view name);

}  // namespace steelyard::host
