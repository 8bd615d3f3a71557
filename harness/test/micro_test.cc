// micro_test.cc - `hakbench micro` as its users see it: files, names, errors. No time is compared.
#include <sys/resource.h>

#include <chrono>
#include <thread>

#include "run_fixture.h"

namespace hakbench {
namespace {

class MicroTest : public RunTest {
 protected:
  Outcome micro(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"micro", "--min-time", "0.001", "-o", result_});
    return run(arguments);
  }
  json file_of(const std::string &allocator) const {
    return json::parse(read_file(result_ + "/" + allocator + ".json"));
  }
  // The suite of `allocator` was not finished: its results are in the .part file, and that is said.
  void expect_kept(const std::string &allocator, const Outcome &outcome) const {
    const std::string file = result_ + "/" + allocator + ".json";
    EXPECT_FALSE(fs::exists(file));
    const json part = json::parse(read_file(file + ".part"));
    ASSERT_GT(part["benchmarks"].size(), 0u);
    EXPECT_EQ(part["context"]["allocator"], allocator);
    const std::string kept = "results of " + allocator +
                             " so far: " + std::to_string(part["benchmarks"].size()) + ", in " +
                             file + ".part";
    EXPECT_NE(outcome.error.find(kept), std::string::npos) << outcome.error;
  }
};

