// control_test.cc - every control wraps soundly, and its fault happens in the amount that its page
// promises. Time is a fake clock's, instructions and system calls are counted by ptrace.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "counting_plugin.h"
#include "subject/plugin_check.h"
#include "subject/plugin_loader.h"
#include "traced_child.h"

namespace hakbench {

struct ControlCase {
  const char *name;
  const char *fault;  // members of the settings
};

void PrintTo(const ControlCase &row, std::ostream *out) { *out << row.name; }

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kTickOps = 1024;

const char kCounting[] = TEST_PLANTED_DIR "/counting.so";

std::string built(const std::string &name) { return TEST_PLUGIN_DIR "/" + name + ".so"; }
std::string with_fake_clock(const std::string &name) {
  return TEST_PLANTED_DIR "/" + name + "_fake_clock.so";
}

std::string settings(const std::string &of, const std::string &fault) {
  return "{\"of\": \"" + of + "\"" + (fault.empty() ? "" : ", ") + fault + "}";
}

LoadedPlugin load_control(const std::string &path, const std::string &init_json) {
  LoadedPlugin plugin;
  std::string error;
  EXPECT_TRUE(load_plugin({"x", path}, &plugin, &error)) << error;
  EXPECT_EQ(plugin.table->init(init_json.c_str()), 0) << init_json;
  return plugin;
}

template <class T>
T *symbol_of(const std::string &path, const char *name) {
  void *const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  return handle == nullptr ? nullptr : static_cast<T *>(dlsym(handle, name));
}

counting_books &books() {
  static auto *const found = symbol_of<counting_books>(kCounting, "counting_books");
  return *found;
}

// `ops` operations: a malloc and a free of the same block in turn.
void run_ops(const allocator_plugin &table, uint64_t ops, size_t size = 64) {
  void *block = nullptr;
  for (uint64_t op = 0; op < ops; ++op) {
    if (block == nullptr) {
      block = table.malloc(size);
    } else {
      table.free(block);
      block = nullptr;
    }
  }
  if (block != nullptr) table.free(block);
}

std::string failed_checks(const LoadedPlugin &plugin) {
  std::string failed;
  for (const CheckResult &result : check_plugin(plugin))
    if (!result.ok) failed += result.name + " (" + result.detail + ") ";
  return failed;
}

std::string detail_of(const LoadedPlugin &plugin, const std::string &check) {
  for (const CheckResult &result : check_plugin(plugin))
    if (result.name == check) return result.detail;
  return "not run";
}

// ---- Every control ----

class EveryControl : public testing::TestWithParam<ControlCase> {
 protected:
  std::string path() const { return built(std::string("control_") + GetParam().name); }
};

TEST_P(EveryControl, KeepsTheContractWithAndWithoutItsFault) {
  EXPECT_EQ(failed_checks(load_control(path(), settings("glibc", ""))), "");
  EXPECT_EQ(failed_checks(load_control(path(), settings("glibc", GetParam().fault))), "");
}

TEST_P(EveryControl, SaysThatItIsOneAndWhatItWraps) {
  const LoadedPlugin plugin = load_control(path(), settings(kCounting, ""));
  EXPECT_TRUE(is_control(*plugin.table));
  EXPECT_EQ(plugin.link_kind, "control");
  EXPECT_STREQ(plugin.table->build_config, "control: wraps counting 7; test");
  EXPECT_EQ(detail_of(load_control(path(), settings("glibc", "")), "no_wrapper")
                .find("a control: wraps glibc "),
            0u);
}

TEST_P(EveryControl, ForwardsEveryMember) {
  const LoadedPlugin plugin = load_control(path(), settings(kCounting, ""));
  const allocator_plugin &table = *plugin.table;
  books() = {};
  table.thread_begin();
  table.free(table.malloc(10));
  void *block = table.realloc(table.calloc(2, 10), 30);
  EXPECT_EQ(table.usable_size(block), 30u);
  table.free_sized(block, 30);
  table.free(table.aligned_alloc(16, 32));
  table.purge(ALLOCATOR_PURGE_ALL);
  char text[8];
  EXPECT_EQ(table.stats_json(text, sizeof text), 2u);
  table.thread_end();
  table.shutdown();
  const counting_books &seen = books();
  for (const uint64_t calls :
       {seen.thread_begin, seen.thread_end, seen.malloc, seen.calloc, seen.realloc,
        seen.aligned_alloc, seen.free_sized, seen.purge, seen.stats_json, seen.shutdown})
    EXPECT_EQ(calls, 1u);
  EXPECT_EQ(seen.free, 2u);
  EXPECT_EQ(seen.purge_level, ALLOCATOR_PURGE_ALL);
  EXPECT_EQ(seen.live_blocks, 0u);
  EXPECT_EQ(seen.bad_frees, 0u);
}

TEST_P(EveryControl, OffersNoMoreThanTheWrappedPlugin) {
  const LoadedPlugin plugin = load_control(path(), settings("floor", ""));
  EXPECT_EQ(plugin.table->free_sized, nullptr);
  EXPECT_EQ(plugin.table->usable_size, nullptr);
  EXPECT_EQ(plugin.table->stats_json, nullptr);
  EXPECT_EQ(plugin.table->shutdown, nullptr);
}

TEST_P(EveryControl, HandsOnTheSettingsItDoesNotKnow) {
  const std::string mixed =
      settings(kCounting, std::string("\"ARENA\": 4, ") + GetParam().fault + ", \"lazy\": true");
  load_control(path(), mixed);
  EXPECT_STREQ(books().settings, "{\"ARENA\": \"4\", \"lazy\": \"1\"}");
}

TEST_P(EveryControl, RefusesWhatItCannotHonour) {
  const LoadedPlugin plugin = load_control(path(), settings("floor", ""));
  const auto init = [&](const std::string &json) { return plugin.table->init(json.c_str()); };
  const std::string fault = GetParam().fault;
  const std::string key = fault.substr(0, fault.find(':') + 1);
  EXPECT_EQ(init(settings("floor", key + " -1")), ERANGE);
  EXPECT_EQ(init(settings("floor", key + " nan")), ERANGE);
  EXPECT_EQ(init(settings("floor", key + " \"3 %\"")), EINVAL);
  EXPECT_EQ(init(settings("nonesuch", "")), ENOENT);
  EXPECT_EQ(init(settings("/etc/passwd", "")), ENOEXEC);
  EXPECT_EQ(init(settings(path(), "")), ELOOP);
  EXPECT_EQ(init(settings("floor", "\"NONESUCH\": 1")), ENOTSUP) << "the wrapped plugin's word";
  EXPECT_EQ(init(settings(kCounting, "\"refuse\": 1")), EDOM) << "the wrapped plugin's word";
}

INSTANTIATE_TEST_SUITE_P(
    Controls, EveryControl,
    testing::Values(ControlCase{"frag", "\"percent\": 20"},
                    ControlCase{"leak", "\"bytes_per_mop\": 1e6"},
                    ControlCase{"rss", "\"kb\": 1000"}, ControlCase{"slow", "\"percent\": 10"},
                    ControlCase{"spike", "\"per_mop\": 100"}, ControlCase{"step", "\"kb\": 1000"},
                    ControlCase{"syscalls", "\"per_mop\": 1000"},
                    ControlCase{"work", "\"instructions_per_kop\": 500"}),
    [](const testing::TestParamInfo<ControlCase> &test) { return std::string(test.param.name); });

// ---- Controls on a fake clock ----

constexpr uint64_t kHourNs = 3'600'000'000'000;

struct FakeClock {
  uint64_t *now;
  uint64_t *step;
};

FakeClock clock_of(const std::string &path) {
  return {symbol_of<uint64_t>(path, "fake_clock"), symbol_of<uint64_t>(path, "fake_clock_step")};
}

// ---- control_leak ----

uint64_t leaked_bytes(const char *fault, uint64_t ops) {
  const LoadedPlugin plugin = load_control(built("control_leak"), settings(kCounting, fault));
  books() = {};
  run_ops(*plugin.table, ops);
  EXPECT_EQ(books().bad_frees, 0u);
  return books().live_bytes;
}

TEST(ControlLeak, LeaksTheBytesItPromises) {
  EXPECT_EQ(leaked_bytes("", 1'000'000), 0u);
  EXPECT_EQ(leaked_bytes("\"bytes_per_mop\": 256", 999'998), 0u);
  EXPECT_EQ(leaked_bytes("\"bytes_per_mop\": 256", 1'000'000), 256u);
  EXPECT_EQ(leaked_bytes("\"bytes_per_mop\": 25600", 2'000'000), 51200u);
  EXPECT_EQ(leaked_bytes("\"bytes_per_mop\": 768", 1'000'000), 768u);  // 333,333.3 ops apart
}

// Threads too short for a whole interval: 1000 of 1000 ops with one leak in 10,000.
TEST(ControlLeak, ShortThreadsLeakTheirShare) {
  const LoadedPlugin plugin =
      load_control(built("control_leak"), settings(kCounting, "\"bytes_per_mop\": 25600"));
  books() = {};
  for (int i = 0; i < 1000; ++i) {
    std::thread([&] {
      plugin.table->thread_begin();
      run_ops(*plugin.table, 1000);
      plugin.table->thread_end();
    }).join();
  }
  EXPECT_NEAR(static_cast<double>(books().live_blocks), 100, 3);
}

// By the clock: a step of the fake clock in nanoseconds each time that the control reads it.
TEST(ControlLeak, LeaksByTheHour) {
  constexpr uint64_t kClockOps = 65'536;
  const std::string path = with_fake_clock("control_leak");
  const LoadedPlugin plugin = load_control(path, settings(kCounting, "\"bytes_per_hour\": 256000"));
  const FakeClock clock = clock_of(path);
  *clock.step = 0;
  books() = {};
  plugin.table->thread_begin();
  *clock.now += kHourNs / 10;
  run_ops(*plugin.table, kClockOps - 2);
  EXPECT_EQ(books().live_bytes, 0u) << "the clock is not read yet";
  run_ops(*plugin.table, 2);
  EXPECT_EQ(books().live_bytes, 25'600u);
  run_ops(*plugin.table, 4 * kClockOps);
  EXPECT_EQ(books().live_bytes, 25'600u) << "no time has passed";
  *clock.now += kHourNs;
  run_ops(*plugin.table, kClockOps);
  EXPECT_EQ(books().live_bytes, 281'600u);
  EXPECT_EQ(books().bad_frees, 0u);
}

// Two threads that look at the same time leak what is due once, not twice.
TEST(ControlLeak, ThreadsShareTheHour) {
  const std::string path = with_fake_clock("control_leak");
  const LoadedPlugin plugin = load_control(path, settings(kCounting, "\"bytes_per_hour\": 256000"));
  const FakeClock clock = clock_of(path);
  *clock.step = 0;
  books() = {};
  *clock.now += kHourNs;
  for (int i = 0; i < 2; ++i) {
    std::thread([&] {
      plugin.table->thread_begin();
      run_ops(*plugin.table, 65'536);
      plugin.table->thread_end();
    }).join();
  }
  EXPECT_EQ(books().live_bytes, 256'000u);
}

// ---- control_rss, control_step ----

uint64_t rss_kb() {
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    uint64_t kb;
    if (word == "Rss:" && file >> kb) return kb;
  }
  return 0;
}

TEST(ControlRss, HoldsTheMemoryItPromises) {
  constexpr uint64_t kSlackKb = 128;  // of the process's own, between two readings
  const LoadedPlugin plugin = load_control(built("control_rss"), settings("floor", ""));
  const uint64_t before_kb = rss_kb();
  ASSERT_GT(before_kb, 0u);
  ASSERT_EQ(plugin.table->init(settings("floor", "\"kb\": 20001").c_str()), 0);
  const uint64_t with_kb = rss_kb();
  EXPECT_GE(with_kb, before_kb + 20004 - kSlackKb);
  EXPECT_LE(with_kb, before_kb + 20004 + kSlackKb);
  ASSERT_EQ(plugin.table->init(settings("floor", "").c_str()), 0);
  EXPECT_LE(rss_kb(), before_kb + kSlackKb);
}

TEST(ControlStep, StepsOnceAfterItsOperations) {
  constexpr uint64_t kSlackKb = 128;
  const std::string fault = "\"kb\": 20000, \"after_mop\": 0.1";
  const LoadedPlugin plugin = load_control(built("control_step"), settings(kCounting, fault));
  plugin.table->thread_begin();
  run_ops(*plugin.table, 99'000);
  const uint64_t before_kb = rss_kb();
  ASSERT_GT(before_kb, 0u);
  run_ops(*plugin.table, 3 * kTickOps);
  const uint64_t after_kb = rss_kb();
  EXPECT_GE(after_kb, before_kb + 20'000 - kSlackKb);
  EXPECT_LE(after_kb, before_kb + 20'000 + kSlackKb);
  run_ops(*plugin.table, 1'000'000);
  EXPECT_LE(rss_kb(), after_kb + kSlackKb);
}

TEST(ControlStep, WaitsForItsTimeToo) {
  const std::string path = with_fake_clock("control_step");
  const LoadedPlugin plugin =
      load_control(path, settings(kCounting, "\"kb\": 20000, \"after_s\": 60"));
  const FakeClock clock = clock_of(path);
  *clock.step = 0;
  plugin.table->thread_begin();
  *clock.now += 59'999'999'999;
  const uint64_t before_kb = rss_kb();
  run_ops(*plugin.table, 10 * kTickOps);
  EXPECT_LT(rss_kb(), before_kb + 10'000);
  *clock.now += 1;
  run_ops(*plugin.table, kTickOps);
  EXPECT_GT(rss_kb(), before_kb + 10'000);
}

// ---- control_syscalls, control_work ----

int64_t traced(Traced what, const char *name, const std::string &fault, uint64_t ops) {
  const LoadedPlugin plugin = load_control(built(name), settings("floor", fault));
  const allocator_plugin table = *plugin.table;
  const int64_t count = count_traced(what, [&] { run_ops(table, ops); });
  EXPECT_GE(count, 0) << "ptrace must be allowed";
  return count;
}

TEST(ControlSyscalls, MakesTheCallsItPromises) {
  const auto calls = [](const char *fault) {
    return traced(Traced::kSystemCalls, "control_syscalls", fault, 100'000);
  };
  const int64_t honest = calls("");
  EXPECT_EQ(calls("\"per_mop\": 10") - honest, 1);
  EXPECT_EQ(calls("\"per_mop\": 250") - honest, 25);
  EXPECT_EQ(calls("\"per_mop\": 9.9") - honest, 0);
}

TEST(ControlWork, RunsTheInstructionsItPromises) {
  const auto instructions = [](const char *fault) {
    return traced(Traced::kInstructions, "control_work", fault, 4 * kTickOps);
  };
  const int64_t honest = instructions("");
  EXPECT_EQ(instructions("") - honest, 0) << "the count itself must repeat";
  // 4096 ops at 500 in a thousand are 2048 instructions.
  EXPECT_EQ(instructions("\"instructions_per_kop\": 500") - honest, 2048);
  // 20.48: ten whole rounds of two; the rest is still owed.
  EXPECT_EQ(instructions("\"instructions_per_kop\": 5") - honest, 20);
}

// ---- control_slow, control_spike, on a fake clock ----

// Ticks that `ticks` times 1024 operations of `ticks_per_op` take with control_slow.
uint64_t slowed_ticks(const char *fault, uint64_t ticks, uint64_t ticks_per_op,
                      uint64_t reading_ticks = 1) {
  const std::string path = with_fake_clock("control_slow");
  const LoadedPlugin plugin = load_control(path, settings(built("floor"), fault));
  const FakeClock clock = clock_of(path);
  *clock.step = reading_ticks;
  const auto run = [&](uint64_t ops) {
    const uint64_t start = *clock.now;
    for (uint64_t op = 0; op < ops; op += 2) {
      *clock.now += 2 * ticks_per_op;
      run_ops(*plugin.table, 2);
    }
    return *clock.now - start;
  };
  run(2 * kTickOps);  // the start, which is free
  return run(ticks * kTickOps);
}

TEST(ControlSlow, TakesTheShareItPromises) {
  const double honest = static_cast<double>(slowed_ticks("", 200, 30));
  for (const double percent : {1.0, 3.0, 10.0, 50.0}) {
    const std::string fault = "\"percent\": " + std::to_string(percent);
    const double slow = static_cast<double>(slowed_ticks(fault.c_str(), 200, 30));
    EXPECT_NEAR(honest / slow, 1 - percent / 100, 2e-4) << percent;
  }
}

// A clock whose every reading costs 100 ticks overruns each spin; the next spin is shorter by that.
TEST(ControlSlow, OverrunsDoNotAddUp) {
  const double honest = static_cast<double>(slowed_ticks("", 200, 30, 100));
  const double slow = static_cast<double>(slowed_ticks("\"percent\": 3", 200, 30, 100));
  EXPECT_NEAR(honest / slow, 0.97, 2e-4);
}

// The spin after one more tick of operations, which took `gap_ticks`.
uint64_t spin_after(const allocator_plugin &table, const FakeClock &clock, uint64_t gap_ticks) {
  *clock.now += gap_ticks;
  const uint64_t start = *clock.now;
  run_ops(table, kTickOps);
  return *clock.now - start;
}

TEST(ControlSlow, TimeThatTheThreadSleptIsNotChargedFor) {
  const std::string path = with_fake_clock("control_slow");
  const LoadedPlugin plugin = load_control(path, settings(built("floor"), "\"percent\": 50"));
  const FakeClock clock = clock_of(path);
  *clock.step = 1;
  const allocator_plugin &table = *plugin.table;
  const double twice_base = 2 * 512;  // the base itself, and its share
  const double usual = 30'000 + twice_base;
  for (int i = 0; i < 50; ++i) spin_after(table, clock, 30'000);
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 30'000)), usual, 10);
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 100'000'000)), usual, 10);
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 30'000)), usual, 10);
  // But operations that have become slower for good are charged for, from the third tick on.
  spin_after(table, clock, 600'000);
  spin_after(table, clock, 600'000);
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 600'000)), 600'000 + twice_base, 10);
}

TEST(ControlSlow, TimeThatTheThreadLostWithinASpinIsNotTakenForSpun) {
  constexpr uint64_t kPause = 100'000'000;
  const std::string path = with_fake_clock("control_slow");
  const LoadedPlugin plugin = load_control(path, settings(built("floor"), "\"percent\": 50"));
  const FakeClock clock = clock_of(path);
  *clock.step = 1;
  const allocator_plugin &table = *plugin.table;
  const double usual = 30'000 + 2 * 512;
  for (int i = 0; i < 50; ++i) spin_after(table, clock, 30'000);
  *symbol_of<uint64_t>(path, "fake_clock_pause") = kPause;
  *symbol_of<uint64_t>(path, "fake_clock_pause_in") = 1'000;
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 30'000)), kPause + usual, 10);
  EXPECT_NEAR(static_cast<double>(spin_after(table, clock, 30'000)), usual, 10);
}

TEST(ControlSpike, WaitsAsOftenAndAsLongAsItPromises) {
  const std::string path = with_fake_clock("control_spike");
  const LoadedPlugin plugin =
      load_control(path, settings(built("floor"), "\"per_mop\": 20, \"us\": 250"));
  const FakeClock clock = clock_of(path);
  *clock.step = 1000;  // a reading a microsecond
  std::vector<uint64_t> spiked;
  for (uint64_t op = 1; op <= 200'000; ++op) {
    const uint64_t before_ns = *clock.now;
    plugin.table->malloc(1);
    if (*clock.now == before_ns) continue;
    spiked.push_back(op);
    EXPECT_EQ(*clock.now - before_ns, 251'000u);  // the first reading is the start
  }
  EXPECT_EQ(spiked, (std::vector<uint64_t>{50'000, 100'000, 150'000, 200'000}));
}

// ---- control_frag ----

constexpr size_t kSmall = 512;

TEST(ControlFrag, HoldsBlocksBackAndLosesNone) {
  const LoadedPlugin plugin =
      load_control(built("control_frag"), settings(kCounting, "\"percent\": 25, \"blocks\": 1000"));
  books() = {};
  run_ops(*plugin.table, 800, kSmall);  // 400 frees, about 100 of them held back
  EXPECT_NEAR(static_cast<double>(books().live_blocks), 95, 30);  // 1000 * (1 - 0.999^100)
  run_ops(*plugin.table, 100'000, kSmall);                        // 12,500 puts fill the table
  EXPECT_GE(books().live_blocks, 990u);
  EXPECT_LE(books().live_blocks, 1000u);
  EXPECT_EQ(books().bad_frees, 0u);
  const uint64_t live_bytes = books().live_bytes;
  run_ops(*plugin.table, 1000, 4096);  // larger blocks go at once
  EXPECT_EQ(books().live_bytes, live_bytes);
}

TEST(ControlFrag, NothingIsHeldAtZero) {
  const LoadedPlugin plugin = load_control(built("control_frag"), settings(kCounting, ""));
  books() = {};
  run_ops(*plugin.table, 100'000, kSmall);
  EXPECT_EQ(books().live_blocks, 0u);
}

TEST(ControlFrag, NeedsUsableSize) {
  const LoadedPlugin plugin = load_control(built("control_frag"), settings("floor", ""));
  EXPECT_EQ(plugin.table->init(settings("floor", "\"percent\": 1").c_str()), ENOTSUP);
}

}  // namespace
}  // namespace hakbench
