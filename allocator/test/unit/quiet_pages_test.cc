// quiet_pages_test.cc - the free pages of slabs in use go back to the kernel, and only those.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "config/config.h"
#include "fake_kernel.h"
#include "slab/slab_pool.h"

namespace hakmem {
namespace {

constexpr auto kAged = release::Reason::kAged;
constexpr unsigned char kMark = 0x5a;

class QuietPages : public testing::TestWithParam<size_t> {
 protected:
  // Takes as many blocks as fill two slabs.
  void fill() {
    const SizeClass c = class_of(GetParam());
    while (blocks_.size() < 2 * size_t{kClassInfo[c].capacity}) {
      void *block = nullptr;
      ASSERT_EQ(pool_.take_new(c, &block + 1, 1), 1u);
      memset(block, kMark, class_bytes(c));
      blocks_.push_back(static_cast<unsigned char *>(block));
    }
  }
  void put(unsigned char *block) {
    void *p = block;
    pool_.put(class_of(GetParam()), &p, 1);
  }
  // Puts all back but every n-th.
  void keep_every(size_t n) {
    std::vector<unsigned char *> kept;
    for (size_t i = 0; i < blocks_.size(); ++i) {
      if (i % n == 0) {
        kept.push_back(blocks_[i]);
      } else {
        put(blocks_[i]);
      }
    }
    blocks_.swap(kept);
  }
  bool all_intact() const {
    const size_t bytes = class_bytes(class_of(GetParam()));
    return std::all_of(blocks_.begin(), blocks_.end(), [&](const unsigned char *block) {
      return std::all_of(block, block + bytes, [](unsigned char byte) { return byte == kMark; });
    });
  }
  void TearDown() override {
    for (unsigned char *block : blocks_) put(block);
    pool_.release_empty_slabs();
  }

  test::FakeKernel kernel_;
  SlabPool pool_;
  std::vector<unsigned char *> blocks_;
};

TEST_P(QuietPages, GoBackAndBlocksInUseStay) {
  fill();
  unsigned char *const gone = blocks_[blocks_.size() / 8];  // far from those that stay
  keep_every(blocks_.size() / 4);
  const uint64_t before = release::totals().discarded_bytes;
  pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  EXPECT_EQ(release::totals().discarded_bytes, before) << "not quiet for an age yet";
  pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  const size_t kept_pages = blocks_.size() * (class_bytes(class_of(GetParam())) / kOsPageBytes + 2);
  const size_t slabs_bytes = 2 * kClassInfo[class_of(GetParam())].span_slabs * kSlabBytes;
  EXPECT_GE(release::totals().discarded_bytes - before, slabs_bytes - kept_pages * kOsPageBytes);
  EXPECT_TRUE(all_intact());
  const size_t middle = class_bytes(class_of(GetParam())) / 2;
  EXPECT_EQ(gone[middle], 0) << "this page should have been given back";
}

TEST_P(QuietPages, GoBackOnce) {
  fill();
  keep_every(blocks_.size() / 4);
  for (int age = 0; age < 3; ++age) pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  const uint64_t discards = kernel_.discards();
  for (int age = 0; age < 3; ++age) pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  EXPECT_EQ(kernel_.discards(), discards);
}

TEST_P(QuietPages, ABlockThatComesBackIsNewsForItsSlab) {
  fill();
  keep_every(blocks_.size() / 8);
  for (int age = 0; age < 3; ++age) pool_.release_quiet_pages(kAged, 2, SIZE_MAX);
  unsigned char *const gone = blocks_.back() + class_bytes(class_of(GetParam())) / 2;
  put(blocks_.back());
  blocks_.pop_back();
  for (int age = 0; age < 2; ++age) pool_.release_quiet_pages(kAged, 2, SIZE_MAX);
  EXPECT_EQ(*gone, kMark) << "given back before the slab was quiet";
  pool_.release_quiet_pages(kAged, 2, SIZE_MAX);
  EXPECT_EQ(*gone, 0);
  EXPECT_TRUE(all_intact());
}

// Of a slab that was used before, what the new blocks have not reached yet.
TEST_P(QuietPages, GoBackBehindTheLastBlockEverTaken) {
  const SizeClass c = class_of(GetParam());
  void *block = nullptr;
  ASSERT_EQ(pool_.take_new(c, &block + 1, 1), 1u);
  blocks_.push_back(static_cast<unsigned char *>(block));
  memset(block, kMark, class_bytes(c));
  unsigned char *const left_over = blocks_[0] + align_up(class_bytes(c), kOsPageBytes);
  *left_over = kMark;
  pool_.release_quiet_pages(kAged, 0, SIZE_MAX);
  EXPECT_EQ(*left_over, 0);
  EXPECT_TRUE(all_intact());
}

TEST_P(QuietPages, ThatWereOfferedGoOnDemand) {
  ASSERT_EQ(set_knob("HAKMEM_SS_MEM_LEAN_MODE", "1"), 0);
  fill();
  unsigned char *const gone = blocks_[blocks_.size() / 8];
  keep_every(blocks_.size() / 4);
  for (int age = 0; age < 3; ++age) pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  const uint64_t offered = kernel_.discards();
  pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  EXPECT_EQ(kernel_.discards(), offered) << "offered again";
  pool_.release_quiet_pages(release::Reason::kDemand, 0, SIZE_MAX);
  EXPECT_GT(kernel_.discards(), offered);
  EXPECT_EQ(gone[class_bytes(class_of(GetParam())) / 2], 0);
  EXPECT_TRUE(all_intact());
  ASSERT_EQ(set_knob("HAKMEM_SS_MEM_LEAN_MODE", "0"), 0);
}

TEST_P(QuietPages, StayWithinTheirCallsOfTheKernel) {
  fill();
  keep_every(blocks_.size() / 4);
  pool_.release_quiet_pages(kAged, 1, SIZE_MAX);
  const uint64_t before = kernel_.discards();
  pool_.release_quiet_pages(kAged, 1, 1);
  const uint64_t first = kernel_.discards() - before;
  EXPECT_GE(first, 1u);
  pool_.release_quiet_pages(kAged, 1, 1);
  EXPECT_GT(kernel_.discards() - before, first) << "the next call goes on with the next slab";
}

INSTANTIATE_TEST_SUITE_P(Sizes, QuietPages, testing::Values(16, 48, 1024, 5000, 32768));

}  // namespace
}  // namespace hakmem
