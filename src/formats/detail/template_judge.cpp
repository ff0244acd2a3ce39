#include "formats/detail/template_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace steelyard::formats::chat {
namespace {

constexpr std::size_t kToolsGiven = 3;

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

struct Alias {
  std::string_view word;
  Role role;
};
constexpr std::array<Alias, 20> kAliases = {
    {{"system", Role::system},       {"sys", Role::system},      {"developer", Role::developer},
     {"user", Role::user},           {"human", Role::user},      {"inst", Role::user},
     {"instruction", Role::user},    {"question", Role::user},   {"input", Role::user},
     {"assistant", Role::assistant}, {"model", Role::assistant}, {"chatbot", Role::assistant},
     {"bot", Role::assistant},       {"gpt", Role::assistant},   {"ai", Role::assistant},
     {"response", Role::assistant},  {"tool", Role::tool},       {"ipython", Role::tool},
     {"observation", Role::tool},    {"environment", Role::tool}}};

std::optional<Role> role_of(std::string_view word) {
  const auto found = std::ranges::find(kAliases, word, &Alias::word);
  return found == kAliases.end() ? std::nullopt : std::optional(found->role);
}

// What models are made to begin with before they reason.
bool about_reasoning(std::string_view text) {
  const std::string low = text::lower(without_markers(text));
  for (std::string_view rest = low; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (words(line) > 0 && std::ranges::none_of(std::array<std::string_view, 6>{"think", "thought", "reasoning",
                                                                                "analysis", "commentary", "reflect"},
                                                [&](std::string_view word) { return line.contains(word); }))
      return false;
  }
  return true;
}

}  // namespace

std::string describe(Labels labels) {
  std::vector<std::string_view> parts;
  for (const auto& [bit, what] : {std::pair(kUser, std::string_view("what the user writes")),
                                  {kSystem, "the system message"},
                                  {kTool, "a tool's result"},
                                  {kAssistant, "what the model wrote before"},
                                  {kCount, "the number of messages"},
                                  {kAmbient, "the date or chance"},
                                  {kOption, "options of the caller"},
                                  {kTools, "the tools or documents given"},
                                  {kRole, "the roles of the messages"}}) {
    if ((labels & bit) != 0) parts.push_back(what);
  }
  return parts.empty() ? "always" : fmt::format("{}", fmt::join(parts, ", "));
}

void Judge::add(Issue issue) {
  std::string key = fmt::format("{}:{}", issue.rule, issue.begin);
  if (issue.end == 0) {
    for (const auto& [name, value] : issue.data) {
      if (name == "role" || name == "how") key += ":" + value;
    }
  }
  if (known_.size() < 512 && known_.insert(key).second) issues_.push_back(std::move(issue));
}

std::vector<Judge::Piece> Judge::pieces(const Rendered& rendered) const {
  std::vector<Piece> out;
  std::size_t at = 0;
  for (const jinja::Run& run : rendered.runs) {
    const u32 source = run.source < rendered.origins.size() ? run.source : jinja::kComputedSource;
    out.push_back({at, at + run.length, &run, &rendered.origins[source]});
    at += run.length;
  }
  return out;
}

