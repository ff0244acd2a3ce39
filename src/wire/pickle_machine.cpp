// The loop of the pickle machine and the opcodes that only move values.
#include "wire/pickle.hpp"

namespace steelyard::wire::pickle {
namespace {

constexpr int kHighestProtocol = 5;

}  // namespace

bool Machine::fail(std::string_view field, std::string why) {
  if (!out_.fault) out_.fault = Fault{std::string(field), opcode_at_, 0, 0, std::move(why)};
  return false;
}

bool Machine::tolerate(std::string_view field, std::string why) {
  fail(field, std::move(why));
  return !options_.exact && !options_.stop_at_fault;
}

Outcome Machine::run() {
  out_ = {};
  stack_.clear();
  marks_.clear();
  memo_.clear();
  far_memo_.clear();
  memo_length_ = 0;
  memo_dropped_ = false;
  frame_end_ = 0;
  collect_at_ = 0;
  sync();
  collect();
  out_.begin = offset();
  return walk();
}

Outcome Machine::resume() { return walk(); }

Outcome Machine::walk() {
  while (true) {
    if (crowded() && out_.opcodes >= collect_at_) collect();
    if (stack_.size() > kCollapse) {
      if (stack_.size() > kMostStack || marks_.size() > kMostMarks) {
        collapse();
        out_.exhausted = stack_.size() > kMostStack || marks_.size() > kMostMarks;
      } else if (stack_.size() - fence() > kCollapse) {
        collapse();
      }
    }
    opcode_at_ = offset();
    if (out_.opcodes >= options_.fuel || marks_.size() > kMostMarks) out_.exhausted = true;
    if (out_.exhausted) break;
    if (!more()) {
      fail("pickle", "the data end without STOP");
      break;
    }
    opcode_at_ = offset();
    ++out_.opcodes;
    if (!step(static_cast<u8>(*at_++))) break;
  }
  out_.end = offset();
  weigh_all();
  return out_;
}

// clang-format off
bool Machine::step(u8 opcode) {
  u8 n1 = 0;
  u16 n2 = 0;
  u32 n4 = 0;
  u64 n8 = 0;
  std::size_t begin = 0;
  switch (opcode) {
    case 'N': push(simple(Kind::none)); return true;
    case 0x88: push(simple(Kind::boolean, 1)); return true;
    case 0x89: push(simple(Kind::boolean, 0)); return true;
    case 'J': if (!number(n4)) return false; push(simple(Kind::integer, static_cast<std::int32_t>(n4))); return true;
    case 'K': if (!number(n1)) return false; push(simple(Kind::integer, n1)); return true;
    case 'M': if (!number(n2)) return false; push(simple(Kind::integer, n2)); return true;
    case 'I': return integer_line();
    case 'L': return long_line();
    case 0x8a: return number(n1) && counted_long(n1);
    case 0x8b:
      if (!number(n4)) return false;
      if (n4 > INT32_MAX) return tolerate("LONG4", "a negative size");
      return counted_long(n4);
    case 'F': return float_line();
    case 'G': {
      if (!number(n8)) return false;
      Value value = simple(Kind::real);
      value.real = std::bit_cast<double>(__builtin_bswap64(n8));
      push(value);
      return true;
    }
    case 'C': return number(n1) && content(n1, Kind::bytes, Encoding::any);
    case 'B': return number(n4) && content(n4, Kind::bytes, Encoding::any);
    case 0x8e: return number(n8) && content(n8, Kind::bytes, Encoding::any);
    case 0x96: return number(n8) && bytearray_content(n8);
    case 0x97:
      push(simple(Kind::buffer));
      return !options_.exact || tolerate("NEXT_BUFFER", "there are no out-of-band buffers");
    case 0x98: return readonly_buffer();
    case 'U': return number(n1) && binstring(n1);
    case 'T': return number(n4) && binstring(n4);
    case 'S': return string_line();
    case 'V': return unicode_line();
    case 0x8c: return number(n1) && content(n1, Kind::text, Encoding::utf8_surrogates);
    case 'X': return number(n4) && content(n4, Kind::text, Encoding::utf8_surrogates);
    case 0x8d: return number(n8) && content(n8, Kind::text, Encoding::utf8_surrogates);
    case ')': push(simple(Kind::tuple)); return true;
    case 0x85: return tuple(1);
    case 0x86: return tuple(2);
    case 0x87: return tuple(3);
    case 't': return marker(begin) && container(Kind::tuple, begin);
    case ']': push(make(Kind::list)); return true;
    case 'l': return marker(begin) && container(Kind::list, begin);
    case '}': push(make(Kind::dict)); return true;
    case 'd': return dict();
    case 0x8f: push(make(Kind::set)); return true;
    case 0x90: return add_items();
    case 0x91: return marker(begin) && container(Kind::frozenset, begin);
    case 'o': return obj();
    case 'i': return global_lines(true);
    case 0x81: return new_object(false);
    case 0x92: return new_object(true);
    case 'c': return global_lines(false);
    case 0x93: return stack_global();
    case 'a': return settle(2) ? append(stack_.size() - 1) : tolerate("stack", "too few values");
    case 'e': return marker(begin) && append(begin);
    case 'b': return build();
    case '2':
      if (!settle(1)) return tolerate("stack", "too few values");
      push(Value(stack_.back()));
      return true;
    case 'h': return number(n1) && get(n1);
    case 'j': return number(n4) && get(n4);
    case 'g': return memo_line(false);
    case '(': marks_.push_back(static_cast<u32>(stack_.size())); return true;
    case 'q': return number(n1) && put(n1);
    case 'r': return number(n4) && put(n4);
    case 'p': return memo_line(true);
    case 0x94: return put(memo_length_);
    case '0':
      if (!marks_.empty() && marks_.back() == stack_.size()) {
        marks_.pop_back();
        return true;
      }
      if (stack_.size() <= fence()) return tolerate("stack", "too few values");
      pop();
      return true;
    case '1':
      if (!marker(begin)) return false;
      stack_.resize(begin);
      return true;
    case 's': return settle(3) ? set_items_from(stack_.size() - 2) : tolerate("stack", "too few values");
    case 'u': return marker(begin) && set_items_from(begin);
    case 'P': {
      Line id;
      if (!line(id)) return false;
      Value value = simple(Kind::text);
      value.offset = id.offset;
      value.size = static_cast<u32>(std::min<u64>(id.length, UINT32_MAX));
      if (!in_encoding(id.text, Encoding::ascii) && !tolerate("PERSID", "not ASCII")) return false;
      return persistent(value);
    }
    case 'Q':
      if (!settle(1)) return tolerate("stack", "too few values");
      return persistent(pop());
    case 'R': return reduce();
    case 0x80:
      if (!number(n1)) return false;
      if (n1 > kHighestProtocol) return tolerate("PROTO", "a protocol that doesn't exist");
      out_.protocol = n1;
      return true;
    case 0x95: return frame();
    case 0x82: return number(n1) && extension(n1);
    case 0x83: return number(n2) && extension(n2);
    case 0x84: return number(n4) && extension(static_cast<std::int32_t>(n4));
    case '.':
      if (!settle(1)) {
        fail("stack", "nothing to return");
      } else {
        out_.result = pop();
        out_.stopped = true;
      }
      return false;
    default: return fail("opcode", "there is no such one");
  }
}
// clang-format on

bool Machine::integer_line() {
  Line in;
  if (!line(in)) return false;
  const auto known = parse_int(in.text);
  Value value = simple(known && known->boolean ? Kind::boolean : Kind::integer, known ? known->value : 0);
  if (!known || !known->small) {
    value.form = Form::digits;
    value.offset = in.offset;
    value.size = static_cast<u32>(std::min<u64>(in.length, UINT32_MAX));
  }
  push(value);
  if (known) note_number(value);
  return known.has_value() || tolerate("INT", "not a number");
}

bool Machine::long_line() {
  Line in;
  if (!line(in)) return false;
  const auto known = parse_long(in.text);
  Value value = simple(Kind::integer, known ? known->value : 0);
  if (!known || !known->small) {
    value.form = Form::digits;
    value.offset = in.offset;
    value.size = static_cast<u32>(std::min<u64>(in.length, UINT32_MAX));
  }
  push(value);
  if (known) note_number(value);
  return known.has_value() || tolerate("LONG", "not a number");
}

bool Machine::float_line() {
  Line in;
  if (!line(in)) return false;
  const auto known = parse_float(in.text);
  Value value = simple(Kind::real);
  value.real = known.value_or(0);
  push(value);
  return known.has_value() || !in.whole() || tolerate("FLOAT", "not a number");
}

bool Machine::counted_long(u64 size) {
  if (size == 0) {
    push(simple(Kind::integer));
    return true;
  }
  if (size <= sizeof(u64)) {
    const std::byte* raw = need(size);
    if (raw == nullptr) return false;
    u64 bits = 0;
    std::memcpy(&bits, raw, size);
    if (size < sizeof(u64) && (std::to_integer<u8>(raw[size - 1]) & 0x80) != 0) bits |= ~u64{0} << (8 * size);
    push(simple(Kind::integer, static_cast<i64>(bits)));
    note_number(stack_.back());
    return true;
  }
  if (!content(size, Kind::integer, Encoding::any)) return false;
  stack_.back().form = Form::little_endian;
  note_number(stack_.back());
  return true;
}

bool Machine::string_line() {
  Line in;
  if (!line(in)) return false;
  Value value = simple(Kind::text);
  value.form = Form::escaped;
  value.offset = in.offset + 1;
  value.size = static_cast<u32>(std::min<u64>(in.length < 2 ? 0 : in.length - 2, UINT32_MAX));
  push(value);
  const bool quoted = in.length >= 2 && in.text[0] == in.last && (in.last == '\'' || in.last == '"');
  if (!quoted) return tolerate("STRING", "not quoted");
  if (!in.whole()) return true;
  const auto content = unescape(in.text.substr(1, in.text.size() - 2));
  if (!content) return tolerate("STRING", "a broken escape");
  return !options_.exact || in_encoding(*content, Encoding::ascii) || tolerate("STRING", "not ASCII");
}

bool Machine::unicode_line() {
  Line in;
  if (!line(in)) return false;
  Value value = simple(Kind::text);
  value.form = Form::unicode_escaped;
  value.offset = in.offset;
  value.size = static_cast<u32>(std::min<u64>(in.length, UINT32_MAX));
  push(value);
  return !in.whole() || unescape_unicode(in.text).has_value() || tolerate("UNICODE", "a broken escape");
}

// PUT and GET.
bool Machine::memo_line(bool store) {
  Line in;
  if (!line(in)) return false;
  const auto known = parse_index(in.text);
  if (known && known->small && (known->value >= 0 || !store))
    return store ? put(static_cast<u64>(known->value)) : get(static_cast<u64>(known->value));
  if (!store) push({});
  return tolerate("memo", "not an index");
}

// A text of Python 2, whose encoding the caller of load() chooses.
bool Machine::binstring(u64 size) {
  if (!content(size, Kind::text, options_.exact ? Encoding::ascii : Encoding::any)) return false;
  stack_.back().form = Form::eight_bit;
  observer_.bytes(*this, stack_.back());
  return true;
}

bool Machine::bytearray_content(u64 size) {
  if (!content(size, Kind::bytes, Encoding::any)) return false;
  const Value bytes = stack_.back();
  const Value array = make(Kind::bytearray);
  if (Node* node = mutable_node(array)) {
    node->length = size;
    node->items.push_back(bytes);
  }
  stack_.back() = array;
  return true;
}

bool Machine::readonly_buffer() {
  if (!settle(1)) return tolerate("stack", "too few values");
  Value& top = stack_.back();
  switch (top.kind) {
    case Kind::bytes:
    case Kind::buffer:
      return true;
    case Kind::bytearray:
      top = simple(Kind::buffer);
      top.size = 1;  // not hashable
      return true;
    case Kind::object:
    case Kind::persistent:
    case Kind::global:
    case Kind::lost:
      top = simple(Kind::buffer);
      return !options_.exact || tolerate("READONLY_BUFFER", "not a buffer");
    default:
      return tolerate("READONLY_BUFFER", "not a buffer");
  }
}

bool Machine::extension(i64 code) {
  if (code <= 0) {
    push({});
    return tolerate("EXT", "a code below 1");
  }
  Event event;
  event.what = Event::What::extension;
  event.argument = simple(Kind::integer, code);
  push(event.result);
  if (options_.exact) return tolerate("EXT", "the code isn't registered");
  emit(event);
  return true;
}

}  // namespace steelyard::wire::pickle
