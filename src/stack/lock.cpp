#include "stack/lock.hpp"

#include <algorithm>

#include "base/embedded.hpp"
#include "base/sha256.hpp"
#include "wire/toml.hpp"

namespace steelyard::stack {
namespace {

template <class T>
const T* named(const std::vector<T>& items, const std::string& name) {
  const auto found = std::ranges::find(items, name, &T::name);
  return found == items.end() ? nullptr : &*found;
}

bool is_commit(const std::string& id) {
  return id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void read_build(toml::Table& build, Lock& out) {
  out.targets = build.texts("targets");
  out.options = build.texts("options");
  out.compile = build.texts("compile");
  out.link = build.texts("link");
  out.default_variants = build.texts("variants");
  out.default_backends = build.texts("backends");
  build.finish();
}

}  // namespace

const Variant* Lock::variant(const std::string& named) const { return stack::named(variants, named); }
const Backend* Lock::backend(const std::string& named) const { return stack::named(backends, named); }

Result<Lock> parse_lock(std::string text, const std::string& name) {
  SY_TRY(const auto document, toml::Document::parse(std::move(text), name));
  toml::Table root(*document, document->root(), "lock");
  Lock out;
  root.choice("schema", {"steelyard/stack/1"}, "");
  if (auto source = root.table("source")) {
    out.name = source->required_text("name");
    out.version = source->required_text("version");
    out.file = source->required_text("file");
    out.sha256 = source->required_text("sha256");
    out.licence = source->text("licence");
    out.folder = source->required_text("folder");
    out.objects = source->required_text("objects");
    out.get = source->text("get");
    if (!is_sha256(out.sha256)) source->error("sha256", "expected 64 lower-case hex digits");
    source->finish();
  } else {
    document->error(root.node(), "[source] is missing");
  }
  if (auto upstream = root.table("upstream")) {
    out.upstream = upstream->required_text("name");
    out.upstream_version = upstream->required_text("version");
    out.released = upstream->text("released");
    out.release = upstream->text("release");
    out.repository = upstream->text("repository");
    out.commit = upstream->required_text("commit");
    out.tree = upstream->required_text("tree");
    for (const auto& [key, id] : {std::pair("commit", &out.commit), std::pair("tree", &out.tree)}) {
      if (!is_commit(*id)) upstream->error(key, "expected 40 lower-case hex digits");
    }
    upstream->finish();
  } else {
    document->error(root.node(), "[upstream] is missing");
  }
  if (auto build = root.table("build")) read_build(*build, out);
  for (toml::Table& variant : root.tables("variant")) {
    out.variants.push_back({.name = variant.required_text("name"),
                            .machine = variant.text("machine", "x86_64"),
                            .cpu = variant.texts("cpu"),
                            .options = variant.texts("options"),
                            .compile = variant.texts("compile"),
                            .include = variant.text("include")});
    variant.finish();
  }
  for (toml::Table& backend : root.tables("backend")) {
    out.backends.push_back({.name = backend.required_text("name"),
                            .options = backend.texts("options"),
                            .tools = backend.texts("tools"),
                            .host_flags = backend.text("host_flags"),
                            .devices = backend.flag("devices")});
    backend.finish();
  }
  for (const std::string& one : out.default_variants) {
    if (out.variant(one) == nullptr) document->error(root.node(), "the variant " + one + " isn't described");
  }
  for (const std::string& one : out.default_backends) {
    if (out.backend(one) == nullptr) document->error(root.node(), "the backend " + one + " isn't described");
  }
  root.finish();
  SY_CHECK(document->check());
  return out;
}

Result<Lock> lock() {
  return parse_lock(std::string(embedded::find("stack/llama.cpp.toml")), "data/stack/llama.cpp.toml");
}

}  // namespace steelyard::stack
