// watch_test.cc - which magazines are hidden while memory waits to go back.
#include "cache/watch.h"

#include <gtest/gtest.h>

namespace hakmem {
namespace {

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

TEST_F(WatchTest, WatchesFewClasses) {
  for (size_t c = 1; c < kClassCount; ++c) visit(static_cast<SizeClass>(c), 1000);
  EXPECT_LE(hidden(), 4u);
  EXPECT_GE(hidden(), 2u);
}

TEST_F(WatchTest, TheSmallestClassIsWatchedWheneverItComes) {
  for (int c : {90, 80, 70, 60, 50}) visit(static_cast<SizeClass>(c), 1000);
  visit(2, 1000);
  EXPECT_TRUE(is_hidden(2));
}

TEST_F(WatchTest, SilentClassesGiveTheirPlaceUp) {
  for (SizeClass c = 1; c <= 4; ++c) visit(c, 1000);
  visit(50, 1005);
  EXPECT_FALSE(is_hidden(50));
  visit(50, 1100);
  EXPECT_TRUE(is_hidden(50));
}

TEST_F(WatchTest, AClassThatComesAllTheTimeIsLeftAloneUntilTheClockGoesOn) {
  int visits = 0;
  do {
    visit(5, 1000);
    ASSERT_LT(++visits, 100'000);
  } while (is_hidden(5));
  EXPECT_GT(visits, 1000);
  visit(5, 1004);
  EXPECT_TRUE(is_hidden(5));
}

}  // namespace
}  // namespace hakmem
