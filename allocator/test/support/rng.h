// rng.h - the random numbers of the tests.
//
// Purpose: a small generator whose stream depends on the seed alone, on every compiler and library
//   (the standard distributions do not promise that).
// Invariants: the same seed gives the same stream. Threads: one generator a thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakmem_test {

// SplitMix64's output function (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014): every input bit changes every output bit.
inline constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

class Rng {
 public:
  explicit constexpr Rng(uint64_t seed) : state_(seed) {}

  constexpr uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15u); }
  // In [0, n); the bias of the remainder does not matter to a test.
  constexpr uint64_t below(uint64_t n) { return next() % n; }
  constexpr uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  constexpr bool one_in(uint64_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// Bytes of a block as programs ask for them: nine of ten below 1 KiB, each further decade rarer,
// up to 8 MiB.
inline size_t realistic_size(Rng &rng) {
  const uint64_t dice = rng.below(10'000);
  if (dice < 6'500) return rng.between(0, 256);
  if (dice < 9'000) return rng.between(257, 2'048);
  if (dice < 9'850) return rng.between(2'049, 32 << 10);
  if (dice < 9'995) return rng.between((32 << 10) + 1, 512 << 10);
  return rng.between((512 << 10) + 1, 8 << 20);
}

}  // namespace hakmem_test
