#include "formats/detail/python_code.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "formats/detail/python_calls.hpp"

namespace steelyard::formats {
namespace {

using Kind = PythonToken::Kind;
using Value = PythonValue;

constexpr std::size_t kMostSymbols = 20'000;
constexpr int kDeepestSource = 6;  // exec of exec, f-strings in f-strings

// Of builtins and other names that need no import.
bool builtin(std::string_view name) {
  return among(name, "eval", "exec", "compile", "__import__", "getattr", "setattr", "open", "globals", "locals", "vars",
               "chr", "bytes", "bytearray", "str", "repr", "reversed", "dict", "list", "tuple", "map", "filter",
               "isinstance", "issubclass", "hasattr", "__builtins__", "execfile", "input", "print", "super", "type",
               "get_ipython");
}

class Analyser {
 public:
  explicit Analyser(PythonReport& out)
      : out_(out), calls_(out, [this](const Value& code, Range at) { nested_source(code, at); }) {
    scopes_.emplace_back();
  }

  void finish() { calls_.finish(); }

  void run(std::string_view source, u64 base, int depth, std::optional<Range> place) {
    const Source saved = source_;
    source_ = {source, base, depth, place};
    PythonLexer lexer(source, base);
    PythonLexer* const outer = std::exchange(lexer_, &lexer);
    const std::size_t blocks = blocks_.size();
    advance();
    while (token_.kind != Kind::end && token_.kind != Kind::fault) {
      const Range before = token_.at;
      const Kind kind = token_.kind;
      statement();
      if (token_.at == before && token_.kind == kind && kind != Kind::dedent) advance();
    }
    if (!place) out_.read = token_.at.end;
    if (token_.kind == Kind::fault && !place) out_.fault = fmt::format("{} at {:#x}", token_.text, token_.at.begin);
    while (blocks_.size() > blocks) leave();
    lexer_ = outer;
    source_ = saved;
  }

 private:
  struct Source {
    std::string_view text;
    u64 base = 0;
    int depth = 0;
    std::optional<Range> place;  // of nested code: where the call stands that runs it
  };
  enum class Block { other, function, main };
  struct Frame {
    char open = '\0';
    bool call = false;
    bool index = false;
    Value base;  // callee, or what is indexed
    u64 begin = 0;
    std::vector<Value> arguments;
    std::vector<std::pair<std::string, Value>> keywords;
    std::string keyword;
    Value value;
    bool has_value = false;
    std::string op;
    enum class Lambda { none, parameters, body } lambda = Lambda::none;
    bool comma = false;
    std::string slice;  // the operators of an index
  };

  void advance() {
    token_ = lexer_->next();
    if (token_.disguised && !disguised_) {
      disguised_ = true;
      alarm("PYC008", token_.text, "is written in letters that Python turns into others", token_.at);
    }
  }
  bool op(std::string_view text) const { return token_.kind == Kind::op && token_.text == text; }
  bool word(std::string_view text) const { return token_.kind == Kind::name && token_.text == text; }
  bool line_ends() const {
    return token_.kind == Kind::newline || token_.kind == Kind::end || token_.kind == Kind::fault;
  }
  Range place(Range at) const { return source_.place.value_or(at); }

  void alarm(std::string rule, std::string_view call, std::string_view says, Range at) {
    calls_.alarm(std::move(rule), call, says, place(at));
  }

  PythonCall::When when() const {
    const auto has = [&](Block kind) { return std::ranges::find(blocks_, kind) != blocks_.end(); };
    const bool lambda = std::ranges::find(frames_, Frame::Lambda::body, &Frame::lambda) != frames_.end();
    return lambda || has(Block::function) ? PythonCall::When::call
           : has(Block::main)             ? PythonCall::When::main
                                          : PythonCall::When::import;
  }

  // Statements.

  void enter(Block kind) {
    blocks_.push_back(kind);
    if (kind == Block::function) scopes_.emplace_back();
  }
  void leave() {
    if (blocks_.back() == Block::function) {
      scopes_.pop_back();
      if (!functions_.empty()) functions_.pop_back();
    }
    blocks_.pop_back();
  }

