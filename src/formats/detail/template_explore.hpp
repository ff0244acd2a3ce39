// Which conversations a template is run on.
#pragma once

#include "formats/detail/template_judge.hpp"

namespace steelyard::formats::chat {

struct Explored {
  Seen seen;
  bool complete = true;  // no budget was spent before the end
  // The first run that hit a limit: which, where and over what.
  jinja::Stop limit = jinja::Stop::finished;
  u32 limit_node = jinja::kNone;
  std::string limit_shape;
};

// Runs the usual conversations, then those made from the template's constants and options, then
// turns decisions round that no run reached.
Explored explore(const jinja::Tree& tree, Judge& judge);

}  // namespace steelyard::formats::chat
