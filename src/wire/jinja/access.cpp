// Attributes, items and slices, as the sandboxed environment of jinja2 resolves them.
#include <algorithm>
#include <array>

#include "wire/jinja/machine.hpp"
#include "wire/jinja/unicode.hpp"

namespace steelyard::wire::jinja {
namespace {

// Ways from a value of Python to the interpreter's inside, besides names that begin with an underscore.
constexpr std::array<std::string_view, 20> kInside = {
    "mro",       "gi_frame",     "gi_code",    "cr_frame", "cr_code",  "ag_frame", "ag_code",
    "f_globals", "f_locals",     "f_builtins", "f_back",   "f_code",   "tb_frame", "tb_next",
    "co_code",   "func_globals", "func_code",  "im_func",  "im_class", "im_self"};

Value loop_attribute(Machine& m, const Value& object, std::string_view name) {
  Loop& loop = static_cast<Loop&>(*object.object);
  const auto size = static_cast<i64>(loop.items.size());
  const auto at = static_cast<i64>(loop.index);
  const auto number = [&](i64 value, bool length = true) {
    Value out = m.arena().integer(value, loop.count);
    out.is_length = length;
    return out;
  };
  if (name == "index") return number(at + 1, false);
  if (name == "index0") return number(at);
  if (name == "revindex") return number(size - at, false);
  if (name == "revindex0") return number(size - at - 1);
  if (name == "first") return m.arena().boolean(at == 0, shape_of(loop.count));
  if (name == "last") return m.arena().boolean(at + 1 == size, shape_of(loop.count));
  if (name == "length") return number(size);
  if (name == "depth") return m.arena().integer(loop.depth + 1);
  if (name == "depth0") return m.arena().integer(loop.depth);
  if (name == "previtem") return at > 0 ? loop.items[loop.index - 1] : m.arena().undefined(shape_of(loop.count));
  if (name == "nextitem") return at + 1 < size ? loop.items[loop.index + 1] : m.arena().undefined(shape_of(loop.count));
  if (const Function method = find_method(object, name)) {
    Builtin* made = m.arena().make<Builtin>(Object::What::method, name, method);
    made->self = object;
    return m.arena().object(made);
  }
  return m.arena().undefined();
}

}  // namespace

Value Machine::attribute(u32 node, const Value& object, std::string_view name, Labels labels) {
  burn(1);
  if (object.type == Type::undefined) fail("an attribute of something undefined");
  if (name.starts_with('_') || std::ranges::find(kInside, name) != kInside.end()) {
    observer_.escaped(node, name);
    if (object.type == Type::dict) {
      if (const Value* found = object.dict->find(name)) return found->with(labels, labels);
    }
    return arena_.undefined();
  }
  if (object.type == Type::object) {
    switch (object.object->what) {
      case Object::What::names: {
        const Value* found = static_cast<Names*>(object.object)->values.find(name);
        return found != nullptr ? found->with(labels, labels) : arena_.undefined();
      }
      case Object::What::loop:
        return loop_attribute(*this, object, name);
      case Object::What::macro:
        return name == "name" && tree_[static_cast<Macro*>(object.object)->node].text != kNone
                   ? arena_.literal(tree_.text(tree_[static_cast<Macro*>(object.object)->node]), 0)
                   : arena_.undefined();
      case Object::What::blocks: {
        const auto found = blocks_.find(name);
        if (found == blocks_.end()) return arena_.undefined();
        Macro* made = arena_.make<Macro>();
        made->node = found->second;
        made->body = tree_[found->second].at[0];
        made->scope = top_;
        return arena_.object(made);
      }
      default:
        break;
    }
  }
  if (changes_its_object(object, name)) {
    observer_.mutated(node, name);
    return arena_.undefined();
  }
  if (const Function method = find_method(object, name)) {
    Builtin* made = arena_.make<Builtin>(Object::What::method, name, method);
    made->self = object;
    return arena_.object(made, labels);
  }
  if (object.type == Type::dict) {
    burn(object.dict->items.size() / 8);
    if (const Value* found = object.dict->find(name)) return found->with(labels, object.control | labels);
    return arena_.undefined(shape_of(object.labels) | labels);
  }
  return arena_.undefined(shape_of(object.labels) | labels);
}

Value Machine::item(u32 node, const Value& object, const Value& index) {
  burn(1);
  const Labels labels = index.labels | index.control;
  if (object.type == Type::undefined) fail("an item of something undefined");
  if (object.type == Type::dict && index.type != Type::list && index.type != Type::dict) {
    burn(object.dict->items.size() / 8);
    if (labels != 0) {
      for (const auto& [key, value] : object.dict->items) observer_.compared(node, key, index);
    }
    if (const Value* found = object.dict->find(index)) return found->with(labels, object.control | labels);
  }
  if (index.type == Type::integer || index.type == Type::boolean) {
    i64 at = index.whole();
    if (object.is_text()) {
      const i64 size = static_cast<i64>(count_characters(object.view()));
      if (at < 0) at += size;
      if (at < 0 || at >= size) return arena_.undefined(shape_of(object.labels) | labels);
      const std::size_t begin = offset_of(object.view(), static_cast<std::size_t>(at));
      burn(1 + begin / 64);
      Value out = make_text(texts::slice(*this, *object.text, begin, begin + character_at(object.view(), begin).bytes),
                            object.labels | labels);
      out.control = object.control | labels;
      return out;
    }
    const Values* items = nullptr;
    if (object.is_row()) items = &object.list->items;
    if (object.type == Type::object && object.object->what == Object::What::row &&
        static_cast<Row*>(object.object)->kind == Row::Kind::range)
      items = &static_cast<Row*>(object.object)->items;
    if (items != nullptr) {
      if (at < 0) at += static_cast<i64>(items->size());
      if (at < 0 || at >= static_cast<i64>(items->size())) {
        const Labels count = object.is_row() ? object.list->count : 0;
        return arena_.undefined(shape_of(object.labels) | labels | shape_of(count) | (count & world_.loops));
      }
      return (*items)[static_cast<std::size_t>(at)].with(labels, object.control | labels);
    }
  }
  if (index.is_text()) return attribute(node, object, index.view(), labels);
  return arena_.undefined(labels);
}

Value Machine::slice(const Value& object, const Value& first, const Value& last, const Value& step_value) {
  Labels labels = first.labels | last.labels | step_value.labels;
  const auto whole = [&](const Value& value, i64 otherwise) {
    if (value.type == Type::none) return otherwise;
    if (value.type != Type::integer && value.type != Type::boolean) fail("a slice needs whole numbers");
    return value.whole();
  };
  Values* items = nullptr;
  Values made;
  if (object.is_row()) items = &object.list->items;
  if (object.type == Type::object && object.object->what == Object::What::row &&
      static_cast<Row*>(object.object)->kind == Row::Kind::range)
    items = &static_cast<Row*>(object.object)->items;
  if (items == nullptr && !object.is_text()) {
    if (object.type == Type::undefined) fail("a slice of something undefined");
    return arena_.undefined(labels);
  }
  const i64 size =
      object.is_text() ? static_cast<i64>(count_characters(object.view())) : static_cast<i64>(items->size());
  burn(1 + object.view().size() / 64);
  const i64 step = whole(step_value, 1);
  if (step == 0) return arena_.undefined(labels);
  const auto clamp = [&](i64 at) {
    if (at < 0) at += size;
    return step > 0 ? std::clamp<i64>(at, 0, size) : std::clamp<i64>(at, -1, size - 1);
  };
  const i64 begin = first.type == Type::none ? (step > 0 ? 0 : size - 1) : clamp(whole(first, 0));
  const i64 end = last.type == Type::none ? (step > 0 ? size : -1) : clamp(whole(last, 0));
  if (object.is_text()) {
    Value out;
    if (step == 1) {
      const std::size_t from = offset_of(object.view(), static_cast<std::size_t>(begin));
      const std::size_t to =
          end <= begin ? from : from + offset_of(object.view().substr(from), static_cast<std::size_t>(end - begin));
      out = make_text(texts::slice(*this, *object.text, from, to), object.labels | labels);
    } else {
      Labels ignored = 0;
      const Values characters = iterate(object, ignored);
      Text* text = arena_.make<Text>();
      for (i64 i = begin; step > 0 ? i < end : i > end;) {
        text->append(*characters[static_cast<std::size_t>(i)].text);
        if (__builtin_add_overflow(i, step, &i)) break;
      }
      out = make_text(text, object.labels | labels);
    }
    out.control = object.control | labels;
    return out;
  }
  for (i64 i = begin; step > 0 ? i < end : i > end;) {
    made.push_back((*items)[static_cast<std::size_t>(i)].with(0, object.control | labels));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  burn(1 + made.size() / 4);
  const Labels count = object.is_row() ? object.list->count : static_cast<Row*>(object.object)->count;
  return arena_.list(std::move(made), object.labels | labels, count | labels, object.type == Type::tuple);
}

// "a.0.b" or a number, one step after the other.
Value Machine::path(u32 node, const Value& object, const Value& attribute_path, const Value* fallback) {
  Value at = object;
  if (!attribute_path.is_text()) {
    at = item(node, at, attribute_path);
    return at.type == Type::undefined && fallback != nullptr ? *fallback : at;
  }
  std::string_view rest = attribute_path.view();
  while (true) {
    const std::size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    const bool digits =
        !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == std::string_view::npos;
    at = item(node, at,
              digits ? arena_.integer(std::atoi(std::string(part).c_str())) : arena_.literal(std::string(part), 0));
    if (at.type == Type::undefined && fallback != nullptr) at = *fallback;
    if (dot == rest.size()) return at;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace steelyard::wire::jinja
