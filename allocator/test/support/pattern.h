// pattern.h - what the tests write into blocks, and how they see that somebody else wrote there.
//
// Purpose: fill a block with bytes that only (id, size) could have made; find the first byte that
//   changed. Two blocks that overlap can't both keep their patterns.
// Invariants: a prefix of a block's pattern does not depend on how much of it is checked, so the
//   part that realloc must keep can be checked alone.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/rng.h"

namespace hakmem_test {

inline constexpr size_t kIntact = SIZE_MAX;

// Word i of the pattern is first + i * kPatternStep: an addition a word, so that filling megabytes
// costs little more than memset.
inline constexpr uint64_t kPatternStep = 0x9E3779B97F4A7C15u;

inline uint64_t pattern_start(uint64_t id, size_t size) { return mix64(id ^ mix64(size + 1)); }

// Fills all `size` bytes.
inline void fill_pattern(void *block, size_t size, uint64_t id) {
  auto *out = static_cast<unsigned char *>(block);
  uint64_t word = pattern_start(id, size);
  size_t at = 0;
  for (; at + sizeof word <= size; at += sizeof word, word += kPatternStep)
    std::memcpy(out + at, &word, sizeof word);
  if (at < size) std::memcpy(out + at, &word, size - at);
}

// Offset of the first of `checked` bytes that is not what fill_pattern(block, size, id) wrote, or
// kIntact. `checked` <= `size`.
inline size_t first_damage(const void *block, size_t checked, size_t size, uint64_t id) {
  const auto *in = static_cast<const unsigned char *>(block);
  uint64_t word = pattern_start(id, size);
  for (size_t at = 0; at < checked; at += sizeof word, word += kPatternStep) {
    const size_t bytes = checked - at < sizeof word ? checked - at : sizeof word;
    uint64_t found = word;
    std::memcpy(&found, in + at, bytes);
    if (found == word) continue;
    size_t offset = at;
    const auto *expected = reinterpret_cast<const unsigned char *>(&word);
    while (in[offset] == expected[offset - at] && offset + 1 < at + bytes) ++offset;
    return offset;
  }
  return kIntact;
}

// Offset of the first byte that is not zero, or kIntact.
inline size_t first_nonzero(const void *block, size_t size) {
  const auto *in = static_cast<const unsigned char *>(block);
  size_t at = 0;
  for (uint64_t word; at + sizeof word <= size; at += sizeof word) {
    std::memcpy(&word, in + at, sizeof word);
    if (word != 0) break;
  }
  for (; at < size; ++at)
    if (in[at] != 0) return at;
  return kIntact;
}

}  // namespace hakmem_test