  void statement() {
    if (token_.kind == Kind::indent) {
      enter(pending_);
      pending_ = Block::other;
      advance();
      return;
    }
    if (token_.kind == Kind::dedent) {
      if (!blocks_.empty()) leave();
      advance();
      return;
    }
    if (token_.kind == Kind::newline || op(";")) {
      advance();
      return;
    }
    if (word("import")) return import_names();
    if (word("from")) return from_import();
    if (word("async")) advance();
    if (word("def") || word("class")) return definition(word("def"));
    static constexpr std::array<std::string_view, 12> kCompound = {
        "if", "elif", "else", "for", "while", "with", "try", "except", "finally", "match", "case", "async"};
    if (token_.kind == Kind::name && std::ranges::find(kCompound, token_.text) != kCompound.end()) return compound();
    simple();
  }

  // The block after a colon: on the same line, or indented.
  void block(Block kind) {
    if (op(":")) advance();
    if (token_.kind == Kind::newline) {
      pending_ = kind;
      return;
    }
    enter(kind);
    while (!line_ends()) {
      const u64 before = token_.at.begin;
      statement();
      if (token_.at.begin == before && !line_ends()) advance();
    }
    leave();
  }

  void definition(bool function) {
    advance();
    const std::string name = token_.kind == Kind::name ? token_.text : std::string();
    if (!line_ends()) advance();
    Value bases;  // or parameters with their defaults
    if (!op(":")) bases = expression(true);
    if (out_.framework.empty() && std::ranges::find(blocks_, Block::function) == blocks_.end()) {
      out_.framework = framework_of_name(name);
      if (!function && out_.framework.empty()) out_.framework = framework_of_base(bases.path);
      for (const Value& base : bases.items()) {
        if (!function && out_.framework.empty()) out_.framework = framework_of_base(base.path);
      }
    }
    if (function) functions_.push_back(name);
    block(function ? Block::function : Block::other);
  }

  void compound() {
    const std::string keyword = token_.text;
    advance();
    if (keyword == "match" || keyword == "case") {
      // Also names of variables: what decides is what follows.
      if (op("=") || op(".") || op("(") || op("[") || op(",") || op(")")) {
        if (op("=")) return rest_of_assignment({named(keyword)});
        simple();
        return;
      }
    }
    main_test_ = false;
    std::vector<std::string> targets;
    if (keyword == "for") {
      while (!word("in") && !line_ends()) {
        if (token_.kind == Kind::name) targets.push_back(token_.text);
        advance();
      }
      if (word("in")) advance();
    }
    if (!op(":")) {
      Value value = expression(true);
      for (const std::string& target : targets)
        bind(target,
             {.path = {}, .text = {}, .number = {}, .list = {}, .name = target, .target = {}, .marks = value.marks});
    }
    block(main_test_ ? Block::main : Block::other);
  }

  void import_names() {
    advance();
    while (!line_ends() && !op(";")) {
      const Range at = token_.at;
      const std::string module = dotted();
      if (module.empty()) {
        advance();
        continue;
      }
      calls_.record_import(module, place(at));
      std::string name = module.substr(0, module.find('.'));
      std::string path = name;
      if (word("as")) {
        advance();
        name = token_.text;
        path = module;
        advance();
      }
      bind(name, known(path));
      if (op(",")) advance();
    }
  }

  void from_import() {
    advance();
    const Range at = token_.at;
    std::string module;
    while (op(".") || op("...")) {
      module += token_.text;
      advance();
    }
    const std::string dots = module;
    module += dotted();
    if (!word("import")) {
      while (!line_ends()) advance();
      return;
    }
    advance();
    calls_.record_import(module, place(at));
    if (op("(")) advance();
    while (!line_ends() && !op(";") && !op(")")) {
      if (op("*")) {
        if (stars_.size() < 32) stars_.push_back(module);
      } else if (token_.kind == Kind::name) {
        const std::string original = token_.text;
        std::string name = original;
        advance();
        if (word("as")) {
          advance();
          name = token_.text;
          advance();
        }
        // "from . import x" imports a module; "from a import b" may.
        calls_.record_import(module + (module == dots ? "" : ".") + original, place(at));
        bind(name, known(module + "." + original));
        continue;
      }
      advance();
    }
    if (op(")")) advance();
  }

  std::string dotted() {
    std::string path;
    while (token_.kind == Kind::name && !word("import") && !word("as")) {
      path += token_.text;
      advance();
      if (!op(".")) break;
      path += '.';
      advance();
    }
    return path;
  }

