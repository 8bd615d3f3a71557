// hardened_test.cc - the hardened variant's parts, one by one, and the whole where the kernel says
// no.
#include <gtest/gtest.h>

#include <cstring>
#include <set>
#include <vector>

#include "base/units.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"
#include "hardened/quarantine.h"
#include "hardened/seal.h"
#include "os/guard.h"
#include "superslab/page_heap.h"

namespace hakmem::hardened {
namespace {

struct alignas(16) Room {
  unsigned char bytes[2048];
};

TEST(Seal, KeepsTheSizeAskedFor) {
  Room block;
  for (size_t block_bytes = 16; block_bytes <= sizeof block; block_bytes += 16) {
    for (size_t asked = 0; asked + kSealBytes <= block_bytes; asked += asked < 64 ? 1 : 61) {
      seal(&block, block_bytes, asked);
      ASSERT_EQ(asked_in_seal(&block, block_bytes), asked) << block_bytes;
    }
  }
}

// Every change of every single byte behind what was asked for, above all to 0.
TEST(Seal, SeesEveryByteBehindTheEnd) {
  Room block;
  for (const size_t asked : {size_t{0}, size_t{1}, size_t{24}, size_t{39}, size_t{40}}) {
    constexpr size_t kBlockBytes = 48;
    seal(&block, kBlockBytes, asked);
    ASSERT_NE(block.bytes[asked], 0) << "a 0 written there would change nothing";
    for (size_t i = asked; i < kBlockBytes; ++i) {
      const unsigned char before = block.bytes[i];
      for (unsigned value = 0; value < 256; ++value) {
        if (value == before) continue;
        block.bytes[i] = static_cast<unsigned char>(value);
        ASSERT_EQ(asked_in_seal(&block, kBlockBytes), kBroken) << asked << " " << i;
      }
      block.bytes[i] = before;
    }
    ASSERT_EQ(asked_in_seal(&block, kBlockBytes), asked);
  }
}

TEST(Seal, IsOfItsAddress) {
  Room block, copy;
  seal(&block, 64, 40);
  memcpy(&copy, &block, 64);
  EXPECT_EQ(asked_in_seal(&copy, 64), kBroken) << "a seal that is copied must not be valid";
}

TEST(Poison, BreaksTheSealAndSeesEveryWrite) {
  Room block;
  for (const size_t block_bytes : {size_t{16}, size_t{48}, kPoisonBytes, sizeof block}) {
    seal(&block, block_bytes, 3);
    poison(&block, block_bytes);
    EXPECT_EQ(asked_in_seal(&block, block_bytes), kBroken);
    ASSERT_EQ(first_write(&block, block_bytes), kUntouched);
    for (size_t i = 0; i < block_bytes; ++i) {
      const bool poisoned = i < kPoisonBytes || i >= block_bytes - kSealBytes;
      block.bytes[i] ^= 1;
      ASSERT_EQ(first_write(&block, block_bytes), poisoned ? i : kUntouched);
      block.bytes[i] ^= 1;
    }
  }
}

class Quarantine : public testing::Test {
 protected:
  ~Quarantine() override { hakmem_configure("HAKMEM_QUARANTINE_KB", "1024"); }
};

// Frees until `block` comes back from malloc; returns the bytes freed meanwhile.
size_t freed_until_reuse(void *block, size_t size) {
  hakmem_free(block);
  for (size_t freed = 0; freed < 64 * kMiB; freed += size) {
    void *other = hakmem_malloc(size);
    if (other == block) {
      hakmem_free(other);
      return freed;
    }
    hakmem_free(other);
  }
  return SIZE_MAX;
}

TEST_F(Quarantine, HoldsABlockForAsLongAsTheKnobSays) {
  const size_t reused = freed_until_reuse(hakmem_malloc(1000), 1000);
  EXPECT_GT(reused, 800 * kKiB);  // 1 MiB less what the entries count for
  EXPECT_LT(reused, 64 * kMiB) << "it never came back";
  EXPECT_LE(quarantine::totals().charged_bytes, 1024 * kKiB);
  ASSERT_EQ(hakmem_configure("HAKMEM_QUARANTINE_KB", "64"), 0);
  hakmem_free(hakmem_malloc(1000));
  EXPECT_LE(quarantine::totals().charged_bytes, 64 * kKiB) << "a smaller bound must hold at once";
}

TEST_F(Quarantine, OfSizeNoneHoldsNothing) {
  hakmem_purge(HAKMEM_PURGE_ALL);
  ASSERT_EQ(hakmem_configure("HAKMEM_QUARANTINE_KB", "0"), 0);
  for (const size_t size : {size_t{10}, size_t{30'000}, size_t{100'000}, 8 * kMiB}) {
    hakmem_free(hakmem_malloc(size));
  }
  EXPECT_EQ(quarantine::totals().blocks, 0u);
}

// Who can make a program ask for too much would make it use freed blocks again at once.
TEST_F(Quarantine, IsNotEmptiedForWhatNoMachineHas) {
  hakmem_free(hakmem_malloc(100));
  const size_t blocks = quarantine::totals().blocks;
  ASSERT_GE(blocks, 1u);
  EXPECT_EQ(hakmem_malloc(SIZE_MAX / 4), nullptr);
  EXPECT_EQ(quarantine::totals().blocks, blocks);
}

TEST_F(Quarantine, IsEmptiedByPurge) {
  for (const size_t size : {size_t{10}, size_t{30'000}, size_t{100'000}}) {
    hakmem_free(hakmem_malloc(size));
  }
  EXPECT_GE(quarantine::totals().blocks, 3u);
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(quarantine::totals().blocks, 0u);
  EXPECT_EQ(quarantine::totals().charged_bytes, 0u);
}

// Walks of two processes differ because of the seed; one walk is no straight line.
TEST(Placement, IsNoStraightLine) {
  std::vector<void *> blocks;
  for (int i = 0; i < 256; ++i) blocks.push_back(hakmem_malloc(100));
  size_t next_door = 0;
  for (size_t i = 1; i < blocks.size(); ++i) {
    next_door += address_of(blocks[i]) - address_of(blocks[i - 1]) == 112;
  }
  EXPECT_LT(next_door, blocks.size() / 4);
  EXPECT_EQ(std::set<void *>(blocks.begin(), blocks.end()).size(), blocks.size());
  for (void *block : blocks) hakmem_free(block);
}

class Guard : public testing::Test {
 protected:
  Guard() { hakmem_purge(HAKMEM_PURGE_ALL); }
  ~Guard() override { hakmem_configure("HAKMEM_GUARD_PAGES", "16384"); }
};

TEST_F(Guard, IsCountedAndBounded) {
  const size_t before = os::guard::count();
  ASSERT_EQ(hakmem_configure("HAKMEM_GUARD_PAGES", std::to_string(before + 2).c_str()), 0);
  std::vector<void *> blocks;
  for (const size_t size : {size_t{100'000}, 8 * kMiB, size_t{50'000}, 9 * kMiB}) {
    blocks.push_back(hakmem_malloc(size));
    ASSERT_NE(blocks.back(), nullptr);
  }
  EXPECT_EQ(os::guard::count(), before + 2);
  for (void *block : blocks) hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(os::guard::count(), before);
}

TEST_F(Guard, FollowsReallocInPlace) {
  const size_t before = os::guard::count();
  hakmem_free(hakmem_malloc(100));
  for (const size_t base : {size_t{200'000}, 9 * kMiB}) {
    auto *block = static_cast<unsigned char *>(hakmem_malloc(base));
    for (const size_t size : {base + 50'000, base + 10, base + 5000, base}) {
      block = static_cast<unsigned char *>(hakmem_realloc(block, size));
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(hakmem_usable_size(block), size);
      memset(block, 7, size);
    }
    hakmem_free(block);
  }
  EXPECT_GE(quarantine::totals().blocks, 2u) << "realloc is no reason to empty the quarantine";
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(os::guard::count(), before);
}

// Blocks of a page and less: a slab's guard comes and goes with it.
TEST_F(Guard, EndsEverySlab) {
  const size_t before = os::guard::count();
  std::vector<void *> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(hakmem_malloc(4000));
  EXPECT_GE(os::guard::count(), before + 1000 * 4096 / kSlabBytes);
  for (void *block : blocks) hakmem_free(block);
  hakmem_purge(HAKMEM_PURGE_ALL);
  EXPECT_EQ(os::guard::count(), before);
}

// The memory of a freed large block goes back at once, its address space later.
TEST_F(Guard, KeepsAFreedLargeBlocksPlaceButNotItsMemory) {
  test::FakeKernel kernel;
  void *block = hakmem_malloc(200'000);
  const uint64_t discards = kernel.discards();
  hakmem_free(block);
  EXPECT_EQ(kernel.discards(), discards + 1);
  EXPECT_TRUE(quarantine::holds(block));
  void *other = hakmem_malloc(200'000);
  EXPECT_NE(other, block);
  hakmem_free(other);
}

// From each call on, the kernel refuses: the block may lose its guard or its place, no more.
TEST_F(Guard, MayBeRefused) {
  test::FakeKernel kernel;
  for (uint64_t n = 0; n < 12; ++n) {
    for (const size_t size : {size_t{100'000}, 8 * kMiB}) {
      SCOPED_TRACE(n);
      kernel.fail_call(n, true);
      void *block = hakmem_malloc(size);
      if (block != nullptr) memset(block, 1, size);
      void *grown = hakmem_realloc(block, size + 3000);
      if (grown != nullptr) memset(grown, 2, size + 3000);
      hakmem_free(grown != nullptr ? grown : block);
      hakmem_purge(HAKMEM_PURGE_ALL);
      kernel.fail_none();
      void *after = hakmem_malloc(size);
      ASSERT_NE(after, nullptr);
      memset(after, 3, size);
      hakmem_free(after);
    }
  }
}

TEST(Hardened, SaysSo) {
  EXPECT_STREQ(hakmem_version(), HAKMEM_VERSION " hardened");
  char text[8192];
  hakmem_stats_json(text, sizeof text);
  EXPECT_NE(strstr(text, "\"hardened\":{\"quarantined_blocks\":"), nullptr) << text;
}

}  // namespace
}  // namespace hakmem::hardened
