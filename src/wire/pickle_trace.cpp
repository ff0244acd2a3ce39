// Pickle values and events as text: what a load does, in pseudo-Python.
#include <fmt/format.h>

#include "base/text.hpp"
#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

constexpr std::size_t kMostShown = 160;  // bytes of one text

class Writer {
 public:
  Writer(const Machine& machine, std::size_t most) : machine_(machine), most_(most) {}

  void value(const Value& value, int depth) {
    if (full()) return;
    switch (value.kind) {
      case Kind::none:
        return add("None");
      case Kind::boolean:
        return add(value.integer != 0 ? "True" : "False");
      case Kind::integer:
        if (value.form == Form::plain) return add(fmt::format("{}", value.integer));
        if (value.form == Form::digits) return add(text::display(machine_.text(value, 40), 40));
        return add(fmt::format("<{} byte integer>", value.size));
      case Kind::real:
        return add(fmt::format("{}", value.real));
      case Kind::text:
        return quoted("'", value);
      case Kind::bytes:
        return quoted("b'", value);
      case Kind::bytearray: {
        const Node* node = machine_.node(value);
        if (node == nullptr || node->items.empty()) return add("bytearray(?)");
        quoted("bytearray(b'", node->items[0]);
        return add(")");
      }
      case Kind::tuple:
        return items("(", value, ")", depth);
      case Kind::list:
        return items("[", value, "]", depth);
      case Kind::set:
        return items("{", value, "}", depth);
      case Kind::frozenset:
        return items("frozenset({", value, "})", depth);
      case Kind::dict:
        return dict(value, depth);
      case Kind::global: {
        const Global& global = machine_.global(value);
        return add(text::display(global.module, 80) + "." + text::display(global.name, 80));
      }
      case Kind::object:
      case Kind::persistent: {
        const Node* node = machine_.node(value);
        return add(node ? fmt::format("_{}", node->number) : "_");
      }
      case Kind::buffer:
        return add("buffer");
      case Kind::absent:
      case Kind::lost:
        return add("?");
    }
  }

  void arguments(const Value& tuple, const Value& keywords) {
    if (tuple.is(Kind::tuple)) {
      items("(", tuple, "", 0, false);
    } else {
      add("(*");
      value(tuple, 0);
    }
    if (!keywords.is(Kind::absent)) {
      add(", **");
      value(keywords, 1);
    }
    add(")");
  }

  void add(std::string_view part) {
    if (full()) return;
    out_ += part;
    if (full()) out_ = text::prefix(out_, most_) + "…";
  }
  std::string take() { return std::move(out_); }

 private:
  bool full() const { return out_.size() > most_; }

  void quoted(std::string_view open, const Value& value) {
    add(open);
    add(text::display(machine_.text(value, kMostShown), kMostShown));
    add(value.size > kMostShown ? fmt::format("'…{} bytes", value.size) : "'");
  }
  void items(std::string_view open, const Value& value, std::string_view close, int depth, bool comma = true) {
    add(open);
    const Node* node = machine_.node(value);
    if (node == nullptr || depth > 4) {
      add("…");
    } else {
      for (std::size_t i = 0; i < node->items.size() && !full(); ++i) {
        if (i > 0) add(", ");
        this->value(node->items[i], depth + 1);
      }
      if (node->length > node->items.size()) add(fmt::format(", … {} in all", node->length));
      if (comma && value.is(Kind::tuple) && node->length == 1) add(",");
    }
    add(close);
  }
  void dict(const Value& value, int depth) {
    add("{");
    const Node* node = machine_.node(value);
    if (node == nullptr || depth > 4) {
      add("…");
    } else {
      for (std::size_t i = 0; i + 1 < node->items.size() && !full(); i += 2) {
        if (i > 0) add(", ");
        this->value(node->items[i], depth + 1);
        add(": ");
        this->value(node->items[i + 1], depth + 1);
      }
      if (2 * node->length > node->items.size()) add(fmt::format(", … {} in all", node->length));
    }
    add("}");
  }

  const Machine& machine_;
  std::size_t most_;
  std::string out_;
};

}  // namespace

std::string python(const Machine& machine, const Value& value, std::size_t most) {
  Writer out(machine, most);
  out.value(value, 0);
  return out.take();
}

std::string python(const Machine& machine, const Event& event, std::size_t most) {
  Writer out(machine, most);
  if (event.result.is(Kind::object) || event.result.is(Kind::persistent)) {
    out.value(event.result, 0);
    out.add(" = ");
  }
  switch (event.what) {
    case Event::What::import:
      out.add("import ");
      break;
    case Event::What::persistent:
      out.add("persistent_load(");
      out.value(event.argument, 0);
      out.add(")");
      return out.take();
    case Event::What::extension:
      out.add("copyreg extension ");
      out.value(event.argument, 0);
      return out.take();
    default:
      break;
  }
  out.value(event.target, 0);
  switch (event.what) {
    case Event::What::create:
      out.add(".__new__");
      [[fallthrough]];
    case Event::What::call:
    case Event::What::instantiate:
      out.arguments(event.argument, event.keywords);
      break;
    case Event::What::build:
      out.add(".__setstate__(");
      out.value(event.argument, 1);
      out.add(")");
      break;
    case Event::What::extend:
      out.add(".extend(");
      out.value(event.argument, 1);
      out.add(")");
      break;
    case Event::What::set_item:
      out.add("[…] = ");
      out.value(event.argument, 1);
      break;
    case Event::What::add:
      out.add(".add(…) of ");
      out.value(event.argument, 1);
      break;
    default:
      break;
  }
  return out.take();
}

}  // namespace steelyard::wire::pickle
