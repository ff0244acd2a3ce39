// Whatever a worker that was taken over may send as the payload of a frame: first byte the type.
#include "engine/protocol.hpp"

using namespace steelyard;

namespace {

template <class M>
void read(Bytes payload) {
  M message;
  if (engine::decode(payload, message) &&
      engine::encode(engine::Type::done, message).size() != payload.size() + engine::kFrameHead)
    __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes payload = std::as_bytes(std::span(data + 1, size - 1));
  switch (data[0] % 10) {
    case 0:
      read<engine::Hello>(payload);
      break;
    case 1:
      read<engine::Loaded>(payload);
      break;
    case 2:
      read<engine::TokenList>(payload);
      break;
    case 3:
      read<engine::Text>(payload);
      break;
    case 4:
      read<engine::Generated>(payload);
      break;
    case 5:
      read<engine::Scored>(payload);
      break;
    case 6:
      read<engine::Compared>(payload);
      break;
    case 7:
      read<engine::Embedding>(payload);
      break;
    case 8:
      read<engine::Generate>(payload);
      break;
    default:
      read<engine::ApplyTemplate>(payload);
      break;
  }
  return 0;
}
