// The pickle machine over any bytes: no crash, bounded memory, and what it does in its modes hangs together.
// Against CPython: tests/oracle/pickle_test.py.

#include <cstdlib>

#include "wire/pickle.hpp"

namespace {

using namespace steelyard;
using namespace steelyard::wire::pickle;

void must(bool condition) {
  if (!condition) std::abort();
}

class Trace final : public Observer {
 public:
  void event(const Machine& machine, const Event& event) override {
    must(event.at < event.end && event.end <= machine.source().size());
    if (lines.size() < 1000) lines.push_back(python(machine, event));
  }
  void bytes(const Machine& machine, const Value& value) override {
    must(!Machine::raw(value) || value.offset + value.size <= machine.source().size());
  }
  std::vector<std::string> lines;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const MemorySource source(std::as_bytes(std::span(data, size)));
  for (const Framing framing : {Framing::joined, Framing::dropping, Framing::strict}) {
    Trace exact;
    Trace walked;
    const Outcome first = Machine(source, 0, size, exact, {.exact = true, .framing = framing}).run();
    const Outcome second = Machine(source, 0, size, walked, {.framing = framing}).run();
    must(first.end <= size && second.end <= size && first.opcodes <= size && second.opcodes <= size);
    must(first.stopped == !first.fault || first.exhausted);
    // Walking on only adds.
    must(exact.lines.size() <= walked.lines.size() &&
         std::equal(exact.lines.begin(), exact.lines.end(), walked.lines.begin()));
    must(!second.fault || first.fault);
  }
  return 0;
}