  void simple() {
    const bool returns = word("return");
    static constexpr std::array<std::string_view, 11> kSkipped = {
        "return", "raise", "yield", "assert", "del", "global", "nonlocal", "await", "pass", "break", "continue"};
    bool skipped = false;
    while (token_.kind == Kind::name && std::ranges::find(kSkipped, token_.text) != kSkipped.end()) {
      advance();
      skipped = true;
    }
    if (op("@")) advance();
    if (line_ends() || op(";")) return;
    const Range at = token_.at;
    std::vector<Value> targets;
    Value value = expression(false);
    if (returns && !functions_.empty()) {
      summaries_[functions_.back()] |= value.marks & (kDecoded | kRemote | kSecret);
      if (functions_.back().starts_with("__reduce")) calls_.reduces_to(value, place(at));
    }
    if (!skipped && op(":")) {  // an annotation
      advance();
      (void)expression(false);
    }
    if (!skipped && token_.kind == Kind::op && token_.text.size() >= 2 && token_.text.ends_with('=') &&
        !among(token_.text, "==", "!=", "<=", ">=")) {
      const bool plus = token_.text == "+=";
      advance();
      const Value more = expression(false);
      assign(value, combined(value, more, plus ? "+" : "-"));
      return;
    }
    if (!op("=")) return;
    targets.push_back(std::move(value));
    rest_of_assignment(std::move(targets));
  }

  void rest_of_assignment(std::vector<Value> targets) {
    Value value;
    while (op("=")) {
      advance();
      value = expression(false);
      if (op("=")) targets.push_back(value);
    }
    for (const Value& target : targets) assign(target, value);
  }

  void assign(const Value& target, const Value& value) {
    const auto& names = target.items();
    if (!names.empty()) {
      const auto& values = value.items();
      for (std::size_t i = 0; i < names.size(); ++i) {
        Value one;
        if (values.size() == names.size()) {
          one = values[i];
        } else {
          one.marks = value.marks;
        }
        if (!names[i].name.empty()) bind(names[i].name, one);
      }
    } else if (!target.name.empty()) {
      bind(target.name, value);
    }
  }

  // Names.

  static Value known(const std::string& path) {
    Value value;
    value.path = path.substr(0, 512);
    return value;
  }
  static Value named(std::string name) {
    Value value;
    value.name = std::move(name);
    return value;
  }

  void bind(const std::string& name, Value value) {
    auto& scope = name.contains('.') ? scopes_.front() : scopes_.back();
    if (scope.size() >= kMostSymbols) {
      out_.cut = true;
      return;
    }
    value.name.clear();
    scope[name] = std::move(value);
  }

  Value lookup(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->find(name); found != scope->end()) {
        Value value = found->second;
        value.name = name;
        return value;
      }
    }
    Value value = named(name);
    if (builtin(name)) {
      value.path = name;
    } else {
      for (const std::string& module : stars_) {
        if (effect_of(module + "." + name) != nullptr) value.path = module + "." + name;
      }
    }
    return value;
  }

  // Expressions: frames for open brackets, operands joined from the left. Ends at the end of the line, a
  // semicolon, an assignment, or (header) a colon.

