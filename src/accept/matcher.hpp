// Matcher: which findings of a run are accepted, by which [[ignore]] or by the baseline.
//
// Attack resisted: an acceptance that outlives its day, or hits what nobody looked at. Files match by their
// own place on the disk or their digest, never by what they say of themselves; an ignore that hits nothing
// is told, so that it doesn't wait for the next finding. Tested by tests/unit/accept_test.cpp.
#pragma once

#include <filesystem>
#include <span>

#include "accept/baseline.hpp"
#include "accept/ignores.hpp"

namespace steelyard::accept {

class Matcher {
 public:
  // Patterns are relative to `folder`; `source` names the settings file in notes.
  Matcher(std::vector<Ignore> ignores, std::filesystem::path folder, std::string source,
          std::optional<Baseline> baseline, i64 now);

  // The accepted findings of a record. `paths`: for each of its subjects where the file lies. `name`: what was
  // examined, as the user wrote it ("hf:org/name", "mail-assistant"); files also go by "hf:org/name:config.json".
  std::vector<Accepted> look(const evidence::Record& record, std::span<const std::filesystem::path> paths,
                             const std::string& name = {});

  // What to tell about the ignores for rules of these layers: ended ones that would have hit, unused ones.
  std::vector<std::string> notes(std::span<const Layer> layers) const;

 private:
  struct Use {
    std::size_t findings = 0;  // accepted
    std::size_t late = 0;      // that came after the end
    bool seen = false;         // something that the ignore names was looked at
  };

  bool names(const Ignore& ignore, const evidence::Subject* subject, const std::string& member,
             const std::filesystem::path& path, const std::string& name) const;

  std::vector<Ignore> ignores_;
  std::vector<Use> uses_;
  std::filesystem::path folder_;
  std::string source_;
  std::optional<Baseline> baseline_;
  std::size_t late_ = 0;  // findings that an ended baseline would have accepted
  i64 now_;
};

}  // namespace steelyard::accept
