// settings_test.cc - an allocator with a profile's settings (PLUGIN@PROFILE), and the list of gates.
#include "run_fixture.h"

namespace hakbench {
namespace {

using SettingsTest = RunTest;

TEST_F(SettingsTest, APluginAtAProfileTakesTheSettingsOfThatPlugin) {
  const Outcome outcome = run(quick_ab("hakmem@mixed_speed_first", "hakmem@memory_lean_free"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  const json made = manifest();
  EXPECT_EQ(made["subjects"][0]["allocator"], "hakmem@mixed_speed_first");
  EXPECT_EQ(made["subjects"][0]["init"]["HAKMEM_PROFILE"], "mixed_speed_first");
  EXPECT_EQ(made["subjects"][1]["init"]["HAKMEM_PROFILE"], "memory_lean_free");
  EXPECT_EQ(made["subjects"][0]["path"], made["subjects"][1]["path"]);
  // They reached the allocator: the warm pool of 2 MiB is resident.
  int64_t rss_kb[2] = {};
  for (const Row &row : epochs())
    rss_kb[row.at("subject") == "b"] = std::stoll(row.at("rss_above_base_kb"));
  EXPECT_GT(rss_kb[0], rss_kb[1] + 1024);
}

TEST_F(SettingsTest, TheCommandLineAndTheProfileOfTheRunHaveTheirOrder) {
  std::vector<std::string> arguments =
      quick_ab("hakmem@memory_lean_dontneed", "hakmem@memory_lean_dontneed");
  arguments.insert(arguments.end(),
                   {"--profile", "mixed_speed_first", "--init", "b:HAKMEM_PROFILE=mixed_balanced"});
  ASSERT_EQ(run(arguments).exit_code, 0);
  EXPECT_EQ(manifest()["subjects"][0]["init"]["HAKMEM_PROFILE"], "memory_lean_dontneed");
  EXPECT_EQ(manifest()["subjects"][1]["init"]["HAKMEM_PROFILE"], "mixed_balanced");
  // A run that goes on has the same settings.
  const Outcome more = run({"ab", "--resume", result_, "--launches", "3", "--no-report"});
  EXPECT_EQ(more.exit_code, 0) << more.error;
  EXPECT_EQ(manifest()["subjects"][0]["init"]["HAKMEM_PROFILE"], "memory_lean_dontneed");
}

// Two builds of one allocator, of which one is named by its path, must not be set differently.
TEST_F(SettingsTest, ABuildNamedByItsPathIsTheAllocatorThatTheProfileSpeaksOf) {
  const std::string plugin = fs::path(HAKBENCH_BINARY).parent_path() / "../plugins/hakmem.so";
  std::vector<std::string> arguments = quick_ab("hakmem", "before=" + plugin);
  arguments.insert(arguments.end(), {"--profile", "mixed_speed_first"});
  const Outcome outcome = run(arguments);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_EQ(outcome.error.find("has settings for"), std::string::npos) << outcome.error;
  for (const json &subject : manifest()["subjects"])
    EXPECT_EQ(subject["init"]["HAKMEM_PROFILE"], "mixed_speed_first") << subject["label"];
  fs::remove_all(result_);
  ASSERT_EQ(run(quick_ab("x=" + plugin + "@memory_lean_free", "floor")).exit_code, 0);
  EXPECT_EQ(manifest()["subjects"][0]["init"]["HAKMEM_PROFILE"], "memory_lean_free");
}

TEST_F(SettingsTest, ASlipInAnAllocatorsNameIsToldOf) {
  const std::string profile = folder_ + "/mine.json";
  std::ofstream(profile) << R"({"allocator": {"hakmen": {"init": {"HAKMEM_DEPOT_KB": 64}}}})";
  std::vector<std::string> arguments = quick_ab("hakmem", "floor");
  arguments.insert(arguments.end(), {"--profile", profile});
  const Outcome outcome = run(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_NE(
      outcome.error.find("has settings for 'hakmen', which is neither a plugin nor a subject"),
      std::string::npos)
      << outcome.error;
}

TEST_F(SettingsTest, AProfileThatIsNotThereOrSaysNothingIsRefused) {
  expect_refused({"run", "-a", "hakmem@mixed_sped_first"}, "did you mean 'mixed_speed_first'?");
  expect_refused({"run", "-a", "glibc@mixed_speed_first"},
                 "the profile mixed_speed_first has no settings for glibc");
  expect_refused({"run", "-a", "hakmen@mixed_speed_first"}, "no plugin 'hakmen'");
}

TEST_F(SettingsTest, AProfileHasItsOtherNameToo) {
  ASSERT_EQ(run(quick_ab("hakmem@MIXED_TINYV3_C7_SAFE", "floor")).exit_code, 0);
  EXPECT_EQ(manifest()["subjects"][0]["init"]["HAKMEM_PROFILE"], "mixed_speed_first");
}

// What hakmem would only warn of is not measured as if it had been set.
TEST_F(SettingsTest, WhatHakmemWouldIgnoreIsRefused) {
  const auto with = [&](const std::string &setting, const char *option) {
    return std::vector<std::string>{"run",   "-a", "hakmem", option,  setting,
                                    "--ops", "9",  "-o",     result_, "--no-report"};
  };
  for (const char *option : {"--env", "--init"}) {
    expect_refused(with("HAKMEM_DEPOT_KBX=64", option), "did you mean 'HAKMEM_DEPOT_KB'?");
    expect_refused(with("HAKMEM_DEPOT_KB=abc", option), "takes 0 to 1048576 (KiB)");
    expect_refused(with("HAKMEM_DEPOT_KB=-1", option), "takes 0 to 1048576 (KiB)");
    expect_refused(with("HAKMEM_SS_MEM_LEAN_MODE=3", option), "takes 0 to 2 (off/free/dontneed)");
    expect_refused(with("HAKMEM_PROFILE=fast", option), "hakmem has no profile 'fast'");
  }
  EXPECT_FALSE(fs::exists(result_));
  for (const char *setting :
       {"HAKMEM_SS_MEM_LEAN_MODE=DONTNEED", "HAKMEM_SS_MEM_LEAN=off",
        "HAKMEM_PROFILE=MIXED_TINYV3_C7_SAFE", "HAKMEM_BENCH_X=1", "OTHER=x"}) {
    EXPECT_EQ(run(with(setting, "--env")).exit_code, 0) << setting;
    fs::remove_all(result_);
  }
}

TEST_F(SettingsTest, ListsTheGatesWithDefaultRangeVerdictAndNote) {
  const Outcome outcome = run({"list", "gates"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.error;
  for (const char *text :
       {"HAKMEM_SS_WARM_POOL_KB", "default 8192, 0 to 1048576 KiB", "HAKMEM_ALLOC_PASSDOWN",
        "verdict NEUTRAL, docs/analysis/0004", "mixed_speed_first", "MIXED_TINYV3_C7_SAFE"})
    EXPECT_NE(outcome.out.find(text), std::string::npos) << text;
}

}  // namespace
}  // namespace hakbench
