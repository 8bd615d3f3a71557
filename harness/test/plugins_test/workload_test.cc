// workload_test.cc - every workload against the recording allocator, and random_mixed against figures that
// a separate Python implementation of its definition gave.
#include "workload/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <ostream>
#include <thread>

#include "workload/recording_allocator.h"

namespace hakbench {
namespace {

std::unique_ptr<Workload> make(const WorkloadConfig &config) {
  std::string error;
  auto workload = make_workload(config, &error);
  EXPECT_NE(workload, nullptr) << error;
  return workload;
}

std::string refusal(const WorkloadConfig &config) {
  std::string error;
  EXPECT_EQ(make_workload(config, &error), nullptr);
  EXPECT_EQ(op_stream_hash(config, 10), 0u);
  return error;
}

// One method on all workers at once, as a subject does.
uint64_t on_all(uint32_t threads, const std::function<uint64_t(uint32_t)> &method) {
  std::vector<uint64_t> results(threads);
  std::vector<std::thread> workers;
  for (uint32_t thread = 0; thread < threads; ++thread) {
    workers.emplace_back([&, thread] { results[thread] = method(thread); });
  }
  for (std::thread &worker : workers) worker.join();
  uint64_t sum = 0;
  for (const uint64_t result : results) sum += result;
  return sum;
}

uint64_t live_after(const WorkloadConfig &config, uint64_t prefault_ops,
                    std::initializer_list<uint64_t> runs) {
  reset_recording();
  const auto workload = make(config);
  const allocator_plugin &allocator = recording_allocator();
  workload->prefault(allocator, 0, prefault_ops);
  for (const uint64_t ops : runs) workload->run(allocator, 0, ops);
  EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
  return workload->live_bytes();
}

TEST(RandomMixed, FirstSizesAreTheDefinitions) {
  live_after({}, 0, {20});
  const std::vector<size_t> expected = {49,  529, 213, 351, 993,  992, 810, 194, 309, 900,
                                        731, 839, 922, 190, 1029, 449, 280, 792, 929, 553};
  EXPECT_EQ(recording().first_sizes, expected);
}

TEST(RandomMixed, LiveBytesFollowTheDefinition) {
  EXPECT_EQ(live_after({}, 0, {5000}), 95956u);
  EXPECT_EQ(live_after({}, 300, {5000}), 93503u);
  EXPECT_EQ(live_after({}, 300, {100}), 92140u);  // most blocks are still the warm-up's
  const WorkloadConfig sized{"random_mixed", 1, 3, {{"min_size", 10}, {"max_size", 100}}};
  EXPECT_EQ(live_after(sized, 300, {100}), 9345u);
}

TEST(RandomMixed, StateCarriesOnBetweenRuns) {
  EXPECT_EQ(live_after({}, 0, {1, 999, 0, 4000}), 95956u);
}

TEST(RandomMixed, WarmUpUsesAnotherSeed) {
  live_after({}, 20, {});
  const std::vector<size_t> warm_up = recording().first_sizes;
  live_after({}, 0, {20});
  EXPECT_NE(warm_up, recording().first_sizes);
}

TEST(OpStreamHash, IsThePublishedOne) {
  EXPECT_EQ(op_stream_hash({}, 1000), 0xb1c2097943208358u);
  const WorkloadConfig other{
      "random_mixed", 1, 7, {{"ws", 8192}, {"min_size", 16}, {"max_size", 1000}}};
  EXPECT_EQ(op_stream_hash(other, 1000), 0xe0176bf2f830d6b5u);
}

TEST(OpStreamHash, TellsConfigurationsApart) {
  for (const WorkloadInfo &info : list_workloads()) {
    if (!info.file_doc.empty()) continue;  // trace_replay_test.cc
    const WorkloadConfig config{info.name, info.default_threads, 1, {}};
    const uint64_t hash = op_stream_hash(config, 500);
    EXPECT_NE(hash, 0u) << info.name;
    EXPECT_EQ(hash, op_stream_hash(config, 500)) << info.name;
    for (const ParamInfo &param : info.params) {
      if (param.name == "mb" || param.name == "ring")
        continue;  // beyond 500 ops; not in the stream
      WorkloadConfig changed = config;
      changed.params[param.name] =
          param.default_value == param.max ? param.min : param.default_value + 1;
      EXPECT_NE(hash, op_stream_hash(changed, 500)) << info.name << " " << param.name;
    }
  }
}

struct Case {
  const char *label;
  WorkloadConfig config;
};

void PrintTo(const Case &test, std::ostream *out) { *out << test.label; }

class EveryWorkload : public testing::TestWithParam<Case> {};

TEST_P(EveryWorkload, KeepsToItsBlocks) {
  const WorkloadConfig &config = GetParam().config;
  const allocator_plugin &allocator = recording_allocator(written_bytes(config));
  constexpr uint64_t kPrefaultOps = 1000;
  constexpr uint64_t kOps = 7777;  // odd, so that runs end in the middle of things
  reset_recording();
  const auto workload = make(config);
  on_all(config.threads, [&](uint32_t t) { return workload->set_up(allocator, t) ? 0u : 1u; });
  const uint64_t set_up_calls = recording().mallocs;
  on_all(config.threads,
         [&](uint32_t t) { return workload->prefault(allocator, t, kPrefaultOps); });
  for (int epoch = 1; epoch <= 2; ++epoch) {
    const uint64_t failed =
        on_all(config.threads, [&](uint32_t t) { return workload->run(allocator, t, kOps); });
    EXPECT_EQ(failed, 0u);
    EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
    EXPECT_EQ(recording().mallocs - set_up_calls + recording().frees,
              config.threads * (kPrefaultOps + epoch * kOps))
        << "one op is one call";
  }
  on_all(config.threads, [&](uint32_t t) {
    workload->tear_down(allocator, t);
    return 0u;
  });
  EXPECT_EQ(recording().live_bytes, 0u);
  EXPECT_EQ(recording().fault, "");
}

// What a soak that drains does between two epochs.
TEST_P(EveryWorkload, GoesOnAfterItsBlocksWereFreed) {
  const WorkloadConfig &config = GetParam().config;
  const allocator_plugin &allocator = recording_allocator(written_bytes(config));
  reset_recording();
  const auto workload = make(config);
  const auto set_up = [&] {
    on_all(config.threads, [&](uint32_t t) { return workload->set_up(allocator, t) ? 0u : 1u; });
    return recording().live_bytes;
  };
  const uint64_t live_at_first = set_up();
  for (int epoch = 0; epoch < 3; ++epoch) {
    on_all(config.threads, [&](uint32_t t) { return workload->run(allocator, t, 7777); });
    EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
    on_all(config.threads, [&](uint32_t t) {
      workload->tear_down(allocator, t);
      return 0u;
    });
    EXPECT_EQ(recording().live_bytes, 0u);
    EXPECT_EQ(set_up(), live_at_first);
    EXPECT_EQ(workload->live_bytes(), live_at_first);
  }
  EXPECT_EQ(recording().fault, "");
}

TEST_P(EveryWorkload, CountsFailedAllocationsAndGoesOn) {
  const WorkloadConfig &config = GetParam().config;
  const allocator_plugin &allocator = recording_allocator(written_bytes(config));
  constexpr uint64_t kFailEvery = 7;
  reset_recording(kFailEvery);
  const auto workload = make(config);
  on_all(config.threads, [&](uint32_t t) { return workload->set_up(allocator, t) ? 0u : 1u; });
  const uint64_t set_up_failures = recording().mallocs / kFailEvery;
  const uint64_t failed =
      on_all(config.threads, [&](uint32_t t) { return workload->run(allocator, t, 5000); });
  EXPECT_EQ(failed, recording().mallocs / kFailEvery - set_up_failures);
  EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
  on_all(config.threads, [&](uint32_t t) {
    workload->tear_down(allocator, t);
    return 0u;
  });
  EXPECT_EQ(recording().live_bytes, 0u);
  EXPECT_EQ(recording().fault, "");
}

// Whoever waits for another worker hangs here. producer_consumer waits by design, and says so.
TEST_P(EveryWorkload, RunsWithoutTheOtherWorkers) {
  const WorkloadConfig &config = GetParam().config;
  if (config.name == "producer_consumer") GTEST_SKIP() << "a consumer waits for its producer";
  reset_recording();
  const allocator_plugin &allocator = recording_allocator(written_bytes(config));
  const auto workload = make(config);
  for (uint32_t t = 0; t < config.threads; ++t) ASSERT_TRUE(workload->set_up(allocator, t));
  EXPECT_EQ(workload->run(allocator, 0, 3000), 0u);
  EXPECT_EQ(workload->live_bytes(), recording().live_bytes);
  for (uint32_t t = 0; t < config.threads; ++t) workload->tear_down(allocator, t);
  EXPECT_EQ(recording().live_bytes, 0u);
  EXPECT_EQ(recording().fault, "");
}

std::string label(const testing::TestParamInfo<Case> &test) { return test.param.label; }

INSTANTIATE_TEST_SUITE_P(
    Threads, EveryWorkload,
    testing::Values(Case{"random_mixed", {"random_mixed", 2, 1, {}}},
                    Case{"batch_lifo", {"batch", 2, 1, {{"order", 0}}}},
                    Case{"producer_consumer", {"producer_consumer", 2, 1, {}}},
                    Case{"producer_consumer_pairs", {"producer_consumer", 4, 1, {{"ring", 1}}}},
                    Case{"larson", {"larson", 3, 1, {{"ws", 100}, {"exchange", 2}}}},
                    Case{"thread_churn", {"thread_churn", 2, 1, {{"ops_per_thread", 50}}}},
                    Case{"cache_scratch", {"cache_scratch", 3, 1, {{"writes", 30}}}},
                    Case{"phases", {"phases", 2, 1, {{"ws", 200}, {"phase_ops", 1000}}}},
                    Case{"sawtooth",
                         {"sawtooth", 2, 1, {{"peak", 500}, {"floor", 20}, {"period", 3000}}}},
                    Case{"xmalloc", {"xmalloc", 3, 1, {}}},
                    Case{"xmalloc_single", {"xmalloc", 2, 1, {{"batch", 1}}}},
                    Case{"mstress", {"mstress", 3, 1, {{"burst", 300}}}},
                    Case{"cache_thrash", {"cache_thrash", 3, 1, {{"writes", 30}}}},
                    Case{"realloc_growth", {"realloc_growth", 2, 1, {}}},
                    Case{"calloc", {"calloc", 2, 1, {}}}, Case{"aligned", {"aligned", 2, 1, {}}},
                    Case{"fleet", {"fleet", 2, 1, {{"ws", 2000}}}},
                    Case{"fragmentation", {"fragmentation", 2, 1, {{"mb", 1}, {"min_size", 1024}}}},
                    Case{"remote_mix", {"remote_mix", 3, 1, {{"remote", 500}, {"ws", 100}}}},
                    Case{"remote_mix_all", {"remote_mix", 2, 1, {{"remote", 1000}, {"ws", 10}}}}),
    label);

INSTANTIATE_TEST_SUITE_P(
    OneThread, EveryWorkload,
    testing::Values(
        Case{"random_mixed_sized", {"random_mixed", 1, 1, {{"ws", 37}, {"max_size", 3000}}}},
        Case{"random_mixed_one_slot", {"random_mixed", 1, 1, {{"ws", 1}, {"max_size", 16}}}},
        Case{"batch_fifo", {"batch", 1, 1, {{"order", 1}, {"count", 33}}}},
        Case{"batch_shuffled", {"batch", 1, 1, {{"order", 2}, {"count", 5000}}}},
        Case{"phases_of_one_op", {"phases", 1, 1, {{"ws", 1}, {"phase_ops", 1}}}},
        Case{"sawtooth_flat", {"sawtooth", 1, 1, {{"peak", 1}, {"floor", 1}, {"period", 2}}}},
        Case{"growth", {"growth", 1, 1, {{"mb", 1}}}},
        Case{"mstress_smallest", {"mstress", 1, 1, {{"burst", 1}, {"transfer", 1}}}},
        Case{"realloc_growth_small",
             {"realloc_growth", 1, 1, {{"min_limit", 1}, {"max_limit", 40}}}},
        Case{"calloc_equal", {"calloc", 1, 1, {{"min_size", 4096}}}},
        Case{"aligned_one", {"aligned", 1, 1, {{"min_align", 64}, {"max_align", 64}}}},
        Case{"large", {"large", 1, 1, {{"max_size", 1 << 17}}}},
        Case{"huge",
             {"huge",
              1,
              1,
              {{"ws", 3}, {"min_size", 1 << 18}, {"max_size", 1 << 19}, {"touch", 0}}}},
        Case{"fleet_tiny", {"fleet", 1, 1, {{"ws", 1}}}},
        Case{"fragmentation_one_a_round",
             {"fragmentation", 1, 1, {{"mb", 1}, {"min_size", 1 << 18}, {"rounds", 3}}}}),
    label);

double live_blocks_after(const WorkloadConfig &config, uint64_t ops) {
  reset_recording();
  make(config)->run(recording_allocator(), 0, ops);
  return static_cast<double>(recording().mallocs - recording().frees);
}

TEST(Batch, AnEpochIsWholeBatches) {
  EXPECT_EQ(workload_period_ops({"batch", 2, 1, {{"count", 33}}}), 132u);
}

TEST(Sawtooth, LiveBlocksFollowTheTooth) {
  const WorkloadConfig config{
      "sawtooth", 1, 1, {{"peak", 1000}, {"floor", 100}, {"period", 40000}}};
  for (const uint64_t start : {0u, 40000u, 80000u}) {
    EXPECT_NEAR(live_blocks_after(config, start + 10000), 550, 12);
    EXPECT_NEAR(live_blocks_after(config, start + 20000), 1000, 12);
    EXPECT_NEAR(live_blocks_after(config, start + 30000), 550, 12);
    EXPECT_NEAR(live_blocks_after(config, start + 40000), 100, 12);
  }
}

TEST(Phases, EachHasItsOwnNumberAndSizes) {
  const WorkloadConfig config{"phases", 1, 1, {{"ws", 800}, {"phase_ops", 20000}}};
  const double blocks[] = {800, 400, 100, 50};
  const double least[] = {16, 64, 1024, 32};
  const double most[] = {128, 1024, 8192, 256};
  for (uint64_t phase = 0; phase < 8; ++phase) {
    const double live = live_blocks_after(config, (phase + 1) * 20000);
    const auto live_bytes = static_cast<double>(recording().live_bytes);
    EXPECT_NEAR(live, blocks[phase % 4], 12) << phase;
    EXPECT_GE(live_bytes, least[phase % 4] * live) << phase;
    EXPECT_LE(live_bytes, most[phase % 4] * live) << phase;
  }
}

TEST(EveryWorkloadOfTheRegistry, IsTested) {
  // Naming a new workload here is the reminder to give it a case above.
  std::vector<std::string> names;
  for (const WorkloadInfo &info : list_workloads()) names.push_back(info.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "random_mixed", "batch",   "fleet",          "producer_consumer", "xmalloc",
                "larson",       "mstress", "remote_mix",     "thread_churn",      "cache_scratch",
                "cache_thrash", "calloc",  "realloc_growth", "aligned",           "large",
                "huge",         "growth",  "phases",         "sawtooth",          "fragmentation",
                "trace"}));
}

