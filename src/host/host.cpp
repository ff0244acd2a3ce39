// The record of the host: what was seen, and the five checks that requirements ask about.

#include "host/host.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "host/permissions.hpp"
#include "host/runtimes.hpp"
#include "host/servers.hpp"
#include "rules/catalog.hpp"

namespace steelyard::host {
namespace {

json::Value texts(const std::vector<std::string>& items) {
  json::Value list = json::Array{};
  for (const auto& item : items) list.push(text::display(item, 200));
  return list;
}

std::string_view word(Known known) { return known == Known::yes ? "yes" : known == Known::no ? "no" : "unknown"; }

class Examiner {
 public:
  Examiner(const Environment& environment, const std::vector<std::string>& models)
      : root_(environment.root()), models_(models) {
    servers_ = servers(root_);
    system();
    permissions();
    exposure();
    privilege();
    secrets();
    isolation();
    fact("host.runtimes", runtimes(environment), Assurance::verified);
  }

  evidence::Record record() {
    evidence::Record record;
    record.kind = "host";
    record.found = std::move(found_);
    for (Finding& finding : record.found.findings) {
      if (const rules::Rule* rule = rules::find(finding.rule)) finding.severity = rule->severity;
    }
    record.method = {
        .tool = STEELYARD_VERSION, .analyzer = 1, .rules = rules::pack_digest(), .engine = {}, .seed = {}, .uses = {}};
    json::Value all = json::Array{};
    for (const Fact& f : record.found.facts) all.push(f.key).push(f.value);
    record.subjects.push_back({"host", "this machine", sha256(json::canonical(all)), 0});
    return record;
  }

 private:
  void fact(std::string key, json::Value value, Assurance assurance) {
    found_.facts.push_back({std::move(key), std::move(value), std::nullopt, std::nullopt, assurance});
  }
  void finding(std::string rule, json::Value data) {
    found_.findings.push_back({std::move(rule), Severity::info, std::nullopt, std::nullopt, std::move(data)});
  }

  // One check: bad wins over unknown, unknown over ok.
  void check(const std::string& name, const std::vector<std::string>& bad, const std::vector<std::string>& unknown,
             std::string ok) {
    const auto join = [](const std::vector<std::string>& reasons) {
      return reasons.size() <= 2 ? fmt::format("{}", fmt::join(reasons, "; "))
                                 : fmt::format("{}; {} and {} more", reasons[0], reasons[1], reasons.size() - 2);
    };
    const std::string_view state = !bad.empty() ? "bad" : !unknown.empty() ? "unknown" : "ok";
    std::string why = !bad.empty() ? join(bad) : !unknown.empty() ? join(unknown) : std::move(ok);
    fact("host.check." + name, json::Value().set("state", state).set("why", std::move(why)),
         state == "unknown" ? Assurance::missing : Assurance::verified);
  }

  static std::string name(const Server& server) { return fmt::format("{} (process {})", server.id, server.pid); }

  void system() {
    const std::string kernel = read(root_ / "proc/sys/kernel/osrelease").text;
    fact("host.kernel", text::display(kernel.substr(0, kernel.find('\n')), 100), Assurance::verified);
    std::error_code error;
    const bool container = fs::exists(root_ / ".dockerenv", error) || fs::exists(root_ / "run/.containerenv", error);
    fact("host.container", container, Assurance::verified);
    fact("host.user", std::to_string(::geteuid()), Assurance::verified);
    const std::string status = read(root_ / "proc/self/status").text;
    fact("host.seccomp", status_field(status, "Seccomp"), Assurance::verified);
    for (const char* setting :
         {"kernel/unprivileged_bpf_disabled", "kernel/yama/ptrace_scope", "user/max_user_namespaces"}) {
      const Content content = read(root_ / "proc/sys" / setting);
      std::string key = fmt::format("host.{}", fs::path(setting).filename().string());
      if (!content.absent)
        fact(std::move(key), text::display(content.text.substr(0, content.text.find('\n')), 40), Assurance::verified);
    }
    json::Value list = json::Array{};
    for (const Server& s : servers_.found) {
      list.push(json::Value()
                    .set("server", s.id)
                    .set("pid", s.pid)
                    .set("user", s.user)
                    .set("root", s.root)
                    .set("listen", texts(s.listen))
                    .set("observed", s.listen_observed)
                    .set("exposed", word(s.exposed))
                    .set("authentication", word(s.authentication))
                    .set("contained", word(s.contained))
                    .set("seccomp", word(s.filtered))
                    .set("capabilities", word(s.capable))
                    .set("secrets", texts(s.secrets)));
    }
    fact("host.servers", std::move(list), Assurance::verified);
    std::set<std::string> names;
    for (const std::string& entry : split_nul(read(root_ / "proc/self/environ", 1 << 20).text)) {
      const std::string variable = entry.substr(0, entry.find('='));
      if (secret_name(variable)) names.insert(variable);
    }
    fact("host.secrets", texts({names.begin(), names.end()}), Assurance::verified);
  }

