// The real hakbench, end to end: what it writes, what it says when things go wrong, what it survives.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Row = std::map<std::string, std::string>;

std::string read_file(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<Row> read_csv(const std::string &path) {
  std::ifstream file(path);
  std::vector<std::string> names;
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells;
    std::stringstream stream(line + ",");
    for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
    if (names.empty()) {
      names = cells;
      continue;
    }
    Row row;
    for (size_t i = 0; i < names.size(); ++i)
      row[names[i]] = i < cells.size() ? cells[i] : "CUT OFF";
    rows.push_back(row);
  }
  return rows;
}

std::string faulty(const std::string &name) {
  return name + "=" TEST_PLUGIN_FOLDER "/" + name + ".so";
}

struct Outcome {
  int exit_code;  // or 1000 + signal
  std::string out;
  std::string error;
};

class RunTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // in_child runs in the new process before hakbench; while_running in this one.
  Outcome run(
      std::vector<std::string> arguments, const std::function<void()> &in_child = [] {},
      const std::function<void(pid_t)> &while_running = [](pid_t) {}) {
    arguments.insert(arguments.begin(), "hakbench");
    std::vector<char *> argv;
    for (std::string &argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out = folder_ + "/stdout";
    const std::string error = folder_ + "/stderr";
    const pid_t child = fork();
    if (child == 0) {
      in_child();
      dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDOUT_FILENO);
      dup2(open(error.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), STDERR_FILENO);
      execv(HAKBENCH_BINARY, argv.data());
      _exit(127);
    }
    while_running(child);
    int status = 0;
    waitpid(child, &status, 0);
    return {WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status), read_file(out),
            read_file(error)};
  }

  // A bad input: exit 1, one line on stderr that starts with hakbench: error: and holds `text`.
  void expect_refused(const std::vector<std::string> &arguments, const std::string &text) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.error;
    EXPECT_EQ(outcome.error.rfind("hakbench: error: ", 0), 0u) << outcome.error;
    EXPECT_NE(outcome.error.find(text), std::string::npos) << outcome.error;
    EXPECT_EQ(std::count(outcome.error.begin(), outcome.error.end(), '\n'), 1) << outcome.error;
  }

  std::vector<std::string> quick_ab(const std::string &a, const std::string &b) const {
    return {"ab", "--a",      a,   "--b",         b,    "--ops", "100000", "--launches",
            "2",  "--blocks", "3", "--no-report", "-o", result_};
  }

  json manifest() const { return json::parse(read_file(result_ + "/manifest.json")); }
  std::vector<Row> epochs() const { return read_csv(result_ + "/epochs.csv"); }
  std::string events() const { return read_file(result_ + "/events.csv"); }

  std::string folder_ = testing::TempDir() + "hakbench-run-test-" + std::to_string(getpid());
  std::string result_ = folder_ + "/result";
};

TEST_F(RunTest, AbWritesACompleteFolder) {
  const Outcome outcome = run(quick_ab("glibc", "floor"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json facts = manifest();
  EXPECT_EQ(facts["status"], "complete");
  EXPECT_EQ(facts["subjects"].size(), 2u);
  EXPECT_EQ(facts["subjects"][0]["sha256"].get<std::string>().size(), 64u);
  EXPECT_EQ(facts["ops_per_epoch"], 100000);
  EXPECT_EQ(facts["workload"]["params"]["ws"], 400);
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
  EXPECT_NE(outcome.error.find("did not finish within"), std::string::npos) << outcome.error;
  EXPECT_NE(events().find(",a,0,hang,"), std::string::npos) << events();
}

TEST_F(RunTest, BadInputIsOneLineThatNamesTheThing) {
  expect_refused({"ab", "--a", "nosuch", "--b", "floor"}, "nosuch");
  expect_refused({"ab", "--a", "x=/nonexistent/x.so", "--b", "floor"}, "/nonexistent/x.so");
  expect_refused({"ab", "--a", "floor"}, "--b");
  expect_refused({"run", "-a", "floor", "--ws", "0"}, "ws");
  expect_refused({"run", "-a", "floor", "--duration", "0"}, "--duration 0");
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

TEST_F(RunTest, UnknownCommandsRunToolsOfThatName) {
  const std::string tool = folder_ + "/hakbench-hello";
  std::ofstream(tool) << "#!/bin/sh\necho hello \"$@\"\nexit 3\n";
  fs::permissions(tool, fs::perms::owner_all);
  const Outcome outcome = run({"hello", "a b", "c"},
                              [&] { setenv("PATH", (folder_ + ":" + getenv("PATH")).c_str(), 1); });
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out, "hello a b c\n");
}

}  // namespace
