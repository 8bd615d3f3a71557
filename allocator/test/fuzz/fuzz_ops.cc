// fuzz_ops.cc - bytes become a stream of operations on the reference model.
//
// Purpose: let a fuzzer look for the sequence of calls that breaks a promise of hakmem.h.
// Boundary: the libFuzzer entry point; replay.cc calls it too. A broken promise leaves it as the
//   exception Violation, which libFuzzer reports as a crash.
// Invariants: the meaning of the six bytes of an operation never changes, else the corpus is lost:
//   kind, slot, log2 of the alignment, count | scale << 4, size (16 bits, low first).
// Threads: one. The model dies with its input; only the allocator's own state outlives it.
#include <cstddef>
#include <cstdint>

#include "support/model.h"

namespace hakmem_test {
namespace {

constexpr size_t kBytesPerOp = 6;
constexpr size_t kSlots = 64;
constexpr size_t kMaxLiveBytes = size_t{24} << 20;
constexpr uint8_t kMaxAlignmentLog2 = 23;  // 8 MiB: beyond a large block

Op decode(const uint8_t *bytes) {
  const auto kind = static_cast<OpKind>(bytes[0] % kOpKinds);
  // Half of the scales leave the size as it is; the last makes up to 16 MiB, a huge block.
  const int scale = bytes[3] >> 4;
  const int shift = scale < 8 ? 0 : scale - 7;
  const size_t size = static_cast<size_t>(bytes[4] | bytes[5] << 8) << shift;
  return Op{kind, bytes[1], static_cast<uint8_t>(bytes[2] % (kMaxAlignmentLog2 + 1)),
            static_cast<uint8_t>(bytes[3] & 0xF), size};
}

}  // namespace
}  // namespace hakmem_test

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace hakmem_test;
  Model model(kSlots, kMaxLiveBytes);
  for (size_t at = 0; at + kBytesPerOp <= size; at += kBytesPerOp) model.apply(decode(data + at));
  model.check_all();
  return 0;
}
