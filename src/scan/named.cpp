// Targets that are no paths: models by the name that their store gives them, and standard input.
//
// Attack resisted: a name that fits two models (one of them planted) opens neither; a name is compared
// with those that the store lists and never becomes a path.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/shard.hpp"
#include "base/text.hpp"
#include "io/spool.hpp"
#include "scan/target.hpp"

namespace steelyard::scan {
namespace {

namespace fs = std::filesystem;

constexpr u64 kMostSpooled = u64{16} << 30;
constexpr std::size_t kMostNear = 3;
constexpr std::size_t kLeastCommit = 7;  // digits of a commit that stand for it

using Models = std::vector<const stores::Model*>;

Result<Target> standard_input(const Environment& environment) {
  const fs::path folder = environment.variable("TMPDIR").value_or("/var/tmp");
  SY_TRY(io::File file, io::spool(STDIN_FILENO, "standard input", folder, kMostSpooled));
  Target target{"-", {}};
  TargetFile entry{{}, "stdin", {}};
  entry.open = std::make_shared<io::File>(std::move(file));
  target.files.push_back(std::move(entry));
  return target;
}

// "org/name@0123456" stands for "org/name@0123456789…".
bool abbreviates(std::string_view wanted, std::string_view name) {
  const std::size_t at = wanted.rfind('@');
  return at != std::string_view::npos && wanted.size() > at + kLeastCommit && name.starts_with(wanted);
}

Models pick(const stores::Listing& listing, const std::string& wanted) {
  Models exact;
  Models abbreviated;
  for (const stores::Model& model : listing.models) {
    if (std::ranges::find(model.names, wanted) != model.names.end()) {
      exact.push_back(&model);
    } else if (std::ranges::any_of(model.names, [&](const auto& name) { return abbreviates(wanted, name); })) {
      abbreviated.push_back(&model);
    }
  }
  return exact.empty() ? abbreviated : exact;
}

// The same files under the same names: one model, found twice.
bool same(const stores::Model& a, const stores::Model& b) {
  return std::ranges::equal(a.files, b.files, [](const stores::File& x, const stores::File& y) {
    return x.name == y.name && x.stat == y.stat && x.path.empty() == y.path.empty();
  });
}

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + text::display(name, 120);
  return out;
}

// What the user may have meant, in this store first and then in the others.
std::vector<std::string> near(const stores::Listing& listing, const std::string& wanted) {
  const std::string lower = text::lower(wanted);
  std::vector<std::string> out;
  std::vector<std::string> all;
  for (const stores::Model& model : listing.models) {
    all.push_back(model.target());
    const bool part = !lower.empty() && text::lower(model.names.front()).find(lower) != std::string::npos;
    if (part && out.size() < kMostNear) out.push_back(model.target());
  }
  if (out.empty()) {
    std::vector<std::string> names;
    for (const stores::Model& model : listing.models) names.push_back(model.names.front());
    const std::string closest = text::closest(wanted, names);
    const auto found = std::ranges::find(names, closest);
    if (!closest.empty() && found != names.end()) out.push_back(all[static_cast<std::size_t>(found - names.begin())]);
  }
  return out;
}

Error unknown(const std::string& name, const stores::Store& store, const std::string& wanted,
              const stores::Listing& listing, const Environment& environment) {
  std::string message = fmt::format("{}: no such model in the {}", text::display(name, 200), store.title);
  for (const auto& place : listing.places) {
    message += fmt::format(
        "\n  looked in {}: {}", text::display(place.root.string()),
        place.problem.empty() ? fmt::format("{} model{}", place.models, place.models == 1 ? "" : "s") : place.problem);
  }
  if (listing.places.empty()) message += ", which isn't on this machine";
  auto meant = near(listing, wanted);
  if (meant.empty()) meant = near(stores::list(environment), wanted);
  if (!meant.empty()) message += fmt::format("\n  did you mean {}?", quoted(meant));
  message += "\n  nothing is downloaded; steelyard ls shows what is here";
  return {ErrorCode::usage, std::move(message)};
}

// One file of a model, with the parts and the index that load with it.
Result<Target> only(Target target, const std::string& file) {
  const auto set = ShardName::of(file);
  const std::string index = set ? set->before.substr(0, set->before.size() - 1) + ".safetensors.index.json" : file;
  std::vector<std::string> names;
  for (const TargetFile& each : target.files) names.push_back(each.name);
  if (std::ranges::find(names, file) == names.end()) {
    const std::string closest = text::closest(file, names);
    return fail(ErrorCode::usage,
                fmt::format("{}: has no file \"{}\"{}", text::display(target.name, 200), text::display(file, 120),
                            closest.empty() ? "" : fmt::format("; did you mean \"{}\"?", text::display(closest, 120))));
  }
  std::erase_if(target.files, [&](const TargetFile& each) {
    return each.name != file && each.name != index && !(set && set->holds(each.name));
  });
  return target;
}

Result<Target> in_listing(const std::string& name, const stores::Store& store, const std::string& wanted,
                          const stores::Listing& listing, const Environment& environment) {
  std::string model = wanted;
  std::string file;
  Models found = pick(listing, model);
  for (std::size_t colon = wanted.rfind(':'); found.empty() && colon != std::string::npos && colon > 0;
       colon = wanted.rfind(':', colon - 1)) {
    model = wanted.substr(0, colon);
    file = wanted.substr(colon + 1);
    found = pick(listing, model);
  }
  if (found.empty()) return std::unexpected(unknown(name, store, wanted, listing, environment));
  if (!std::ranges::all_of(found, [&](const auto* other) { return same(*other, *found.front()); })) {
    std::vector<std::string> names;
    for (const auto* each : found) names.push_back(std::string(store.id) + ":" + each->names.back());
    return fail(ErrorCode::usage,
                fmt::format("{}: fits {} models: {}", text::display(name, 200), found.size(), quoted(names)));
  }
  Target target = from(*found.front());
  if (!file.empty()) return only(std::move(target), file);
  return target;
}

// "oci:DIR" or "oci:DIR:tag".
Result<Target> in_folder(const std::string& name, const stores::Store& store, const std::string& wanted,
                         const Environment& environment) {
  std::string folder = wanted;
  std::string model;
  std::error_code error;
  if (const std::size_t colon = wanted.rfind(':'); !fs::exists(folder, error) && colon != std::string::npos) {
    // A digest has a colon of its own.
    const std::size_t at =
        wanted.ends_with(":") || colon < 7 || wanted.compare(colon - 7, 7, ":sha256") != 0 ? colon : colon - 7;
    folder = wanted.substr(0, at);
    model = wanted.substr(at + 1);
  }
  const stores::Listing listing = stores::list_at(store, folder);
  if (listing.places.empty())
    return fail(ErrorCode::io, fmt::format("{}: No such file or directory", text::display(name, 200)));
  if (!listing.places.front().problem.empty())
    return fail(ErrorCode::io,
                fmt::format("{}: no {}: {}", text::display(name, 200), store.title, listing.places.front().problem));
  if (!model.empty()) return in_listing(name, store, model, listing, environment);
  if (listing.models.size() == 1) {
    Target target = from(listing.models.front());
    target.name = name;
    return target;
  }
  std::vector<std::string> names;
  for (const auto& each : listing.models)
    names.push_back(std::string(store.id) + ":" + folder + ":" + each.names.front());
  if (names.empty()) return fail(ErrorCode::usage, fmt::format("{}: holds no model", text::display(name, 200)));
  return fail(ErrorCode::usage,
              fmt::format("{}: holds {} models: {}", text::display(name, 200), names.size(), quoted(names)));
}

}  // namespace