  void permissions() {
    std::set<std::string> seen;
    std::vector<std::string> bad;
    std::vector<std::string> unknown;
    for (const std::string& model : models_) {
      for (const Weakness& weakness : weaknesses(root_.string(), model, ::geteuid())) {
        if (!seen.insert(weakness.path).second) continue;
        // The path is left out of the record: the same model in another folder has the same record.
        const std::string what = weakness.path == model ? "the model file" : "a folder above the model";
        (weakness.unknown ? unknown : bad).push_back(fmt::format("{} {}", what, weakness.why));
        if (!weakness.unknown) finding("HST001", json::Value().set("what", what).set("why", weakness.why));
      }
    }
    const auto unique = [](std::vector<std::string>& list) {
      std::ranges::sort(list);
      list.erase(std::ranges::unique(list).begin(), list.end());
    };
    unique(bad);
    unique(unknown);
    if (models_.empty()) return;
    check("model_permissions", bad, unknown,
          "only you and root may write the model's files and the folders above them");
  }

  void incomplete(std::vector<std::string>& unknown) const {
    if (!servers_.complete)
      unknown.emplace_back("not every process could be read, so a model server may be hidden (run as root)");
  }

  void exposure() {
    std::vector<std::string> bad;
    std::vector<std::string> unknown;
    for (const Server& s : servers_.found) {
      if (s.exposed == Known::no || s.authentication == Known::yes) continue;
      const std::string where = s.listen.empty() ? "an unknown address" : s.listen.front();
      if (s.exposed == Known::yes && s.authentication == Known::no) {
        bad.push_back(fmt::format("{} listens on {} without authentication", name(s), where));
        finding("HST002", json::Value().set("server", s.id).set("pid", s.pid).set("listen", where));
      } else {
        unknown.push_back(
            fmt::format("where {} listens, or with which authentication, could not be seen (run as root)", name(s)));
      }
    }
    incomplete(unknown);
    check("server_exposure", bad, unknown,
          servers_.found.empty() ? "no model server is running"
                                 : "every model server listens on this machine only, or asks for a key");
  }

  void privilege() {
    std::vector<std::string> bad;
    std::vector<std::string> unknown;
    for (const Server& s : servers_.found) {
      if (s.user.empty() || s.capable == Known::unknown) {
        unknown.push_back(fmt::format("the rights of {} could not be read", name(s)));
      } else if ((s.root || s.capable == Known::yes) && s.contained != Known::yes) {
        bad.push_back(fmt::format("{} runs {}", name(s), s.root ? "as root" : "with capabilities"));
        finding(
            "HST003",
            json::Value().set("server", s.id).set("pid", s.pid).set("how", s.root ? "as root" : "with capabilities"));
      }
    }
    incomplete(unknown);
    check("server_privilege", bad, unknown,
          servers_.found.empty() ? "no model server is running" : "no model server runs as root outside a container");
  }

  void secrets() {
    std::vector<std::string> bad;
    std::vector<std::string> unknown;
    for (const Server& s : servers_.found) {
      if (!s.secrets.empty()) {
        bad.push_back(fmt::format("{} holds {}", name(s), text::display(s.secrets.front(), 64)));
        finding("HST004", json::Value().set("server", s.id).set("pid", s.pid).set("names", texts(s.secrets)));
      } else if (!s.environment_read) {
        unknown.push_back(fmt::format("the environment of {} could not be read (run as root)", name(s)));
      }
    }
    incomplete(unknown);
    check("secrets", bad, unknown,
          servers_.found.empty() ? "no model server is running" : "no model server has secret-named variables");
  }

  void isolation() {
    std::vector<std::string> bad;
    std::vector<std::string> unknown;
    for (const Server& s : servers_.found) {
      if (s.contained == Known::yes || s.filtered == Known::yes) continue;
      if (s.contained == Known::no && s.filtered == Known::no) {
        bad.push_back(fmt::format("{} runs without container, namespaces or seccomp", name(s)));
        finding("HST005", json::Value().set("server", s.id).set("pid", s.pid));
      } else {
        unknown.push_back(fmt::format("the isolation of {} could not be read (run as root)", name(s)));
      }
    }
    incomplete(unknown);
    check("isolation", bad, unknown,
          servers_.found.empty() ? "no model server is running"
                                 : "every model server is isolated by a container, namespaces or seccomp");
  }

  fs::path root_;
  const std::vector<std::string>& models_;
  Servers servers_;
  Examination found_;
};

}  // namespace

evidence::Record examine(const Environment& environment, const std::vector<std::string>& models) {
  return Examiner(environment, models).record();
}

}  // namespace steelyard::host