TEST(BadConfiguration, NamesTheKeyAndTheMend) {
  EXPECT_EQ(refusal({"radnom", 1, 1, {}}),
            "unknown workload 'radnom': expected one of random_mixed, batch, fleet, "
            "producer_consumer, xmalloc, larson, mstress, remote_mix, thread_churn, cache_scratch, "
            "cache_thrash, calloc, realloc_growth, aligned, large, huge, growth, phases, sawtooth, "
            "fragmentation, trace");
  EXPECT_EQ(
      refusal({"random_mixed", 1, 1, {{"wss", 1}}}),
      "workload random_mixed: unknown parameter 'wss': expected one of ws, min_size, max_size");
  EXPECT_EQ(refusal({"random_mixed", 1, 1, {{"ws", 0}}}),
            "workload random_mixed: ws = 0: expected 1..134217728 (working set, slots a thread)");
  EXPECT_EQ(refusal({"random_mixed", 0, 1, {}}),
            "workload random_mixed: threads = 0: expected 1..256");
  EXPECT_EQ(refusal({"random_mixed", 1, 1, {{"min_size", 20}, {"max_size", 19}}}),
            "workload random_mixed: min_size = 20 is above max_size = 19: expected min_size <= "
            "max_size");
  EXPECT_EQ(refusal({"sawtooth", 1, 1, {{"peak", 10}}}),
            "workload sawtooth: floor = 1000 is above peak = 10: expected floor <= peak");
  EXPECT_EQ(refusal({"producer_consumer", 3, 1, {}}),
            "workload producer_consumer: threads = 3: expected an even number (producers and "
            "consumers come in pairs)");
  EXPECT_EQ(refusal({"producer_consumer", 2, 1, {{"ring", 100}}}),
            "workload producer_consumer: ring = 100: expected a power of two (blocks in flight)");
  EXPECT_EQ(refusal({"aligned", 1, 1, {{"max_align", 48}}}),
            "workload aligned: max_align = 48: expected a power of two (alignment, bytes)");
  EXPECT_EQ(
      refusal({"aligned", 1, 1, {{"min_align", 64}, {"max_align", 32}}}),
      "workload aligned: min_align = 64 is above max_align = 32: expected min_align <= max_align");
  EXPECT_EQ(
      refusal({"realloc_growth", 1, 1, {{"min_limit", 70000}}}),
      "workload realloc_growth: min_limit = 70000 is above max_limit = 65536: expected min_limit "
      "<= max_limit");
  EXPECT_EQ(
      refusal({"fragmentation", 1, 1, {{"mb", 1}, {"min_size", 64}, {"rounds", 16}}}),
      "workload fragmentation: rounds = 16: the last round's blocks of 2097152 bytes exceed mb = "
      "1: expected fewer rounds");
  EXPECT_EQ(refusal({"remote_mix", 1, 1, {}}), "workload remote_mix: threads = 1: expected 2..64");
}

