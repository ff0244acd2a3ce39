#include "formats/detail/tar_members.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "base/text.hpp"
#include "formats/detail/members.hpp"

namespace steelyard::formats {
namespace {

using wire::tar::Archive;
using wire::tar::Member;
using Own = std::function<bool(Item&, const Member&)>;

json::Value named(const Member& member) {
  return json::Value().set("name", text::to_value(member.name.substr(0, 256)));
}

void examine(Item& item, const Member& member, std::string_view loader, const Own& own) {
  const Range header{member.at, member.data.begin};
  check_name(item, member.name, header);
  if (member.behind_end) item.report().add("ARC013", header, named(member));
  if (member.is_link()) check_link(item, member.type == '1' ? "" : member.name, member.link, header);
  if (member.is_device()) item.report().add("ARC009", header, named(member));
  if (member.pax_size && member.size != member.header_size)
    item.report().add(
        "TAR001", header,
        named(member).set("header", member.header_size).set("other", fmt::format("the extended one {}", member.size)));
  if (!member.has_content() && member.header_size != 0 && member.type != '1')
    item.report().add("TAR001", header,
                      named(member).set("header", member.header_size).set("other", "but such a member has none"));
  if (member.sparse) item.report().add("TAR002", header, named(member));
  if (member.cut) {
    item.report().add(
        "ARC002", member.data,
        named(member).set("why", "the file ends within it").set("bytes", member.data.end - member.data.begin));
    item.coverage().gaps.push_back({member.data, "the file ends within a member"});
  }
  if (member.data.end > member.data.begin && !own(item, member)) examine_stored(item, member.name, member.data, loader);
}

}  // namespace

void examine_tar(Item& item, std::string_view loader, const Own& own) {
  const Archive archive = wire::tar::read(item.source());
  if (!archive.problem.empty())
    item.report().add("ARC014", Range{archive.problem_at, archive.problem_at},
                      json::Value().set("why", archive.problem));
  if (archive.limited) {
    item.report().add("LIM006", std::nullopt,
                      json::Value().set("budget", "number of members").set("name", "the rest of the archive"));
    item.coverage().gaps.push_back({{0, item.size()}, "there are too many members"});
  }
  std::unordered_map<std::string, bool> names;
  for (const Member& member : archive.members) {
    if (!names.emplace(member.name, true).second && member.type != '5')
      item.report().add("ARC010", Range{member.at, member.data.begin},
                        named(member).set("other", text::to_value(member.name.substr(0, 256))));
    examine(item, member, loader, own);
  }
  item.coverage().examined = archive.claimed;
  for (const Range& range : archive.unclaimed) {
    examine_unclaimed(item, range, range.end == item.size() ? "behind the archive" : "between its members");
    item.coverage().examined += range.end - range.begin;
  }
}

}  // namespace steelyard::formats
