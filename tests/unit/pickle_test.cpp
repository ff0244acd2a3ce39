#include "wire/pickle.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace steelyard::wire::pickle {
namespace {

using namespace std::string_literals;

class Trace final : public Observer {
 public:
  void event(const Machine& machine, const Event& event) override {
    const std::string line = (event.after_fault ? "!" : "") + python(machine, event);
    ++events;
    if (lines.size() < 100) lines.push_back(line);
    last = line;
  }
  std::vector<std::string> lines;
  std::string last;
  u64 events = 0;
};

struct Run {
  Trace trace;
  Outcome outcome;
};

Run run(const std::string& pickle, Options options = {}) {
  Run out;
  const MemorySource source(as_bytes(pickle));
  out.outcome = Machine(source, 0, pickle.size(), out.trace, options).run();
  return out;
}

std::string repeated(std::string head, std::string_view body, std::size_t count, std::string_view tail) {
  head.reserve(head.size() + body.size() * count + tail.size());
  for (std::size_t i = 0; i < count; ++i) head += body;
  return head += tail;
}

u64 peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<u64>(usage.ru_maxrss);
}

const std::string kPayload = "cos\nsystem\n(S'id'\ntR.";

TEST(Pickle, TellsCallsInPseudoPython) {
  const auto [trace, outcome] = run("\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."s);
  EXPECT_EQ(trace.lines, (std::vector<std::string>{"import posix.system", "_1 = posix.system('id')"}));
  EXPECT_TRUE(outcome.stopped);
  EXPECT_FALSE(outcome.fault);
  EXPECT_EQ(outcome.protocol, 4);
}

TEST(Pickle, TellsTheEffectsBeforeAFaultAndMarksThoseBehindIt) {
  const auto [trace, outcome] = run("cos\nsystem\n(S'id'\ntR0aci\nj\n."s);
  EXPECT_EQ(trace.lines, (std::vector<std::string>{"import os.system", "_1 = os.system('id')", "!import i.j"}));
  ASSERT_TRUE(outcome.fault);
  EXPECT_EQ(outcome.fault->offset, 21u);
}

TEST(Pickle, EveryWayToCall) {
  EXPECT_EQ(run("(S'id'\nios\nsystem\n."s).trace.last, "_1 = os.system('id')");
  EXPECT_EQ(run("(cos\nsystem\nS'id'\no."s).trace.last, "_1 = os.system('id')");
  EXPECT_EQ(run("ca\nB\n)\x81."s).trace.last, "_1 = a.B.__new__()");
  EXPECT_EQ(run("ca\nB\n)}\x8c\x01kK\x01s\x92."s).trace.last, "_1 = a.B.__new__(, **{'k': 1})");
  EXPECT_EQ(run("ca\nB\n)R}b."s).trace.last, "_1.__setstate__({})");
  EXPECT_EQ(run("ca\nB\n)RK\x01"
                "a."s)
                .trace.last,
            "_1.extend([1])");
  EXPECT_EQ(run("ca\nB\n)RK\x01K\x02s."s).trace.last, "_1[…] = [1, 2]");
  EXPECT_EQ(run("ca\nB\n)R(K\x01\x90."s).trace.last, "_1.add(…) of [1]");
  EXPECT_EQ(run("Pabc\n."s).trace.last, "_1 = persistent_load('abc')");
  EXPECT_EQ(run("\x82\x07)R."s).trace.last, "_1 = ?()");
}

// joblib and others extend the Python unpickler, which calls with any iterable.
TEST(Pickle, CallsWithAListAreToldAsAfterAFault) {
  EXPECT_EQ(run("cos\nsystem\n](S'id'\neR."s).trace.last, "!_1 = os.system(*['id'])");
}

TEST(Pickle, FindsThePayloadWhereverTheWindowEnds) {
  for (std::size_t shift = 0; shift < 40; ++shift) {
    const std::size_t filler = 65536 - 20 - shift;
    std::string pickle = "\x80\x04X"s;
    for (int i = 0; i < 4; ++i) pickle += static_cast<char>((filler >> (8 * i)) & 0xff);
    pickle +=
        std::string(filler, 'x') + "0\x8c\x05posix\x8c\x06system\x93\x94J\x01\x02\x03\x04" + "0h\x00\x8c\x02id\x85R."s;
    const auto [trace, outcome] = run(pickle);
    EXPECT_EQ(trace.last, "_1 = posix.system('id')") << shift;
    EXPECT_FALSE(outcome.fault) << shift << ": " << to_string(*outcome.fault);
  }
}

// CPython's C unpickler reads the same bytes in two ways: the tail of a frame is dropped or not.
TEST(Pickle, FramesThatReadersDisagreeAbout) {
  const std::string pickle = "\x80\x04\x95\x04\0\0\0\0\0\0\0NNX\x06"s + "\0\0\0cos\nx\n0."s;
  const auto joined = run(pickle);
  const auto dropping = run(pickle, {.framing = Framing::dropping});
  EXPECT_TRUE(joined.outcome.crossing);
  EXPECT_TRUE(dropping.outcome.crossing);
  EXPECT_NE(joined.outcome.end, dropping.outcome.end);
  EXPECT_TRUE(run(pickle, {.framing = Framing::strict}).outcome.fault);
}

