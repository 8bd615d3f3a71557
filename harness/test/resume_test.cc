// A run that was killed, cut off or found too short goes on as if it had never ended.
#include <chrono>
#include <thread>

#include "run_fixture.h"

namespace hakbench {
namespace {

class ResumeTest : public RunTest {
 protected:
  std::vector<std::string> resume(const std::vector<std::string> &more = {}) const {
    std::vector<std::string> arguments = {"ab", "--resume", result_, "--no-report"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  void expect_numbered(const std::vector<Row> &rows) {
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(rows[i].at("seq"), std::to_string(i));
  }

  void append(const std::string &file, const std::string &text) const {
    std::ofstream(result_ + "/" + file, std::ios::app) << text;
  }
};

// What the seeds decide of an epoch, and nothing that was measured.
std::vector<std::string> drawn(const std::vector<Row> &rows) {
  std::vector<std::string> texts;
  for (const Row &row : rows) {
    std::string text;
    for (const char *name : {"seq", "subject", "launch", "block", "slot", "order", "epoch", "kind",
                             "ops", "live_bytes"})
      text += row.at(name) + ",";
    texts.push_back(text);
  }
  return texts;
}

TEST_F(ResumeTest, MoreLaunchesAreThoseOfAnUnbrokenRun) {
  const auto with_launches = [&](const std::string &launches) {
    return std::vector<std::string>{
        "ab",     "--a",        "glibc",           "--b",      "floor", "--ops",
        "100000", "--launches", launches,          "--blocks", "5",     "--no-report",
        "-o",     result_,      "--schedule-seed", "7"};
  };
  ASSERT_EQ(run(with_launches("4")).exit_code, 0);
  const std::vector<std::string> expected = drawn(epochs());
  fs::remove_all(result_);
  ASSERT_EQ(run(with_launches("2")).exit_code, 0);
  ASSERT_EQ(epochs().size(), expected.size() / 2);
  const Outcome outcome = run(resume({"--launches", "4"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(drawn(epochs()), expected);
  const json facts = manifest();
  EXPECT_EQ(facts["status"], "complete");
  EXPECT_EQ(facts["launches"], 4);
  EXPECT_EQ(facts["profile"]["run"]["launches"], 4);
  EXPECT_EQ(facts["epochs"], expected.size());
  EXPECT_EQ(facts["planned_epochs"], expected.size());
  ASSERT_EQ(facts["resumed"].size(), 1u);
  EXPECT_EQ(facts["resumed"][0]["from_launch"], 2);
  EXPECT_GT(facts["resumed"][0]["wall_time_s"], 1.7e9);
  EXPECT_NE(events().find(",resumed,from_launch=2"), std::string::npos) << events();
}

TEST_F(ResumeTest, LatencyEpochsGoOnInTheirFile) {
  std::vector<std::string> arguments = quick_ab("glibc", "floor");
  arguments.insert(arguments.end(), {"--latency", "1"});
  ASSERT_EQ(run(arguments).exit_code, 0);
  const Outcome outcome = run(resume({"--launches", "3"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  std::map<std::string, int64_t> timed;  // seq -> operations
  for (const Row &row : read_csv(result_ + "/latency.csv"))
    if (row.at("op") != "timer") timed[row.at("seq")] += std::stoll(row.at("count"));
  size_t latency_epochs = 0;
  for (const Row &row : epochs())
    if (row.at("kind") == "latency") {
      ++latency_epochs;
      EXPECT_EQ(timed[row.at("seq")], 100000);
    }
  EXPECT_EQ(latency_epochs, 3u * 2);
  std::map<std::string, int> exemplars;  // by seq
  for (const Row &row : read_csv(result_ + "/exemplars.csv")) ++exemplars[row.at("seq")];
  EXPECT_EQ(exemplars.size(), latency_epochs);
  for (const auto &[seq, count] : exemplars) EXPECT_EQ(count, 8) << "none dropped, none twice";
  EXPECT_NE(manifest()["latency_clock"], "");
}

TEST_F(ResumeTest, KilledRunGoesOnWithTheFrozenOps) {
  run(
      {"ab", "--a", "glibc", "--b", "floor", "--epoch", "5ms", "--launches", "3", "--blocks", "40",
       "--no-report", "-o", result_},
      [] {},
      [&](pid_t child) {
        while (epochs().size() < 200) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        kill(child, SIGKILL);
      });
  ASSERT_EQ(manifest()["status"], "running");
  const std::vector<Row> before = epochs();
  ASSERT_EQ(before.back().at("launch"), "1") << "killed too late for this test";
  const json ops = manifest()["ops_per_epoch"];

  const Outcome outcome = run(resume());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(manifest()["status"], "complete");
  EXPECT_EQ(manifest()["ops_per_epoch"], ops);
  const std::vector<Row> rows = epochs();
  expect_numbered(rows);
  ASSERT_EQ(rows.size(), before.size() + 2 * (1 + 40 * 2));
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(rows[i], before[i]);
  EXPECT_EQ(rows[before.size()].at("launch"), "2");
  EXPECT_EQ(rows.back().at("block"), std::to_string(3 * 40 - 1));
  for (const Row &row : rows) EXPECT_EQ(row.at("ops"), std::to_string(ops.get<int64_t>()));
}

TEST_F(ResumeTest, CutOffLastLinesAreRemoved) {
  ASSERT_EQ(run(quick_ab("floor", "floor")).exit_code, 0);
  const size_t rows_before = epochs().size();
  append("epochs.csv", "28,a,floor,7,");
  append("events.csv", "9,17");
  const Outcome outcome = run(resume({"--launches", "3"}));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const std::vector<Row> rows = epochs();
  expect_numbered(rows);
  EXPECT_EQ(rows.size(), rows_before / 2 * 3);
  for (const Row &row : rows) EXPECT_EQ(row.at("quarantined").size(), 1u);
  const std::vector<Row> all_events = read_csv(result_ + "/events.csv");
  expect_numbered(all_events);
  EXPECT_EQ(all_events.size(), 2u * 3 + 1);
}

TEST_F(ResumeTest, ChangedPluginIsRefusedAndTheFolderIsLeftAlone) {
  const std::string plugin = folder_ + "/mine.so";
  fs::copy_file(TEST_PLUGIN_FOLDER "/calling.so", plugin);
  ASSERT_EQ(run(quick_ab("mine=" + plugin, "floor")).exit_code, 0);
  const std::string rows = read_file(result_ + "/epochs.csv");
  const std::string facts = read_file(result_ + "/manifest.json");
  std::ofstream(plugin, std::ios::app) << "another build";
  expect_refused(resume({"--launches", "3"}), "allocator mine (" + plugin + ") is no longer");
  EXPECT_EQ(read_file(result_ + "/epochs.csv"), rows);
  EXPECT_EQ(read_file(result_ + "/manifest.json"), facts);
  fs::remove(plugin);
  expect_refused(resume({"--launches", "3"}), plugin);
}

TEST_F(ResumeTest, SettingsAreTheManifestsAndNoOthers) {
  std::vector<std::string> arguments = quick_ab("hakmem", "floor");
  arguments.insert(arguments.end(), {"--init", "a:HAKMEM_DEPOT_KB=64", "--timeout", "7s"});
  ASSERT_EQ(run(arguments).exit_code, 0);
  const json first = manifest();
  const Outcome outcome =
      run(resume({"--launches", "3"}), [] { setenv("HAKMEM_BENCH_PREFAULT", "77", 1); });
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  for (const char *name : {"subjects", "prefault_ops", "timeout_s", "op_stream_hash", "workload"})
    EXPECT_EQ(manifest()[name], first[name]) << name;

  // An init setting that the plugin refuses shows that they reach it.
  json changed = manifest();
  changed["profile"]["allocator"]["a"]["init"] = {{"HAKMEM_NOSUCH", 1}};
  std::ofstream(result_ + "/manifest.json") << changed;
  expect_refused(resume({"--launches", "4"}), R"({"HAKMEM_NOSUCH":1})");
}

// Subjects inherit the shell's variables: one run has one set of them.
TEST_F(ResumeTest, VariablesForAllocatorsAreThoseOfTheFirstShell) {
  const auto first_shell = [] {
    setenv("HAKMEM_PROFILE", "mixed_speed_first", 1);
    unsetenv("HAKMEM_DEPOT_KB");
  };
  const auto second_shell = [] {
    unsetenv("HAKMEM_PROFILE");
    setenv("HAKMEM_DEPOT_KB", "no number", 1);  // hakmem warns of it on standard error
  };
  ASSERT_EQ(run(quick_ab("hakmem", "floor"), first_shell).exit_code, 0);
  EXPECT_EQ(manifest()["environment"]["HAKMEM_PROFILE"], "mixed_speed_first");
  const Outcome outcome = run(resume({"--launches", "3"}), second_shell);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.error.find("HAKMEM_DEPOT_KB"), std::string::npos) << outcome.error;
  for (const Row &row : epochs()) {  // the warm pool of 2 MiB
    if (row.at("subject") == "a") {
      EXPECT_GT(std::stoll(row.at("rss_above_base_kb")), 2048);
    }
  }
}

TEST_F(ResumeTest, WhatDoesNotFitIsRefused) {
  expect_refused(resume(), "there is no manifest.json");
  ASSERT_EQ(run(quick_ab("floor", "floor")).exit_code, 0);
  expect_refused(resume(), "has 2 of 2 launches");
  expect_refused(resume({"--launches", "1"}), "has 2 of 1 launches");
  expect_refused(resume({"--launches", "10001"}), "--launches 10001");
  expect_refused(resume({"--launches", "3", "--ws", "8"}), "--ws does not go with --resume");
  expect_refused(resume({"--launches", "3", "--a", "floor"}), "--a does not go with --resume");
  expect_refused(resume({"--launches", "3", "-o", folder_}), "--output does not go with --resume");
  expect_refused({"run", "--resume", result_, "--launches", "3"}, "hakbench ab --resume");

  const json facts = manifest();
  const auto expect_refused_with = [&](const char *pointer, const json &value,
                                       const std::string &text) {
    json changed = facts;
    changed[json::json_pointer(pointer)] = value;
    std::ofstream(result_ + "/manifest.json") << changed;
    expect_refused(resume({"--launches", "3"}), text);
  };
  expect_refused_with("/format", "hakbench-result/0", "is no hakbench-result/1");
  expect_refused_with("/host/cpu_model", "Pentium", "measured on a Pentium");
  expect_refused_with("/op_stream_hash", "0", "draws other operations");
  expect_refused_with("/profile/run/cpus", "999", "CPU 999");
  expect_refused_with("/subjects", 1, "its manifest.json lacks what a run needs");
  std::ofstream(result_ + "/manifest.json") << facts;
  const std::string rows = read_file(result_ + "/epochs.csv");
  append("epochs.csv", "x,a,floor,1\n");
  expect_refused(resume({"--launches", "3"}), "has a row with 'x'");
  std::ofstream(result_ + "/epochs.csv") << "old_" + rows;
  expect_refused(resume({"--launches", "3"}), "has other columns");
}

TEST_F(ResumeTest, RunOfOneAllocatorGoesOnToo) {
  const std::vector<std::string> arguments = {
      "run",        "-a", "floor",       "--ops", "1000",  "--epochs", "4",
      "--launches", "1",  "--no-report", "-o",    result_, "--seed",   "3"};
  ASSERT_EQ(run(arguments).exit_code, 0);
  const Outcome outcome = run({"run", "--resume", result_, "--launches", "3", "--no-report"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(epochs().size(), 3u * (1 + 4));
  expect_numbered(epochs());
  EXPECT_EQ(epochs().back().at("launch"), "2");
}

}  // namespace
}  // namespace hakbench
