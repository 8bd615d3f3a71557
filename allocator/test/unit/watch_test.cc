// watch_test.cc - which magazines are hidden while memory waits to go back.
#include "cache/watch.h"

#include <gtest/gtest.h>

namespace hakmem {
namespace {

constexpr SizeClass kLarge = kClassCount - 1;  // above those that are small for the watch

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    for (size_t c = 0; c < kClassCount; ++c) tops_[c] = &slots_[c];
  }
  bool is_hidden(SizeClass c) const { return tops_[c] == &decoy_; }
  size_t hidden() const {
    size_t n = 0;
    for (void **top : tops_) n += top == &decoy_;
    return n;
  }
  // One visit of a slow path by class c.
  void visit(SizeClass c, uint64_t now_ms) {
    watch_.reveal(tops_);
    EXPECT_EQ(hidden(), 0u);
    watch_.hide(tops_, &decoy_, c, now_ms);
  }

  void *slots_[kClassCount] = {};
  void *decoy_ = nullptr;
  void **tops_[kClassCount];
  Watch watch_;
};

TEST_F(WatchTest, HidesWhoComesAndRevealsTheSame) {
  visit(7, 1000);
  EXPECT_TRUE(is_hidden(7));
  EXPECT_TRUE(watch_.hidden());
  tops_[9] = &slots_[10];  // what is not hidden may move
  watch_.reveal(tops_);
  EXPECT_EQ(tops_[7], &slots_[7]);
  EXPECT_EQ(tops_[9], &slots_[10]);
  EXPECT_FALSE(watch_.hidden());
}

TEST_F(WatchTest, EveryTopComesBack) {
  for (size_t c = 0; c < kClassCount; ++c) slots_[c] = &slots_[c];  // all have blocks
  for (uint64_t i = 0; i < 10'000; ++i) {
    // One class for so long that every other class takes the places beside it by turns, then many.
    const auto c =
        static_cast<SizeClass>(i % 2000 < 1500 ? 5 + i / 2000 : 1 + i % (kClassCount - 1));
    visit(c, 1000 + i);
    watch_.reveal(tops_);
    for (size_t n = 0; n < kClassCount; ++n) ASSERT_EQ(tops_[n], &slots_[n]) << n << " at " << i;
  }
}

TEST_F(WatchTest, WatchesFewClasses) {
  for (size_t c = 1; c < kClassCount; ++c) visit(static_cast<SizeClass>(c), 1000);
  EXPECT_EQ(hidden(), 3u);
}

TEST_F(WatchTest, LargerClassesDoNotPushSmallOnesOut) {
  visit(2, 1000);
  visit(3, 1000);
  for (SizeClass c = class_of(kKiB) + 1; c <= kLarge; ++c) visit(c, 1000);
  EXPECT_TRUE(is_hidden(2));
  EXPECT_TRUE(is_hidden(3));
  EXPECT_TRUE(is_hidden(kLarge));
}

TEST_F(WatchTest, TheOnlyClassOfAProgramIsLeftAloneForTheRestOfAStep) {
  int visits = 0;
  do {
    visit(5, 1000);
    ASSERT_LT(++visits, 10'000);
  } while (is_hidden(5));
  EXPECT_GT(visits, 100);
  visit(5, 1100);
  EXPECT_TRUE(is_hidden(5));
}

// After a burst of large blocks the program goes on with small ones.
TEST_F(WatchTest, OfManyClassesASmallOneStaysWatchedWhicheverIsTheLeastBusy) {
  for (SizeClass c = 1; c <= 20; ++c) visit(c, 1000);
  visit(kLarge, 1000);
  for (int i = 0; i < 2000; ++i) visit(i % 4 == 0 ? 19 : 20, 1000);
  EXPECT_FALSE(is_hidden(kLarge));
  EXPECT_FALSE(is_hidden(20));
  EXPECT_TRUE(is_hidden(19));
}

TEST_F(WatchTest, VisitsOnBehalfOfNoClassDoNotCount) {
  visit(5, 1000);
  for (int i = 0; i < 100'000; ++i) {
    watch_.reveal(tops_);
    watch_.hide_again(tops_, &decoy_, 1000);
  }
  EXPECT_TRUE(is_hidden(5));
}

TEST_F(WatchTest, AClassCanBeAddedThatDidNotCome) {
  watch_.add(0);
  watch_.hide_again(tops_, &decoy_, 1000);
  EXPECT_FALSE(watch_.hidden()) << "nothing is";
  watch_.add(kLarge);
  watch_.hide_again(tops_, &decoy_, 1000);
  EXPECT_TRUE(is_hidden(kLarge));
  EXPECT_EQ(hidden(), 1u);
}

TEST_F(WatchTest, OfManyClassesTheLeastBusyStaysWatchedLongest) {
  for (SizeClass c = 1; c <= 20; ++c) visit(c, 1000);
  ASSERT_TRUE(is_hidden(19));
  ASSERT_TRUE(is_hidden(20));
  for (int i = 0; i < 20'000; ++i) visit(i % 4 == 0 ? 19 : 20, 1000);
  EXPECT_FALSE(is_hidden(20));
  EXPECT_TRUE(is_hidden(19));
  for (int i = 0; i < 50'000; ++i) visit(19, 1000);
  EXPECT_FALSE(is_hidden(19)) << "there is an end to it within a step";
  visit(19, 1100);
  EXPECT_TRUE(is_hidden(20));
}

}  // namespace
}  // namespace hakmem
