#include "html/writer.hpp"

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace steelyard::html {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text::display(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Writer::Element::~Element() {
  writer_->out_ += "</";
  writer_->out_ += tag_.text;
  writer_->out_ += '>';
}

void Writer::doctype() { out_ += "<!doctype html>\n"; }

void Writer::start(Name tag, std::initializer_list<Attribute> attributes) {
  out_ += '<';
  out_ += tag.text;
  for (const Attribute& attribute : attributes) {
    if (attribute.value.empty()) continue;
    out_ += ' ';
    out_ += attribute.name.text;
    out_ += "=\"" + escape(attribute.value) + '"';
  }
  out_ += '>';
}

Writer::Element Writer::open(Name tag, std::initializer_list<Attribute> attributes) {
  start(tag, attributes);
  return {*this, tag};
}

void Writer::put(Name tag, std::string_view text, std::initializer_list<Attribute> attributes) {
  start(tag, attributes);
  out_ += escape(text);
  out_ += "</";
  out_ += tag.text;
  out_ += '>';
}

void Writer::single(Name tag, std::initializer_list<Attribute> attributes) { start(tag, attributes); }

void Writer::text(std::string_view text) { out_ += escape(text); }

void Writer::raw(Asset asset) { out_ += asset.text; }

std::string csp_hash(std::string_view content) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string hex = sha256(content);
  const auto nibble = [&](std::size_t i) -> u32 {
    const char c = hex[i];
    return static_cast<u32>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  std::string out = "sha256-";
  u32 bits = 0;
  u32 held = 0;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    bits = (bits << 4 | nibble(i)) & 0xFFFF;
    for (held += 4; held >= 6; held -= 6) out += kDigits[(bits >> (held - 6)) & 63];
  }
  if (held > 0) out += kDigits[(bits << (6 - held)) & 63];
  return out + "=";  // 32 bytes always leave one place
}

}  // namespace steelyard::html
