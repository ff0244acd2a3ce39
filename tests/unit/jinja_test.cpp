// Where bytes come from, what decisions depend on, and that nothing runs without end. What the
// language means is compared with jinja2 by tests/oracle/jinja_test.py.

#include <gtest/gtest.h>

#include "wire/jinja/interpreter.hpp"
#include "wire/jinja/parser.hpp"

namespace steelyard::wire::jinja {
namespace {

constexpr u32 kUser = 10;
constexpr Labels kContent = 1;
constexpr Labels kCount = 2;

struct Seen : Observer {
  bool decide(u32, bool outcome, Labels labels) override {
    decisions.push_back(labels);
    return outcome;
  }
  void escaped(u32, std::string_view name) override { escapes.emplace_back(name); }
  void mutated(u32, std::string_view name) override { mutations.emplace_back(name); }
  std::vector<Labels> decisions;
  std::vector<std::string> escapes;
  std::vector<std::string> mutations;
};

struct Ran {
  Result result;
  std::string text;
  std::vector<jinja::Run> runs;
  Seen seen;
};

Ran run(std::string_view source, const Limits& limits = {}, std::string content = "Hello <b>World</b> ") {
  Ran out;
  const auto tree = parse(source);
  EXPECT_TRUE(tree) << (tree ? "" : tree.error().why);
  if (!tree) return out;
  Arena arena(u64{8} << 20);
  World world;
  world.loops = ~kCount;
  const Value message = arena.dict();
  message.dict->set(arena.literal("role", 0), arena.literal("user", 0));
  message.dict->set(arena.literal("content", 0), arena.text(std::move(content), {0, kUser, 0, 0, true}, kContent));
  world.globals.emplace("messages", arena.list({message, message}, 0, kCount));
  out.result = render(*tree, arena, world, out.seen, limits);
  out.text = out.result.output->bytes;
  out.runs = out.result.output->runs;
  return out;
}

TEST(Jinja, BytesKeepTheirPlaceInTheContent) {
  const Ran ran = run("[{{ (messages[0].content | trim).split('<b>')[1] | replace('l', 'L') }}]");
  EXPECT_EQ(ran.text, "[WorLd</b>]");
  ASSERT_EQ(ran.runs.size(), 5U);
  EXPECT_EQ(ran.runs[1].source, kUser);
  EXPECT_EQ(ran.runs[1].offset, 9U);
  EXPECT_EQ(ran.runs[1].length, 3U);
  EXPECT_EQ(ran.runs[2].source, kTemplateSource);
  EXPECT_EQ(ran.runs[2].labels, kContent);  // there is an L because the content has an l
  EXPECT_EQ(ran.runs[3].offset, 13U);
}

TEST(Jinja, ChangedBytesAreMarked) {
  const Ran ran = run("{{ messages[0].content | upper }}", {}, "aB");
  EXPECT_EQ(ran.text, "AB");
  ASSERT_EQ(ran.runs.size(), 2U);
  EXPECT_FALSE(ran.runs[0].exact);
  EXPECT_TRUE(ran.runs[1].exact);
}

// Whatever way the text is chosen, its bytes say that the content chose it.
TEST(Jinja, TextsKnowWhatChoseThem) {
  for (const std::string_view source :
       {"{% if 'x' in messages[0].content %}SECRET{% else %}SECRET{% endif %}",
        "{{ 'SECRET' if 'H' in messages[0].content else '' }}",
        "{% set ns = namespace(f=false) %}{% if messages[0].content.startswith('Hello') %}{% set ns.f = true %}{% "
        "endif %}"
        "{% if ns.f %}SECRET{% endif %}",
        "{{ {'Hello <b>World</b> ': 'SECRET'}[messages[0].content] }}",
        "{{ {'Hello <b>World</b> ': 'SECRET'}.get(messages[0].content) }}",
        "{{ ['', 'SECRET'][messages[0].content.count('H')] }}", "{{ 'SECRET' * messages[0].content.count('H') }}",
        "{{ ('H' in messages[0].content) and 'SECRET' }}",
        "{{ ['SECRET']|select('string')|join if 'H' in messages[0].content }}",
        "{% for c in messages[0].content if c == 'H' %}SECRET{% endfor %}",
        "{% macro m(f) %}{% if f %}SECRET{% endif %}{% endmacro %}{{ m('H' in messages[0].content) }}",
        "{% set x %}{% if 'H' in messages[0].content %}SECRET{% endif %}{% endset %}{{ x }}",
        "{{ 'SECRET'[:messages[0].content|length] }}", "{{ messages[0].content|length > 3 and 'SECRET' or 'SECRET' }}",
        "{% for m in messages if 'H' in m.content %}{% if loop.first %}SECRET{% endif %}{% endfor %}",
        "{% for m in messages|selectattr('content', 'in', ['Hello <b>World</b> ']) %}{% if loop.first %}SECRET{% endif "
        "%}{% endfor %}"}) {
    const Ran ran = run(source);
    EXPECT_EQ(ran.text, "SECRET") << source << ": " << ran.result.why;
    for (const jinja::Run& part : ran.runs) EXPECT_TRUE(part.labels & kContent) << source;
  }
}

TEST(Jinja, EmptinessAndTypeAreNotTheContent) {
  for (const std::string_view source :
       {"{% if messages[0].content %}a{% endif %}", "{% if messages[0].content is string %}a{% endif %}",
        "{% if messages[0].content != '' %}a{% endif %}", "{% if messages[0].content|length > 0 %}a{% endif %}",
        "{% if messages[0].content is not none %}a{% endif %}",
        "{% for m in messages %}{% if loop.first %}a{% endif %}{% endfor %}"}) {
    const Ran ran = run(source);
    EXPECT_EQ(ran.text, "a") << source;
    ASSERT_FALSE(ran.seen.decisions.empty()) << source;
    for (const Labels labels : ran.seen.decisions) EXPECT_EQ(labels & (kContent | kCount), 0U) << source;
  }
}

TEST(Jinja, WaysOutOfTheSandboxAreSeen) {
  for (const std::string_view source :
       {"{{ ''.__class__ }}", "{{ ''['__class__'] }}", "{{ ''|attr('__cla' ~ 'ss__') }}", "{{ ''['__ssalc__'[::-1]] }}",
        "{{ ''['_' * 2 + 'class' + '_' * 2] }}", "{{ '{0.__class__}'.format('') }}",
        "{{ ['']|map(attribute='__class__')|list }}", "{{ ''[['__cla', 'ss__']|join] }}",
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}", "{{ messages|selectattr('__class__')|list }}",
        "{{ namespace.__init__ }}", "{{ [1]|sort(attribute='__class__') }}",
        "{{ (messages|map('upper')).gi_frame }}"}) {
    EXPECT_FALSE(run(source).seen.escapes.empty()) << source;
  }
  EXPECT_TRUE(run("{{ messages[0]['content'] }}{{ messages|attr('count') }}").seen.escapes.empty());
  EXPECT_EQ(run("{{ messages.append(1) }}").seen.mutations, std::vector<std::string>{"append"});
}

TEST(Jinja, NothingRunsWithoutEnd) {
  const auto stops = [](std::string_view source) { return run(source, {200'000, 800}).result.stop; };
  EXPECT_EQ(stops("{% for i in range(1000000000) %}{% endfor %}"), Stop::oversized);
  EXPECT_EQ(stops("{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}"), Stop::fuel);
  EXPECT_EQ(stops("{{ 'x' * 1000000000 }}"), Stop::oversized);
  EXPECT_EQ(stops("{{ 10 ** 1000 }}"), Stop::oversized);
  EXPECT_EQ(stops("{{ '%999999999d' % 1 }}"), Stop::oversized);
  EXPECT_EQ(stops("{{ '{:999999999}'.format(1) }}"), Stop::oversized);
  EXPECT_EQ(stops("{{ 'x'|center(999999999) }}"), Stop::oversized);
  EXPECT_EQ(stops("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"), Stop::depth);
  EXPECT_EQ(stops("{% set ns = namespace(x='aaaa') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"),
            Stop::memory);
  EXPECT_EQ(
      stops("{% set ns = namespace(x=[]) %}{% for i in range(2000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"),
      Stop::depth);
  EXPECT_EQ(
      stops(
          "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}"),
      Stop::fuel);
  EXPECT_EQ(stops("{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
                  "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}"),
            Stop::finished);
}

TEST(Jinja, NestingIsBounded) {
  const auto refusal = [](const std::string& source) {
    const auto tree = parse(source);
    return !tree && tree.error().budget;
  };
  const auto times = [](std::string_view what, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += what;
    return out;
  };
  EXPECT_TRUE(refusal("{{ " + times("(", 5000) + "1" + times(")", 5000) + " }}"));
  EXPECT_TRUE(refusal("{{ " + times("1+", 5000) + "1 }}"));
  EXPECT_TRUE(refusal("{{ " + times("-", 5000) + "1 }}"));
  EXPECT_TRUE(refusal("{{ " + times("not ", 5000) + "1 }}"));
  EXPECT_TRUE(refusal("{{ x" + times(".a", 5000) + " }}"));
  EXPECT_TRUE(refusal("{{ x" + times("|trim", 5000) + " }}"));
  EXPECT_TRUE(refusal("{{ " + times("1 if 1 else ", 5000) + "1 }}"));
  EXPECT_TRUE(refusal(times("{% if 1 %}", 5000) + times("{% endif %}", 5000)));
  EXPECT_FALSE(refusal("{% if 0 %}" + times("{% elif 0 %}", 5000) + "{% endif %}"));
  EXPECT_FALSE(refusal("{{ " + times("1~", 5000) + "1 }}"));
  EXPECT_TRUE(refusal(times("{{a}}", 200'000)));
}

}  // namespace
}  // namespace steelyard::wire::jinja
