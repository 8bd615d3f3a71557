#include "coordinator/schedule.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace hakbench {
namespace {

// Uniform in [0, n): draws that fall into the last, incomplete multiple of n are thrown away.
uint64_t draw_below(std::mt19937_64 &random, uint64_t n) {
  const uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  uint64_t value;
  do value = random();
  while (value >= limit);
  return value % n;
}

// Fisher-Yates.
std::vector<uint32_t> draw_permutation(std::mt19937_64 &random, uint32_t n) {
  std::vector<uint32_t> permutation(n);
  std::iota(permutation.begin(), permutation.end(), 0u);
  for (uint32_t i = n; i > 1; --i)
    std::swap(permutation[i - 1], permutation[draw_below(random, i)]);
  return permutation;
}

Block mirror(const std::vector<uint32_t> &half) {
  Block block;
  block.turns = half;
  block.turns.insert(block.turns.end(), half.rbegin(), half.rend());
  for (const uint32_t subject : block.turns) block.order += static_cast<char>('A' + subject);
  return block;
}

}  // namespace

std::vector<Block> schedule_launch(uint64_t seed, uint32_t launch, uint32_t blocks,
                                   uint32_t subjects) {
  // An odd multiplier keeps the streams of neighbouring launches and seeds apart.
  std::mt19937_64 random(seed + launch * 0x9E3779B97F4A7C15ull);
  std::vector<Block> result;
  std::vector<uint32_t> half;
  for (uint32_t i = 0; i < blocks; ++i) {
    if (i % 2 == 0) {
      half = draw_permutation(random, subjects);
    } else {
      std::reverse(half.begin(), half.end());
    }
    result.push_back(mirror(half));
  }
  return result;
}

uint32_t SoakRotation::subject(uint64_t number) const {
  if (beside_every_ == 0) return static_cast<uint32_t>(number % subjects_);
  if (number % beside_every_ == beside_every_ - 1) return subjects_ - 1;
  return static_cast<uint32_t>((number - number / beside_every_) % (subjects_ - 1));
}

uint64_t SoakRotation::round() const {
  if (beside_every_ == 0) return subjects_;
  const uint64_t others = subjects_ - 1;
  const uint64_t others_a_round = beside_every_ - 1;
  return (others + others_a_round - 1) / others_a_round * beside_every_;
}

}  // namespace hakbench