TEST(Pickle, MemoryStaysBounded) {
  [[maybe_unused]] const u64 before = peak_kib();
  const struct {
    const char* what;
    std::string head, body;
  } cases[] = {{"values under one mark", "(", "N"},
               {"marks", "", "("},
               {"nested tuples", ")", "\x85"},
               {"memoized lists", "\x80\x04", "]\x94"},
               {"memoized calls",
                "\x80\x04"
                "ca\nb\n\x94",
                "h\x00)R\x94"s},
               {"a list of lists", "](", "]"},
               {"one long number", "L", "1"},
               {"one long line", "V", "x"},
               {"one long dict", "}(", "K\x01K\x02"}};
  for (const auto& item : cases) {
    run(repeated(item.head, item.body, 700'000, "\n" + kPayload));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
    EXPECT_LT(peak_kib() - before, 48u * 1024) << item.what;
#endif
  }
}

TEST(Pickle, PayloadBehindMillionsOfValues) {
  for (const std::string body : {"N", "]\x94"}) {
    const auto [trace, outcome] = run(repeated("\x80\x04", body, 600'000, kPayload));
    EXPECT_TRUE(trace.last.starts_with("_")) << body;
    EXPECT_NE(trace.last.find("os.system("), std::string::npos) << trace.last;
    EXPECT_TRUE(outcome.stopped);
  }
}

TEST(Pickle, CalleeBelowMillionsOfArguments) {
  const auto [trace, outcome] = run(repeated("cos\nsystem\n(", "N", 400'000, "tR."));
  EXPECT_TRUE(trace.last.starts_with("_1 = os.system(None, None")) << trace.last;
  EXPECT_TRUE(outcome.stopped);
}

TEST(Pickle, SixtyThousandGlobals) {
  std::string pickle;
  for (int i = 0; i < 60'000; ++i) pickle += "cmodule" + std::to_string(i) + "\nname\n0";
  const auto [trace, outcome] = run(pickle + kPayload);
  EXPECT_EQ(trace.events, 60'002u);
  EXPECT_TRUE(outcome.stopped);
}

TEST(Pickle, MemoIndicesNearTheLimits) {
  const auto far =
      run("cos\nsystem\nr\xff\xff\xff\xff"
          "0j\xff\xff\xff\xff(S'id'\ntR."s);
  EXPECT_EQ(far.trace.last, "_1 = os.system('id')");
  EXPECT_EQ(far.outcome.largest_memo, 0xffffffffu);
  EXPECT_TRUE(run("Np9223372036854775807\n."s).outcome.fault);
}

TEST(Pickle, FuelIsCountedInOpcodes) {
  const auto [trace, outcome] = run("NNNNNN" + kPayload, {.fuel = 5});
  EXPECT_TRUE(outcome.exhausted);
  EXPECT_EQ(outcome.opcodes, 5u);
  EXPECT_EQ(trace.events, 0u);
}

TEST(Pickle, SelfReferenceIsNoRecursion) {
  const auto [trace, outcome] =
      run("]q\x00h\x00"
          "aca\nb\n(h\x00tR."s);
  EXPECT_EQ(trace.last, "_1 = a.b([[[[[…]]]]])");
}

TEST(Pickle, ASecondPickleBehindTheFirst) {
  const std::string two = "N." + kPayload;
  const MemorySource source(as_bytes(two));
  Trace trace;
  Machine machine(source, 0, two.size(), trace);
  EXPECT_EQ(machine.run().end, 2u);
  EXPECT_EQ(trace.events, 0u);
  EXPECT_TRUE(machine.run().stopped);
  EXPECT_EQ(trace.last, "_1 = os.system('id')");
}

// joblib's arrays: the loader takes bytes from the stream that another loader reads as opcodes.
TEST(Pickle, BytesThatTheLoaderTakesItself) {
  class Takes final : public Observer {
   public:
    void event(const Machine&, const Event& event) override { calls += event.what == Event::What::call ? 1 : 0; }
    u64 after_build(const Machine& machine, const Event&) override {
      other = std::make_unique<Machine>(machine, trace, Options{.stop_at_fault = true});
      return kPayload.size();
    }
    int calls = 0;
    Trace trace;
    std::unique_ptr<Machine> other;
  } observer;
  const std::string pickle = "ca\nb\n)\x81}b" + kPayload + "N.";
  const MemorySource source(as_bytes(pickle));
  const Outcome outcome = Machine(source, 0, pickle.size(), observer).run();
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(observer.calls, 0);
  ASSERT_TRUE(observer.other);
  EXPECT_TRUE(observer.other->resume().stopped);
  EXPECT_EQ(observer.trace.last, "_2 = os.system('id')");
}

}  // namespace
}  // namespace steelyard::wire::pickle
