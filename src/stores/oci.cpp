// An OCI image layout (image-spec 1.1): index.json and blobs/sha256/<hex>. Nowhere in particular on a
// machine: only where the user says.

#include <set>

#include "base/text.hpp"
#include "stores/detail/layout.hpp"

namespace steelyard::stores {
namespace {

constexpr std::size_t kMostManifests = 256;

std::string blob(const std::string& hex) { return "blobs/sha256/" + hex; }

struct Item {
  Descriptor descriptor;
  std::string tag;
};

// Returns what it names in turn.
std::vector<Descriptor> add(io::Tree& tree, const Item& item, Listing& out) {
  std::vector<Descriptor> more;
  Model model;
  model.names = {item.tag.empty() ? item.descriptor.digest : item.tag, item.descriptor.digest};
  const auto hex = sha256_hex(item.descriptor.digest);
  if (!hex) {
    model.names = {text::display(item.descriptor.digest, 80)};
    add_misplaced(model, "a digest that is none", item.descriptor.digest);
    add_lost(model, "manifest", "STO007", "its digest names no file");
  } else if (const auto manifest = manifest_of(tree, model, blob(*hex), *hex)) {
    more = manifest->manifests;
    if (!more.empty() && model.findings.empty()) return more;
    add_layers(tree, model, *manifest, blob);
  }
  if (!item.tag.empty()) add_fact(model, "source.reference", text::to_value(item.tag));
  out.models.push_back(std::move(model));
  return more;
}

Result<bool> list(io::Tree& tree, Listing& out) {
  SY_TRY(const Manifest index, read_manifest(tree, "index.json"));
  // An index may name indices, itself included.
  std::set<std::string> seen;
  std::vector<Item> open;
  const auto push = [&](const Descriptor& each, const std::string& tag) {
    if (seen.size() <= kMostManifests && seen.insert(each.digest + " " + each.tag).second)
      open.push_back({each, each.tag.empty() ? tag : each.tag});
  };
  for (const Descriptor& each : index.manifests) push(each, "");
  for (std::size_t i = 0; i < open.size(); ++i) {
    const std::vector<Descriptor> more = add(tree, open[i], out);
    const std::string tag = std::move(open[i].tag);
    for (const Descriptor& each : more) push(each, tag);
  }
  if (seen.size() > kMostManifests)
    return fail(ErrorCode::resource, "more than " + std::to_string(kMostManifests) + " manifests");
  return true;
}

}  // namespace

extern const Store oci_store;
const Store oci_store{"oci", "OCI image layout", nullptr, list};

}  // namespace steelyard::stores
