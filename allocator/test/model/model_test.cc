// model_test.cc - random streams of operations against the reference model.
//
// Purpose: find the sequence of calls that breaks a promise. Sizes crowd where allocators have
//   their edges: on both sides of every size class, of pages, of slabs, of the large and huge
//   limits.
// Invariants: a seed replays its stream exactly; every failure names seed and step.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hakmem/hakmem.h"
#include "support/build.h"
#include "support/model.h"
#include "support/rng.h"

namespace hakmem_test {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kSlab = 64 << 10;
constexpr size_t kLargest = 12 << 20;  // well into the huge blocks

// The usable sizes that hakmem hands out up to `limit` bytes: the upper edges of its size classes.
std::vector<size_t> class_edges(size_t limit) {
  std::vector<size_t> edges;
  for (size_t size = 1; size <= limit;) {
    // The next class may lend some blocks, but not so many.
    std::vector<void *> blocks;
    size_t usable = SIZE_MAX;
    while (usable > size && blocks.size() < 300) {
      blocks.push_back(hakmem_malloc(size));
      usable = std::min(usable, hakmem_usable_size(blocks.back()));
    }
    for (void *block : blocks) hakmem_free(block);
    if (usable < size) break;  // reported by the test that asks for it
    edges.push_back(usable);
    size = usable + 1;
  }
  return edges;
}

size_t near(Rng &rng, size_t edge) { return edge + rng.below(5) - std::min<size_t>(edge, 2); }

class SizePicker {
 public:
  SizePicker() : edges_(class_edges(64 << 10)) {}

  size_t operator()(Rng &rng) const {
    switch (rng.below(16)) {
      case 0:
        return near(rng, kPage * rng.between(1, 64));
      case 1:
        return near(rng, kSlab * rng.between(1, 8));
      case 2:
        return near(rng, size_t{32} << 10);
      case 3:
        return rng.one_in(8) ? near(rng, size_t{4} << 20) : near(rng, kSlab);
      case 4:
        return rng.one_in(16) ? rng.between(4 << 20, kLargest) : rng.below(1024);
      case 5:
      case 6:
        return realistic_size(rng);
      default:
        return edges_.empty() ? rng.below(4096) : near(rng, edges_[rng.below(edges_.size())]);
    }
  }

 private:
  std::vector<size_t> edges_;
};

OpKind pick_kind(Rng &rng) {
  const uint64_t dice = rng.below(1000);
  if (dice < 300) return OpKind::kMalloc;
  if (dice < 370) return OpKind::kCalloc;
  if (dice < 520) return OpKind::kRealloc;
  if (dice < 550) return OpKind::kReallocarray;
  if (dice < 600) return OpKind::kAlignedAlloc;
  if (dice < 630) return OpKind::kPosixMemalign;
  if (dice < 830) return OpKind::kFree;
  if (dice < 910) return OpKind::kFreeSized;
  if (dice < 990) return OpKind::kFreeUsableSized;
  return dice < 998 ? OpKind::kPurgeThread : OpKind::kPurgeAll;
}

uint8_t pick_alignment_log2(Rng &rng) {
  // Mostly what programs ask for; now and then up to 8 MiB.
  return static_cast<uint8_t>(rng.one_in(10) ? rng.below(24) : rng.between(3, 12));
}

void run(uint64_t seed, size_t steps, size_t slots, size_t max_live_bytes) {
  const SizePicker pick_size;
  Rng rng(seed);
  Model model(slots, max_live_bytes);
  size_t step = 0;
  try {
    for (; step < steps; ++step) {
      const Op op{pick_kind(rng), static_cast<uint16_t>(rng.below(slots)), pick_alignment_log2(rng),
                  static_cast<uint8_t>(rng.between(1, 9)), pick_size(rng)};
      model.apply(op);
      if (step % 4096 == 0) model.check_all();
    }
    model.check_all();
  } catch (const Violation &violation) {
    FAIL() << "seed " << seed << " step " << step << ": " << violation.what();
  }
}

class RandomOps : public testing::TestWithParam<uint64_t> {};

// Few blocks: each is reused at once, out of the caches.
TEST_P(RandomOps, FewBlocks) { run(GetParam(), kSanitizer ? 2'000 : 10'000, 32, 64 << 20); }

// Many blocks: slabs fill, empty and change their class.
TEST_P(RandomOps, ManyBlocks) {
  run(GetParam() + 1000, kSanitizer ? 4'000 : 40'000, 4096, 48 << 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomOps, testing::Range<uint64_t>(0, kSanitizer ? 2 : 4));

// Grow to many blocks of one class, free in another order, again with the next class: the slabs
// of one class must become slabs of the next.
TEST(Phases, OneClassAfterTheOther) {
  Rng rng(17);
  const size_t live = (kSanitizer ? 1 : 8) << 20;  // bytes a phase
  for (const size_t size : {16, 48, 64, 200, 1024, 1025, 2048, 4096, 9000, 32768, 32769, 65536}) {
    const size_t blocks = live / size;
    Model model(blocks, live * 4);
    try {
      for (size_t i = 0; i < blocks; ++i)
        model.apply({OpKind::kMalloc, static_cast<uint16_t>(i), 0, 1, size});
      for (size_t i = 0; i < blocks * 2; ++i)
        model.apply({OpKind::kFree, static_cast<uint16_t>(rng.below(blocks)), 0, 1, 0});
      model.check_all();
    } catch (const Violation &violation) {
      FAIL() << "size " << size << ": " << violation.what();
    }
  }
}

}  // namespace
}  // namespace hakmem_test
