// check_test.cc - the line with which hakmem ends when it finds itself broken. The reports of misuse
// have programs of their own (misuse/).
#include "base/check.h"

#include <gtest/gtest.h>

namespace hakmem {
namespace {

TEST(CheckDeathTest, ABrokenInvariantNamesItselfAndItsPlace) {
  const int two = 2;
  CHECK(two == 2);
  EXPECT_DEATH(CHECK(two == 3), "hakmem: broken invariant: two == 3 at .*check_test.cc:13");
}

}  // namespace
}  // namespace hakmem