  Value expression(bool header) {
    const std::size_t floor = frames_.size();
    frames_.emplace_back();
    bool operand = false;  // the value just read may be called, indexed or asked for an attribute
    while (true) {
      Frame& frame = frames_.back();
      const bool outer = frames_.size() == floor + 1;
      if (token_.kind == Kind::fault || token_.kind == Kind::end) break;
      if (token_.kind == Kind::newline || token_.kind == Kind::indent || token_.kind == Kind::dedent) {
        if (outer) break;
        advance();
        continue;
      }
      if (outer && op(";")) break;
      if (outer && op(":") && frame.lambda != Frame::Lambda::parameters) break;
      if (outer && token_.kind == Kind::op && token_.text.ends_with('=') &&
          !among(token_.text, "==", "!=", "<=", ">=", ":=") && !(header && op("=")))
        break;
      if (token_.kind == Kind::text || token_.kind == Kind::number) {
        operand = true;
        put(token_.kind == Kind::text ? text_value() : number_value());
        advance();
      } else if (token_.kind == Kind::name) {
        if (keyword(frame)) {
          operand = false;
        } else {
          const std::string name = token_.text;
          if (name == "__name__") names_main_ = true;
          if (std::exchange(as_, false)) bind(name, frame.value);
          put(lookup(name));
          operand = true;
        }
        advance();
      } else if (op("(") || op("[") || op("{")) {
        Frame inner;
        inner.open = token_.text[0];
        inner.begin = token_.at.begin;
        inner.call = operand && inner.open == '(';
        inner.index = operand && inner.open == '[';
        if (inner.call || inner.index) {
          inner.base = std::exchange(pending_value_, {});
          has_pending_ = false;
        } else {
          settle(frame);
        }
        frames_.push_back(std::move(inner));
        operand = false;
        advance();
      } else if (op(")") || op("]") || op("}")) {
        if (outer) break;  // unbalanced: the lexer says so
        close(token_.at.end);
        operand = true;
        advance();
      } else if (op(".")) {
        advance();
        if (token_.kind == Kind::name && operand) {
          pending_value_ = attribute(pending_value_, token_.text);
          advance();
        }
      } else if (op(",")) {
        settle(frame);
        push(frame);
        frame.comma = true;
        if (frame.lambda == Frame::Lambda::body) frame.lambda = Frame::Lambda::none;
        operand = false;
        advance();
      } else if (op("=") || op(":=")) {
        // A keyword of a call, or a default.
        if (operand) frame.keyword = pending_value_.name;
        has_pending_ = false;
        operand = false;
        advance();
      } else {
        settle(frame);
        frame.op = token_.text;
        if (frame.index && frame.slice.size() < 8) frame.slice += token_.text;
        if (op(":")) {
          if (frame.lambda == Frame::Lambda::parameters) frame.lambda = Frame::Lambda::body;
          if (frame.open == '{') frame.has_value = false;
        }
        operand = false;
        advance();
      }
    }
    while (frames_.size() > floor + 1) close(token_.at.begin);
    Frame& frame = frames_.back();
    settle(frame);
    Value result;
    if (frame.comma) {
      push(frame);
      result = sequence(frame.arguments);
    } else {
      result = std::move(frame.value);
    }
    frames_.pop_back();
    return result;
  }

  // Words that join operands or begin something else. Whether it was one.
  bool keyword(Frame& frame) {
    static constexpr std::array<std::string_view, 14> kWords = {
        "and", "or", "not", "in", "is", "if", "else", "for", "lambda", "await", "async", "yield", "from", "as"};
    if (std::ranges::find(kWords, token_.text) == kWords.end()) return false;
    settle(frame);
    if (token_.text == "lambda") frame.lambda = Frame::Lambda::parameters;
    frame.op = token_.text;
    as_ = token_.text == "as";
    return true;
  }

  // A new operand; the one before it, if any, is joined first (texts side by side are one text).
  void put(Value value) {
    Frame& frame = frames_.back();
    if (has_pending_ && frame.op.empty() && pending_value_.text && value.text && pending_value_.path.empty()) {
      pending_value_ = combined(pending_value_, value, "adjacent");
      return;
    }
    settle(frame);
    pending_value_ = std::move(value);
    has_pending_ = true;
  }

  void settle(Frame& frame) {
    if (!has_pending_) return;
    has_pending_ = false;
    Value value = std::move(pending_value_);
    pending_value_ = {};
    if (frame.has_value) value = combined(frame.value, value, frame.op);
    frame.value = std::move(value);
    frame.has_value = true;
    frame.op.clear();
  }

  static void push(Frame& frame) {
    if (!frame.has_value) return;
    if (!frame.keyword.empty()) {
      if (frame.keywords.size() < 256) frame.keywords.emplace_back(std::move(frame.keyword), std::move(frame.value));
    } else if (frame.arguments.size() < Value::kMostItems) {
      frame.arguments.push_back(std::move(frame.value));
    } else {
      frame.arguments.back().marks |= frame.value.marks;
    }
    frame.keyword.clear();
    frame.value = {};
    frame.has_value = false;
    frame.op.clear();
  }

  static Value sequence(std::vector<Value> items) {
    Value value;
    for (const Value& item : items) value.marks |= item.marks & ~kTemplate;
    value.list = std::make_shared<const std::vector<Value>>(std::move(items));
    return value;
  }

  PythonCallSite site(Frame& frame, u64 end) const {
    return {std::move(frame.base),
            std::move(frame.arguments),
            std::move(frame.keywords),
            place({frame.begin, end}),
            when(),
            source_.depth,
            functions_.empty() ? std::string() : functions_.front()};
  }

