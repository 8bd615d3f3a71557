// The RSS ledger from outside: hakbench ledger, and the observe build's dumps at exit.
#include <stdlib.h>

#include <chrono>
#include <thread>

#include "run_fixture.h"

namespace hakbench {
namespace {

constexpr int64_t kMostResidual = 64 * 1024;

int64_t bytes_of(const json &ledger, const std::string &name) {
  for (const json &owner : ledger["owners"])
    if (owner["name"] == name) return owner["bytes"].get<int64_t>();
  ADD_FAILURE() << "no owner " << name;
  return 0;
}

void expect_reconciled(const json &ledger) {
  const auto rss = ledger["rss_bytes"].get<int64_t>();
  const auto residual = ledger["residual_bytes"].get<int64_t>();
  EXPECT_LE(std::abs(residual), std::max(rss / 100, kMostResidual)) << ledger.dump(2);
  int64_t sum = residual;
  for (const json &owner : ledger["owners"]) sum += owner["bytes"].get<int64_t>();
  EXPECT_EQ(sum, rss);
}

class LedgerTest : public RunTest {
 protected:
  json ledger_of(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"ledger", "--format", "json"});
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
    return json::parse(outcome.out, nullptr, false);
  }

  // A sleeping program with the observe library, which answers signal 12 with `file_`.
  pid_t start_observed() {
    const pid_t child = fork();
    if (child == 0) {
      setenv("LD_PRELOAD", OBSERVE_LIBRARY, 1);
      setenv("HAKMEM_LEDGER_SIGNAL", "12", 1);
      setenv("HAKMEM_LEDGER_DUMP", file_.c_str(), 1);
      execlp("sleep", "sleep", "60", nullptr);
      _exit(127);
    }
    return child;
  }

  static void stop(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }

  std::string file_ = folder_ + "/ledger.%p.json";
};

TEST_F(LedgerTest, RandomMixedIsReconciledWithTheKernel) {
  const json ledger = ledger_of({"-a", "hakmem_observe", "--ws", "400", "--ops", "200000"});
  ASSERT_TRUE(ledger.is_object());
  expect_reconciled(ledger);
  EXPECT_GT(bytes_of(ledger, "live_blocks"), 0);
  const auto held = ledger["blocks_held_bytes"].get<int64_t>();
  EXPECT_LE(bytes_of(ledger, "live_blocks"), held);
  EXPECT_EQ(ledger["asked_bytes"].get<int64_t>() + ledger["rounding_bytes"].get<int64_t>(), held);
  EXPECT_GE(ledger["rounding_bytes"].get<int64_t>(), 0);
  EXPECT_LE(ledger["rounding_bytes"].get<int64_t>(), held / 8);
  const int64_t inside = ledger["rss_bytes"].get<int64_t>() - bytes_of(ledger, "ledger");
  EXPECT_LE(std::abs(ledger["rss_outside_bytes"].get<int64_t>() - inside), kMostResidual);
}

TEST_F(LedgerTest, ThreadsThatFreeEachOthersBlocksAreReconciledToo) {
  const json ledger =
      ledger_of({"-a", "hakmem_observe", "-w", "larson", "--threads", "3", "--ops", "300000"});
  ASSERT_TRUE(ledger.is_object());
  expect_reconciled(ledger);
  EXPECT_GT(bytes_of(ledger, "stacks"), 0);
  EXPECT_EQ(ledger["workload"]["threads"], 3);
}

TEST_F(LedgerTest, AWorkingSetIsFoundInLiveBlocks) {
  const json small = ledger_of({"-a", "hakmem_observe", "--ws", "1000", "--ops", "500000"});
  const json large = ledger_of({"-a", "hakmem_observe", "--ws", "20000", "--ops", "500000"});
  // Half of the slots are filled, with 528 bytes on average.
  const int64_t grown = bytes_of(large, "live_blocks") - bytes_of(small, "live_blocks");
  EXPECT_NEAR(static_cast<double>(grown), 19000 / 2 * 528.0, 19000 / 2 * 528.0 * 0.1);
}

