// Reading the system's own files, bounded, and telling "not there" from "not allowed".
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace steelyard::host {

namespace fs = std::filesystem;

struct Content {
  std::string text;
  bool denied = false;  // it is there, but may not be read
  bool absent = false;
};

Content read(const fs::path& path, std::size_t most = 256 * 1024);
// Texts between NUL bytes.
std::vector<std::string> split_nul(std::string_view text);
// "Name:\tvalue" lines of /proc/<pid>/status: the value of one, trimmed.
std::string status_field(std::string_view status, std::string_view name);

struct Listener {
  std::string address;  // "127.0.0.1:8080", "[::]:8080"
  bool loopback = false;
  u64 inode = 0;
};
// Sockets in state LISTEN of /proc/net/tcp and tcp6 text.
std::vector<Listener> listeners(std::string_view table, bool v6);
// Whether a host name or address as written in flags stands for this machine only.
bool loopback_name(std::string_view host);

}  // namespace steelyard::host
