// The known answer that proves a build of llama.cpp on this very machine, before anything rests on it.
//
// A miscompiled or wrongly chosen variant crashes or computes nonsense at its first matrix product. A tiny model is
// made in memory, its weights in each of the common types, loaded as a real one is (repacked or tiled where the build
// does that), decoded one by one and in a batch, and compared with arithmetic written out in plain loops.
#pragma once

namespace steelyard::engine {

// On the CPU and on every GPU that the program can use: prints "device passed|failed <name>: <description>" for each of
// those, and "self-test <64 hex digits>", the same for every sound build; 0 when all agreed.
int self_test();

}  // namespace steelyard::engine
