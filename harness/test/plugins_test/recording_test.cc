// recording_test.cc - does the check find what is planted? A user's misuse, and an allocator's defects.
#include "workload/recording_allocator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace hakbench {
namespace {

constexpr uint64_t kUsersBytes = 4;

allocator_plugin libc_table() {
  allocator_plugin table{};
  table.malloc = &std::malloc;
  table.calloc = &std::calloc;
  table.realloc = &std::realloc;
  table.aligned_alloc = &std::aligned_alloc;
  table.free = &std::free;
  return table;
}

class Check : public testing::Test {
 protected:
  void SetUp() override { reset_recording(); }
  void TearDown() override { reset_recording(); }

  const allocator_plugin &checked(const allocator_plugin &real = libc_table()) {
    return record_calls_of(real, kUsersBytes);
  }
};

TEST_F(Check, IsContentWithGoodUse) {
  const allocator_plugin &table = checked();
  void *const first = table.malloc(100);
  std::memset(first, 1, kUsersBytes);
  void *const second = table.realloc(table.calloc(10, 10), 100000);
  void *const third = table.aligned_alloc(256, 512);
  EXPECT_EQ(recording().live_bytes, 100u + 100000u + 512u);
  for (void *const block : {first, second, third}) table.free(block);
  EXPECT_EQ(recording().live_bytes, 0u);
  EXPECT_EQ(recording().mallocs, 4u);
  EXPECT_EQ(recording().frees, 3u);
  EXPECT_EQ(recording().fault, "");
}

TEST_F(Check, FindsADoubleFree) {
  const allocator_plugin &table = checked();
  void *const block = table.malloc(10);
  table.free(block);
  table.free(block);
  EXPECT_EQ(recording().fault, "free of a block that is not live");
}

TEST_F(Check, FindsAReallocOfADeadBlock) {
  const allocator_plugin &table = checked();
  void *const block = table.malloc(10);
  table.free(block);
  EXPECT_EQ(table.realloc(block, 20), nullptr);
  EXPECT_EQ(recording().fault, "realloc of a block that is not live");
}

TEST_F(Check, FindsAWriteBeyondTheEnd) {
  const allocator_plugin &table = checked();
  auto *const block = static_cast<char *>(table.malloc(10));
  block[10] = 1;
  table.free(block);
  EXPECT_EQ(recording().fault, "write beyond the end of a block");
}

TEST_F(Check, FindsAChangeOfContent) {
  for (const size_t at : {size_t{5}, size_t{4095}, size_t{99999}}) {
    reset_recording();
    const allocator_plugin &table = checked();
    auto *const block = static_cast<char *>(table.malloc(100000));
    block[at] = static_cast<char>(block[at] + 1);
    table.free(block);
    EXPECT_EQ(recording().fault, "a block's content changed while it was live") << at;
  }
}

TEST_F(Check, FindsOverlappingBlocks) {
  static char memory[1000];
  static char *next;
  next = memory;
  allocator_plugin real = libc_table();
  real.malloc = [](size_t) -> void * { return next += 40; };  // too close for 50 bytes
  real.free = [](void *) {};
  const allocator_plugin &table = checked(real);
  table.malloc(50);
  table.malloc(50);
  EXPECT_EQ(recording().fault, "a block overlaps another that is live");
  reset_recording();
}

TEST_F(Check, FindsMemoryThatIsNotZero) {
  allocator_plugin real = libc_table();
  real.calloc = [](size_t count, size_t size) {
    auto *const block = static_cast<char *>(std::calloc(count, size));
    block[count * size / 2] = 1;
    return static_cast<void *>(block);
  };
  const allocator_plugin &table = checked(real);
  table.calloc(1, 100);
  EXPECT_EQ(recording().fault, "calloc returned memory that is not zero");
}

TEST_F(Check, FindsAMisalignedBlock) {
  static char memory[1000];
  allocator_plugin real = libc_table();
  real.aligned_alloc = [](size_t, size_t) -> void * {
    return memory + (64 - reinterpret_cast<uintptr_t>(memory) % 64) + 16;
  };
  real.free = [](void *) {};
  const allocator_plugin &table = checked(real);
  table.aligned_alloc(64, 128);
  EXPECT_EQ(recording().fault, "a block is not aligned to 64 bytes");
  reset_recording();
}

TEST_F(Check, FindsAReallocThatLosesContent) {
  allocator_plugin real = libc_table();
  real.realloc = [](void *block, size_t size) {
    std::free(block);
    return std::calloc(1, size);
  };
  const allocator_plugin &table = checked(real);
  table.realloc(table.malloc(100), 200);
  EXPECT_EQ(recording().fault, "realloc lost a block's content");
}

TEST_F(Check, FailsEveryNthCallOfAnyKind) {
  reset_recording(2);
  const allocator_plugin &table = checked();
  void *const block = table.malloc(10);
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(table.realloc(block, 20), nullptr);
  EXPECT_EQ(recording().live_bytes, 10u);
  table.free(block);
  EXPECT_EQ(recording().fault, "");
}

TEST_F(Check, OffersOnlyWhatIsThere) {
  allocator_plugin real = libc_table();
  real.realloc = nullptr;
  EXPECT_EQ(checked(real).realloc, nullptr);
  EXPECT_NE(checked(real).calloc, nullptr);
}

}  // namespace
}  // namespace hakbench
