// Threads that compute, made while a thread can still be made.
#pragma once

#include "base/bytes.hpp"

namespace steelyard::engine {

// OpenMP keeps the team of a first product for all later ones of the same size. Nothing is read or allocated that comes
// from a model.
void start_threads(u32 count);

}  // namespace steelyard::engine
