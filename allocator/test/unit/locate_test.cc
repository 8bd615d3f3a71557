// locate_test.cc - blocks are found while other threads change what lies around them.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "hakmem/hakmem.h"
#include "superslab/page_heap.h"

namespace hakmem {
namespace {

// A thread finds its blocks, also behind the first slab of a run, without a lock: for
// ThreadSanitizer.
TEST(Locate, BlocksAreFoundWhileTheEndsOfSuperslabsGoBack) {
  constexpr size_t kBytes = 8000;
  std::vector<void *> blocks;
  for (int i = 0; i < 24; ++i) blocks.push_back(hakmem_malloc(kBytes));
  std::atomic<bool> done{false};
  std::thread looker([&] {
    while (!done) {
      for (void *block : blocks) ASSERT_GE(hakmem_usable_size(block), kBytes);
    }
  });
  for (int round = 0; round < 20; ++round) {
    std::vector<void *> large;
    for (int i = 0; i < 40; ++i) large.push_back(hakmem_malloc(900'000));
    for (void *block : large) hakmem_free(block);
    hakmem_purge(HAKMEM_PURGE_ALL);
    page_heap::give_up_address_space();
  }
  done = true;
  looker.join();
  for (void *block : blocks) hakmem_free(block);
}

}  // namespace
}  // namespace hakmem