TEST_F(MicroTest, WritesOneFileAnAllocatorWithStableNames) {
  const Outcome outcome = micro({"-a", "glibc", "-a", "floor", "--filter", "size:64(/|$)"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const std::vector<std::string> expected = {
      "malloc_free/size:64", "calloc_free/size:64",    "batch_lifo/size:64",
      "batch_fifo/size:64",  "batch_shuffled/size:64", "remote_free/size:64/manual_time"};
  for (const std::string allocator : {"glibc", "floor"}) {
    const json file = file_of(allocator);
    EXPECT_EQ(file["context"]["allocator"], allocator);
    std::vector<std::string> names;
    for (const json &benchmark : file["benchmarks"]) {
      names.push_back(benchmark["name"]);
      EXPECT_GT(benchmark["real_time"].get<double>(), 0) << benchmark;
      EXPECT_EQ(benchmark["time_unit"], "ns");
    }
    EXPECT_EQ(names, expected);
  }
  EXPECT_NE(outcome.out.find("compare.py benchmarks " + result_ + "/glibc.json"),
            std::string::npos);
}

TEST_F(MicroTest, RunsEveryBenchmark) {
  const Outcome outcome = micro({"-a", "hakmem"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json file = file_of("hakmem");
  EXPECT_EQ(file["benchmarks"].size(), 51u);
  for (const json &benchmark : file["benchmarks"])
    EXPECT_FALSE(benchmark.contains("error_occurred")) << benchmark;
}

TEST_F(MicroTest, RefusesWithOneLineAndLeavesNoFile) {
  expect_refused({"micro", "-o", result_}, "--allocator is required");
  expect_refused({"micro", "-a", "nosuch", "-o", result_}, "nosuch");
  expect_refused({"micro", "-a", "glibc", "-a", "glibc", "-o", result_},
                 "two allocators are named glibc");
  expect_refused({"micro", "-a", "glibc", "-o", result_, "--filter", "nothing"},
                 "no benchmark matches --filter");
  expect_refused({"micro", "-a", "glibc", "-o", result_, "--filter", "("},
                 "--filter is no regular expression: ");
  for (const char *time : {"-1", "0", "0.0000001", "nan", "inf"})
    expect_refused({"micro", "-a", "glibc", "-o", result_, "--min-time", time},
                   "--min-time must be a number of seconds above zero, at least 0.000001");
  EXPECT_TRUE(fs::is_empty(result_));
}

TEST_F(MicroTest, AFolderThatCannotBeMadeIsNamedWithTheMend) {
  std::ofstream(result_) << "a file\n";
  expect_refused(
      {"micro", "-a", "glibc", "-o", result_ + "/mi"},
      "cannot make the folder " + result_ + "/mi: Not a directory; name another with -o");
}

TEST_F(MicroTest, AnEarlierFileIsOverwrittenWithForceOnly) {
  fs::create_directories(result_);
  for (const std::string name : {"glibc.json", "glibc.json.part"}) {
    std::ofstream(result_ + "/" + name) << "earlier";
    expect_refused({"micro", "-a", "floor", "-a", "glibc", "--min-time", "0.001", "-o", result_},
                   "the folder " + result_ + " already holds " + name +
                       "; name another with -o, or overwrite it with --force");
    EXPECT_EQ(read_file(result_ + "/" + name), "earlier");
    EXPECT_FALSE(fs::exists(result_ + "/floor.json"));
    fs::remove(result_ + "/" + name);
  }
  std::ofstream(result_ + "/glibc.json") << "earlier";
  const Outcome outcome = micro({"-a", "glibc", "--filter", "malloc_free/size:64$", "--force"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(file_of("glibc")["benchmarks"].size(), 1u);
  EXPECT_FALSE(fs::exists(result_ + "/glibc.json.part"));
}

TEST_F(MicroTest, TheLibrarysBuildIsExplainedInOneLine) {
  const Outcome outcome = micro({"-a", "glibc", "--filter", "malloc_free/size:64$"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.error.find("Timings may be affected"), std::string::npos) << outcome.error;
  const bool is_debug = file_of("glibc")["context"]["library_build_type"] == "debug";
  EXPECT_EQ(outcome.error.find("built with its own checks") != std::string::npos, is_debug)
      << outcome.error;
}

TEST_F(MicroTest, AFileWithoutRoomIsAnErrorAndKeepsItsResults) {
  const std::vector<std::string> arguments = {"micro", "--min-time", "0.001", "-o",
                                              result_, "-a",         "glibc"};
  const Outcome outcome = run(arguments, [] {
    const rlimit limit = {8000, 8000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  EXPECT_EQ(outcome.exit_code, 1);
  const std::string why = "hakbench: error: cannot write " + result_ +
                          "/glibc.json.part: File too large; make room, or name another folder";
  EXPECT_NE(outcome.error.find(why), std::string::npos) << outcome.error;
  expect_kept("glibc", outcome);
}

TEST_F(MicroTest, AFileWithoutAnyRoomIsNotLeft) {
  fs::create_directories(result_);
  fs::create_symlink("/dev/full", result_ + "/glibc.json.part");
  const Outcome outcome = micro({"-a", "glibc", "--force"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("glibc.json.part: No space left on device; make room"),
            std::string::npos)
      << outcome.error;
  EXPECT_TRUE(fs::is_empty(result_));
}

TEST_F(MicroTest, SaysInOneLineThatStandardOutputIsFull) {
  const auto expect_lost = [&](const std::string &words) {
    const std::string error = folder_ + "/error";
    const int status =
        std::system((HAKBENCH_BINARY " micro " + words + " >/dev/full 2>" + error).c_str());
    EXPECT_EQ(WEXITSTATUS(status), 1) << words;
    const std::string said = read_file(error);
    EXPECT_EQ(said.rfind("hakbench: error: cannot write to standard output: No space left on "
                         "device; make room, or send it elsewhere\n"),
              said.find("hakbench: error: "))
        << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  };
  expect_lost("--help");
  expect_lost("-a glibc --filter malloc_free/size:16 --min-time 0.001 -o " + result_);
}

TEST_F(MicroTest, AnInterruptEndsTheSuiteAndKeepsItsResults) {
  const std::string part = result_ + "/glibc.json.part";
  // To hakbench alone, as `kill` does it; the suite's process is another.
  const Outcome outcome = run(
      {"micro", "-a", "glibc", "--min-time", "0.2", "-o", result_},
      [] {
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) signal(number, SIG_DFL);
      },
      [&](pid_t child) {
        for (int i = 0; i < 2000 && read_file(part).find("real_time") == std::string::npos; ++i)
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
        kill(child, SIGTERM);
      });
  EXPECT_EQ(outcome.exit_code, 128 + SIGTERM) << outcome.error;
  EXPECT_NE(outcome.error.find("hakbench: interrupted; "), std::string::npos) << outcome.error;
  expect_kept("glibc", outcome);
}

TEST_F(MicroTest, ACrashKeepsTheResultsBeforeIt) {
  // Some thousands of mallocs a benchmark, at any speed; it crashes at the 200,000th.
  const Outcome outcome =
      run({"micro", "-a", faulty("crashing"), "--min-time", "0.000001", "--repetitions", "20", "-o",
           result_, "--filter", "malloc_free|batch"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("allocator crashing: its process was killed by signal 11; "),
            std::string::npos)
      << outcome.error;
  expect_kept("crashing", outcome);
}

}  // namespace
}  // namespace hakbench