Target from(const stores::Model& model) {
  Target target{model.target(), {}};
  for (const stores::File& file : model.files) {
    TargetFile entry{file.path, file.name, file.problem};
    entry.digest = file.digest;
    if (!file.rule.empty()) entry.rule = file.rule;
    entry.data = file.data;
    target.files.push_back(std::move(entry));
  }
  target.facts.push_back({"source.store", model.store, std::nullopt, std::nullopt, Assurance::claimed});
  target.facts.push_back(
      {"source.target", text::to_value(target.name), std::nullopt, std::nullopt, Assurance::claimed});
  target.facts.insert(target.facts.end(), model.facts.begin(), model.facts.end());
  target.findings = model.findings;
  std::ranges::sort(target.files, {}, &TargetFile::name);
  return target;
}

std::vector<Target> unlisted(const stores::Listing& listing) {
  std::vector<Target> out;
  for (const stores::Place& place : listing.places) {
    if (place.problem.empty()) continue;
    Target target{place.store + ":", {}};
    target.files.push_back({place.root, place.root.string(), place.problem});
    out.push_back(std::move(target));
  }
  return out;
}

Result<Target> resolve(const std::string& name, const Environment& environment) {
  if (name == "-") return standard_input(environment);
  const std::size_t colon = name.find(':');
  const stores::Store* store = colon == std::string::npos ? nullptr : stores::find(name.substr(0, colon));
  if (store == nullptr) return resolve(name);
  std::string wanted = name.substr(colon + 1);
  if (store->where == nullptr) return in_folder(name, *store, wanted, environment);
  wanted.erase(0, wanted.find_first_not_of('/'));
  return in_listing(name, *store, wanted, stores::list(environment, store), environment);
}

}  // namespace steelyard::scan
