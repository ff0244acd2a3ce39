// Reads pickles on standard input, each behind its length (u32) and its options (u8: 1 exact, 2 frames are dropped, 4
// frames are strict); prints the events of the pickle machine, one per line, and how the walk ended.

#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "wire/pickle.hpp"

namespace {

using namespace steelyard;
using namespace steelyard::wire::pickle;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(static_cast<u8>(c)));
  return out;
}

class Printer final : public Observer {
 public:
  void event(const Machine& machine, const Event& event) override {
    machine_ = &machine;
    const auto show = [&](const Value& value) { return value_of(value, 0); };
    const std::string flag = event.after_fault ? "!" : "";
    switch (event.what) {
      case Event::What::import:
        line(flag + "import " + show(event.target));
        break;
      case Event::What::call:
        line(flag + "call " + show(event.target) + " " + show(event.argument));
        break;
      case Event::What::instantiate: {
        const Node* node = machine.node(event.argument);
        line(flag + (node && node->length == 0 ? "create " : "call ") + show(event.target) + " " +
             show(event.argument));
        break;
      }
      case Event::What::create:
        line(flag + "create " + show(event.target) + " " + show(event.argument) +
             (show(event.keywords) == "{}" || event.keywords.is(Kind::absent) ? "" : " " + show(event.keywords)));
        break;
      case Event::What::build:
        line(flag + "build " + show(event.target) + " " + show(event.argument));
        break;
      case Event::What::extend:
        line(flag + "extend " + show(event.target) + " " + show(event.argument));
        break;
      case Event::What::set_item:
        each(event, 2, flag + "set ");
        break;
      case Event::What::add:
        each(event, 1, flag + "add ");
        break;
      case Event::What::persistent:
        line(flag + "persistent " + show(event.argument));
        break;
      case Event::What::extension:
        line(flag + "extension " + show(event.argument));
        break;
    }
  }
  std::string value(const Machine& machine, const Value& value) {
    machine_ = &machine;
    return value_of(value, 0);
  }
  std::string out;

 private:
  void line(const std::string& text) { out += text + "\n"; }
  void each(const Event& event, std::size_t step, const std::string& what) {
    const Node* node = machine_->node(event.argument);
    for (std::size_t i = 0; node != nullptr && i + step <= node->items.size(); i += step) {
      std::string text = what + value_of(event.target, 0);
      for (std::size_t k = 0; k < step; ++k) text += " " + value_of(node->items[i + k], 0);
      line(text);
    }
  }
  std::string integer(const Value& value) {
    if (value.form == Form::plain) return fmt::format("{}", value.integer);
    if (value.form != Form::little_endian) return "big";
    const std::string raw = machine_->text(value, 4096);
    u64 bits = 0;
    for (std::size_t i = raw.size(); i-- > 0;) {
      if (i >= 8 && static_cast<u8>(raw[i]) != ((static_cast<u8>(raw[7]) & 0x80) != 0 ? 0xff : 0)) return "big";
      if (i < 8) bits = (bits << 8) | static_cast<u8>(raw[i]);
    }
    return fmt::format("{}", static_cast<i64>(bits));
  }
  std::string number(double value) { return fmt::format("f{:016x}", std::bit_cast<u64>(value)); }
  // Equal keys of a dict or set look equal.
  std::string key_of(const Value& value, int depth) {
    if (value.is(Kind::boolean)) return fmt::format("{}", value.integer);
    if (value.is(Kind::real) && value.real == static_cast<double>(static_cast<i64>(value.real)))
      return fmt::format("{}", static_cast<i64>(value.real));
    const Node* node = machine_->node(value);
    if (value.is(Kind::tuple) && node != nullptr) {
      std::string text = "(";
      for (const Value& item : node->items) text += key_of(item, depth + 1) + ",";
      return text + ")";
    }
    return value_of(value, depth);
  }
  std::string value_of(const Value& value, int depth) {
    const Node* node = machine_->node(value);
    if (depth > 5) return "...";
    switch (value.kind) {
      case Kind::none:
        return "None";
      case Kind::boolean:
        return value.integer != 0 ? "True" : "False";
      case Kind::integer:
        return integer(value);
      case Kind::real:
        return number(value.real);
      case Kind::text:
        return "'" + hex(machine_->text(value, 4096)) + "'";
      case Kind::bytes:
        return "b'" + hex(machine_->text(value, 4096)) + "'";
      case Kind::bytearray:
        return fmt::format("bytearray:{}", node ? node->length : 0);
      case Kind::tuple:
      case Kind::list: {
        if (node == nullptr) return "lost";
        std::string text = value.is(Kind::tuple) ? "(" : "[";
        for (const Value& item : node->items) text += value_of(item, depth + 1) + ",";
        return text + fmt::format("{}{}", node->length, value.is(Kind::tuple) ? ")" : "]");
      }
      case Kind::set:
      case Kind::frozenset: {
        if (node == nullptr) return "lost";
        std::set<std::string> keys;
        for (const Value& item : node->items) keys.insert(key_of(item, depth + 1));
        std::string text = value.is(Kind::set) ? "{" : "frozen{";
        for (const auto& key : keys) text += key + ",";
        return text + "}";
      }
      case Kind::dict: {
        if (node == nullptr) return "lost";
        std::map<std::string, std::string> pairs;
        for (std::size_t i = 0; i + 1 < node->items.size(); i += 2)
          pairs[key_of(node->items[i], depth + 1)] = value_of(node->items[i + 1], depth + 1);
        std::string text = "{";
        for (const auto& [key, item] : pairs) text += key + ":" + item + ",";
        return text + "}";
      }
      case Kind::global: {
        const Global& global = machine_->global(value);
        return "<" + hex(global.module) + " " + hex(global.name) + ">";
      }
      case Kind::object:
      case Kind::persistent:
        return fmt::format("#{}", node ? node->number : 0);
      case Kind::buffer:
        return "buffer";
      default:
        return "lost";
    }
  }

  const Machine* machine_ = nullptr;
};

}  // namespace

int main() {
  const std::string in((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
  const MemorySource all(as_bytes(in));
  for (Cursor cursor(all); cursor.remaining() > 0;) {
    const auto size = cursor.read<u32>("size");
    const auto flags = cursor.read<u8>("flags");
    const std::string pickle = cursor.text(size, size, "pickle");
    if (!cursor.ok()) return 1;
    const MemorySource source(as_bytes(pickle));
    Printer printer;
    Options options;
    options.exact = (flags & 1) != 0;
    options.framing = (flags & 2) != 0 ? Framing::dropping : (flags & 4) != 0 ? Framing::strict : Framing::joined;
    Machine machine(source, 0, size, printer, options);
    const Outcome outcome = machine.run();
    printer.out += fmt::format("end {} {} {} {}\n", outcome.end, outcome.fault ? outcome.fault->offset : 0,
                               outcome.fault ? (outcome.fault->field == "pickle" ? "truncated" : "fault") : "fine",
                               outcome.stopped ? printer.value(machine, outcome.result) : "-");
    fmt::print("{}", printer.out);
  }
  return 0;
}
