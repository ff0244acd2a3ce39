#include "host/system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>

namespace steelyard::host {
namespace {

std::optional<u64> hex(std::string_view text) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// /proc prints each 32-bit word of an address in the machine's byte order.
std::vector<u8> address_bytes(std::string_view digits) {
  std::vector<u8> bytes;
  for (std::size_t word = 0; word + 8 <= digits.size(); word += 8) {
    const auto value = hex(digits.substr(word, 8));
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<u8>(value.value_or(0) >> (8 * i)));
  }
  return bytes;
}

}  // namespace

Content read(const fs::path& path, std::size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return {.text = {}, .denied = errno == EACCES || errno == EPERM, .absent = errno != EACCES && errno != EPERM};
  Content content;
  std::array<char, 16 * 1024> window;
  while (content.text.size() < most) {
    const ssize_t count = ::read(fd, window.data(), std::min(window.size(), most - content.text.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) content.denied = errno == EACCES || errno == EPERM;
    if (count <= 0) break;
    content.text.append(window.data(), static_cast<std::size_t>(count));
  }
  ::close(fd);
  return content;
}

std::vector<std::string> split_nul(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string status_field(std::string_view status, std::string_view name) {
  const std::string wanted = std::string(name) + ":";
  while (!status.empty()) {
    const std::size_t end = std::min(status.find('\n'), status.size());
    std::string_view line = status.substr(0, end);
    if (line.starts_with(wanted)) {
      line.remove_prefix(wanted.size());
      line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
      return std::string(line);
    }
    status.remove_prefix(std::min(end + 1, status.size()));
  }
  return {};
}

std::vector<Listener> listeners(std::string_view table, bool v6) {
  std::vector<Listener> out;
  std::istringstream lines{std::string(table)};
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string number, local, remote, state, queue, timer, retransmit, uid, timeout, inode;
    words >> number >> local >> remote >> state >> queue >> timer >> retransmit >> uid >> timeout >> inode;
    const std::size_t colon = local.find(':');
    if (state != "0A" || colon != (v6 ? 32U : 8U)) continue;
    const auto port = hex(std::string_view(local).substr(colon + 1));
    u64 socket = 0;
    std::from_chars(inode.data(), inode.data() + inode.size(), socket);
    const auto b = address_bytes(std::string_view(local).substr(0, colon));
    Listener listener;
    listener.inode = socket;
    if (!v6) {
      listener.loopback = b[0] == 127;
      listener.address = fmt::format("{}.{}.{}.{}:{}", b[0], b[1], b[2], b[3], port.value_or(0));
    } else {
      const bool mapped =
          std::all_of(b.begin(), b.begin() + 10, [](u8 x) { return x == 0; }) && b[10] == 0xFF && b[11] == 0xFF;
      const bool one = std::all_of(b.begin(), b.begin() + 15, [](u8 x) { return x == 0; }) && b[15] == 1;
      const bool any = std::all_of(b.begin(), b.end(), [](u8 x) { return x == 0; });
      listener.loopback = one || (mapped && b[12] == 127);
      std::string text;
      for (std::size_t i = 0; i < 16; i += 2) text += fmt::format("{}{:x}", i == 0 ? "" : ":", b[i] << 8 | b[i + 1]);
      if (one) text = "::1";
      if (any) text = "::";
      listener.address = mapped ? fmt::format("{}.{}.{}.{}:{}", b[12], b[13], b[14], b[15], port.value_or(0))
                                : fmt::format("[{}]:{}", text, port.value_or(0));
    }
    out.push_back(std::move(listener));
  }
  return out;
}

bool loopback_name(std::string_view host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.") || host.ends_with(".sock");
}

}  // namespace steelyard::host