  void close(u64 end) {
    settle(frames_.back());
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    const bool single = !frame.comma && frame.keywords.empty() && frame.keyword.empty();
    Value value;
    if (frame.call) {
      push(frame);
      const std::string& name = frame.base.name;
      const auto summary = summaries_.find(name.starts_with("self.") ? name.substr(5) : name);
      if (summary != summaries_.end()) frame.base.marks |= summary->second;
      value = calls_.called(site(frame, end));
    } else if (frame.index) {
      value = indexed(frame.base, frame.value, frame.slice);
    } else if (frame.open == '(' && single) {
      value = std::move(frame.value);
    } else {
      push(frame);
      PythonCallSite items = site(frame, end);
      calls_.handed_on({}, items, items.at);
      value = sequence(std::move(items.arguments));
      for (const auto& [name, more] : items.keywords) value.marks |= more.marks;
    }
    // A call or an index continues its operand; a bracket of its own is a new one.
    if (frame.call || frame.index) {
      pending_value_ = std::move(value);
      has_pending_ = true;
    } else {
      put(std::move(value));
    }
  }

  Value text_value() {
    Value value;
    std::string text = token_.text;
    if (!token_.parts.empty() || text.contains('\x01')) {
      std::string filled;
      std::size_t part = 0;
      for (const char c : text) {
        if (c != '\x01') {
          filled += c;
          continue;
        }
        const Value inner = part < token_.parts.size() ? nested_expression(token_.parts[part]) : Value{};
        ++part;
        value.marks |= inner.marks | (inner.exact() != nullptr ? kPieced : kTemplate);
        filled += inner.exact() != nullptr && calls_.fuel(inner.exact()->size()) ? *inner.exact() : "{}";
        if (canonical_name(inner.path) == "os.environ") value.marks |= kSecret;
      }
      text = std::move(filled);
    }
    if (text == "__main__" && names_main_) main_test_ = true;
    if (secret_place(text)) value.marks |= kSecret;
    value.text = std::make_shared<const std::string>(std::move(text));
    return value;
  }

  Value number_value() const {
    Value value;
    std::string digits = token_.text;
    std::erase(digits, '_');
    const bool hex = digits.starts_with("0x") || digits.starts_with("0X");
    i64 number = 0;
    const char* begin = digits.data() + (hex ? 2 : 0);
    const auto [end, error] = std::from_chars(begin, digits.data() + digits.size(), number, hex ? 16 : 10);
    if (error == std::errc{} && end == digits.data() + digits.size()) value.number = number;
    return value;
  }

  Value combined(const Value& a, const Value& b, std::string_view how) {
    Value value;
    value.marks = a.marks | b.marks;
    if (how == "^") value.marks |= kDecoded;
    const bool joins = how == "+" || how == "adjacent";
    if (joins && (a.text || b.text)) {
      const std::size_t size = (a.text ? a.text->size() : 2) + (b.text ? b.text->size() : 2);
      if (size <= PythonLexer::kKept && calls_.fuel(size)) {
        value.text = std::make_shared<const std::string>((a.text ? *a.text : "{}") + (b.text ? *b.text : "{}"));
        if (!a.text || !b.text) value.marks |= kTemplate;
        if (how == "+") value.marks |= kPieced;
        if (secret_place(*value.text)) value.marks |= kSecret;
      }
    } else if (how == "%" && a.text) {
      value.text = a.text;
      value.marks |= kTemplate | kPieced;
    } else if (joins && a.list && b.list && a.items().size() + b.items().size() <= Value::kMostItems &&
               calls_.fuel(64 * (a.items().size() + b.items().size()))) {
      std::vector<Value> items = a.items();
      items.insert(items.end(), b.items().begin(), b.items().end());
      value.list = std::make_shared<const std::vector<Value>>(std::move(items));
    } else if (how == "or" || how == "if" || how == "else" || how.empty()) {
      value.path = !a.path.empty() ? a.path : b.path;
    }
    return value;
  }

  Value nested_expression(Range part) {
    if (source_.depth >= kDeepestSource || part.begin < source_.base || part.end > source_.base + source_.text.size()) {
      out_.cut = true;
      return {};
    }
    const Source saved = source_;
    const PythonToken token = token_;
    Value pending = std::move(pending_value_);
    const bool has_pending = std::exchange(has_pending_, false);
    const std::string_view inner = source_.text.substr(part.begin - source_.base, part.end - part.begin);
    PythonLexer lexer(inner, part.begin, true);
    PythonLexer* const outer = std::exchange(lexer_, &lexer);
    ++source_.depth;
    advance();
    Value value = expression(false);
    lexer_ = outer;
    source_ = saved;
    token_ = token;
    pending_value_ = std::move(pending);
    has_pending_ = has_pending;
    return value;
  }

