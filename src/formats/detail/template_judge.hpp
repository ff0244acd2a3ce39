// The properties of a chat template, checked on one rendering after the other.
//
// A template should carry every message over whole, once, in order and under its own role, and add
// the same text whatever the messages say. Each departure becomes an issue with its rule.
#pragma once

#include "formats/detail/template_run.hpp"
#include "formats/detail/template_words.hpp"

namespace steelyard::formats::chat {

// How a rendering came about besides its shape.
struct Probe {
  enum class What : u8 { usual, constant, length, option, forced };
  What what = What::usual;
  std::string constant;  // that was put into the messages
};

struct Issue {
  std::string rule;
  u32 begin = 0;  // of the template
  u32 end = 0;
  std::vector<std::pair<std::string, std::string>> data;
};

// A text that the template adds, and what it depends on.
struct Literal {
  u32 begin = 0;
  u32 end = 0;
  std::string text;
  Labels labels = 0;
};

class Judge {
 public:
  // `names_tools`: the template knows messages with results of tools.
  explicit Judge(bool names_tools) : names_tools_(names_tools) {}

  // What the template does with usual conversations, before any is judged.
  void learn(const Rendered& rendered);
  void judge(const Rendered& rendered, const Probe& probe);

  // After the last rendering.
  void finish(const Seen& seen);

  const std::vector<Issue>& issues() const { return issues_; }
  const std::vector<Literal>& literals() const { return literals_; }
  bool ever_finished() const { return finished_; }
  bool carries_messages() const { return shows_[static_cast<std::size_t>(Role::user)]; }
  bool parts_only() const { return parts_only_; }
  bool takes_system() const { return takes_system_; }
  void add(Issue issue);

 private:
  struct Piece {
    std::size_t begin;
    std::size_t end;
    const jinja::Run* run;
    const Origin* origin;
  };
  struct Opener {
    std::size_t begin;
    std::size_t end;
    Role role;
  };
  // A turn of the output: an opener and what follows it until the next.
  static std::string spelled(const Rendered& rendered, const Opener& opener);
  std::vector<Piece> pieces(const Rendered& rendered) const;
  std::vector<Opener> openers(const Rendered& rendered, const std::vector<Piece>& pieces) const;
  void contents(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces);
  void content(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces, u32 turn);
  void definitions(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces);
  void roles(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces);
  void texts(const Rendered& rendered, const Probe& probe, const std::vector<Piece>& pieces);
  // Where a text stands in the output.
  struct Place {
    Role role;
    bool beside_user;  // next to what the user wrote, in the user's turn
    bool prompt;       // at the end, where the model goes on
    bool invented;     // in a turn of which it is all
  };
  void text(const Rendered& rendered, const Probe& probe, Literal literal, const Place& place);

  std::vector<Issue> issues_;
  std::set<std::string> known_;  // rule and place of what was said
  std::vector<Literal> literals_;
  std::vector<std::pair<Literal, std::string>> pending_;  // with the shape's name
  bool names_tools_;
  bool finished_ = false;
  bool shows_[6] = {};             // contents of that role appear in some usual conversation
  bool opens_[6] = {};             // and there is a marker of it
  std::set<std::string> markers_;  // spellings of those that stand before contents
  bool shows_text_ = false;
  bool shows_parts_ = false;
  bool takes_system_ = false;  // without an error
  bool parts_only_ = false;    // contents are lists, never texts
};

// "the content of a user message": what the value bits of labels stand for.
std::string describe(Labels labels);

}  // namespace steelyard::formats::chat
