// What values look like: Python's str, repr and json.dumps, with the runs of the texts inside.
#include <fmt/format.h>

#include <algorithm>

#include "wire/jinja/machine.hpp"

namespace steelyard::wire::jinja {
namespace {

constexpr int kDeepestShown = 100;

std::string shown_object(const Object& object) {
  switch (object.what) {
    case Object::What::macro:
      return "<Macro>";
    case Object::What::loop: {
      const Loop& loop = static_cast<const Loop&>(object);
      return fmt::format("<LoopContext {}/{}>", loop.index + 1, loop.items.size());
    }
    case Object::What::row:
      return static_cast<const Row&>(object).shown;
    case Object::What::names:
      return "<Namespace>";
    default:
      return "<object>";
  }
}

std::string shown_scalar(const Value& value) {
  switch (value.type) {
    case Type::none:
      return "None";
    case Type::boolean:
      return value.flag ? "True" : "False";
    case Type::integer:
      return std::to_string(value.integer);
    case Type::real:
      return texts::number(value.real);
    default:
      return "";
  }
}

}  // namespace

Value Machine::make_text(Text* text, Labels labels) {
  burn(text->runs.size() / 8);
  return arena_.text(text, labels);
}

Text* Machine::str(const Value& value) {
  if (value.is_text() && value.control == 0) return value.text;
  Text* out = arena_.make<Text>();
  str(*out, value);
  arena_.charge(out->bytes.size());
  if (value.is_text()) out->markup = value.text->markup;
  return out;
}

void Machine::str(Text& out, const Value& value) {
  if (value.is_text()) {
    burn(1 + value.text->bytes.size() / 64);
    out.append(*value.text, value.control);
  } else if (value.type != Type::undefined) {
    repr(out, value);
  }
}

void Machine::repr(Text& out, const Value& value, int depth) {
  burn(1);
  arena_.charge(8);
  if (depth > kDeepestShown) fail("nested deeper than is shown", Stop::depth);
  const Run computed{0, kComputedSource, 0, value.labels, false};
  const auto put = [&](std::string_view text) { out.append(text, computed); };
  switch (value.type) {
    case Type::text: {
      const std::size_t before = out.bytes.size();
      burn(value.text->bytes.size() / 16);
      if (value.control != 0) {
        Text labelled;
        labelled.append(*value.text, value.control);
        texts::quote(out, labelled);
      } else {
        texts::quote(out, *value.text);
      }
      arena_.charge(out.bytes.size() - before);
      return;
    }
    case Type::list:
    case Type::tuple: {
      put(value.type == Type::list ? "[" : "(");
      for (std::size_t i = 0; i < value.list->items.size(); ++i) {
        if (i > 0) put(", ");
        repr(out, value.list->items[i], depth + 1);
      }
      if (value.type == Type::tuple) put(value.list->items.size() == 1 ? ",)" : ")");
      if (value.type == Type::list) put("]");
      return;
    }
    case Type::dict:
      put("{");
      for (std::size_t i = 0; i < value.dict->items.size(); ++i) {
        if (i > 0) put(", ");
        repr(out, value.dict->items[i].first, depth + 1);
        put(": ");
        repr(out, value.dict->items[i].second, depth + 1);
      }
      put("}");
      return;
    case Type::object:
      return put(shown_object(*value.object));
    case Type::undefined:
      return put("Undefined");
    default:
      return put(shown_scalar(value));
  }
}

void Machine::json(Text& out, const Value& value, bool ascii, std::optional<std::string> indent, std::string_view comma,
                   std::string_view colon, bool sorted, int depth) {
  burn(1);
  arena_.charge(8);
  if (depth > kDeepestShown) fail("nested deeper than is shown", Stop::depth);
  const Run computed{0, kComputedSource, 0, value.labels, false};
  const auto put = [&](std::string_view text) { out.append(text, computed); };
  const auto line = [&](int level) {
    if (!indent) return;
    std::string text = "\n";
    for (int i = 0; i < level; ++i) text += *indent;
    arena_.charge(text.size());
    put(text);
  };
  const auto text = [&](const Value& of) {
    const std::size_t before = out.bytes.size();
    burn(of.text->bytes.size() / 16);
    Text labelled;
    if (of.control != 0) labelled.append(*of.text, of.control);
    texts::json(out, of.control != 0 ? labelled : *of.text, ascii);
    arena_.charge(out.bytes.size() - before);
  };
  const auto scalar = [&](const Value& of) -> std::string {
    if (of.type == Type::boolean) return of.flag ? "true" : "false";
    if (of.type == Type::none) return "null";
    if (of.type == Type::real) {
      const std::string number = texts::number(of.real);
      return number == "nan" ? "NaN" : number == "inf" ? "Infinity" : number == "-inf" ? "-Infinity" : number;
    }
    return shown_scalar(of);
  };
  if (value.is_text()) return text(value);
  if (value.is_number() || value.type == Type::none) return put(scalar(value));
  if (value.is_row()) {
    if (value.list->items.empty()) return put("[]");
    put("[");
    for (std::size_t i = 0; i < value.list->items.size(); ++i) {
      if (i > 0) put(comma);
      line(depth + 1);
      json(out, value.list->items[i], ascii, indent, comma, colon, sorted, depth + 1);
    }
    line(depth);
    return put("]");
  }
  if (value.type != Type::dict) fail("it can't be written as JSON");
  if (value.dict->items.empty()) return put("{}");
  std::vector<const std::pair<Value, Value>*> items;
  for (const auto& item : value.dict->items) items.push_back(&item);
  if (sorted) std::ranges::stable_sort(items, [&](auto* a, auto* b) { return compare(a->first, b->first) < 0; });
  put("{");
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) put(comma);
    line(depth + 1);
    const Value& key = items[i]->first;
    if (key.is_text()) {
      text(key);
    } else if (key.is_number() || key.type == Type::none) {
      put("\"" + scalar(key) + "\"");
    } else {
      fail("keys must be texts or numbers");
    }
    put(colon);
    json(out, items[i]->second, ascii, indent, comma, colon, sorted, depth + 1);
  }
  line(depth);
  put("}");
}

}  // namespace steelyard::wire::jinja
