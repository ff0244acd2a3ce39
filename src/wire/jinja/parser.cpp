#include "wire/jinja/parser.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/jinja/lexer.hpp"

namespace steelyard::wire::jinja {
namespace {

using Words = std::initializer_list<std::string_view>;

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::vector<std::string> texts) : tokens_(std::move(tokens)) {
    tree_.texts = std::move(texts);
  }

  std::expected<Tree, Refusal> run() {
    try {
      tree_.root = statements({});
    } catch (const Refusal& refusal) {
      return std::unexpected(refusal);
    }
    return std::move(tree_);
  }

 private:
  // ---- Tokens ----

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() {
    const Token& token = tokens_[at_];
    if (token.kind != Tok::end) ++at_;
    return token;
  }
  bool is(Tok kind) const { return now().kind == kind; }
  bool is(const Token& token, std::string_view word) const {
    return token.kind == Tok::name && tree_.texts[token.text] == word;
  }
  bool is(std::string_view word) const { return is(now(), word); }
  bool accept(Tok kind) { return is(kind) && (take(), true); }
  bool accept(std::string_view word) { return is(word) && (take(), true); }
  const Token& expect(Tok kind, std::string_view what) {
    if (!is(kind)) refuse(fmt::format("expected {}", what));
    return take();
  }
  void expect(std::string_view word) {
    if (!accept(word)) refuse(fmt::format("expected {}", word));
  }

  [[noreturn]] void refuse(std::string why, bool budget = false) const {
    throw Refusal{now().begin, std::move(why), budget};
  }

  // ---- Nodes ----

