// Pickles of an artifact: walked, judged and reported.
//
// For every format that holds pickles: raw files, PyTorch's archives, arrays of objects. Several
// pickles may follow one another; readers that disagree about frames are each followed; pickles inside
// bytes become artifacts of their own. Tested by data/rules/PKL, tests/unit/pickle_judge_test.cpp and
// tests/oracle/benign_archives_test.py.
#pragma once

#include "formats/item.hpp"

namespace steelyard::formats {

struct PickleExtent {
  u64 end = 0;      // behind the last pickle
  u64 pickles = 0;  // that reached STOP
  bool malicious = false;
};

struct PickleRange {
  u64 begin = 0;
  u64 end = 0;
  u64 most = UINT64_MAX;  // pickles in a row
};

// Adds facts, findings and gaps, and the bytes walked to the coverage's `examined`. The loader is the item's.
PickleExtent scan_pickles(Item& item, const PickleRange& range);

// What a pickle at the beginning of the source looks like: 0 no pickle, up to 100.
int pickle_confidence(const Source& source, u64 begin);

}  // namespace steelyard::formats
