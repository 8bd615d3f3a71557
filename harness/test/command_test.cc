// Commands of the real hakbench beside its runs: loop, doctor, help and tools, and full or missing outputs.
#include <linux/capability.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include <chrono>
#include <thread>

#include "coordinator/cpus.h"
#include "run_fixture.h"

namespace hakbench {
namespace {

class CommandTest : public RunTest {};

TEST_F(CommandTest, LoopRunsInThisProcessAndSaysHowMuch) {
  const Outcome one = run({"loop", "-a", "hakmem", "--ops", "1001", "--prefault", "10", "--ws", "8",
                           "--init", "HAKMEM_DEPOT_KB=64"});
  EXPECT_EQ(one.exit_code, 0) << one.error;
  EXPECT_EQ(one.out,
            "hakbench loop hakmem: random_mixed max_size=1039 min_size=16 ws=8 threads=1 seed=1, "
            "prefault=10, ops=1001, failed_allocs=0\n");
  const Outcome three = run({"loop", "-a", "glibc", "--ops", "3001", "--threads", "3"});
  EXPECT_EQ(three.exit_code, 0) << three.error;
  EXPECT_NE(three.out.find("ops=3000,"), std::string::npos) << three.out;
  const Outcome pair = run({"loop", "-a", "hakmem", "--ops", "4000", "-w", "producer_consumer"});
  EXPECT_EQ(pair.exit_code, 0) << pair.error;

  expect_refused({"loop", "-a", "floor", "--ops", "9", "-w", "random_mixd"}, "'random_mixed'");
  expect_refused({"loop", "-a", "nosuch", "--ops", "9"}, "nosuch");
  expect_refused({"loop", "-a", "floor"}, "--ops is required");
  expect_refused({"loop", "-a", "floor", "--ops", "9", "--init", "x=1"}, "takes no settings");
  expect_refused({"loop", "-a", faulty("no_malloc"), "--ops", "9"}, "no_malloc.so");
}

TEST_F(CommandTest, LoopDoesAllTheWorkThatItNames) {
  const auto crashes = [&](const char *ops, const char *prefault) {
    return run({"loop", "-a", faulty("crashing"), "--ops", ops, "--prefault", prefault})
               .exit_code == 1000 + SIGSEGV;
  };
  EXPECT_FALSE(crashes("100000", "100000"));
  EXPECT_TRUE(crashes("10000000", "0"));
  EXPECT_TRUE(crashes("1", "10000000"));
}

TEST_F(CommandTest, LoopMakesRoomForStaticTls) {
  const std::string jemalloc = fs::path(HAKBENCH_BINARY).parent_path() / "../plugins/jemalloc.so";
  if (!fs::exists(jemalloc)) GTEST_SKIP() << "needs jemalloc, whose static TLS is large";
  const Outcome outcome =
      run({"loop", "-a", "jemalloc", "--ops", "1000"}, [] { unsetenv("GLIBC_TUNABLES"); });
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_NE(outcome.out.find("ops=1000,"), std::string::npos) << outcome.out;
}

TEST_F(CommandTest, DoctorInformsAndRunsRecordItsWarnings) {
  const Outcome text = run({"doctor"});
  EXPECT_EQ(text.exit_code, 0) << text.error;
  const Outcome as_json = run({"doctor", "--format", "json", "--cpus", "0"});
  EXPECT_EQ(as_json.exit_code, 0) << as_json.error;
  const json findings = json::parse(as_json.out)["findings"];
  EXPECT_EQ(static_cast<size_t>(std::count(text.out.begin(), text.out.end(), '\n')),
            findings.size());
  expect_refused({"doctor", "--format", "xml"}, "--format: xml not in {text,json}");
  expect_refused({"doctor", "--cpus", "x"}, "--cpus x");

  // Where every process sees the same layout, each run says so.
  const Outcome fixed = run({"run", "-a", "floor", "--ops", "1000", "--no-report", "-o", result_},
                            [] { personality(ADDR_NO_RANDOMIZE); });
  EXPECT_EQ(fixed.exit_code, 0) << fixed.error;
  EXPECT_NE(fixed.error.find("warning: address-space layout is not random; see hakbench doctor\n"),
            std::string::npos)
      << fixed.error;
  const json warnings = manifest()["host_warnings"];
  EXPECT_NE(std::find(warnings.begin(), warnings.end(), "address-space layout is not random"),
            warnings.end())
      << warnings;
  ASSERT_EQ(run({"run", "--resume", result_, "--launches", "6", "--no-report"}).exit_code, 0);
  const json later = manifest()["host_warnings"];
  EXPECT_NE(std::find(later.begin(), later.end(), "address-space layout is not random"),
            later.end())
      << later;
}

// No number is taken for another, and a shell variable that is unset is no default.
TEST_F(CommandTest, SaysThatStandardOutputIsFull) {
  const std::string error = folder_ + "/error";
  const int status = std::system((HAKBENCH_BINARY " list columns >/dev/full 2>" + error).c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_NE(read_file(error).find("cannot write to standard output: No space left on device; "
                                  "make room, or send it elsewhere"),
            std::string::npos);
}

// A folder without permissions, and a name that can't even be looked at.
TEST_F(CommandTest, ProfilesThatCannotBeReadAreSkipped) {
  fs::create_directory(folder_ + "/closed");
  fs::create_directory(folder_ + "/closed/profiles");
  fs::permissions(folder_ + "/closed/profiles", fs::perms::none);
  fs::create_directory(folder_ + "/loop");
  fs::create_symlink("profiles", folder_ + "/loop/profiles");
  for (const char *place : {"/closed", "/loop"}) {
    const auto there = [&] {
      // Root may read everything, unless the program that it executes has lost that.
      for (const int power : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) prctl(PR_CAPBSET_DROP, power);
      if (chdir((folder_ + place).c_str()) != 0) _exit(99);
    };
    const Outcome list = run({"list", "profiles"}, there);
    EXPECT_EQ(list.exit_code, 0) << list.error;
    EXPECT_NE(list.out.find("  quick "), std::string::npos) << list.out;
    const Outcome unknown = run({"run", "-a", "floor", "-p", "quik"}, there);
    EXPECT_EQ(unknown.error.rfind("hakbench: error: unknown profile 'quik'", 0), 0u)
        << unknown.error;
  }
  fs::permissions(folder_ + "/closed/profiles", fs::perms::owner_all);
}

// As some supervisors leave it; the kernel then keeps no exit code to wait for.
TEST_F(CommandTest, WaitsForItsSubjectsThoughSigchldIsIgnored) {
  const Outcome outcome = run({"check", "floor"}, [] { signal(SIGCHLD, SIG_IGN); });
  EXPECT_EQ(outcome.exit_code, 0) << outcome.out << outcome.error;
}

TEST_F(CommandTest, AFileThatIsNoProfileCostsTheListNothing) {
  fs::create_directories(folder_ + "/profiles");
  std::ofstream(folder_ + "/profiles/foreign.json") << R"({"browser": "x"})";
  const Outcome list = run({"list", "profiles"}, [&] {
    if (chdir(folder_.c_str()) != 0) _exit(99);
  });
  EXPECT_EQ(list.exit_code, 0) << list.error;
  EXPECT_NE(list.out.find("  quick "), std::string::npos) << list.out;
  EXPECT_NE(list.out.find("is no profile: profiles/foreign.json:1: unknown key 'browser'"),
            std::string::npos)
      << list.out;
}

// A closed terminal, a SIGKILL: the command of `hakbench app` does not outlive its starter.
TEST_F(CommandTest, TheStarterOfProgramsLeavesNoneBehind) {
  for (const int signal_number : {SIGHUP, SIGKILL}) {
    const std::string ready = folder_ + "/ready-" + std::to_string(signal_number);
    const std::string script = "echo $$ > " + ready + "; exec sleep 60";
    const std::string cpu = std::to_string(allowed_cpus().front());
    const pid_t starter = fork();
    if (starter == 0) {
      signal(SIGHUP, SIG_DFL);
      execl(RUN_MEASURED, RUN_MEASURED, "2", "60", cpu.c_str(), "sh", "-c", script.c_str(),
            nullptr);
      _exit(127);
    }
    const auto soon = [](const std::function<bool()> &condition) {
      for (int i = 0; i < 2000 && !condition(); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return condition();
    };
    ASSERT_TRUE(soon([&] { return read_file(ready).ends_with('\n'); }));
    const pid_t program = std::stoi(read_file(ready));
    kill(starter, signal_number);
    waitpid(starter, nullptr, 0);
    EXPECT_TRUE(soon([&] { return kill(program, 0) != 0; })) << signal_number;
    kill(program, SIGKILL);
  }
}

TEST_F(CommandTest, HelpNamesEveryToolBesideIt) {
  const std::string help = run({"--help"}).out;
  const std::string prefix = "hakbench-";
  for (const auto &entry : fs::directory_iterator(fs::path(HAKBENCH_BINARY).parent_path())) {
    const std::string file = entry.path().filename();
    if (file.rfind(prefix, 0) != 0) continue;
    EXPECT_NE(help.find("\n  " + file.substr(prefix.size()) + " "), std::string::npos) << file;
  }
}

TEST_F(CommandTest, HelpOfACommandShowsNoOtherCommand) {
  for (const std::string command : {"check", "doctor", "list", "loop", "ledger"}) {
    const Outcome outcome = run({command, "--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.out.find("hakbench soak"), std::string::npos) << outcome.out;
  }
}

TEST_F(CommandTest, UnknownCommandsRunToolsOfThatName) {
  const std::string tool = folder_ + "/hakbench-hello";
  std::ofstream(tool) << "#!/bin/sh\necho hello \"$@\"\nexit 3\n";
  fs::permissions(tool, fs::perms::owner_all);
  const Outcome outcome = run({"hello", "a b", "c"},
                              [&] { setenv("PATH", (folder_ + ":" + getenv("PATH")).c_str(), 1); });
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out, "hello a b c\n");
}

}  // namespace
}  // namespace hakbench