TEST(AllocatorOffers, NamesWhatIsMissing) {
  allocator_plugin bare = recording_allocator();
  bare.realloc = nullptr;
  std::string error;
  EXPECT_TRUE(allocator_offers({"random_mixed", 1, 1, {}}, bare, &error));
  EXPECT_TRUE(allocator_offers({"calloc", 1, 1, {}}, bare, &error));
  EXPECT_FALSE(allocator_offers({"realloc_growth", 1, 1, {}}, bare, &error));
  EXPECT_EQ(error,
            "workload realloc_growth: the allocator's plugin offers no realloc; choose another "
            "workload for it");
}

// The page has one row a workload; threads and parameters in it must be those of the registry.
TEST(WorkloadsPage, SaysWhatTheRegistrySays) {
  std::ifstream file(WORKLOADS_PAGE);
  ASSERT_TRUE(file) << WORKLOADS_PAGE;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  for (const WorkloadInfo &info : list_workloads()) {
    const std::string start = "| `" + info.name + "` |";
    std::string end = "| " + std::to_string(info.default_threads) + " (" +
                      std::to_string(info.min_threads) + " to " + std::to_string(info.max_threads) +
                      ") | ";
    for (const ParamInfo &param : info.params) {
      end += (&param == &info.params.front() ? "" : ", ") + ("`" + param.name) + "` " +
             std::to_string(param.default_value);
    }
    end += " |";
    EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                            [&](const std::string &line) {
                              return line.starts_with(start) && line.ends_with(end);
                            }),
              1)
        << "expected one row of docs/design/workloads.md: " << start << " ... " << end;
  }
}

}  // namespace
}  // namespace hakbench
