#include "stack/git_tree.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace steelyard::stack {
namespace {

// Bytes of base64 text; stops at what isn't base64.
std::string decode_base64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  u32 bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) break;
    bits = bits << 6 | static_cast<u32>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xFFU);
  }
  return out;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02X}", static_cast<u8>(c));
  return out;
}

// The issuer among subpackets: its fingerprint (33) before its id (16).
std::string issuer_in(std::string_view area) {
  std::string id;
  while (!area.empty()) {
    std::size_t length = static_cast<u8>(area[0]);
    std::size_t head = 1;
    if (length >= 192) {
      if (length == 255 || area.size() < 2) break;  // no issuer is that long
      length = ((length - 192) << 8) + static_cast<u8>(area[1]) + 192;
      head = 2;
    }
    area.remove_prefix(head);
    if (length == 0 || length > area.size()) break;
    const int type = area[0] & 0x7F;
    const std::string_view body = area.substr(1, length - 1);
    if (type == 33 && body.size() > 1) return hex(body.substr(1));
    if (type == 16 && body.size() == 8) id = hex(body);
    area.remove_prefix(length);
  }
  return id;
}

bool ordinary(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.size() <= 255 && text::lower(name) != ".git";
}

std::optional<Leaf::Kind> leaf_kind(std::string_view mode) {
  if (mode == "100644" || mode == "100664") return Leaf::Kind::file;
  if (mode == "100755") return Leaf::Kind::executable;
  if (mode == "120000") return Leaf::Kind::link;
  if (mode == "160000") return Leaf::Kind::submodule;
  return std::nullopt;
}

}  // namespace

std::optional<Commit> parse_commit(std::string_view content) {
  Commit out;
  const std::size_t blank = content.find("\n\n");
  if (blank == std::string_view::npos) return std::nullopt;
  std::string_view headers = content.substr(0, blank + 1);
  std::string_view message = content.substr(blank + 2);
  out.subject = std::string(message.substr(0, message.find('\n')));
  bool in_signature = false;
  while (!headers.empty()) {
    const std::size_t end = headers.find('\n');
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(end + 1);
    if (line.starts_with(' ')) {
      if (in_signature) out.signature += fmt::format("{}\n", line.substr(1));
      continue;
    }
    in_signature = line.starts_with("gpgsig ");
    if (in_signature) out.signature = fmt::format("{}\n", line.substr(7));
    // git writes the tree first; a second one is not looked at.
    if (line.starts_with("tree ") && out.tree.empty()) out.tree = std::string(line.substr(5));
    if (line.starts_with("author ") && out.author.empty()) out.author = std::string(line.substr(7));
  }
  return out.tree.size() == 40 ? std::optional(out) : std::nullopt;
}

std::string issuer_of(std::string_view armored) {
  const std::size_t blank = armored.find("\n\n");
  if (!armored.starts_with("-----BEGIN PGP SIGNATURE-----") || blank == std::string_view::npos) return {};
  const std::string packet = decode_base64(armored.substr(blank + 2));
  // Header of an old packet with two bytes of length, or of a new one with one or two.
  if (packet.size() < 12) return {};
  const u8 tag = static_cast<u8>(packet[0]);
  std::size_t body = 0;
  if ((tag & 0xC0U) == 0xC0U)
    body = static_cast<u8>(packet[1]) < 192 ? 2 : 3;
  else
    body = (tag & 3U) == 0 ? 2 : (tag & 3U) == 1 ? 3 : 5;
  const std::string_view signature = std::string_view(packet).substr(body);
  if (signature.size() < 6 || signature[0] != 4) return {};
  const auto length = [&](std::size_t at) {
    return at + 2 > signature.size()
               ? signature.size()
               : std::size_t{static_cast<u8>(signature[at])} << 8 | static_cast<u8>(signature[at + 1]);
  };
  const std::size_t hashed = length(4);
  if (hashed > signature.size() - 6) return {};
  if (std::string issuer = issuer_in(signature.substr(6, hashed)); !issuer.empty()) return issuer;
  const std::size_t rest = 6 + hashed;
  if (rest + 2 > signature.size()) return {};
  return issuer_in(signature.substr(rest + 2, length(rest)));
}

std::optional<Listing> list_tree(const Objects& objects, const std::string& tree, std::string& why) {
  struct Folder {
    std::string id;
    std::string path;
    std::size_t depth = 0;
  };
  Listing out;
  std::vector<Folder> open = {{tree, "", 0}};
  std::size_t folders = 0;
  while (!open.empty()) {
    const Folder folder = std::move(open.back());
    open.pop_back();
    std::string reason;
    const auto object = objects.read(folder.id, reason);
    const std::string name = fmt::format("tree {} ({})", folder.id, folder.path.empty() ? "the root" : folder.path);
    if (!object || object->type != "tree") {
      why = fmt::format("{}: {}", name, object ? "it is no tree" : reason);
      return std::nullopt;
    }
    std::string_view rest = object->content;
    while (!rest.empty()) {
      const std::size_t space = rest.find(' ');
      const std::size_t zero = rest.find('\0');
      if (space == std::string_view::npos || zero == std::string_view::npos || space > zero ||
          rest.size() - zero < 21) {
        why = name + ": it is damaged";
        return std::nullopt;
      }
      const std::string_view mode = rest.substr(0, space);
      const std::string_view entry = rest.substr(space + 1, zero - space - 1);
      const std::string id = text::lower(hex(rest.substr(zero + 1, 20)));
      rest.remove_prefix(zero + 21);
      const std::string path = folder.path.empty() ? std::string(entry) : fmt::format("{}/{}", folder.path, entry);
      const auto kind = leaf_kind(mode);
      const bool is_folder = mode == "40000";
      if (!ordinary(entry) || (!kind && !is_folder)) {
        why = fmt::format("{}: the entry {} has a name or kind that isn't used", name, text::display(entry, 80));
        return std::nullopt;
      }
      if (folder.depth == kDeepestTree || out.size() >= kMostLeaves || ++folders > 2 * kMostLeaves) {
        why = "a tree beyond all bounds";
        return std::nullopt;
      }
      if (is_folder)
        open.push_back({id, path, folder.depth + 1});
      else if (!out.emplace(path, Leaf{*kind, id}).second) {
        why = fmt::format("{}: {} is there twice", name, text::display(entry, 80));
        return std::nullopt;
      }
    }
  }
  return out;
}

}  // namespace steelyard::stack
