// Starts steelyard-engine with nothing but a socket, the models and a page to cancel by.
#pragma once

#include "engine/engine.hpp"

namespace steelyard::engine {

Result<std::unique_ptr<Channel>> launch(const std::filesystem::path& program, const std::vector<const io::File*>& model,
                                        const io::File* reference, u64 memory_bytes, u32 threads, bool sandboxed);

}  // namespace steelyard::engine
