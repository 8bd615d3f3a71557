// sizeclass_test.cc - every size there is, both ways.
#include "sizeclass/sizeclass.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hakmem {
namespace {

TEST(SizeClass, EverySizeGetsTheSmallestClassThatHoldsIt) {
  for (size_t bytes = 0; bytes <= kMaxSmallBytes; ++bytes) {
    const SizeClass c = class_of(bytes);
    ASSERT_GE(c, 1) << bytes;
    ASSERT_LT(c, kClassCount) << bytes;
    ASSERT_GE(class_bytes(c), bytes) << bytes;
    if (c > 1) {
      ASSERT_LT(class_bytes(static_cast<SizeClass>(c - 1)), bytes) << bytes;
    }
  }
}

// malloc's fast path sends 0 bytes to the magazine that is always empty.
TEST(SizeClass, OfNothingIsNone) {
  EXPECT_EQ(class_by_table(0), 0u);
  EXPECT_EQ(class_of(0), class_of(1));
}

// A block is aligned as its class's size is, so this is all that alignment asks of size classes.
TEST(SizeClass, OfAMultipleOfAPowerOfTwoIsTheSmallestThatIsOne) {
  for (size_t alignment = 1; alignment <= kMaxSmallBytes; alignment *= 2) {
    for (size_t bytes = alignment; bytes <= kMaxSmallBytes; bytes += alignment) {
      size_t smallest = 1;
      while (kClassInfo[smallest].bytes < bytes || kClassInfo[smallest].bytes % alignment != 0) {
        ++smallest;
      }
      ASSERT_EQ(class_by_table(bytes), smallest) << bytes << " aligned to " << alignment;
    }
  }
}

TEST(SizeClass, SizesRiseAndAreAligned) {
  for (size_t c = 1; c < kClassCount; ++c) {
    const ClassInfo &info = kClassInfo[c];
    EXPECT_EQ(info.bytes % kMinAlign, 0u);
    if (c > 1) {
      EXPECT_GT(info.bytes, kClassInfo[c - 1].bytes);
    }
    EXPECT_GE(info.capacity, 8u) << "a slab of few blocks: " << info.bytes;
    EXPECT_LE(info.capacity * info.bytes, info.span_slabs * kSlabBytes);
  }
}

TEST(SizeClass, WasteIsAtMostAnEighth) {
  for (size_t bytes = 1; bytes <= kMaxSmallBytes; ++bytes) {
    ASSERT_LT(class_bytes(class_of(bytes)), bytes + std::max(bytes / 8, kMinAlign)) << bytes;
  }
}

// The reciprocal must divide exactly for every offset in a span.
TEST(SizeClass, ReciprocalDividesEveryOffset) {
  for (size_t c = 1; c < kClassCount; ++c) {
    const ClassInfo &info = kClassInfo[c];
    for (uint64_t offset = 0; offset < info.span_slabs * kSlabBytes; ++offset) {
      const uint64_t quotient = offset * info.reciprocal;
      ASSERT_EQ(quotient >> kReciprocalShift, offset / info.bytes) << info.bytes << " " << offset;
      ASSERT_EQ(divides(quotient, info.reciprocal), offset % info.bytes == 0)
          << info.bytes << " " << offset;
    }
  }
}

}  // namespace
}  // namespace hakmem
