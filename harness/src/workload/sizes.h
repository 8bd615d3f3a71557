// sizes.h - block sizes spread evenly over doublings.
//
// Purpose: small sizes are common and large ones rare in nearly every program; a size drawn evenly
//   over doublings is the plainest such mix.
// Boundary: used by the workload files only.
// Invariants: every draw lies in [min, max]. Integers only, so that a seed gives the same sizes on
//   every machine.
#pragma once

#include <cstdint>

namespace hakbench {

class OctaveSizes {
 public:
  OctaveSizes(uint32_t min, uint32_t max) {
    uint32_t base = min;
    for (; base <= max / 4; base *= 2) octaves_[count_++] = {base, base};
    octaves_[count_++] = {base,
                          max - base + 1};  // the last takes what is left, under two doublings
  }

  // From the high half of r: 8 bits choose the doubling, 24 the place in it.
  uint32_t draw(uint64_t r) const {
    const Octave &octave = octaves_[(r >> 56) * count_ >> 8];
    return octave.base + static_cast<uint32_t>((r >> 32 & 0xFFFFFF) * octave.span >> 24);
  }

 private:
  struct Octave {
    uint32_t base;
    uint32_t span;
  };
  Octave octaves_[32];
  uint32_t count_ = 0;
};

}  // namespace hakbench
