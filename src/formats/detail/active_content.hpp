// Active content: what a page, a drawing or an output of a notebook does in the browser that shows it.
//
// Attack resisted: a page that reads what the viewer is logged in with, and sends it. Pure; thread-safe.
// Tested by data/rules/CRD/.
#pragma once

#include <string_view>

namespace steelyard::formats {

// The first thing that makes a page active: "<script"; "" for none. `low`: its text, in lower case.
std::string_view acts(std::string_view low);
// What it does to its reader: "reads document.cookie and sends it elsewhere"; "" for nothing known.
std::string_view attacks(std::string_view low);

}  // namespace steelyard::formats
