// Orders of turns, calibration, CPU lists, durations: the pure parts of the coordinator.
#include "coordinator/schedule.h"

#include <gtest/gtest.h>

#include <map>

#include "coordinator/calibrate.h"
#include "coordinator/cpus.h"

namespace hakbench {
namespace {

std::vector<std::string> orders(uint64_t seed, uint32_t launch, uint32_t blocks,
                                uint32_t subjects) {
  std::vector<std::string> result;
  for (const Block &block : schedule_launch(seed, launch, blocks, subjects))
    result.push_back(block.order);
  return result;
}

TEST(Schedule, SameSeedSameOrderOnEveryMachine) {
  // From an independent implementation of the generator and the mapping; they may never change.
  EXPECT_EQ(orders(1, 0, 4, 2), (std::vector<std::string>{"BAAB", "ABBA", "BAAB", "ABBA"}));
  EXPECT_EQ(orders(7, 2, 4, 3), (std::vector<std::string>{"BACCAB", "CABBAC", "ABCCBA", "CBAABC"}));
}

TEST(Schedule, SeedAndLaunchDecide) {
  EXPECT_NE(orders(1, 0, 40, 2), orders(2, 0, 40, 2));
  EXPECT_NE(orders(1, 0, 40, 2), orders(1, 1, 40, 2));
}

TEST(Schedule, BlocksAreMirrorsAndEverySubjectRunsTwice) {
  for (uint32_t subjects = 1; subjects <= 5; ++subjects) {
    for (const Block &block : schedule_launch(7, 3, 30, subjects)) {
      ASSERT_EQ(block.turns.size(), 2 * subjects);
      std::map<uint32_t, int> count;
      for (size_t i = 0; i < block.turns.size(); ++i) {
        EXPECT_EQ(block.turns[i], block.turns[block.turns.size() - 1 - i]) << block.order;
        EXPECT_EQ(block.order[i], static_cast<char>('A' + block.turns[i]));
        ++count[block.turns[i]];
      }
      for (uint32_t subject = 0; subject < subjects; ++subject) EXPECT_EQ(count[subject], 2);
    }
  }
}

TEST(Schedule, OuterSeatsAreSharedEvenlyAndDrawnFairly) {
  int outer_a = 0;
  int first_of_pair_a = 0;
  for (uint32_t launch = 0; launch < 100; ++launch) {
    const std::vector<std::string> drawn = orders(11, launch, 10, 2);
    for (size_t i = 0; i < drawn.size(); ++i) {
      if (drawn[i] == "ABBA") ++outer_a;
      if (i % 2 == 0 && drawn[i] == "ABBA") ++first_of_pair_a;
    }
  }
  EXPECT_EQ(outer_a, 500);                   // exactly half of 1000
  EXPECT_GT(first_of_pair_a, 250 - 4 * 11);  // 500 fair draws: standard deviation 11.2
  EXPECT_LT(first_of_pair_a, 250 + 4 * 11);
}

TEST(Calibrate, FindsTheOpsOfAnEpoch) {
  // A perfect clock at 50 M ops/s plus 1 ms that every trial costs.
  const auto clock = [](uint64_t ops) { return 1e-3 + static_cast<double>(ops) / 50e6; };
  const uint64_t ops = calibrate_ops(0.25, 1, clock);
  EXPECT_NEAR(static_cast<double>(ops), 12.5e6, 0.5e6);
  EXPECT_EQ(ops % 100'000, 0u) << "rounded to three digits";
}

TEST(Calibrate, IsNotMisledByASlowStart) {
  // Every page is touched for the first time by the first half million.
  uint64_t done = 0;
  const auto cold = [&done](uint64_t ops) {
    const uint64_t slow = done < 500'000 ? std::min<uint64_t>(ops, 500'000 - done) : 0;
    done += ops;
    return static_cast<double>(slow) * 1e-6 + static_cast<double>(ops - slow) * 20e-9;
  };
  EXPECT_NEAR(static_cast<double>(calibrate_ops(0.25, 1, cold)), 12.5e6, 0.35 * 12.5e6);
}

TEST(Calibrate, SharesEvenlyAndNeverReturnsZero) {
  const auto slow = [](uint64_t) { return 100.0; };
  EXPECT_EQ(calibrate_ops(0.001, 7, slow) % 7, 0u);
  EXPECT_GE(calibrate_ops(0.001, 7, slow), 7u);
}

TEST(Cpus, ListsGoBothWays) {
  std::vector<int> cpus;
  ASSERT_TRUE(parse_cpu_list("0,2-4,7", &cpus));
  EXPECT_EQ(cpus, (std::vector<int>{0, 2, 3, 4, 7}));
  EXPECT_EQ(format_cpu_list(cpus), "0,2-4,7");
  for (const char *bad : {"", "x", "1-", "-1", "1,,2", "3-1,2", "4096", "1 2"})
    EXPECT_FALSE(parse_cpu_list(bad, &cpus)) << bad;
}

TEST(Cpus, SubjectsStayAwayFromTheCoordinatorWhereTheyCan) {
  EXPECT_EQ(default_subject_cpus({0, 1, 2, 3}, 1), (std::vector<int>{3}));
  EXPECT_EQ(default_subject_cpus({0, 1, 2, 3}, 3), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(default_subject_cpus({0, 1}, 2), (std::vector<int>{0, 1}));
  EXPECT_EQ(default_subject_cpus({5}, 1), (std::vector<int>{5}));
  EXPECT_EQ(default_subject_cpus({0, 1, 2, 3}, 2), (std::vector<int>{1, 2})) << "one a worker";
  EXPECT_EQ(coordinator_seat({0, 1, 2, 3}, {3}), 0);
  EXPECT_EQ(coordinator_seat({0, 1, 2, 3}, {0, 1}), 2);
  EXPECT_EQ(coordinator_seat({4, 6}, {4, 6}), 4);
}

}  // namespace
}  // namespace hakbench
