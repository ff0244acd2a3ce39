#include "formats/format.hpp"

namespace steelyard::formats {

const Format* detect(Bytes head, u64 size) {
  const Format* best = nullptr;
  int confidence = 0;
  for (const Format* format : all()) {
    if (const int sure = format->sniff(head, size); sure > confidence) {
      confidence = sure;
      best = format;
    }
  }
  return best;
}

}  // namespace steelyard::formats