  void nested_source(const Value& code, Range at) {
    if (source_.depth >= kDeepestSource || !calls_.fuel(code.text->size())) {
      out_.cut = true;
      return;
    }
    const PythonToken token = token_;
    Value pending = std::move(pending_value_);
    const bool has_pending = std::exchange(has_pending_, false);
    auto frames = std::move(frames_);
    frames_.clear();
    const std::shared_ptr<const std::string> kept = code.text;
    run(*kept, 0, source_.depth + 1, place(at));
    frames_ = std::move(frames);
    token_ = token;
    pending_value_ = std::move(pending);
    has_pending_ = has_pending;
  }

  Value attribute(const Value& base, const std::string& name) {
    // The way from any object to the builtins, through all classes there are.
    if (name == "__subclasses__") subclasses_ = true;
    if (name == "__globals__" && subclasses_ && !escapes_) {
      escapes_ = true;
      alarm("PYC008", name, "reaches the builtins through the classes of an object", token_.at);
    }
    if (!base.name.empty() && !base.name.contains('(')) {
      const std::string whole = base.name + "." + name;
      if (scopes_.front().contains(whole)) return lookup(whole);
    }
    Value value;
    value.marks = base.marks;
    value.target = base.target;
    if (base.text && base.path.empty()) {
      value.path = "str." + name;
      value.text = base.text;
    } else {
      if (!base.path.empty() && base.path.size() < 512 && name.size() < 256) value.path = base.path + "." + name;
      value.text = base.text;
    }
    if (!base.name.empty() && base.name.size() < 256 && name.size() < 256) value.name = base.name + "." + name;
    return value;
  }

  Value indexed(const Value& base, const Value& key, std::string_view slice) {
    Value value;
    value.marks = base.marks;
    const std::string path = canonical_name(base.path);
    if (key.exact() != nullptr && !path.empty()) {
      if (path == "globals()" || path == "locals()" || path == "vars()") {
        value = lookup(*key.exact());
      } else if (path == "sys.modules") {
        value.path = *key.exact();
      } else if (path == "os.environ") {
        value.marks &= ~kSecret;
      } else {
        const std::string_view dict = ".__dict__";
        value.path = (path.ends_with(dict) ? path.substr(0, path.size() - dict.size()) : path) + "." + *key.exact();
      }
      calls_.obscured(key, value.path, place(token_.at));
    } else if (base.exact() != nullptr && slice == "::-" && calls_.fuel(base.text->size())) {
      value.text = std::make_shared<const std::string>(base.text->rbegin(), base.text->rend());  // [::-1]
      value.marks |= kPieced;
    } else if (key.number && *key.number >= 0 && static_cast<std::size_t>(*key.number) < base.items().size()) {
      value = base.items()[static_cast<std::size_t>(*key.number)];
    } else if (key.number && base.exact() != nullptr && *key.number >= 0 &&
               static_cast<std::size_t>(*key.number) < base.text->size()) {
      value.text = std::make_shared<const std::string>(1, (*base.text)[static_cast<std::size_t>(*key.number)]);
      value.marks |= kPieced;
    }
    return value;
  }

  // Calls.

  PythonReport& out_;
  PythonCalls calls_;
  Source source_;
  PythonLexer* lexer_ = nullptr;
  PythonToken token_;
  std::vector<Block> blocks_;
  Block pending_ = Block::other;
  std::vector<std::map<std::string, Value>> scopes_;
  std::vector<std::string> functions_;
  std::map<std::string, u32, std::less<>> summaries_;
  std::vector<std::string> stars_;
  std::vector<Frame> frames_;
  Value pending_value_;
  bool has_pending_ = false;
  bool names_main_ = false;
  bool as_ = false;  // the name that follows is bound to the value before it
  bool main_test_ = false;
  bool disguised_ = false;
  bool subclasses_ = false;
  bool escapes_ = false;
};

}  // namespace

PythonReport examine_python(std::string_view source, u64 base, int depth) {
  PythonReport report;
  if (depth >= kDeepestSource) {
    report.cut = true;
    return report;
  }
  Analyser analyser(report);
  analyser.run(source, base, depth, std::nullopt);
  analyser.finish();

  return report;
}

}  // namespace steelyard::formats
