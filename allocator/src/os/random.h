// random.h - unpredictable bits from the kernel.
//
// Purpose:    seed the secrets of the hardened variant.
// Boundary:   never fails: where getrandom is denied, the bytes that the kernel gave the process at
//             its start serve, mixed with the clock.
// Threads:    any.
#ifndef HAKMEM_OS_RANDOM_H_
#define HAKMEM_OS_RANDOM_H_

#include <cstdint>

namespace hakmem::os {

// splitmix64's finalizer: every bit of the result depends on every bit of x.
constexpr uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t random_word();

}  // namespace hakmem::os

#endif  // HAKMEM_OS_RANDOM_H_
