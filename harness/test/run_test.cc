// The real hakbench, end to end: what it writes, what it says when things go wrong, what it survives.
#include <sys/mount.h>

#include <chrono>
#include <thread>

#include "run_fixture.h"

namespace hakbench {
namespace {

TEST_F(RunTest, AbWritesACompleteFolder) {
  const Outcome outcome = run(quick_ab("glibc", "floor"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json facts = manifest();
  EXPECT_EQ(facts["status"], "complete");
  EXPECT_EQ(facts["subjects"].size(), 2u);
  EXPECT_EQ(facts["subjects"][0]["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(facts["ops_per_epoch"], 100000);
  EXPECT_EQ(facts["workload"]["params"]["ws"], 400);
  EXPECT_FALSE(fs::exists(result_ + "/latency.csv")) << "nothing was timed singly";
  const std::vector<Row> rows = epochs();
  ASSERT_EQ(rows.size(), 2u * 2 * (1 + 3 * 2));
  for (size_t i = 0; i < rows.size(); ++i) {
    const Row &row = rows[i];
    EXPECT_EQ(row.at("seq"), std::to_string(i));
    for (const char *name : {"ops_per_s", "rss_kb", "peak_rss_kb", "minor_faults", "live_bytes",
                             "voluntary_switches", "cpu_time_ns", "run_delay_ns"})
      EXPECT_NE(row.at(name), "") << name;
    EXPECT_EQ(row.at("failed_allocs"), "0");
    EXPECT_EQ(row.at("block").empty(), row.at("kind") == "warmup");
  }
}

// A checkout whose HEAD moved on since the build is here a tree of another commit around the program.
TEST_F(RunTest, CommitIsThatOfTheBuild) {
  run({"run", "-a", "floor", "--ops", "1000", "--launches", "1", "--no-report", "-o", result_});
  const json built = manifest()["git"];
  const std::string tree = folder_ + "/tree";
  const std::string git = "git -C " + tree + " -c user.name=t -c user.email=t@t ";
  ASSERT_EQ(system(("git init -q " + tree).c_str()), 0);
  ASSERT_EQ(system((git + "commit -q --allow-empty -m later").c_str()), 0);
  fs::copy_file(HAKBENCH_BINARY, tree + "/hakbench");
  binary_ = tree + "/hakbench";
  result_ += "-later";
  const std::string floor =
      fs::path(HAKBENCH_BINARY).parent_path().parent_path() / "plugins/floor.so";
  const Outcome later =
      run({"run", "-a", floor, "--ops", "1000", "--launches", "1", "--no-report", "-o", result_});
  ASSERT_EQ(later.exit_code, 0) << later.error;
  EXPECT_EQ(manifest()["git"], built);
}

TEST_F(RunTest, SubjectsSeeTheSameStream) {
  run(quick_ab("glibc", "floor"));
  std::map<std::string, std::string> live;  // launch/epoch -> live bytes
  for (const Row &row : epochs()) {
    const auto [known, fresh] = live.emplace(row.at("epoch"), row.at("live_bytes"));
    EXPECT_EQ(known->second, row.at("live_bytes")) << "epoch " << row.at("epoch");
  }
}

TEST_F(RunTest, HarnessMakesNoSystemCallWithinAnEpoch) {
  run(quick_ab("floor", "floor"));
  if (manifest()["syscalls"]["source"] == "")
    GTEST_SKIP() << manifest()["syscalls"]["reason"].get<std::string>();
  for (const Row &row : epochs()) {
    EXPECT_EQ(row.at("syscalls"), "0");
    EXPECT_EQ(row.at("voluntary_switches"), "0");
  }
}

TEST_F(RunTest, HarnessMakesNoSystemCallWithinAnEpochOfSeveralWorkers) {
  std::vector<std::string> arguments = quick_ab("floor", "floor");
  arguments.insert(arguments.end(), {"--threads", "3"});
  ASSERT_EQ(run(arguments).exit_code, 0);
  if (manifest()["syscalls"]["source"] == "")
    GTEST_SKIP() << manifest()["syscalls"]["reason"].get<std::string>();
  for (const Row &row : epochs()) {
    EXPECT_EQ(row.at("syscalls"), "0");
    EXPECT_EQ(row.at("ops"), "99999") << "shared evenly by three";
  }
}

TEST_F(RunTest, InstructionsAreCountedOrTheReasonIsRecorded) {
  run(quick_ab("floor", "floor"));
  const json facts = manifest()["instructions"];
  EXPECT_NE(facts["source"].get<std::string>().empty(), facts["reason"].get<std::string>().empty());
  for (const Row &row : epochs()) {
    EXPECT_NE(row.at("load_1min"), "");
    EXPECT_EQ(row.at("instructions").empty(), facts["source"] == "");
    if (facts["source"] == "") continue;
    EXPECT_GT(std::stoll(row.at("instructions")), 100'000) << "at least one an op";
    EXPECT_LT(std::stoll(row.at("instructions")), 100'000'000);
  }
}

TEST_F(RunTest, SystemCallsOfAnAllocatorAreCountedExactly) {
  run(quick_ab(faulty("calling"), "floor"));
  if (manifest()["syscalls"]["source"] == "")
    GTEST_SKIP() << manifest()["syscalls"]["reason"].get<std::string>();
  int64_t calls = 0;
  for (const Row &row : epochs())
    if (row.at("launch") == "0" && row.at("subject") == "a")
      calls += std::stoll(row.at("syscalls"));
  // Seven epochs of 100,000 ops are 350,000 mallocs, one call in 100,000.
  EXPECT_EQ(calls, 3);
}

TEST_F(RunTest, CrashIsBlamedAndEarlierRowsAreKept) {
  const Outcome outcome = run(quick_ab(faulty("crashing"), "floor"));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("allocator crashing (subject a), launch 0, epoch "),
            std::string::npos)
      << outcome.error;
  EXPECT_NE(outcome.error.find("killed by SIGSEGV"), std::string::npos) << outcome.error;
  EXPECT_EQ(manifest()["status"], "failed");
  EXPECT_GT(epochs().size(), 4u);
  EXPECT_NE(events().find(",a,0,crash,"), std::string::npos) << events();
}

TEST_F(RunTest, CrashInACheckNamesTheCheckAndNothingIsTimed) {
  const Outcome check = run({"check", faulty("crashing_at_once")});
  EXPECT_EQ(check.exit_code, 1);
  EXPECT_NE(check.out.find("canary"), std::string::npos) << check.out;
  EXPECT_NE(check.out.find("killed by SIGSEGV"), std::string::npos) << check.out;
  const Outcome ab = run(quick_ab("floor", faulty("crashing_at_once")));
  EXPECT_EQ(ab.exit_code, 1);
  EXPECT_NE(ab.error.find("failed the check 'canary'"), std::string::npos) << ab.error;
  EXPECT_FALSE(fs::exists(result_)) << "a folder without a measurement";
}

TEST_F(RunTest, SubjectThatExitsIsBlamed) {
  const Outcome outcome = run(quick_ab("floor", faulty("exiting")));
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("ended by itself with exit code 0"), std::string::npos)
      << outcome.error;
  EXPECT_NE(events().find(",b,0,exit,"), std::string::npos) << events();
}

TEST_F(RunTest, SubjectThatHangsIsBlamed) {
  std::vector<std::string> arguments = quick_ab(faulty("hanging"), "floor");
  arguments.insert(arguments.end(), {"--timeout", "500ms"});
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("did not finish within 5.5 s"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("give it longer with --timeout"), std::string::npos);
  EXPECT_NE(events().find(",a,0,hang,"), std::string::npos) << events();
}

TEST_F(RunTest, BadInputIsOneLineThatNamesTheThing) {
  expect_refused({"ab", "--a", "nosuch", "--b", "floor"}, "nosuch");
  expect_refused({"ab", "--a", "x=/nonexistent/x.so", "--b", "floor"}, "/nonexistent/x.so");
  expect_refused({"ab", "--a", "floor"}, "--b");
  expect_refused({"run", "-a", "floor", "--ws", "0"}, "ws");
  expect_refused({"run", "-a", "floor", "--duration", "0"}, "--duration 0");
  expect_refused({"run", "-a", "floor", "--duration", "1s", "--ops", "9"},
                 "--duration does not go with --ops");
  expect_refused({"run", "-a", "floor", "--duration", "8h", "--epoch", "1ms"}, "28800000 epochs");
  expect_refused({"run", "-a", "floor", "--duration", "3", "--epoch", "4s"},
                 "--epoch of 4 s is longer than the --duration of 3 s; give a shorter --epoch or a "
                 "longer --duration");
  expect_refused({"run", "-a", "floor", "--duration", "100ms"},
                 "the default epoch of 0.25 s is longer than the --duration of 0.1 s");
  expect_refused({"run", "-a", "floor", "-p", "quick", "--duration", "200ms"},
                 "the profile's epoch of 0.3 s is longer than the --duration of 0.2 s");
  expect_refused({"run", "-a", "floor", "--epoch", "-1"}, "--epoch -1");
  expect_refused({"run", "-a", "floor", "--epochs", "0"}, "--blocks 0");
  expect_refused({"run", "-a", "floor", "--cycles", "0"}, "--ops 0");
  expect_refused({"run", "-a", "floor", "--launches", "0"}, "--launches 0");
  expect_refused({"run", "-a", "floor", "--cpus", "999"}, "CPU 999");
  expect_refused({"run", "-a", "floor", "--workload", "random_mixd"},
                 "did you mean 'random_mixed'");
  expect_refused({"run", "-a", "floor", "--param", "wss=1"}, "wss");
  expect_refused({"run", "-a", "floor", "--env", "X"}, "--env X");
  expect_refused({"ab", "--a", "floor", "--b", "floor", "--reference", "z"}, "'z'");
  expect_refused({"run", "-a", "floor", "-p", "nosuch.json"}, "nosuch.json");
  expect_refused({"run", "-a", "no_malloc=" TEST_PLUGIN_FOLDER "/no_malloc.so"}, "no_malloc.so");
  expect_refused({"run", "-a", "floor", "-p", "quik"}, "did you mean 'quick'");
  expect_refused({"nosuch"}, "hakbench-nosuch");
  expect_refused({"run", "-a", "floor", "-o", "/proc/nosuch/folder"}, "/proc/nosuch/folder");
  expect_refused({"run", "-a", "floor", "-o", folder_}, "not empty");
}

TEST_F(RunTest, FullDiskIsAnErrorAndRowsAreKept) {
  if (geteuid() != 0) GTEST_SKIP() << "mounting a small file system needs root";
  const std::string small = folder_ + "/small";
  const std::string saved = folder_ + "/saved";
  fs::create_directories(small);
  // The mount lives in the child's own name space; what it holds is copied out by a second child.
  bool mounted = true;
  const Outcome outcome = run(
      {"run", "-a", "floor", "--ops", "1000", "--epochs", "5000", "-o", small + "/result"}, [&] {
        if (unshare(CLONE_NEWNS) != 0 ||
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("small", small.c_str(), "tmpfs", 0, "size=64k") != 0)
          _exit(126);
        const pid_t worker = fork();
        if (worker == 0) return;
        int status = 0;
        waitpid(worker, &status, 0);
        fs::copy(small, saved, fs::copy_options::recursive);
        _exit(WEXITSTATUS(status));
      });
  mounted = outcome.exit_code != 126;
  if (!mounted) GTEST_SKIP() << "this container may not mount";
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_NE(outcome.error.find("No space left"), std::string::npos) << outcome.error;
  const std::string text = read_file(saved + "/result/epochs.csv");
  EXPECT_EQ(text.back(), '\n') << "complete lines only";
  EXPECT_GT(read_csv(saved + "/result/epochs.csv").size(), 10u);
  EXPECT_NO_THROW(json::parse(read_file(saved + "/result/manifest.json")));
}

TEST_F(RunTest, InterruptKeepsRowsAndEndsTheSubjects) {
  for (const int signal_number : {SIGINT, SIGTERM}) {
    fs::remove_all(result_);
    const Outcome outcome = run(
        {"run", "-a", "floor", "--epoch", "20ms", "--epochs", "100000", "-o", result_}, [] {},
        [&](pid_t child) {
          const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
          while (epochs().size() < 5 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          kill(child, signal_number);
        });
    EXPECT_EQ(outcome.exit_code, 128 + signal_number) << outcome.error;
    EXPECT_EQ(manifest()["status"], "interrupted");
    EXPECT_GE(epochs().size(), 5u);
    EXPECT_EQ(static_cast<size_t>(manifest()["epochs"]), epochs().size());
    EXPECT_NE(events().find("interrupted,signal="), std::string::npos);
    const std::string pid = events().substr(events().find("pid=") + 4);
    EXPECT_NE(kill(std::stoi(pid), 0), 0) << "the subject lives on";
  }
}

TEST_F(RunTest, ASignalThatEndsTheSubjectTooIsAnInterrupt) {
  const Outcome outcome = run({"run", "-a", faulty("ending"), "--ops", "1000", "--launches", "2",
                               "--epochs", "1", "--no-report", "-o", result_});
  EXPECT_EQ(outcome.exit_code, 128 + SIGTERM) << outcome.error;
  EXPECT_EQ(manifest()["status"], "interrupted");
}

TEST_F(RunTest, SubjectDiesWithItsCoordinator) {
  run(
      {"run", "-a", "floor", "--epoch", "20ms", "--epochs", "100000", "-o", result_}, [] {},
      [&](pid_t child) {
        while (epochs().size() < 3) std::this_thread::sleep_for(std::chrono::milliseconds(20));
        kill(child, SIGKILL);
      });
  const int subject = std::stoi(events().substr(events().find("pid=") + 4));
  for (int i = 0; i < 200 && kill(subject, 0) == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_NE(kill(subject, 0), 0);
  EXPECT_EQ(manifest()["status"], "running") << "a killed run leaves a folder that loads";
  EXPECT_GE(epochs().size(), 3u);
}

TEST_F(RunTest, LatencyEpochsTimeEveryOperation) {
  std::vector<std::string> arguments = quick_ab("glibc", "floor");
  arguments.insert(arguments.end(), {"--latency", "2"});
  ASSERT_EQ(run(arguments).exit_code, 0);
  EXPECT_NE(manifest()["latency_clock"], "");
  std::map<std::string, int64_t> timed;  // seq -> operations
  std::map<std::string, int64_t> timer;
  for (const Row &row : read_csv(result_ + "/latency.csv")) {
    auto &sums = row.at("op") == "timer" ? timer : timed;
    sums[row.at("seq")] += std::stoll(row.at("count"));
    EXPECT_TRUE(row.at("op") == "malloc" || row.at("op") == "free" || row.at("op") == "timer");
    EXPECT_LT(std::stod(row.at("low_ns")), std::stod(row.at("high_ns")));
  }
  size_t epochs_timed = 0;
  for (const Row &row : epochs()) {
    if (row.at("kind") != "latency") {
      EXPECT_EQ(timed.count(row.at("seq")), 0u);
      continue;
    }
    ++epochs_timed;
    EXPECT_EQ(row.at("block") + row.at("slot"), "");
    EXPECT_EQ(timed[row.at("seq")], std::stoll(row.at("ops")));
    EXPECT_EQ(timer[row.at("seq")], std::stoll(row.at("ops")) / 16);
    const bool counted = row.at("subject") == "b" && !row.at("syscalls").empty();
    EXPECT_TRUE(!counted || row.at("syscalls") == "0") << "the probe makes no system call";
  }
  EXPECT_EQ(epochs_timed, 2u * 2 * 2);
}

TEST_F(RunTest, LatencyEpochsFollowThreadsThatComeAndGo) {
  for (const char *workload : {"thread_churn", "producer_consumer"}) {
    ASSERT_EQ(
        run({"run", "-a", "glibc", "-w", workload, "--threads", "2", "--ops", "20000", "--launches",
             "1", "--epochs", "1", "--latency", "1", "--no-report", "--force", "-o", result_})
            .exit_code,
        0)
        << workload;
    int64_t timed = 0;
    for (const Row &row : read_csv(result_ + "/latency.csv"))
      if (row.at("op") != "timer") timed += std::stoll(row.at("count"));
    EXPECT_EQ(timed, 20000) << workload;
  }
}

// Those that live within an epoch only are in no list of threads, before or after.
TEST_F(RunTest, CpuTimeIsThatOfThreadsThatEndedToo) {
  ASSERT_EQ(run({"run", "-a", "glibc", "-w", "thread_churn", "--ops", "300000", "--launches", "1",
                 "--epochs", "4", "--no-report", "-o", result_})
                .exit_code,
            0);
  for (const Row &row : epochs()) {
    const double cpu_s = std::stod(row.at("cpu_time_ns")),
                 elapsed_s = std::stod(row.at("elapsed_ns"));
    EXPECT_LT(cpu_s, 1.1 * elapsed_s) << "one CPU";
    if (row.at("steal_ns") == "0") {
      EXPECT_GT(cpu_s, 0.2 * elapsed_s) << "others want the CPU too";
    }
    EXPECT_EQ(row.at("run_delay_ns") + row.at("voluntary_switches"), "") << "of some threads only";
  }
  ASSERT_EQ(run({"run", "-a", "glibc", "--threads", "2", "--ops", "300000", "--launches", "1",
                 "--epochs", "4", "--no-report", "--force", "-o", result_})
                .exit_code,
            0);
  for (const Row &row : epochs()) EXPECT_NE(row.at("run_delay_ns"), "") << "none came or went";
}

// floor allocates nothing: what is left above the base is its own few pages, and what running it took.
TEST_F(RunTest, TheHarnesssOwnCodeIsNotTheAllocatorsMemory) {
  ASSERT_EQ(run({"run", "-a", "floor", "--ops", "100000", "--launches", "1", "--epochs", "2",
                 "--no-report", "-o", result_})
                .exit_code,
            0);
  for (const Row &row : epochs()) EXPECT_LT(std::stoll(row.at("rss_above_base_kb")), 256);
}

// floor allocates nothing, so what grows is the harness's.
TEST_F(RunTest, HistogramsAreNotTheAllocatorsMemory) {
  ASSERT_EQ(run({"run", "-a", "floor", "--ops", "100000", "--launches", "1", "--epochs", "1",
                 "--latency", "2", "--no-report", "-o", result_})
                .exit_code,
            0);
  const std::vector<Row> rows = epochs();
  ASSERT_EQ(rows.back().at("kind"), "latency");
  const Row &throughput = rows[rows.size() - 3];
  ASSERT_EQ(throughput.at("kind"), "throughput");
  const int64_t before_kb = std::stoll(throughput.at("rss_above_base_kb"));
  EXPECT_LT(std::stoll(rows.back().at("rss_above_base_kb")), before_kb + 64);
}

TEST_F(RunTest, MoreThanTwoSubjectsAndOneAlone) {
  std::vector<std::string> three = quick_ab("floor", "glibc");
  three.insert(three.end(), {"--c", "floor"});
  ASSERT_EQ(run(three).exit_code, 0);
  EXPECT_EQ(epochs().size(), 2u * 3 * (1 + 3 * 2));
  EXPECT_EQ(epochs().back().at("order").size(), 6u);

  ASSERT_EQ(run({"run", "-a", "floor", "--ops", "1000", "--launches", "2", "--epochs", "4",
                 "--force", "--no-report", "-o", result_})
                .exit_code,
            0);
  EXPECT_EQ(epochs().size(), 2u * (1 + 4));
  EXPECT_EQ(epochs().back().at("block"), "");
}

// control_slow at 90 % takes ten times as long.
TEST_F(RunTest, WarnsOnceOfASubjectThatMakesTheRunMuchLonger) {
  const std::vector<std::string> slow_against_floor = {
      "ab",      "--a",   "control_slow", "--b", "glibc",      "--init", "a:percent=90",
      "--epoch", "0.02",  "--blocks",     "2",   "--launches", "2",      "--no-report",
      "-o",      result_, "--force"};
  const Outcome slow = run(slow_against_floor);
  ASSERT_EQ(slow.exit_code, 0) << slow.error;
  const std::string warning = "hakbench: warning: allocator control_slow (subject a) takes ";
  const size_t at = slow.error.find(warning);
  ASSERT_NE(at, std::string::npos) << slow.error;
  EXPECT_EQ(slow.error.find(warning, at + 1), std::string::npos) << "once, not every launch";
  EXPECT_NE(slow.error.find("--reference a"), std::string::npos) << slow.error;
  EXPECT_NE(events().find("a,0,warning,"), std::string::npos) << events();

  std::vector<std::string> calibrated_on_it = slow_against_floor;
  calibrated_on_it.insert(calibrated_on_it.end(), {"--reference", "a"});
  const Outcome same = run(calibrated_on_it);
  ASSERT_EQ(same.exit_code, 0) << same.error;
  EXPECT_EQ(same.error.find("takes"), std::string::npos) << same.error;
}

TEST_F(RunTest, PrefaultFollowsTheVariableAndTheOption) {
  const std::vector<std::string> arguments = {"run",         "-a",       "floor", "--ops",
                                              "1000",        "--epochs", "1",     "--force",
                                              "--no-report", "-o",       result_};
  run(arguments);
  EXPECT_EQ(manifest()["prefault_ops"], 100) << "a tenth of the cycles";
  run(arguments, [] { setenv("HAKMEM_BENCH_PREFAULT", "0", 1); });
  EXPECT_EQ(manifest()["prefault_ops"], 0);
  std::vector<std::string> with_option = arguments;
  with_option.insert(with_option.end(), {"--prefault", "77"});
  run(with_option, [] { setenv("HAKMEM_BENCH_PREFAULT", "0", 1); });
  EXPECT_EQ(manifest()["prefault_ops"], 77);
}

TEST_F(RunTest, InitSettingsReachTheirPlugin) {
  const std::vector<std::string> ab = quick_ab("hakmem", "hakmem");
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), ab.begin(), ab.end());
    return more;
  };
  const Outcome outcome =
      run(with({"--init", "HAKMEM_DEPOT_KB=64", "--init", "b:HAKMEM_SS_MEM_LEAN=true", "--init",
                "b:HAKMEM_PURGE_DELAY_MS=0"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json a = {{"HAKMEM_DEPOT_KB", 64}};
  const json b = {
      {"HAKMEM_DEPOT_KB", 64}, {"HAKMEM_SS_MEM_LEAN", true}, {"HAKMEM_PURGE_DELAY_MS", 0}};
  EXPECT_EQ(manifest()["subjects"][0]["init"], a);
  EXPECT_EQ(manifest()["subjects"][1]["init"], b);
  EXPECT_EQ(manifest()["profile"]["allocator"]["b"]["init"], b);
  // The plugin itself refuses what it does not know, so it has read the settings, text as text.
  fs::remove_all(result_);
  const std::string build = fs::path(HAKBENCH_BINARY).parent_path() / "../plugins/hakmem.so";
  expect_refused({"run", "-a", build, "--init", "HAKMEM_NOSUCH=1k", "--ops", "9", "-o", result_},
                 R"({"HAKMEM_NOSUCH":"1k"}: it knows no such setting)");
  fs::remove_all(result_);
  expect_refused(with({"--init", "z:HAKMEM_DEPOT_KB=64"}), "there is no subject 'z'");
  expect_refused(with({"--init", "b:=64"}), "--init b:=64");
  expect_refused(with({"--init", "HAKMEM_DEPOT_KB"}), "--init HAKMEM_DEPOT_KB");
  expect_refused({"run", "-a", faulty("calling"), "--init", "x=1"}, "takes no settings");
}

// The one that takes the setting is named, with the words to write.
TEST_F(RunTest, ASettingForAnAllocatorThatTakesNoneNamesTheOneThatDoes) {
  for (const auto &[a, b, label] : {std::tuple("hakmem", "glibc", "a"), {"glibc", "hakmem", "b"}}) {
    std::vector<std::string> arguments = quick_ab(a, b);
    arguments.insert(arguments.end(), {"--init", "HAKMEM_DEPOT_KB=64"});
    expect_refused(arguments,
                   "allocator glibc: takes no settings, but was given {\"HAKMEM_DEPOT_KB\":64}; "
                   "leave them out for it: --init " +
                       std::string(label) + ":HAKMEM_DEPOT_KB=64\n");
  }
  std::vector<std::string> arguments = quick_ab("floor", "glibc");
  arguments.insert(arguments.end(), {"--init", "FOO=x"});
  const std::string alone = "takes no settings, but was given {\"FOO\":\"x\"}; leave them out\n";
  expect_refused(arguments, "allocator floor: " + alone);
  expect_refused({"run", "-a", "glibc", "--init", "FOO=x"}, "allocator glibc: " + alone);
  // A control is told apart: what refuses may be what it wraps.
  expect_refused({"run", "-a", "control_slow", "--init", "of=glibc", "--init", "FOO=1"},
                 "the allocator that it wraps has no such setting");
  EXPECT_FALSE(fs::exists(result_));
}

TEST_F(RunTest, RefusesValuesThatCannotBeMeant) {
  for (const char *option : {"--ops", "--seed", "--prefault", "--warmup", "--ws", "--launches"}) {
    expect_refused({"run", "-a", "floor", option, "-1"}, "-1 is not a whole number of 0 or more");
    expect_refused({"run", "-a", "floor", option, ""}, "the value is empty");
  }
  expect_refused({"loop", "-a", "floor", "--ops", "-1"}, "-1 is not a whole number");
  expect_refused({"ledger", "-a", "hakmem_observe", "--ops", "-1"}, "-1 is not a whole number");
  expect_refused({"run", "-a", "floor", "--seed", "18446744073709551616"}, "64 bits can hold");
  expect_refused({"run", "-a", "floor", "--ops", "18446744073709551615"}, "give at most");
  expect_refused({"run", "-a", "floor", "--epoch", ""}, "--epoch: the value is empty");
  expect_refused({"run", "-a", "floor", "-o", ""}, "--output: the value is empty");
  expect_refused({"--nosuch"}, "unknown option '--nosuch'");
  EXPECT_FALSE(fs::exists(result_));
}

// Messages go nowhere then; above all not into the result.
TEST_F(RunTest, MeasuresWithItsStandardStreamsClosed) {
  const std::string command = "exec " HAKBENCH_BINARY
                              " run -a floor --ops 1000 --launches 1 --epochs 3 "
                              "--no-report -o " +
                              result_;
  ASSERT_EQ(std::system((command + " <&- >&- 2>&-").c_str()), 0);
  EXPECT_EQ(epochs().size(), 4u);
  fs::remove_all(result_);
  ASSERT_EQ(std::system((command + " 2>&-").c_str()), 0);
  EXPECT_EQ(read_file(result_ + "/events.csv").find("hakbench"), std::string::npos);
}

}  // namespace
}  // namespace hakbench
