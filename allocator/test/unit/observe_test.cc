// observe_test.cc - the observe build counts each malloc and free by its class.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hakmem/hakmem.h"

namespace {

std::string stats() {
  std::string text(1 << 16, '\0');
  text.resize(hakmem_stats_json(text.data(), text.size()));
  return text;
}

TEST(Observe, CountsEveryMallocAndFreeOfAClass) {
  // A class that nothing else here uses, and more blocks than a magazine holds.
  constexpr size_t kBytes = 912;
  constexpr size_t kBlocks = 1000, kFreed = 700;
  ASSERT_EQ(stats().find("\"912\""), std::string::npos) << stats();
  std::vector<void *> blocks;
  for (size_t i = 0; i < kBlocks; ++i) blocks.push_back(hakmem_malloc(kBytes));
  for (size_t i = 0; i < kFreed; ++i) hakmem_free(blocks[i]);
  std::string found;
  for (const char c : stats()) {
    if (c != ' ' && c != '\n') found += c;
  }
  EXPECT_NE(found.find(R"("912":{"allocs":1000,"frees":700})"), std::string::npos) << found;
  for (size_t i = kFreed; i < kBlocks; ++i) hakmem_free(blocks[i]);
}

TEST(Observe, SaysSo) {
  EXPECT_NE(std::string(hakmem_version()).find("observe"), std::string::npos);
}

}  // namespace
