#include "formats/detail/python_values.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"

namespace steelyard::formats {
namespace {

constexpr std::size_t kLongest = std::size_t{1} << 20;

int sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

std::string base64(std::string_view text) {
  std::string out;
  u32 bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = sextet(c);
    if (value < 0) continue;
    bits = (bits << 6) | static_cast<u32>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xFF);
    }
  }
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  int high = -1;
  for (const char c : text) {
    const int d = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
    if (d < 0) continue;
    if (high < 0) {
      high = d;
    } else {
      out += static_cast<char>(high * 16 + d);
      high = -1;
    }
  }
  return out;
}

std::string rot13(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>('a' + (c - 'a' + 13) % 26);
    if (c >= 'A' && c <= 'Z') c = static_cast<char>('A' + (c - 'A' + 13) % 26);
  }
  return text;
}

std::string replaced(std::string_view text, std::string_view what, std::string_view by) {
  std::string out;
  if (what.empty()) return std::string(text);
  while (!text.empty() && out.size() < kLongest) {
    const std::size_t at = text.find(what);
    out += text.substr(0, at);
    if (at == std::string_view::npos) break;
    out += by;
    text.remove_prefix(at + what.size());
  }
  return out;
}

std::optional<std::string> joined(std::string_view between, const PythonValue& list) {
  std::string out;
  bool first = true;
  if (list.items().empty() && list.text) {
    for (const char c : *list.text) {
      if (!std::exchange(first, false)) out += between;
      out += c;
    }
    return out;
  }
  if (list.items().empty()) return std::nullopt;
  for (const PythonValue& item : list.items()) {
    if (!item.text || out.size() > kLongest) return std::nullopt;
    if (!std::exchange(first, false)) out += between;
    out += *item.text;
  }
  return out;
}

// bytes([104, 105]) and the like.
std::optional<std::string> from_numbers(const PythonValue& list) {
  std::string out;
  for (const PythonValue& item : list.items()) {
    if (!item.number || *item.number < 0 || *item.number > 255) return std::nullopt;
    out += static_cast<char>(*item.number);
  }
  return out.empty() ? std::nullopt : std::optional(out);
}

template <std::size_t N>
bool mentions(std::string_view text, const std::array<std::string_view, N>& places) {
  return std::ranges::any_of(places, [&](std::string_view place) { return text.contains(place); });
}

}  // namespace

std::optional<std::string> computed(std::string_view callee, const PythonValue& self,
                                    const std::vector<PythonValue>& arguments) {
  const PythonValue none;
  const PythonValue& first = arguments.empty() ? none : arguments[0];
  const auto is = [&](std::initializer_list<std::string_view> names) {
    return std::ranges::find(names, callee) != names.end();
  };
  if (self.text && callee.starts_with("str.")) {
    if (is({"str.decode", "str.encode", "str.strip", "str.lstrip", "str.rstrip", "str.lower", "str.title", "str.format",
            "str.zfill"}))
      return callee == "str.lower" ? text::lower(*self.text) : *self.text;
    if (is({"str.join"})) return joined(*self.text, first);
    if (is({"str.replace"}) && arguments.size() >= 2 && first.text && arguments[1].text)
      return replaced(*self.text, *first.text, *arguments[1].text);
    return std::nullopt;
  }
  if (callee == "chr" && first.number && *first.number >= 0 && *first.number < 128)
    return std::string(1, static_cast<char>(*first.number));
  if (is({"bytes", "bytearray"}) && !first.items().empty()) return from_numbers(first);
  if (!first.text) return std::nullopt;
  if (is({"base64.b64decode", "base64.urlsafe_b64decode", "base64.standard_b64decode", "base64.decodebytes",
          "binascii.a2b_base64"}))
    return base64(*first.text);
  if (is({"bytes.fromhex", "bytearray.fromhex", "binascii.unhexlify", "binascii.a2b_hex", "base64.b16decode"}))
    return unhex(*first.text);
  if (callee == "codecs.decode" || callee == "codecs.encode") {
    const std::string codec =
        arguments.size() > 1 && arguments[1].text ? text::lower(*arguments[1].text) : std::string();
    if (codec.contains("rot")) return rot13(*first.text);
    if (codec.contains("hex")) return unhex(*first.text);
    if (codec.contains("base64")) return base64(*first.text);
    return *first.text;
  }
  if (is({"str", "bytes", "bytearray", "repr", "os.path.expanduser", "os.path.expandvars", "os.path.abspath",
          "os.fspath", "pathlib.Path", "os.fsencode", "os.fsdecode", "textwrap.dedent", "shlex.split",
          "urllib.parse.unquote"}))
    return *first.text;
  if (is({"os.path.join"})) {
    std::string path;
    for (const PythonValue& part : arguments)
      path += (path.empty() ? "" : "/") + (part.text ? *part.text : std::string("*"));
    return path;
  }
  if (callee == "reversed") return std::string(first.text->rbegin(), first.text->rend());
  return std::nullopt;
}

bool secret_place(std::string_view text) {
  static constexpr std::array<std::string_view, 26> kPlaces = {".ssh/",
                                                               "id_rsa",
                                                               "id_ed25519",
                                                               ".aws/credentials",
                                                               ".aws/config",
                                                               ".netrc",
                                                               "/etc/shadow",
                                                               "/etc/passwd",
                                                               "huggingface/token",
                                                               ".git-credentials",
                                                               ".docker/config.json",
                                                               ".kube/config",
                                                               ".gnupg",
                                                               "Login Data",
                                                               "wallet.dat",
                                                               ".bash_history",
                                                               ".zsh_history",
                                                               ".config/gcloud",
                                                               ".pypirc",
                                                               ".npmrc",
                                                               "Local State",
                                                               "keychain",
                                                               ".config/gh/hosts",
                                                               "/proc/self/environ",
                                                               "169.254.169.254",
                                                               ".mozilla/firefox"};
  return mentions(text, kPlaces);
}

bool persistent_place(std::string_view text) {
  static constexpr std::array<std::string_view, 19> kPlaces = {
      ".bashrc",       ".zshrc",     ".bash_profile",   ".zprofile",         "authorized_keys",
      "/etc/cron",     "crontab",    "/var/spool/cron", ".config/autostart", "LaunchAgents",
      "LaunchDaemons", "systemd/",   "site-packages/",  "sitecustomize",     "usercustomize",
      "ld.so.preload", "Start Menu", "/etc/sudoers",    "/etc/profile"};
  return mentions(text, kPlaces) || text.ends_with("/.profile");
}

bool precious_place(std::string_view text) {
  while (text.size() > 1 && (text.ends_with('/') || text.ends_with('*'))) text.remove_suffix(1);
  static constexpr std::array<std::string_view, 12> kPlaces = {"/",    "~",  "/home", "/root", "/etc",    "/usr",
                                                               "/var", "C:", "C:\\",  "$HOME", "${HOME}", "/*"};
  return std::ranges::find(kPlaces, text) != kPlaces.end();
}

}  // namespace steelyard::formats