  struct Nesting {
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.nested_ > kNested) parser_.refuse("nested deeper than is read", true);
    }
    ~Nesting() { --parser_.nested_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;
    Parser& parser_;
  };

  // The children's deepest decides the depth; the node ends where the last token that was taken ends.
  u32 make(Kind kind, u32 begin, std::initializer_list<u32> slots = {}, const std::vector<u32>& items = {}) {
    if (tree_.nodes.size() >= kMostNodes) refuse("more of it than is read", true);
    Node node;
    node.kind = kind;
    node.begin = begin;
    node.end = at_ > 0 ? std::max(begin, tokens_[at_ - 1].end) : begin;
    u32 depth = 0;
    const auto child = [&](u32 index) {
      if (index != kNone) depth = std::max(depth, depths_[index]);
    };
    std::ranges::copy(slots, node.at.begin());
    std::ranges::for_each(slots, child);
    std::ranges::for_each(items, child);
    if (++depth > kDeepest) refuse("a longer chain of operations than is read", true);
    node.first = static_cast<u32>(tree_.lists.size());
    node.count = static_cast<u32>(items.size());
    tree_.lists.insert(tree_.lists.end(), items.begin(), items.end());
    tree_.nodes.push_back(node);
    depths_.push_back(depth);
    return static_cast<u32>(tree_.nodes.size() - 1);
  }
  u32 make_text(Kind kind, u32 begin, u32 text, std::initializer_list<u32> slots = {},
                const std::vector<u32>& items = {}) {
    const u32 node = make(kind, begin, slots, items);
    tree_.nodes[node].text = text;
    return node;
  }
  u32 next_node() const { return static_cast<u32>(tree_.nodes.size()); }
  u32 starting(u32 first, u32 node) {
    tree_.nodes[node].other = first;
    return node;
  }
  u32 intern(std::string text) {
    tree_.texts.push_back(std::move(text));
    return static_cast<u32>(tree_.texts.size() - 1);
  }

  // ---- Statements ----

  // Until a block that begins with one of `ends`, which stays; until the end when there is none.
  u32 statements(Words ends) {
    const Nesting nesting(*this);
    const u32 begin = now().begin;
    std::vector<u32> body;
    std::vector<u32> output;
    const auto flush = [&] {
      if (output.empty()) return;
      body.push_back(make(Kind::output, tree_[output.front()].begin, {}, output));
      output.clear();
    };
    while (!is(Tok::end)) {
      const Token& token = take();
      if (token.kind == Tok::data) {
        output.push_back(make_text(Kind::data, token.begin, token.text));
      } else if (token.kind == Tok::variable_begin) {
        output.push_back(tuple());
        expect(Tok::variable_end, "the end of an expression");
      } else {
        flush();
        if (std::ranges::any_of(ends, [&](std::string_view word) { return is(word); }))
          return make(Kind::body, begin, {}, body);
        body.push_back(statement());
        expect(Tok::block_end, "the end of a block");
      }
    }
    flush();
    if (ends.size() != 0) refuse(fmt::format("expected {}", *ends.begin()));
    return make(Kind::body, begin, {}, body);
  }

  u32 block_body(Words ends) {
    accept(Tok::colon);
    expect(Tok::block_end, "the end of a block");
    return statements(ends);
  }
  u32 whole_body(std::string_view end) {
    const u32 body = block_body({end});
    take();
    return body;
  }

  u32 statement() {
    const Nesting nesting(*this);
    const u32 begin = now().begin;
    if (!is(Tok::name)) refuse("expected the name of a block");
    const std::string word = tree_.texts[take().text];
    if (word == "for") return loop(begin);
    if (word == "if") return branch(begin);
    if (word == "set") return set(begin);
    if (word == "macro") {
      const u32 name = expect(Tok::name, "a name").text;
      const std::vector<u32> parameters = signature();
      const u32 first = next_node();
      return starting(first, make_text(Kind::macro, begin, name, {whole_body("endmacro")}, parameters));
    }
    if (word == "call") {
      const std::vector<u32> parameters = is(Tok::lparen) ? signature() : std::vector<u32>();
      const u32 call = expression();
      if (tree_[call].kind != Kind::call) refuse("expected a call");
      const u32 first = next_node();
      return starting(first, make(Kind::call_block, begin, {call, whole_body("endcall")}, parameters));
    }
    if (word == "filter") {
      const u32 filter = filters(kNone, true);
      return make(Kind::filter_block, begin, {filter, whole_body("endfilter")});
    }
    if (word == "with") return with(begin);
    if (word == "autoescape") {
      const u32 value = expression();
      return make(Kind::autoescape, begin, {value, whole_body("endautoescape")});
    }
    if (word == "block") return block(begin);
    if (word == "extends") return make(Kind::extends, begin, {expression()});
    if (word == "include") {
      const u32 name = expression();
      if (is("ignore") && is(ahead(), "missing")) take(), take();
      import_context();
      return make(Kind::include, begin, {name});
    }
    if (word == "import") {
      const u32 name = expression();
      expect("as");
      const u32 target = expect(Tok::name, "a name").text;
      import_context();
      return make_text(Kind::import, begin, target, {name});
    }
    if (word == "from") return from_import(begin);
    if (word == "print") {
      std::vector<u32> items;
      while (!is(Tok::block_end)) {
        if (!items.empty()) expect(Tok::comma, "a comma");
        items.push_back(expression());
      }
      return make(Kind::output, begin, {}, items);
    }
    if (word == "do") return make(Kind::evaluate, begin, {tuple()});
    if (word == "break") return make(Kind::stop, begin);
    if (word == "continue") return make(Kind::next, begin);
    if (word == "generation") return make(Kind::generation, begin, {whole_body("endgeneration")});
    refuse(fmt::format("no block is called \"{}\"", word.substr(0, 40)));
  }

  u32 loop(u32 begin) {
    const u32 target = assignable(tuple(true, true, {"in"}));
    expect("in");
    const u32 items = tuple(false, false, {"recursive"});
    const u32 test = accept("if") ? expression() : kNone;
    const bool recursive = accept("recursive");
    const u32 first = next_node();
    const u32 body = block_body({"endfor", "else"});
    const u32 otherwise = is(take(), "else") ? whole_body("endfor") : kNone;
    const u32 node = make(Kind::loop, begin, {target, items, test, body, otherwise});
    tree_.nodes[node].flag = recursive;
    return starting(first, node);
  }

  u32 branch(u32 begin) {
    std::vector<u32> arms;
    u32 otherwise = kNone;
    while (true) {
      arms.push_back(tuple(false, false));
      arms.push_back(block_body({"elif", "else", "endif"}));
      const Token& end = take();
      if (is(end, "elif")) continue;
      if (is(end, "else")) otherwise = whole_body("endif");
      return make(Kind::branch, begin, {otherwise}, arms);
    }
  }

  u32 set(u32 begin) {
    const u32 target = assignable(tuple(true, true, {}, false, true));
    if (accept(Tok::assign)) return make(Kind::set, begin, {target, tuple()});
    const u32 filter = filters(kNone, false);
    return make(Kind::set_block, begin, {target, filter, whole_body("endset")});
  }

  u32 with(u32 begin) {
    std::vector<u32> pairs;
    while (!is(Tok::block_end)) {
      if (!pairs.empty()) expect(Tok::comma, "a comma");
      pairs.push_back(assignable(tuple(true, true)));
      expect(Tok::assign, "=");
      pairs.push_back(expression());
    }
    return make(Kind::with, begin, {whole_body("endwith")}, pairs);
  }

  u32 block(u32 begin) {
    const u32 name = expect(Tok::name, "a name").text;
    const bool scoped = accept("scoped");
    const bool required = accept("required");
    const u32 body = whole_body("endblock");
    if (required) only_space(body);
    accept(tree_.texts[name]);
    const u32 node = make_text(Kind::block, begin, name, {body});
    tree_.nodes[node].flag = scoped;
    return node;
  }

  void only_space(u32 body) const {
    for (u32 i = 0; i < tree_[body].count; ++i) {
      const Node& output = tree_[tree_.item(tree_[body], i)];
      bool space = output.kind == Kind::output;
      for (u32 j = 0; space && j < output.count; ++j) {
        const Node& data = tree_[tree_.item(output, j)];
        space = data.kind == Kind::data && tree_.text(data).find_first_not_of(" \t\n\v\f") == std::string::npos;
      }
      if (!space) refuse("a required block that isn't empty");
    }
  }

  void import_context() {
    if ((is("with") || is("without")) && is(ahead(), "context")) take(), take();
  }

  u32 from_import(u32 begin) {
    const u32 name = expression();
    expect("import");
    std::vector<u32> names;
    const auto context = [&] {
      if ((!is("with") && !is("without")) || !is(ahead(), "context")) return false;
      take();
      take();
      return true;
    };
    for (bool more = true; more;) {
      if (!names.empty()) expect(Tok::comma, "a comma");
      if (is(Tok::name) && context()) break;
      const u32 at = now().begin;
      const u32 which = expect(Tok::name, "a name").text;
      if (tree_.texts[which].starts_with('_')) refuse("a name that can't be imported");
      const u32 as = accept("as") ? expect(Tok::name, "a name").text : which;
      names.push_back(make_text(Kind::name, at, as));
      if (context()) break;
      more = is(Tok::comma);
    }
    return make(Kind::from_import, begin, {name}, names);
  }

  std::vector<u32> signature() {
    std::vector<u32> parameters;
    bool defaults = false;
    expect(Tok::lparen, "(");
    while (!is(Tok::rparen)) {
      if (!parameters.empty()) expect(Tok::comma, "a comma");
      const u32 begin = now().begin;
      const u32 name = expect(Tok::name, "a name").text;
      const u32 value = accept(Tok::assign) ? expression() : kNone;
      if (value == kNone && defaults) refuse("a parameter without a default behind one with");
      defaults = value != kNone;
      parameters.push_back(make_text(Kind::parameter, begin, name, {value}));
    }
    take();
    return parameters;
  }

  u32 assignable(u32 target) const {
    const Node& node = tree_[target];
    if (node.kind == Kind::tuple) {
      for (u32 i = 0; i < node.count; ++i) assignable(tree_.item(node, i));
    } else if (node.kind == Kind::name) {
      const std::string& name = tree_.text(node);
      if (name == "true" || name == "false" || name == "none" || name == "True" || name == "False" || name == "None")
        refuse("a constant can't be assigned to");
    } else if (node.kind != Kind::namespace_at) {
      refuse("expected something that can be assigned to");
    }
    return target;
  }

  // ---- Expressions ----

  u32 expression(bool conditional = true) {
    const Nesting nesting(*this);
    const u32 begin = now().begin;
    u32 left = disjunction();
    while (conditional && accept("if")) {
      const u32 test = disjunction();
      left = make(Kind::conditional, begin, {test, left, accept("else") ? expression() : kNone});
    }
    return left;
  }

  u32 disjunction() {
    const u32 begin = now().begin;
    u32 left = conjunction();
    while (accept("or")) left = make(Kind::logical_or, begin, {left, conjunction()});
    return left;
  }

  u32 conjunction() {
    const u32 begin = now().begin;
    u32 left = negation();
    while (accept("and")) left = make(Kind::logical_and, begin, {left, negation()});
    return left;
  }

  u32 negation() {
    std::vector<u32> begins;
    while (is("not")) {
      begins.push_back(take().begin);
      if (begins.size() > kNested) refuse("nested deeper than is read", true);
    }
    u32 node = comparison();
    for (; !begins.empty(); begins.pop_back()) node = make(Kind::logical_not, begins.back(), {node});
    return node;
  }

  u32 comparison() {
    const u32 begin = now().begin;
    const u32 left = sum();
    std::vector<u32> chain;
    while (true) {
      const u32 at = now().begin;
      Op op = Op::none;
      const Tok kind = now().kind;
      if (kind >= Tok::eq && kind <= Tok::le) {
        constexpr std::array<Op, 6> kOps = {Op::eq, Op::ne, Op::gt, Op::ge, Op::lt, Op::le};
        op = kOps.at(static_cast<std::size_t>(kind) - static_cast<std::size_t>(Tok::eq));
        take();
      } else if (accept("in")) {
        op = Op::in;
      } else if (is("not") && is(ahead(), "in")) {
        take();
        take();
        op = Op::not_in;
      } else {
        break;
      }
      chain.push_back(make(Kind::comparison, at, {sum()}));
      tree_.nodes[chain.back()].op = op;
    }
    return chain.empty() ? left : make(Kind::compare, begin, {left}, chain);
  }

  u32 binary(u32 begin, Op op, u32 left, u32 right) {
    const u32 node = make(Kind::binary, begin, {left, right});
    tree_.nodes[node].op = op;
    return node;
  }

  u32 sum() {
    const u32 begin = now().begin;
    u32 left = concatenation();
    while (is(Tok::add) || is(Tok::sub)) {
      const Op op = take().kind == Tok::add ? Op::add : Op::sub;
      left = binary(begin, op, left, concatenation());
    }
    return left;
  }

  u32 concatenation() {
    const u32 begin = now().begin;
    std::vector<u32> parts = {product()};
    while (accept(Tok::tilde)) parts.push_back(product());
    return parts.size() == 1 ? parts[0] : make(Kind::concat, begin, {}, parts);
  }

  u32 product() {
    const u32 begin = now().begin;
    u32 left = power();
    while (is(Tok::mul) || is(Tok::div) || is(Tok::floordiv) || is(Tok::mod)) {
      const Tok kind = take().kind;
      const Op op = kind == Tok::mul        ? Op::mul
                    : kind == Tok::div      ? Op::div
                    : kind == Tok::floordiv ? Op::floordiv
                                            : Op::mod;
      left = binary(begin, op, left, power());
    }
    return left;
  }

  u32 power() {
    const u32 begin = now().begin;
    u32 left = unary(true);
    while (accept(Tok::pow)) left = binary(begin, Op::pow, left, unary(true));
    return left;
  }

  u32 unary(bool with_filter) {
    const Nesting nesting(*this);
    const u32 begin = now().begin;
    u32 node = kNone;
    if (is(Tok::sub) || is(Tok::add)) {
      const Kind kind = take().kind == Tok::sub ? Kind::negative : Kind::positive;
      node = make(kind, begin, {unary(false)});
    } else {
      node = primary(false);
    }
    node = postfix(node, begin);
    return with_filter ? filters_and_tests(node, begin) : node;
  }

  u32 constant(u32 begin, Constant kind, bool flag = false) {
    const u32 node = make(Kind::literal, begin);
    tree_.nodes[node].constant = kind;
    tree_.nodes[node].flag = flag;
    return node;
  }

  u32 primary(bool namespaces) {
    const Token token = now();
    switch (token.kind) {
      case Tok::name: {
        take();
        const std::string& word = tree_.texts[token.text];
        if (word == "true" || word == "True") return constant(token.begin, Constant::boolean, true);
        if (word == "false" || word == "False") return constant(token.begin, Constant::boolean);
        if (word == "none" || word == "None") return constant(token.begin, Constant::none);
        if (namespaces && accept(Tok::dot)) {
          const u32 attribute = expect(Tok::name, "a name").text;
          const u32 node = make_text(Kind::namespace_at, token.begin, token.text);
          tree_.nodes[node].other = attribute;
          return node;
        }
        return make_text(Kind::name, token.begin, token.text);
      }
      case Tok::string: {
        take();
        u32 text = token.text;
        if (is(Tok::string)) {
          std::string joined = tree_.texts[text];
          while (is(Tok::string)) joined += tree_.texts[take().text];
          text = intern(std::move(joined));
        }
        const u32 node = constant(token.begin, Constant::text);
        tree_.nodes[node].text = text;
        return node;
      }
      case Tok::integer: {
        take();
        const u32 node = constant(token.begin, token.huge ? Constant::huge : Constant::integer);
        tree_.nodes[node].integer = token.integer;
        return node;
      }
      case Tok::real: {
        take();
        const u32 node = constant(token.begin, Constant::real);
        tree_.nodes[node].real = token.real;
        return node;
      }
      case Tok::lparen: {
        take();
        const u32 node = tuple(false, true, {}, true);
        expect(Tok::rparen, ")");
        return node;
      }
      case Tok::lbracket: {
        take();
        std::vector<u32> items;
        while (!is(Tok::rbracket)) {
          if (!items.empty()) expect(Tok::comma, "a comma");
          if (is(Tok::rbracket)) break;
          items.push_back(expression());
        }
        take();
        return make(Kind::list, token.begin, {}, items);
      }
      case Tok::lbrace: {
        take();
        std::vector<u32> items;
        while (!is(Tok::rbrace)) {
          if (!items.empty()) expect(Tok::comma, "a comma");
          if (is(Tok::rbrace)) break;
          const u32 key = expression();
          expect(Tok::colon, "a colon");
          const u32 value = expression();
          items.push_back(make(Kind::pair, tree_[key].begin, {key, value}));
        }
        take();
        return make(Kind::dict, token.begin, {}, items);
      }
      default:
        refuse("expected an expression");
    }
  }

  // `simplified`: names and constants only, as targets are. `brackets`: inside parentheses, where () is a tuple.
  u32 tuple(bool simplified = false, bool conditional = true, Words ends = {}, bool brackets = false,
            bool namespaces = false) {
    const u32 begin = now().begin;
    std::vector<u32> items;
    bool several = false;
    while (true) {
      if (!items.empty()) expect(Tok::comma, "a comma");
      if (is(Tok::variable_end) || is(Tok::block_end) || is(Tok::rparen) ||
          std::ranges::any_of(ends, [&](std::string_view word) { return is(word); }))
        break;
      items.push_back(simplified ? primary(namespaces) : expression(conditional));
      if (!is(Tok::comma)) break;
      several = true;
    }
    if (!several && !items.empty()) return items[0];
    if (!several && !brackets) refuse("expected an expression");
    return make(Kind::tuple, begin, {}, items);
  }

  u32 postfix(u32 node, u32 begin) {
    while (true) {
      if (is(Tok::dot) || is(Tok::lbracket)) {
        node = subscript(node, begin);
      } else if (is(Tok::lparen)) {
        node = make(Kind::call, begin, {node}, arguments());
      } else {
        return node;
      }
    }
  }

  u32 subscript(u32 object, u32 begin) {
    if (take().kind == Tok::dot) {
      const Token token = take();
      if (token.kind == Tok::name) return make_text(Kind::attribute, begin, token.text, {object});
      if (token.kind != Tok::integer) refuse("expected a name or a number");
      const u32 index = constant(token.begin, token.huge ? Constant::huge : Constant::integer);
      tree_.nodes[index].integer = token.integer;
      return make(Kind::subscript, begin, {object, index});
    }
    std::vector<u32> items;
    const u32 at = now().begin;
    while (!is(Tok::rbracket)) {
      if (!items.empty()) expect(Tok::comma, "a comma");
      items.push_back(subscribed());
    }
    take();
    const u32 index = items.size() == 1 ? items[0] : make(Kind::tuple, at, {}, items);
    return make(Kind::subscript, begin, {object, index});
  }

  u32 subscribed() {
    const u32 begin = now().begin;
    std::array<u32, 3> parts = {kNone, kNone, kNone};
    if (!accept(Tok::colon)) {
      parts[0] = expression();
      if (!accept(Tok::colon)) return parts[0];
    }
    if (!is(Tok::colon) && !is(Tok::rbracket) && !is(Tok::comma)) parts[1] = expression();
    if (accept(Tok::colon) && !is(Tok::rbracket) && !is(Tok::comma)) parts[2] = expression();
    return make(Kind::slice, begin, {parts[0], parts[1], parts[2]});
  }

  std::vector<u32> arguments() {
    expect(Tok::lparen, "(");
    std::vector<u32> out;
    bool keywords = false;
    bool star = false;
    bool double_star = false;
    const auto ensure = [&](bool good) {
      if (!good) refuse("arguments in an order that no call has");
    };
    while (!is(Tok::rparen)) {
      if (!out.empty()) {
        expect(Tok::comma, "a comma");
        if (is(Tok::rparen)) break;
      }
      const u32 begin = now().begin;
      if (accept(Tok::mul)) {
        ensure(!star && !double_star);
        star = true;
        out.push_back(make(Kind::star, begin, {expression()}));
      } else if (accept(Tok::pow)) {
        ensure(!double_star);
        double_star = true;
        out.push_back(make(Kind::double_star, begin, {expression()}));
      } else if (is(Tok::name) && ahead().kind == Tok::assign) {
        ensure(!double_star);
        keywords = true;
        const u32 name = take().text;
        take();
        out.push_back(make_text(Kind::keyword, begin, name, {expression()}));
      } else {
        ensure(!star && !double_star && !keywords);
        out.push_back(expression());
      }
    }
    take();
    return out;
  }

  u32 dotted_name() {
    u32 name = expect(Tok::name, "a name").text;
    while (accept(Tok::dot)) {
      std::string longer = tree_.texts[name] + "." + tree_.texts[expect(Tok::name, "a name").text];
      name = intern(std::move(longer));
    }
    return name;
  }

  // Filters in a row; `inlined`: the first comes without a bar in front.
  u32 filters(u32 node, bool inlined) {
    const u32 begin = node == kNone ? now().begin : tree_[node].begin;
    while (is(Tok::pipe) || inlined) {
      if (!inlined) take();
      const u32 name = dotted_name();
      const std::vector<u32> args = is(Tok::lparen) ? arguments() : std::vector<u32>();
      node = make_text(Kind::filter, begin, name, {node}, args);
      inlined = false;
    }
    return node;
  }

  u32 filters_and_tests(u32 node, u32 begin) {
    while (true) {
      if (is(Tok::pipe)) {
        node = filters(node, false);
      } else if (is("is")) {
        node = test(node, begin);
      } else if (is(Tok::lparen)) {
        node = make(Kind::call, begin, {node}, arguments());
      } else {
        return node;
      }
    }
  }

  u32 test(u32 node, u32 begin) {
    take();
    const bool negated = accept("not");
    const u32 name = dotted_name();
    std::vector<u32> args;
    const Tok kind = now().kind;
    if (kind == Tok::lparen) {
      args = arguments();
    } else if ((kind == Tok::name && !is("else") && !is("or") && !is("and")) || kind == Tok::string ||
               kind == Tok::integer || kind == Tok::real || kind == Tok::lbracket || kind == Tok::lbrace) {
      if (is("is")) refuse("tests can't be chained");
      const u32 at = now().begin;
      args.push_back(postfix(primary(false), at));
    }
    node = make_text(Kind::test, begin, name, {node}, args);
    return negated ? make(Kind::logical_not, begin, {node}) : node;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Tree tree_;
  std::vector<u32> depths_;
  u32 nested_ = 0;
};

}  // namespace

std::expected<Tree, Refusal> parse(std::string_view source) {
  std::vector<std::string> texts;
  auto tokens = tokenize(source, texts);
  if (!tokens) return std::unexpected(std::move(tokens).error());
  return Parser(std::move(*tokens), std::move(texts)).run();
}

}  // namespace steelyard::wire::jinja
