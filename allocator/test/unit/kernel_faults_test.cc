// kernel_faults_test.cc - every call to the kernel fails in turn; the allocator says ENOMEM or
// copes, nothing is broken, and it works again afterwards.
#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "base/units.h"
#include "fake_kernel.h"
#include "hakmem/hakmem.h"

namespace hakmem {
namespace {

struct Block {
  unsigned char *bytes;
  size_t size;
  unsigned char mark;
};

bool intact(const Block &block) {
  return block.bytes[0] == block.mark && block.bytes[block.size - 1] == block.mark;
}

// A thread's life that meets every kind of kernel call: a new heap, superslabs, runs, huge blocks,
// growth in place and by moving, purges. Returns how many requests failed; each must say ENOMEM.
size_t scenario() {
  size_t failures = 0;
  std::vector<Block> blocks;
  const auto keep = [&](void *p, size_t size) {
    if (p == nullptr) {
      ++failures;
      EXPECT_EQ(errno, ENOMEM);
      return;
    }
    const auto mark = static_cast<unsigned char>(blocks.size() + 1);
    auto *bytes = static_cast<unsigned char *>(p);
    bytes[0] = bytes[size - 1] = mark;
    blocks.push_back({bytes, size, mark});
  };
  for (const size_t size :
       {size_t{16}, size_t{1000}, 20 * kKiB, 100 * kKiB, 3 * kMiB, 5 * kMiB, 40 * kMiB}) {
    errno = 0;
    keep(hakmem_malloc(size), size);
  }
  for (Block &block : blocks) {
    const size_t grown = block.size * 2 + 7 * kMiB;
    errno = 0;
    void *p = hakmem_realloc(block.bytes, grown);
    if (p == nullptr) {
      ++failures;
      EXPECT_EQ(errno, ENOMEM);
      EXPECT_TRUE(intact(block)) << "realloc that failed must leave the block alone";
      continue;
    }
    block.bytes = static_cast<unsigned char *>(p);
    EXPECT_EQ(block.bytes[0], block.mark);
    EXPECT_EQ(block.bytes[block.size - 1], block.mark) << "realloc lost contents";
    block.size = grown;
    block.bytes[grown - 1] = block.mark;
  }
  for (const Block &block : blocks) {
    EXPECT_TRUE(intact(block));
    hakmem_free(block.bytes);
  }
  hakmem_purge(HAKMEM_PURGE_ALL);
  return failures;
}

size_t scenario_in_new_thread() {
  size_t failures = 0;
  std::thread([&] { failures = scenario(); }).join();
  return failures;
}

TEST(KernelFaults, EachCallFailsOnce) {
  test::FakeKernel kernel;
  const uint64_t before = kernel.calls();
  ASSERT_EQ(scenario_in_new_thread(), 0u);
  const uint64_t calls = kernel.calls() - before;
  ASSERT_GT(calls, 10u);
  for (uint64_t n = 0; n < calls + 5; ++n) {
    SCOPED_TRACE(n);
    kernel.fail_call(n);
    scenario_in_new_thread();
    kernel.fail_none();
    ASSERT_EQ(scenario_in_new_thread(), 0u) << "does not work again after call " << n << " failed";
  }
}

TEST(KernelFaults, AllFailFromEachCallOn) {
  test::FakeKernel kernel;
  const uint64_t before = kernel.calls();
  ASSERT_EQ(scenario_in_new_thread(), 0u);
  const uint64_t calls = kernel.calls() - before;
  size_t failures = 0;
  for (uint64_t n = 0; n < calls; ++n) {
    SCOPED_TRACE(n);
    kernel.fail_call(n, true);
    failures += scenario_in_new_thread();
    kernel.fail_none();
    ASSERT_EQ(scenario_in_new_thread(), 0u) << "does not work again after all failed from " << n;
  }
  EXPECT_GT(failures, 0u) << "the injection never reached the program";
}

}  // namespace
}  // namespace hakmem
