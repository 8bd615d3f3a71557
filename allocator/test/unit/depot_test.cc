// depot_test.cc - full magazines in reserve: their bound, and which of them grow old.
#include "cache/depot.h"

#include <gtest/gtest.h>

#include "config/config.h"
#include "fake_kernel.h"
#include "os/os.h"

namespace hakmem {
namespace {

constexpr SizeClass kClass = 4;  // 64 bytes

class DepotTest : public testing::Test {
 protected:
  DepotTest() {
    os::kLinux.set_access(storage_, Depot::kChunkBytes, true);
    depot_.reset(storage_);
  }
  ~DepotTest() override { os::kLinux.unmap(storage_, Depot::kStorageBytes); }

  void **bins_own(SizeClass c) { return storage_ + c * kMagazineSlots; }
  // Puts a full magazine aside, as often as it goes. Returns how often.
  size_t fill(SizeClass c, size_t most) {
    void **magazine = bins_own(c);
    size_t n = 0;
    while (n < most && (magazine = depot_.put_full(c, magazine)) != nullptr) ++n;
    return n;
  }

  void **storage_ = static_cast<void **>(os::kLinux.map_unwritable(Depot::kStorageBytes));
  Depot depot_;
};

TEST_F(DepotTest, GivesTheNewestBackFirstAndThenNothing) {
  void **first = bins_own(kClass);
  void **second = depot_.put_full(kClass, first);
  ASSERT_NE(second, nullptr);
  void **third = depot_.put_full(kClass, second);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(depot_.take_full(kClass, third), second);
  EXPECT_EQ(depot_.take_full(kClass, second), first);
  EXPECT_FALSE(depot_.has_full(kClass));
  EXPECT_EQ(depot_.take_full(kClass, first), nullptr);
}

TEST_F(DepotTest, HoldsSoManyBytesOverAllClasses) {
  const size_t most = static_cast<size_t>(knob(g_config.depot_kb)) * kKiB;
  const SizeClass large = class_of(4096);
  const size_t half = most / 2 / (class_bytes(large) * magazine_blocks(large));
  EXPECT_EQ(fill(large, half), half);
  const SizeClass other = class_of(8192);
  const size_t rest = fill(other, SIZE_MAX) * class_bytes(other) * magazine_blocks(other);
  EXPECT_LE(rest, most - most / 2);
  EXPECT_GT(rest, most / 4);
  EXPECT_EQ(fill(large, 1), 0u) << "the bound is over all classes";
}

TEST_F(DepotTest, IsColdInTheAgeInWhichMuchCameBack) {
  const SizeClass large = class_of(4096);
  const size_t two_mib = 2 * kMiB / (class_bytes(large) * magazine_blocks(large));
  void **magazine = bins_own(large);
  for (size_t i = 0; i <= two_mib; ++i) {
    EXPECT_FALSE(depot_.is_cold()) << i;
    magazine = depot_.put_full(large, magazine);
    ASSERT_NE(magazine, nullptr);
  }
  EXPECT_TRUE(depot_.is_cold());
  for (size_t i = 0; i <= two_mib; ++i) ASSERT_NE(depot_.take_any(large), nullptr);
  EXPECT_TRUE(depot_.is_cold()) << "what is taken last is what came back first";
  depot_.begin_age();
  EXPECT_FALSE(depot_.is_cold());
}

TEST_F(DepotTest, RunsOutOfMagazinesBeforeSmallBlocksRunOutOfBytes) {
  EXPECT_EQ(fill(1, SIZE_MAX), Depot::kMagazines - kBinCount);
}

TEST_F(DepotTest, EveryMagazineItGivesCanBeWritten) {
  for (void **magazine = bins_own(1); (magazine = depot_.put_full(1, magazine)) != nullptr;) {
    magazine[0] = magazine[kMagazineSlots - 1] = magazine;
  }
}

TEST_F(DepotTest, IsFullWhereTheKernelRefusesMore) {
  test::FakeKernel kernel;
  kernel.fail_call(0);
  void **last = bins_own(1);
  size_t given = 0;
  while (void **next = depot_.put_full(1, last)) {
    last = next;
    ++given;
  }
  EXPECT_EQ(given, Depot::kChunkBytes / kMagazineBytes - kBinCount);
  void **next = depot_.put_full(1, last);
  ASSERT_NE(next, nullptr) << "it was refused once, not for ever";
  next[0] = next;
}

TEST_F(DepotTest, OnlyWhatAnAgeHadNoUseForIsIdle) {
  fill(kClass, 5);
  EXPECT_EQ(depot_.take_idle(kClass), nullptr) << "came in this age";
  depot_.begin_age();
  void **taken = depot_.take_any(kClass);
  void **also_taken = depot_.take_any(kClass);
  depot_.put_spare(taken);
  depot_.put_full(kClass, also_taken);  // 4 there, but 3 at the lowest
  for (int i = 0; i < 3; ++i) {
    void **idle = depot_.take_idle(kClass);
    ASSERT_NE(idle, nullptr) << i;
    depot_.put_spare(idle);
  }
  EXPECT_EQ(depot_.take_idle(kClass), nullptr);
  EXPECT_TRUE(depot_.has_full(kClass));
}

}  // namespace
}  // namespace hakmem
