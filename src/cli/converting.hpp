// A directory as Hugging Face's transformers saves it, scanned, hashed and converted to one GGUF file.
#pragma once

#include "cli/engines.hpp"
#include "quantize/attestation.hpp"
#include "quantize/temporary.hpp"

namespace steelyard::cli {

struct Converted {
  std::unique_ptr<quantize::Temporary> file;  // gone with this
  Scanned source;                             // that file; the scan is that of the directory
  std::string name;                           // of the directory
  std::vector<quantize::Named> parts;         // what was read
};

// Nothing when `name` doesn't stand for files with a config.json among them. An Error when the scan objects (unless
// --override), when the model isn't supported, or when there is no room. `beside`: a name in the folder for the file.
Result<std::optional<Converted>> converted(Session& session, const std::string& name,
                                           const std::filesystem::path& beside);

}  // namespace steelyard::cli
