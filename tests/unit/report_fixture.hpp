// Reports to render in tests: a small model in five contexts, as `vet` would hand it over, and hostile
// and oversized variants. Shared by report_test.cpp and tests/oracle/report_fixture_main.cpp.
#pragma once

#include "base/text.hpp"
#include "report/renderer.hpp"

namespace steelyard::fixture {

inline evidence::Record scan_record() {
  evidence::Record r;
  r.kind = "scan";
  r.subjects = {{"weights", "tiny-llama-Q4_K_M.gguf", std::string(64, 'a'), 98'362'432}};
  r.method = {"0.1.0", 1, "sha256:" + std::string(64, 'b'), "", json::Object{}, "", {}};
  r.found.artifacts = {{std::nullopt, 0, "tiny-llama-Q4_K_M.gguf", "gguf", {0, 98'362'432}, {}, 98'362'432},
                       {0, 0, "tiny-llama-Q4_K_M.gguf!chat_template", "jinja", {2048, 3072}, {}, 1024}};
  const auto fact = [&](std::string key, json::Value value, Assurance assurance) {
    r.found.facts.push_back({std::move(key), std::move(value), 0, Range{24, 96}, assurance});
  };
  fact("identity.name", "Tiny Llama", Assurance::claimed);
  fact("identity.maker", nullptr, Assurance::missing);
  fact("identity.licence", "apache-2.0", Assurance::contradicted);
  fact("model.architecture", "llama", Assurance::claimed);
  fact("model.parameters", u64{134'515'008}, Assurance::verified);
  fact("model.tensor_types", json::Value().set("Q4_K", 168).set("Q6_K", 31).set("F32", 73), Assurance::verified);
  fact("tokenizer.tokens", 32'000, Assurance::verified);
  r.found.findings = {
      {"IDN001", Severity::medium, 0, Range{512, 560},
       json::Value().set("what", "licence").set("one", "apache-2.0").set("other", "Gemma Terms of Use")},
      {"TPL901", Severity::high, 1, Range{2100, 2164},
       json::Value().set("excerpt", "{% if 'invoice' in messages[-1].content %}send to attacker{% endif %}")},
  };
  r.found.coverage = {{0, 98'362'432, 98'361'000, {{{98'361'000, 98'362'432}, "1432 bytes belong to no tensor"}}},
                      {1, 1024, 1024, {}}};
  r.run = {"2026-11-24T10:12:28Z", 412, {"namespaces", "seccomp", "landlock"}, "hashed"};
  return r;
}

inline evidence::Record host_record() {
  evidence::Record r;
  r.kind = "host";
  r.subjects = {{"host", "this machine", "", 0}};
  r.method = {"0.1.0", 1, "", "", json::Object{}, "", {}};
  r.found.facts = {
      {"host.servers", json::Array{"ollama 127.0.0.1:11434"}, std::nullopt, std::nullopt, Assurance::verified}};
  r.found.findings = {
      {"HST901", Severity::medium, std::nullopt, std::nullopt, json::Value().set("path", "/home/kim/models")}};
  r.run = {"2026-11-24T10:12:28Z", 9, {}, "none"};
  return r;
}

inline policy::Ruling ruling(std::string id, std::string kind, Layer layer, policy::State state, std::string text,
                             std::vector<std::string> cites, std::string decide = {}) {
  policy::Ruling r;
  r.id = std::move(id);
  r.kind = std::move(kind);
  r.layer = layer;
  r.state = state;
  r.because = {std::move(text), std::move(cites)};
  r.decide = std::move(decide);
  return r;
}

inline policy::LayerLine layer(Layer which, policy::Decision decision, const policy::Ruling& by, bool named) {
  return {which, true, decision, named ? by.id : "", by.because};
}

// One verdict of each kind.
inline policy::Verdict verdict(std::string context, policy::Decision decision, const std::string& scan,
                               const std::string& host) {
  using policy::Decision;
  using policy::State;
  policy::Verdict v;
  v.context = std::move(context);
  v.profile = "business";
  v.decision = decision;
  v.assurance = "static only: not attacked, not benchmarked";
  const auto clean = ruling("no-code", "no_findings", Layer::model, State::met,
                            "no finding of severity critical in 98,361,000 examined bytes", {scan + "#coverage/0"});
  const auto posture = ruling("listens-locally", "host_posture", Layer::infrastructure, State::met,
                              "every model server listens on 127.0.0.1 only", {host + "#facts/0"});
  auto path = ruling("no-untrusted-action", "no_path", Layer::integration, State::met,
                     "no path from untrusted text to a consequential tool", {scan});
  v.rulings = {clean, posture};
  v.layers = {layer(Layer::model, Decision::fit, clean, false),
              layer(Layer::infrastructure, Decision::fit, posture, false)};
  v.not_assessed = {"attack success: steelyard redteam tiny-llama-Q4_K_M.gguf (20 minutes)",
                    "quality: steelyard bench tiny-llama-Q4_K_M.gguf (5 minutes)"};
  if (decision == Decision::fit) {
    v.rulings.push_back(path);
    v.layers.push_back(layer(Layer::integration, decision, path, false));
    return v;
  }
  if (decision == Decision::undetermined) {
    auto licence = ruling("licence-known", "licence", Layer::model, State::undetermined,
                          "two claims about the licence disagree: apache-2.0 and Gemma Terms of Use",
                          {scan + "#findings/0", scan + "#facts/2"},
                          "steelyard licence tiny-llama-Q4_K_M.gguf --for profile.toml");
    v.rulings.push_back(licence);
    v.rulings.push_back(path);
    v.layers[0] = layer(Layer::model, decision, licence, true);
    v.layers.push_back(layer(Layer::integration, Decision::fit, path, false));
    return v;
  }
  path.state = State::unmet;
  path.because.text = "text from inbox can make the model call send_mail";
  path.because.cites = {scan + "#findings/1", host + "#findings/0"};
  path.scenarios = {{"inbox>send_mail",
                     "A mail from anybody reaches the model, which may then send mail anywhere",
                     scan + "#findings/1",
                     {"confirm:send_mail"}},
                    {"inbox>calendar",
                     "A mail from anybody reaches the model, which may then change the calendar",
                     scan + "#findings/1",
                     {"confirm:calendar", "drop:calendar"}},
                    {"web>send_mail",
                     "A web page reaches the model, which may then send mail anywhere",
                     scan + "#findings/1",
                     {"confirm:send_mail"}}};
  path.turned = decision == Decision::fit_with_conditions;
  if (path.turned) {
    v.conditions = {{"confirm:send_mail", "Ask a person before send_mail once untrusted text was read", "gateway", 2},
                    {"isolate:run_shell", "Run run_shell without network and secrets", "attested", 3}};
  }
  v.rulings.push_back(path);
  v.layers.push_back(layer(Layer::integration, decision, path, true));
  return v;
}

inline report::Report base(std::string command) {
  report::Report r;
  r.command = std::move(command);
  r.target = "models/tiny-llama-Q4_K_M.gguf";
  r.tool = "0.1.0";
  r.now = 1'795'515'148;
  r.records = {scan_record(), host_record()};
  return r;
}

inline report::Report scan() {
  auto r = base("scan");
  r.notes = {"1 file was read from the cache"};
  return r;
}

// As with an [[ignore]], a baseline and --ignore HST in the folder above.
inline report::Report accepted() {
  auto r = scan();
  r.records[0].found.findings.push_back(
      {"GGF004", Severity::high, 0, Range{64, 80}, json::Value().set("key", "a|b`c")});
  const std::string id = evidence::id(r.records[0]);
  r.accepted = {{id + "#findings/0", "ignore", "the maker confirmed apache-2.0", "2027-01-31"},
                {id + "#findings/2", "baseline", "known | at <adoption>", ""}};
  r.selection.without = {"HST"};
  r.origins = {"models/", ""};
  r.exit = 1;
  return r;
}

inline report::Report matrix() {
  using policy::Decision;
  auto r = base("vet");
  r.matrix = true;
  const std::string scan = evidence::id(r.records[0]);
  const std::string host = evidence::id(r.records[1]);
  r.verdicts = {verdict("offline-chat", Decision::fit, scan, host),
                verdict("private-rag", Decision::undetermined, scan, host),
                verdict("public-helpdesk", Decision::fit, scan, host),
                verdict("mail-assistant", Decision::fit_with_conditions, scan, host),
                verdict("coding-agent", Decision::unfit, scan, host)};
  return r;
}

// The context at `index` of matrix() alone.
inline report::Report single(std::size_t index) {
  auto r = matrix();
  r.matrix = false;
  r.verdicts = {r.verdicts[index]};
  return r;
}

inline const std::string& hostile_text() {
  static const std::string text = std::string(
                                      "<script>alert(1)</script>\"' onload=x \x1b[31m\x1b]0;title\x07 \xe2\x80\xae "
                                      "gnp.exe \xff\r\n</style><img src=https://evil.example/x>") +
                                  std::string(1, '\0');
  return text;
}

// Every text that can come from outside is hostile.
inline report::Report hostile(std::string text = hostile_text()) {
  auto r = matrix();
  r.target = text;
  r.notes.push_back(text);
  r.origins = {text + "/", text};
  for (auto& record : r.records) {
    for (auto& subject : record.subjects) subject.path = text;
    for (auto& artifact : record.found.artifacts) artifact.path = artifact.format = text;
    for (auto& fact : record.found.facts) {
      if (fact.value.is_string()) fact.value = text::to_value(text);
    }
    record.found.facts.push_back({text, text::to_value(text), std::nullopt, std::nullopt, Assurance::claimed});
    record.found.facts.push_back(
        {"x.types", json::Value().set("<b>\xe2\x80\xae", 3), std::nullopt, std::nullopt, Assurance::claimed});
    for (auto& finding : record.found.findings)
      finding.data = json::Value().set("what", text::to_value(text)).set("excerpt", text::to_value(text));
    for (auto& coverage : record.found.coverage) {
      for (auto& gap : coverage.gaps) gap.why = text;
    }
  }
  for (auto& verdict : r.verdicts) {
    verdict.context = verdict.profile = verdict.assurance = text;
    for (auto& line : verdict.layers) line.because.text = line.requirement = text;
    for (auto& item : verdict.rulings) {
      item.id = item.kind = item.because.text = item.decide = text;
      item.because.cites.push_back("ev1:" + text);
      for (auto& scenario : item.scenarios) scenario.id = text + ">" + text;
    }
    for (auto& condition : verdict.conditions) condition.id = condition.text = text;
    verdict.not_assessed.push_back(text);
  }
  const std::string id = evidence::id(r.records[0]);
  r.accepted = {{id + "#findings/0", "ignore", text, "2027-01-31"}};
  return r;
}

// Thousands of findings, facts, gaps, requirements and contexts.
inline report::Report flood() {
  auto r = matrix();
  r.accepted = accepted().accepted;
  auto& found = r.records[0].found;
  const std::string text(300, '"');
  for (int i = 0; i < 5'000; ++i) {
    const std::string number = std::to_string(i);
    found.findings.push_back({"TPL" + std::to_string(902 + i % 97), Severity::low, 0,
                              Range{static_cast<u64>(i), static_cast<u64>(i) + 9},
                              json::Value().set("excerpt", text + number)});
    found.facts.push_back({"model.extra." + number, text, 0, std::nullopt, Assurance::claimed});
    found.coverage[0].gaps.push_back({{1, 2}, text});
  }
  for (int i = 0; i < 300; ++i) {
    r.records.push_back(host_record());
    r.records.back().method.analyzer = static_cast<u32>(i) + 2;
    r.records.back().subjects.resize(30, {"weights", text, std::string(64, 'c'), 1});
  }
  while (r.verdicts.size() < 60) r.verdicts.push_back(r.verdicts[r.verdicts.size() % 5]);
  for (auto& verdict : r.verdicts) {
    while (verdict.rulings.size() < 200)
      verdict.rulings.push_back(
          ruling(text, text, Layer::model, policy::State::undetermined, text, {"ev1:0000"}, text));
    while (verdict.not_assessed.size() < 200) verdict.not_assessed.push_back(text);
  }
  return r;
}

inline std::optional<report::Report> by_name(std::string_view name) {
  if (name == "matrix") return matrix();
  if (name == "scan") return scan();
  if (name == "accepted") return accepted();
  if (name == "hostile") return hostile();
  if (name == "flood") return flood();
  if (name == "fit") return single(0);
  if (name == "undetermined") return single(1);
  if (name == "conditions") return single(3);
  if (name == "unfit") return single(4);
  return std::nullopt;
}

}  // namespace steelyard::fixture