// Markers that begin a turn: a role's word inside <…> or […], behind a marker, or before a colon or at a line's end.
std::vector<Judge::Opener> Judge::openers(const Rendered& rendered, const std::vector<Piece>& pieces) const {
  // Contents can't open anything: they are blanked.
  std::string masked = rendered.text;
  for (const Piece& piece : pieces) {
    using What = Origin::What;
    if (piece.origin->what == What::literal || piece.origin->what == What::role || piece.origin->what == What::token ||
        piece.origin->what == What::computed)
      continue;
    std::fill(masked.begin() + static_cast<std::ptrdiff_t>(piece.begin),
              masked.begin() + static_cast<std::ptrdiff_t>(piece.end), '\x01');
  }
  std::vector<Opener> out;
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (std::size_t i = 0; i < masked.size();) {
    if (!letter(masked[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < masked.size() && letter(masked[i])) ++i;
    const auto role = role_of(text::lower(std::string_view(masked).substr(begin, i - begin)));
    if (!role) continue;
    const char before = begin == 0 ? '\n' : masked[begin - 1];
    const char after = i == masked.size() ? '\n' : masked[i];
    // Inside a marker?
    const std::size_t from = masked.find_last_of("<[> \n\x01]", begin == 0 ? 0 : begin - 1);
    const bool bracket = begin > 0 && from != std::string::npos && (masked[from] == '<' || masked[from] == '[');
    if (bracket) {
      const std::string_view closers = masked[from] == '<' ? ">" : "]";
      const std::size_t close = masked.find_first_of(closers, i);
      if (close != std::string::npos && close < i + 24 && masked.find_first_of(" \n\x01", i) >= close) {
        const std::string token = text::lower(std::string_view(masked).substr(from, close - from));
        const bool ends = token.contains("end") || token.contains("eot") || token.contains("/");
        const bool whole = !letter(before) && (after == '|' || after == '>' || after == ']' || after == '_' ||
                                               static_cast<unsigned char>(after) >= 0x80);
        const bool about_tools = *role == Role::tool && token.find("tool") != std::string::npos &&
                                 token.find('_') != std::string::npos && !token.contains("response");
        if (token.contains("/inst")) {
          out.push_back({from, close + 1, Role::assistant});
        } else if (token.contains("/") && out.size() > 1 && out.back().role == *role) {
          // What was open before goes on.
          out.push_back({from, close + 1, out[out.size() - 2].role});
        } else if (whole && !ends && !about_tools) {
          out.push_back({from, close + 1, *role});
        }
        continue;
      }
    }
    const bool opens_line = before == '\n' || before == '>' || before == ']' || before == '|' || before == '\x01';
    const bool heading = begin >= 2 && before == ' ' &&
                         (masked[begin - 2] == '#' || masked[begin - 2] == '>' || masked[begin - 2] == ':');
    const bool upper = masked[begin] >= 'A' && masked[begin] <= 'Z';
    const bool word_colon = after == ':' && (opens_line || heading || (upper && before == ' '));
    const bool alone = ((after == '\n' && before != '\n') || after == '<' || after == '[') && (opens_line || heading);
    const bool marked = before == '>' && (after == ' ' || after == '\n' || after == '<' || after == '\x01');
    if (word_colon || alone || marked) out.push_back({begin, i + (after == ':'), *role});
  }
  return out;
}

std::string Judge::spelled(const Rendered& rendered, const Opener& opener) {
  // A word is told by the marker before it; a marker by itself.
  const bool marker = rendered.text[opener.begin] == '<' || rendered.text[opener.begin] == '[';
  const std::size_t from = marker ? opener.begin : opener.begin < 6 ? 0 : opener.begin - 6;
  return rendered.text.substr(from, opener.end - from);
}

void Judge::learn(const Rendered& rendered) {
  if (rendered.stop != jinja::Stop::finished) return;
  finished_ = true;
  takes_system_ = takes_system_ || rendered.shape->turns.front().role == Role::system;
  const auto parts = pieces(rendered);
  for (const Piece& piece : parts) {
    if (piece.origin->what != Origin::What::content) continue;
    const Turn& turn = rendered.shape->turns[piece.origin->turn];
    shows_[static_cast<std::size_t>(turn.role)] = true;
    if (turn.role == Role::user && turn.body == Body::text) shows_text_ = true;
    if (turn.role == Role::user && turn.body == Body::parts && piece.run->exact) shows_parts_ = true;
  }
  parts_only_ = shows_parts_ && !shows_text_;
  const auto markers = openers(rendered, parts);
  for (const Opener& opener : markers) opens_[static_cast<std::size_t>(opener.role)] = true;
  // The markers that really stand before contents of their role.
  for (const Piece& piece : parts) {
    if (piece.origin->what != Origin::What::content) continue;
    const Role role = rendered.shape->turns[piece.origin->turn].role;
    const Opener* last = nullptr;
    for (const Opener& opener : markers) {
      if (opener.end <= piece.begin) last = &opener;
    }
    if (last != nullptr && last->role == role && piece.begin - last->end < 40)
      markers_.insert(spelled(rendered, *last));
  }
}

void Judge::judge(const Rendered& rendered, const Probe& probe) {
  const auto parts = pieces(rendered);
  if (rendered.stop == jinja::Stop::finished) {
    contents(rendered, probe, parts);
    definitions(rendered, probe, parts);
    roles(rendered, probe, parts);
  }
  texts(rendered, probe, parts);
}

// Text that only the system message decides about: templates of good makers look there for switches
// ("detailed thinking on"), which are markers or stand in the text themselves.
void Judge::finish(const Seen& seen) {
  const bool switches = std::ranges::all_of(seen.constants, [&](const auto& constant) {
    if ((constant.second & kSystem) == 0 || is_marker(constant.first)) return true;
    const std::string begin = constant.first.substr(0, 10);
    return constant.first.contains(' ') &&
           std::ranges::any_of(pending_, [&](const auto& one) { return one.first.text.contains(begin); });
  });
  if (switches) return;
  for (const auto& [literal, shape] : pending_)
    add({"TPL023",
         literal.begin,
         literal.end,
         {{"text", excerpt(literal.text)}, {"when", describe(literal.labels & 0xFFFF)}, {"shape", shape}}});
}

void Judge::contents(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces) {
  // What a decision that was turned round against the facts does to contents means something only if
  // the contents, the date or chance could have turned it.
  if (probe.what == Probe::What::forced && (rendered.forced & (kForeign | kAmbient)) == 0) return;
  for (u32 i = 0; i < rendered.shape->turns.size(); ++i) content(rendered, probe, pieces, i);
  // In order: the first bytes of each message come behind those of the one before.
  std::optional<u32> last;
  std::set<u32> seen;
  for (const Piece& piece : pieces) {
    if (piece.origin->what != Origin::What::content) continue;
    const Role role = rendered.shape->turns[piece.origin->turn].role;
    if (role == Role::system || role == Role::developer || !seen.insert(piece.origin->turn).second) continue;
    if (last && piece.origin->turn < *last) {
      add({"TPL013", 0, 0, {{"shape", rendered.shape->name}}});
      break;
    }
    last = piece.origin->turn;
  }
}

void Judge::content(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces, u32 index) {
  const Turn& turn = rendered.shape->turns[index];
  if (turn.body == Body::none || turn.text.empty() || turn.calls) return;
  const bool strict = turn.role == Role::user;
  std::vector<u8> covered(turn.text.size(), 0);
  std::vector<bool> other(turn.text.size(), false);  // there in another form
  bool changed = false;
  bool again = false;
  std::size_t expected = 0;
  bool shuffled = false;
  u32 begin = 0;
  u32 end = 0;
  for (const Piece& piece : pieces) {
    if (piece.origin->what != Origin::What::content || piece.origin->turn != index) continue;
    const jinja::Run& run = *piece.run;
    if (!run.exact) {
      // The bytes that it stands for: escapes keep the place of the first.
      const std::string_view shown = std::string_view(rendered.text).substr(piece.begin, run.length);
      const bool escape = shown.starts_with('\\') || shown.starts_with('&');
      if (strict || !escape) changed = changed || std::ranges::any_of(shown, [](char c) { return !is_space(c); });
      for (std::size_t k = run.offset; k < std::min<std::size_t>(run.offset + 4, covered.size()); ++k) other[k] = true;
      continue;
    }
    for (std::size_t k = run.offset; k < std::min<std::size_t>(run.offset + run.length, covered.size()); ++k) {
      if (covered[k] > 0 && !is_space(turn.text[k])) again = true;
      ++covered[k];
    }
    if (run.offset < expected && !again) shuffled = true;
    expected = run.offset + run.length;
  }
  // Bytes that are there in the message and not in the output, space aside.
  std::string lost;
  for (std::size_t k = 0; k < turn.text.size(); ++k) {
    if (covered[k] == 0 && !other[k] && !is_space(turn.text[k])) lost += turn.text[k];
  }
  const std::string who(name_of(turn.role));
  const auto issue = [&](std::string rule, std::string how) {
    std::vector<std::pair<std::string, std::string>> data = {
        {"role", who}, {"how", std::move(how)}, {"shape", rendered.shape->name}};
    data.emplace_back("when", probe.constant.empty() ? "always" : "it contains " + excerpt(probe.constant, 48));
    add({std::move(rule), begin, end, std::move(data)});
  };
  const bool marker = probe.what == Probe::What::constant && is_marker(probe.constant);
  const bool whole =
      lost.size() == static_cast<std::size_t>(std::ranges::count_if(turn.text, [](char c) { return !is_space(c); }));
  const std::size_t role = static_cast<std::size_t>(turn.role);
  const std::string base = turn.role == Role::user        ? "TPL010"
                           : turn.role == Role::assistant ? "TPL015"
                           : turn.role == Role::tool      ? "TPL014"
                                                          : "TPL016";
  if (turn.role == Role::assistant && turn.text.contains("<think>")) return;
  // Many templates take texts only and print a list as it is, or leave it out; some take lists only.
  if (turn.body == Body::parts && (!strict || (!parts_only_ && (whole || changed || again)))) return;
  if (parts_only_ && turn.body == Body::text && turn.role != Role::tool) return;
  if (probe.what == Probe::What::forced && !strict) return;
  // Nothing of any message is carried over: said once, elsewhere.
  if (!shows_[static_cast<std::size_t>(Role::user)]) return;
  // An option may take the system message's place.
  if (base == "TPL016" && probe.what == Probe::What::option) return;
  // Some put the system message before the last question.
  if (base == "TPL016" && rendered.shape->turns.back().role != Role::user) return;
  if (marker && turn.role == Role::assistant) return;
  if (!lost.empty()) {
    std::string bare_constant;
    for (const char c : probe.constant) {
      if (!is_space(c)) bare_constant += c;
    }
    const bool only_marker = marker && (lost == bare_constant || lost == bare_constant + bare_constant);
    if (marker && !only_marker) return issue("TPL019", "cut");
    const bool unsupported = whole && !shows_[role] && turn.role != Role::user && turn.role != Role::assistant;
    if (!only_marker && !unsupported) issue(base, whole ? "dropped" : "cut");
    if (unsupported && turn.role == Role::system) issue("TPL017", "dropped");
    if (unsupported && turn.role == Role::tool && names_tools_) issue("TPL021", "dropped");
  }
  if (changed && !marker) issue(base == "TPL010" ? "TPL011" : base, "rewritten");
  if (again) issue(base == "TPL010" ? "TPL012" : base, "repeated");
  if (shuffled) issue(base == "TPL010" ? "TPL011" : base, "put into another order");
}

// Definitions of tools are shown all, or none; and of each text of theirs, all or nothing.
void Judge::definitions(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces) {
  if (!rendered.shape->tools || probe.what == Probe::What::forced) return;
  std::set<u32> shown;
  std::map<u32, std::vector<bool>> covered;  // by source
  bool changed = false;
  for (const Piece& piece : pieces) {
    if (piece.origin->what != Origin::What::tool) continue;
    shown.insert(piece.origin->turn);
    auto& bytes = covered[piece.run->source];
    bytes.resize(piece.origin->size);
    const std::string_view text = std::string_view(rendered.text).substr(piece.begin, piece.run->length);
    if (!piece.run->exact && !text.starts_with('\\')) changed = true;
    for (std::size_t k = piece.run->offset;
         k < std::min<std::size_t>(piece.run->offset + piece.run->length, bytes.size()); ++k)
      bytes[k] = true;
  }
  for (const auto& [source, bytes] : covered) changed = changed || std::ranges::count(bytes, false) > 2;
  if (shown.empty()) return;
  if (shown.size() != kToolsGiven) add({"TPL018", 0, 0, {{"how", "left out"}, {"shape", rendered.shape->name}}});
  if (changed) add({"TPL018", 0, 0, {{"how", "rewritten"}, {"shape", rendered.shape->name}}});
}

void Judge::roles(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces) {
  if (probe.what == Probe::What::forced && (rendered.forced & (kForeign | kAmbient)) == 0) return;
  const auto markers = openers(rendered, pieces);
  if (markers.empty()) return;
  // The model goes on in its own turn.
  const Opener& end = markers.back();
  const bool behind = std::ranges::none_of(
      pieces, [&](const Piece& piece) { return piece.origin->what == Origin::What::content && piece.end > end.begin; });
  if (probe.what == Probe::What::usual && rendered.shape->prompt && rendered.shape->turns.back().role == Role::user &&
      behind && !rendered.shape->turns.back().text.empty() &&
      (end.role == Role::system || end.role == Role::developer) &&
      words(std::string_view(rendered.text).substr(end.end)) == 0)
    add({"TPL030",
         0,
         0,
         {{"role", "model's"},
          {"as", std::string(name_of(end.role))},
          {"behind", ""},
          {"shape", rendered.shape->name}}});
  std::set<u32> seen;
  for (const Piece& piece : pieces) {
    if (piece.origin->what != Origin::What::content || !seen.insert(piece.origin->turn).second) continue;
    const Turn& turn = rendered.shape->turns[piece.origin->turn];
    const Opener* last = nullptr;
    for (const Opener& opener : markers) {
      if (opener.end <= piece.begin) last = &opener;
    }
    if (last == nullptr) continue;
    const std::string_view between = std::string_view(rendered.text).substr(last->end, piece.begin - last->end);
    const bool direct = words(between) < 3;
    bool forged = false;
    if (turn.role == Role::user)
      forged = (last->role == Role::system || last->role == Role::developer || last->role == Role::tool)
                   ? opens_[static_cast<std::size_t>(Role::user)] || direct
                   : last->role == Role::assistant && opens_[static_cast<std::size_t>(Role::user)];
    const bool after_tool = piece.origin->turn > 0 && rendered.shape->turns[piece.origin->turn - 1].role == Role::tool;
    if (turn.role == Role::assistant && !after_tool)
      forged = last->role != Role::assistant && opens_[static_cast<std::size_t>(Role::assistant)];
    // A template that knows no developer may take one for whoever it doesn't name.
    if (turn.role == Role::system || (turn.role == Role::developer && opens_[static_cast<std::size_t>(turn.role)]))
      forged = last->role == Role::assistant && direct;
    if (forged)
      add({"TPL030",
           0,
           0,
           {{"role", std::string(name_of(turn.role))},
            {"as", std::string(name_of(last->role))},
            {"behind", excerpt(between, 60)},
            {"shape", rendered.shape->name}}});
  }
}

void Judge::texts(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces) {
  const auto markers = openers(rendered, pieces);
  // Rows of literals, joined: a text that is put together from pieces is one text.
  using What = Origin::What;
  std::size_t i = 0;
  std::size_t marker = 0;
  std::optional<Role> role;
  while (i < pieces.size()) {
    const What what = pieces[i].origin->what;
    if (what == What::content || what == What::tool || what == What::document || what == What::call ||
        what == What::reasoning) {
      ++i;
      continue;
    }
    // Up to the next content or opener.
    std::size_t begin = pieces[i].begin;
    std::size_t end = begin;
    std::size_t last = i;
    while (last < pieces.size() &&
           (pieces[last].origin->what == What::literal || pieces[last].origin->what == What::ambient ||
            pieces[last].origin->what == What::computed || pieces[last].origin->what == What::token ||
            pieces[last].origin->what == What::role)) {
      end = pieces[last].end;
      ++last;
    }
    std::size_t from = begin;
    while (from < end) {
      while (marker < markers.size() && markers[marker].end <= from) role = markers[marker++].role;
      const std::size_t to = marker < markers.size() ? std::min(end, std::max(from + 1, markers[marker].end)) : end;
      // Text before a marker belongs to the turn before it.
      const std::size_t stop = marker < markers.size() ? std::max(from, std::min(end, markers[marker].begin)) : end;
      // What the template itself says there.
      std::string said;
      for (std::size_t k = i; k < last; ++k) {
        const std::size_t first = std::max(from, pieces[k].begin);
        const std::size_t until = std::min(stop, pieces[k].end);
        if (first >= until) continue;
        if (pieces[k].origin->what == What::literal) {
          said += std::string_view(rendered.text).substr(first, until - first);
        } else if (!said.empty() && said.back() != ' ') {
          said += ' ';
        }
      }
      if (words(said) > 0 || encoded(said) || !leads_out(said).empty()) {
        Literal literal;
        literal.text = said;
        bool placed = false;
        for (std::size_t k = i; k < last; ++k) {
          const jinja::Run& run = *pieces[k].run;
          if (pieces[k].end <= from || pieces[k].begin >= stop || pieces[k].origin->what != What::literal) continue;
          if (placed && words(std::string_view(rendered.text).substr(pieces[k].begin, run.length)) == 0) continue;
          literal.labels |= run.labels;
          const u32 offset = run.offset + static_cast<u32>(from > pieces[k].begin ? from - pieces[k].begin : 0);
          if (!placed) literal.begin = offset;
          literal.end = std::max(literal.end, run.offset + run.length);
          placed = true;
        }
        if (placed) {
          literal.end = std::max(literal.end, literal.begin);
          const auto from_user = [&](const Piece& piece) {
            return piece.origin->what == What::content && rendered.shape->turns[piece.origin->turn].role == Role::user;
          };
          const bool foreign = role == Role::user && ((i > 0 && from_user(pieces[i - 1]) && from == begin) ||
                                                      (last < pieces.size() && from_user(pieces[last]) && stop == end));
          const bool prompt = last == pieces.size() && stop == end && role == Role::assistant;
          // A turn that holds nothing but the template's own text.
          const std::size_t turn_begin = marker == 0 ? 0 : markers[marker - 1].end;
          const std::size_t turn_end = marker < markers.size() ? markers[marker].begin : rendered.text.size();
          const bool empty = std::ranges::none_of(pieces, [&](const Piece& piece) {
            const What kind = piece.origin->what;
            return piece.begin < turn_end && piece.end > turn_begin && kind != What::literal &&
                   kind != What::computed && kind != What::token && kind != What::role;
          });
          const bool invented = empty && marker > 0 && markers_.contains(spelled(rendered, markers[marker - 1])) &&
                                marker < markers.size() &&
                                (role == Role::user || role == Role::assistant || role == Role::tool);
          const Place place{role.value_or(Role::other), foreign, prompt, invented};
          text(rendered, probe, std::move(literal), place);
        }
      }
      from = to;
    }
    i = last == i ? i + 1 : last;
  }
}

void Judge::text(const Rendered& rendered, const Probe& probe, Literal literal, const Place& place) {
  const std::size_t count = words(literal.text);
  const Labels value = literal.labels & 0xFFFF;
  const std::string shown = excerpt(literal.text);
  const auto issue = [&](std::string rule, std::vector<std::pair<std::string, std::string>> data) {
    data.emplace_back("text", shown);
    data.emplace_back("when", describe(value));
    data.emplace_back("shape", rendered.shape->name);
    add({std::move(rule), literal.begin, literal.end, std::move(data)});
  };
  const auto why = instructs(literal.text);
  // "Do not tell the user about function calls" stands in templates of good makers, where tools are explained.
  const bool of_tools = why == "keeps something from the user" && (value & kTools) != 0 && (value & kForeign) == 0;
  if (!why.empty() && !of_tools) issue("TPL040", {{"why", std::string(why)}});
  if (const auto what = leads_out(literal.text); !what.empty()) issue("TPL041", {{"what", std::string(what)}});
  if (encoded(literal.text)) issue("TPL042", {});
  const std::size_t row = phrase(literal.text);
  const bool feasible = probe.what != Probe::What::forced ||
                        ((rendered.forced & (kForeign | kAmbient | kCount)) != 0 && (rendered.forced & kRole) == 0);
  if (row >= 2 && (value & kForeign) != 0) {
    if ((value & kForeign) == kSystem) {
      pending_.push_back({literal, rendered.shape->name});
    } else {
      issue("TPL023", {});
    }
  }
  if (row >= 2 && (value & kAmbient) != 0) issue("TPL022", {});
  if (row >= 3 && (value & kCount) != 0 && (value & kTools) == 0 && feasible) issue("TPL024", {});
  // A tool's result is seldom a sentence.
  const bool told = row >= 3 || (place.role == Role::tool && count >= 2);
  if (place.invented && told && (value & (kTools | kOption)) == 0 && feasible) issue("TPL031", {});
  const bool asked = rendered.shape->prompt && rendered.shape->turns.back().role == Role::user &&
                     !rendered.shape->turns.back().text.empty();
  if (place.prompt && asked && feasible && count >= 1 && (value & (kOption | kTools)) == 0 &&
      !about_reasoning(literal.text))
    issue("TPL032", {});
  if (place.beside_user && row >= 3 && (value & (kTools | kOption)) == 0 && feasible) issue("TPL033", {});
  if (count >= 3) {
    const auto found = std::ranges::find(literals_, literal.begin, &Literal::begin);
    if (found == literals_.end() && literals_.size() < 128) {
      literals_.push_back(std::move(literal));
    } else if (found != literals_.end()) {
      found->labels &= literal.labels | 0xFFFF0000;  // shown without it in some conversation
    }
  }
}

}  // namespace steelyard::formats::chat