TEST_F(LedgerTest, OtherAllocatorsHaveNone) {
  expect_refused({"ledger", "-a", "glibc", "--ops", "1000"}, "-a hakmem_observe");
  expect_refused({"ledger", "-a", "hakmem", "--ops", "1000"}, "-a hakmem_observe");
}

TEST_F(LedgerTest, OneOfThreeWaysIsChosen) {
  expect_refused({"ledger"}, "give one of");
  expect_refused({"ledger", "-a", "hakmem_observe", "--pid", "1"}, "give one of");
}

TEST_F(LedgerTest, ACommandsProcessesAreShownAtTheirEnd) {
  const json ledgers = ledger_of({"-o", file_, "--", "sort", "-r", "/etc/passwd"});
  // The command's own output comes first.
  ASSERT_TRUE(ledgers.is_discarded());
  const json written = json::parse(read_file(file_));
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0]["program"], "sort");
  expect_reconciled(written[0]);
  expect_refused({"ledger", "--", "no-such-program"}, "can't be started");
}

TEST_F(LedgerTest, ALibraryThatCannotBePreloadedIsSaid) {
  const std::string library = move_to_odd_tree("libhakmem-observe.so");
  expect_refused({"ledger", "--", "true"},
                 "LD_PRELOAD cannot name " + library + ": it has a space or a colon; move");
}

TEST_F(LedgerTest, APlaceThatIsNoFolderIsNamed) {
  const auto in = [this](const std::string &place) {
    return run({"ledger", "--", "true"}, [&] { setenv("TMPDIR", place.c_str(), 1); });
  };
  EXPECT_EQ(in(folder_ + "/none").error,
            "hakbench: error: cannot make a folder in " + folder_ +
                "/none: No such file or directory; set TMPDIR to a place that can be written\n");
  EXPECT_EQ(in("").exit_code, 0) << "as if it were not set";
}

TEST_F(LedgerTest, ARunningProgramAnswersWhileItSleeps) {
  const pid_t child = start_observed();
  Outcome outcome{};
  for (int i = 0; i < 100; ++i) {  // until it has been loaded
    outcome = run({"ledger", "--format", "json", "--pid", std::to_string(child)});
    if (outcome.exit_code == 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json ledger = json::parse(outcome.out);
  expect_reconciled(ledger);
  EXPECT_EQ(ledger["pid"], child);
  expect_refused({"ledger", "--pid", std::to_string(child), "--signal", "10", "--file", file_},
                 "does not handle signal 10");
  EXPECT_EQ(kill(child, 0), 0) << "it still runs";
  stop(child);
}

TEST_F(LedgerTest, AProgramThatWasNotPreparedIsLeftAlone) {
  expect_refused({"ledger", "--pid", std::to_string(getpid())}, "HAKMEM_LEDGER_DUMP");
}

TEST_F(LedgerTest, DumpsAtExitSayWhichPartHoldsTheMemory) {
  const auto ask = [] {
    setenv("HAKMEM_TINY_MEM_DUMP", "1", 1);
    setenv("HAKMEM_SS_STATS_DUMP", "1", 1);
    setenv("HAKMEM_WARM_POOL_STATS", "1", 1);
  };
  const Outcome outcome = run({"loop", "-a", "hakmem_observe", "--ops", "10000"}, ask);
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char *text : {"small blocks by size class", "live_blocks", "residual",
                           "small slabs, partial", "discard calls", "free but kept"})
    EXPECT_NE(outcome.error.find(text), std::string::npos) << text << "\n" << outcome.error;
}

TEST_F(LedgerTest, OtherBuildsSayThatTheyHaveNoDumps) {
  const Outcome outcome = run({"loop", "-a", "hakmem", "--ops", "10000"},
                              [] { setenv("HAKMEM_TINY_MEM_DUMP", "1", 1); });
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.error,
            "hakmem: warning: HAKMEM_TINY_MEM_DUMP is only in the observe build, ignored\n");
}

}  // namespace
}  // namespace hakbench
