// Attack resisted: secrets in command lines and environments never leave this file; names of
// processes are data, not trusted. Tested by tests/unit/host_test.cpp.

#include "host/servers.hpp"

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include "base/embedded.hpp"
#include "base/text.hpp"
#include "wire/toml.hpp"

namespace steelyard::host {
namespace {

constexpr std::size_t kMostProcesses = 65'536;
constexpr std::size_t kMostServers = 256;

struct Kind {
  std::string id;
  std::vector<std::string> names, words, modules, host_flags, port_flags, key_flags, key_variables, host_variables;
  std::string default_host;
  i64 port = 0;
};

toml::Table open(const std::string& path, std::shared_ptr<toml::Document>& document) {
  auto parsed = toml::Document::parse(std::string(embedded::find(path)), "data/" + path);
  if (!parsed) throw std::logic_error(parsed.error().message);
  document = *parsed;
  return {*document, document->root(), path};
}

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = [] {
    std::shared_ptr<toml::Document> document;
    toml::Table root = open("host/servers.toml", document);
    std::vector<Kind> out;
    for (toml::Table& t : root.tables("server")) {
      out.push_back({t.required_text("id"), t.texts("names"), t.texts("words"), t.texts("modules"),
                     t.texts("host_flags"), t.texts("port_flags"), t.texts("key_flags"), t.texts("key_variables"),
                     t.texts("host_variables"), t.text("default_host", "127.0.0.1"), t.integer("port").value_or(0)});
      t.finish();
    }
    if (const auto checked = document->check(); !checked) throw std::logic_error(checked.error().message);
    return out;
  }();
  return all;
}

bool one_of(const std::vector<std::string>& list, const std::string& item) {
  return std::ranges::find(list, item) != list.end();
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

const Kind* recognise(const std::string& program, const std::vector<std::string>& argv) {
  if (argv.empty()) return nullptr;
  // "python3 /usr/bin/vllm serve": behind an interpreter the script's name counts.
  const std::string first = base_name(argv[0]);
  const bool interpreter =
      first.starts_with("python") || first == "node" || first == "java" || first == "bash" || first == "sh";
  std::vector<std::string> candidates = {program, first};
  if (interpreter && argv.size() > 1) candidates.push_back(base_name(argv[1]));
  for (const Kind& kind : kinds()) {
    const bool module =
        interpreter && std::ranges::any_of(argv, [&](const std::string& word) { return one_of(kind.modules, word); });
    const bool named =
        std::ranges::any_of(candidates, [&](const std::string& name) { return one_of(kind.names, name); });
    const bool words = kind.words.empty() ||
                       std::ranges::any_of(argv, [&](const std::string& word) { return one_of(kind.words, word); });
    if (module || (named && words)) return &kind;
  }
  return nullptr;
}

// The value of "--flag value" or "--flag=value", if any of the flags is there.
std::optional<std::string> flag(const std::vector<std::string>& argv, const std::vector<std::string>& flags) {
  for (std::size_t i = 0; i < argv.size(); ++i) {
    for (const std::string& name : flags) {
      if (argv[i] == name && i + 1 < argv.size()) return argv[i + 1];
      if (argv[i].starts_with(name + "=")) return argv[i].substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

class Process {
 public:
  Process(const fs::path& root, const std::string& pid) : folder_(root / "proc" / pid), self_(root / "proc" / "self") {}

  // Nothing when it is no model server; `readable` says whether that could be told.
  std::optional<Server> server(bool& readable) {
    const Content command = read(folder_ / "cmdline", 128 * 1024);
    if (command.denied) readable = false;
    argv_ = split_nul(command.text);
    std::error_code error;
    const std::string program = base_name(fs::read_symlink(folder_ / "exe", error).string());
    const Kind* kind = recognise(program, argv_);
    if (kind == nullptr) return std::nullopt;
    Server server;
    server.id = kind->id;
    std::from_chars(folder_.filename().c_str(), folder_.filename().c_str() + folder_.filename().string().size(),
                    server.pid);
    status(server);
    environment(*kind, server);
    addresses(*kind, server);
    server.contained = contained();
    return server;
  }

 private:
  void status(Server& server) const {
    const Content status = read(folder_ / "status");
    const std::string uids = status_field(status.text, "Uid");
    const std::size_t tab = uids.find_first_of(" \t");
    const std::size_t second = tab == std::string::npos ? tab : uids.find_first_not_of(" \t", tab);
    if (second != std::string::npos) server.user = uids.substr(second, uids.find_first_of(" \t", second) - second);
    server.root = server.user == "0";
    const std::string seccomp = status_field(status.text, "Seccomp");
    if (!seccomp.empty()) server.filtered = seccomp == "0" ? Known::no : Known::yes;
    const std::string capabilities = status_field(status.text, "CapEff");
    if (!capabilities.empty())
      server.capable = capabilities.find_first_not_of('0') == std::string::npos ? Known::no : Known::yes;
  }

  // Names only: a value is looked at no further than to see whether there is one.
  void environment(const Kind& kind, Server& server) {
    const Content environment = read(folder_ / "environ", 1024 * 1024);
    server.environment_read = !environment.denied && !environment.absent;
    bool key = flag(argv_, kind.key_flags).has_value();
    for (const std::string& entry : split_nul(environment.text)) {
      const std::size_t equals = entry.find('=');
      if (equals == std::string::npos || equals + 1 == entry.size()) continue;
      const std::string name = entry.substr(0, equals);
      if (one_of(kind.key_variables, name)) {
        key = true;
      } else if (secret_name(name)) {
        server.secrets.push_back(name);
      }
      if (one_of(kind.host_variables, name)) bound_to_ = entry.substr(equals + 1);
    }
    std::ranges::sort(server.secrets);
    const bool can_have_key = !kind.key_flags.empty() || !kind.key_variables.empty();
    server.authentication = key                                                                      ? Known::yes
                            : !can_have_key || server.environment_read || kind.key_variables.empty() ? Known::no
                                                                                                     : Known::unknown;
  }

  void addresses(const Kind& kind, Server& server) const {
    std::set<u64> sockets;
    std::error_code error;
    fs::directory_iterator descriptors(folder_ / "fd", error);
    const bool seen = !error;
    for (; !error && descriptors != fs::directory_iterator(); descriptors.increment(error)) {
      std::error_code ignored;
      const std::string target = fs::read_symlink(descriptors->path(), ignored).string();
      if (!target.starts_with("socket:[")) continue;
      u64 inode = 0;
      std::from_chars(target.data() + 8, target.data() + target.size(), inode);
      sockets.insert(inode);
    }
    if (seen) {
      for (const bool v6 : {false, true}) {
        for (const Listener& listener : listeners(read(folder_ / "net" / (v6 ? "tcp6" : "tcp"), 16 << 20).text, v6)) {
          if (!sockets.contains(listener.inode)) continue;
          server.listen.push_back(listener.address);
          server.listen_observed = true;
          if (!listener.loopback) server.exposed = Known::yes;
        }
      }
      if (server.listen_observed && server.exposed != Known::yes) server.exposed = Known::no;
      std::ranges::sort(server.listen);
    }
    if (server.listen_observed) return;
    // Not observed: what its command line and environment say, as far as they are readable.
    const auto host = flag(argv_, kind.host_flags);
    if (!host && bound_to_.empty() && !kind.host_variables.empty() && !server.environment_read) return;
    std::string name = host.value_or(bound_to_.empty() ? kind.default_host : bound_to_);
    if (const std::size_t scheme = name.find("://"); scheme != std::string::npos) name = name.substr(scheme + 3);
    const std::string port = flag(argv_, kind.port_flags).value_or(std::to_string(kind.port));
    const bool local = loopback_name(name);
    server.listen = {text::display(name.find(':') == std::string::npos ? name + ":" + port : name, 80)};
    // A claim may say that it is exposed; that it isn't would have to be seen.
    server.exposed = local ? Known::unknown : Known::yes;
  }

  Known contained() const {
    const Content cgroup = read(folder_ / "cgroup");
    for (const char* word : {"docker", "libpod", "kubepods", "containerd", "lxc", "machine.slice"}) {
      if (cgroup.text.contains(word)) return Known::yes;
    }
    std::error_code error;
    bool read_all = true;
    for (const char* kind : {"mnt", "pid", "net"}) {
      const auto theirs = fs::read_symlink(folder_ / "ns" / kind, error);
      const bool failed = static_cast<bool>(error);
      const auto ours = fs::read_symlink(self_ / "ns" / kind, error);
      if (failed || error) {
        read_all = false;
      } else if (theirs != ours) {
        return Known::yes;
      }
    }
    return read_all ? Known::no : Known::unknown;
  }

  fs::path folder_;
  fs::path self_;
  std::vector<std::string> argv_;
  std::string bound_to_;
};

}  // namespace

bool secret_name(std::string_view name) {
  static const std::vector<std::string> patterns = [] {
    std::shared_ptr<toml::Document> document;
    return open("host/runtimes.toml", document).texts("secret_patterns");
  }();
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return std::ranges::any_of(patterns, [&](const std::string& pattern) { return upper.contains(pattern); });
}

Servers servers(const fs::path& root) {
  Servers result;
  std::error_code error;
  fs::directory_iterator entries(root / "proc", error);
  std::size_t seen = 0;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string pid = entries->path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (++seen > kMostProcesses || result.found.size() >= kMostServers) {
      result.complete = false;
      break;
    }
    if (auto server = Process(root, pid).server(result.complete)) result.found.push_back(std::move(*server));
  }
  // hidepid leaves nothing, or only one's own processes, behind: process 1 is always somebody's.
  std::error_code ignored;
  if (error || seen == 0 || !fs::exists(root / "proc" / "1", ignored)) result.complete = false;
  std::ranges::sort(result.found, {}, &Server::pid);
  return result;
}

}  // namespace steelyard::host
