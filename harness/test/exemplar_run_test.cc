// The slowest operations of real runs, planted so that their causes are known.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "coordinator/cpus.h"
#include "run_fixture.h"

namespace hakbench {
namespace {

class ExemplarRun : public RunTest {
 protected:
  std::vector<std::string> latency_run(const std::string &plugin,
                                       const std::vector<std::string> &more) const {
    std::vector<std::string> arguments = {
        "run",       "-a", plugin,        "--launches", "1", "--epochs", "1",
        "--latency", "2",  "--no-report", "--prefault", "0", "-o",       result_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::vector<Row> exemplars() const { return read_csv(result_ + "/exemplars.csv"); }
  bool recorded() const { return manifest()["kernel_events"]["source"] != ""; }
};

const std::vector<std::string> kFreshBlocks = {
    "-w",      "calloc",          "--param", "ws=8", "--param", "min_size=262144",
    "--param", "max_size=262144", "--ops",   "2000"};

// 64 pages of the block and one before it: see plugins/fresh_calloc.c.
TEST_F(ExemplarRun, NamesOperationSizeFaultsAndSwitches) {
  const Outcome outcome = run(latency_run(faulty("fresh_calloc"), kFreshBlocks));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  if (!recorded()) GTEST_SKIP() << manifest()["kernel_events"]["reason"].get<std::string>();
  std::map<std::string, Row> latency_epochs;  // by seq
  for (const Row &row : epochs())
    if (row.at("kind") == "latency") latency_epochs[row.at("seq")] = row;
  std::map<std::string, int> of_epoch;
  int slept = 0;
  for (const Row &row : exemplars()) {
    ASSERT_EQ(latency_epochs.count(row.at("seq")), 1u);
    ++of_epoch[row.at("seq")];
    const Row &epoch = latency_epochs[row.at("seq")];
    const int64_t start_ns = std::stoll(row.at("start_ns"));
    const int64_t time_ns = std::stoll(row.at("service_time_ns"));
    const int64_t epoch_ns = std::stoll(epoch.at("start_ns"));
    EXPECT_GT(start_ns, epoch_ns - 10'000);
    EXPECT_LT(start_ns + time_ns, epoch_ns + std::stoll(epoch.at("elapsed_ns")) + 10'000);
    EXPECT_EQ(row.at("thread"), "0");
    if (row.at("op") == "free") {  // one that was interrupted
      EXPECT_EQ(row.at("size_bytes"), "");
      EXPECT_EQ(row.at("page_faults"), "0");
      continue;
    }
    EXPECT_EQ(row.at("op"), "calloc");
    EXPECT_EQ(row.at("size_bytes"), "262144");
    EXPECT_EQ(row.at("page_faults"), "65");
    if (time_ns < 3'000'000) continue;
    if (row.at("context_switches") != "0") ++slept;
  }
  EXPECT_EQ(of_epoch.size(), 2u);
  for (const auto &[seq, count] : of_epoch) EXPECT_EQ(count, 8);
  EXPECT_GE(slept, 2 * 2) << "a thousand callocs an epoch, every 400th of which sleeps";
}

// Worker 1 has a CPU that worker 0 never sees.
TEST_F(ExemplarRun, SeesTheWorkersOfAllCpus) {
  const std::vector<int> allowed = allowed_cpus();
  if (allowed.size() < 2) GTEST_SKIP() << "one CPU";
  std::vector<std::string> more = kFreshBlocks;
  more.back() = "8000";  // each worker sleeps five times an epoch
  const std::string cpus = format_cpu_list({allowed.front(), allowed.back()});
  more.insert(more.end(), {"--threads", "2", "--cpus", cpus});
  const Outcome outcome = run(latency_run(faulty("fresh_calloc"), more));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  if (!recorded()) GTEST_SKIP() << manifest()["kernel_events"]["reason"].get<std::string>();
  std::map<std::string, int> slept;  // by worker
  for (const Row &row : exemplars()) {
    if (row.at("op") != "calloc") continue;
    EXPECT_EQ(row.at("page_faults"), "65") << row.at("thread");
    if (row.at("context_switches") != "0") ++slept[row.at("thread")];
  }
  EXPECT_EQ(slept.size(), 2u);
}

TEST_F(ExemplarRun, IsEmptyWhereTheKernelRefusesAndSaysWhy) {
  const auto refuse_perf = [] {
    sock_filter filter[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_perf_event_open},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EACCES},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program = {4, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(99);
  };
  const Outcome outcome = run(latency_run(faulty("fresh_calloc"), kFreshBlocks), refuse_perf);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(manifest()["kernel_events"]["source"], "");
  EXPECT_NE(manifest()["kernel_events"]["reason"].get<std::string>().find("perf_event_paranoid"),
            std::string::npos);
  ASSERT_EQ(exemplars().size(), 2u * 8);
  for (const Row &row : exemplars()) {
    EXPECT_NE(row.at("service_time_ns"), "");
    EXPECT_EQ(row.at("page_faults") + row.at("context_switches"), "") << "not measured is not 0";
  }
}

#ifdef HAVE_CONTROLS
// A control offers no more than malloc and free until it knows what it wraps.
TEST_F(ExemplarRun, TimesWhatAPluginOffersOnceItHasItsSettings) {
  const Outcome outcome = run(latency_run("control_spike", {"-w", "calloc", "--ops", "10000"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  int64_t callocs = 0;
  for (const Row &row : read_csv(result_ + "/latency.csv"))
    if (row.at("op") == "calloc") callocs += std::stoll(row.at("count"));
  EXPECT_GT(callocs, 2 * 4000) << "half of two epochs";
}

TEST_F(ExemplarRun, FindsThePlantedPausesAndThatNoFaultMadeThem) {
  const Outcome outcome =
      run(latency_run("control_spike", {"--ops", "100000", "--threads", "2", "--init", "per_mop=40",
                                        "--init", "us=2000"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  std::map<std::string, int> planted;  // by seq
  for (const Row &row : exemplars()) {
    if (std::stoll(row.at("service_time_ns")) < 2'000'000) continue;
    ++planted[row.at("seq")];
    EXPECT_TRUE(row.at("thread") == "0" || row.at("thread") == "1");
    EXPECT_EQ(row.at("size_bytes").empty(), row.at("op") == "free");
    EXPECT_EQ(row.at("page_faults"), recorded() ? "0" : "");
  }
  EXPECT_EQ(planted.size(), 2u);
  for (const auto &[seq, count] : planted) EXPECT_GE(count, 3) << "four in 100,000";
}
#endif

}  // namespace
}  // namespace hakbench
