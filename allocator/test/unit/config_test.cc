// config_test.cc - the table of knobs.
#include "config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "base/check.h"
#include "config/nearest.h"

namespace hakmem {
namespace {

TEST(Config, EveryRowHoldsItsDefaultAndAcceptsItsRange) {
  for (const KnobRow &row : kKnobs) {
    if (row.observe_only && !kObserve) continue;
    EXPECT_GE(row.default_value, row.min) << row.name;
    EXPECT_LE(row.default_value, row.max) << row.name;
    EXPECT_EQ(std::string(row.name).rfind("HAKMEM_", 0), 0u) << row.name;
    EXPECT_EQ(set_knob(row.name, std::to_string(row.max).c_str()), 0) << row.name;
    EXPECT_EQ(row.value->load(), row.max);
    EXPECT_EQ(set_knob(row.name, std::to_string(row.max + 1).c_str()), EINVAL) << row.name;
    EXPECT_EQ(row.value->load(), row.max) << "a refused value must change nothing";
    EXPECT_EQ(set_knob(row.name, std::to_string(row.default_value).c_str()), 0);
  }
}

TEST(Config, RefusesWhatIsNoNumber) {
  for (const char *bad : {"", "x", "1x", "-1", " 1", "0x10", "99999999999999999999999"}) {
    EXPECT_EQ(set_knob("HAKMEM_CHECK", bad), EINVAL) << bad;
  }
  EXPECT_EQ(set_knob("HAKMEM_CHECK", "on"), 0);
  EXPECT_EQ(knob(g_config.check), 1);
  EXPECT_EQ(set_knob("HAKMEM_CHECK", "off"), 0);
  EXPECT_EQ(knob(g_config.check), 0);
  EXPECT_EQ(set_knob("HAKMEM_NO_SUCH_KNOB", "1"), ENOENT);
}

TEST(Config, AChoiceIsKnownByItsNamesToo) {
  const char *const kMode = "HAKMEM_SS_MEM_LEAN_MODE";
  const char *const kNames[] = {"off", "free", "dontneed"};
  for (int64_t i = 2; i >= 0; --i) {
    EXPECT_EQ(set_knob(kMode, kNames[i]), 0);
    EXPECT_EQ(knob(g_config.mem_lean_mode), i) << kNames[i];
  }
  EXPECT_EQ(set_knob(kMode, "DONTNEED"), 0);
  EXPECT_EQ(knob(g_config.mem_lean_mode), 2);
  for (const char *bad : {"", "fre", "freed", "free/dontneed", "/", "need", "3"}) {
    EXPECT_EQ(set_knob(kMode, bad), EINVAL) << bad;
  }
  EXPECT_EQ(set_knob("HAKMEM_CHECK", "switch"), EINVAL);
  EXPECT_EQ(set_knob(kMode, "OFF"), 0);
  EXPECT_EQ(knob(g_config.mem_lean_mode), 0);
}

TEST(Config, KnobsOfTheObserveBuildAreKnownButRefusedElsewhere) {
  const int expected = kObserve ? 0 : ENOTSUP;
  EXPECT_EQ(set_knob("HAKMEM_TINY_MEM_DUMP", "0"), expected);
  EXPECT_EQ(set_knob("HAKMEM_LEDGER_DUMP", ""), expected);
}

TEST(Config, TheHeaderExplainsEveryKnob) {
  std::stringstream header;
  header << std::ifstream(HAKMEM_HEADER).rdbuf();
  for (const KnobRow &row : kKnobs) {
    EXPECT_NE(header.str().find(" *   " + std::string(row.name) + "  "), std::string::npos)
        << row.name << " is not explained at hakmem_configure";
  }
}

TEST(Config, TheHeaderExplainsEveryProfile) {
  std::stringstream header;
  header << std::ifstream(HAKMEM_HEADER).rdbuf();
  EXPECT_NE(header.str().find(" *   HAKMEM_PROFILE  "), std::string::npos);
  for (const ProfileRow &row : kProfiles) {
    EXPECT_NE(header.str().find(row.name), std::string::npos) << row.name;
    EXPECT_NE(header.str().find(row.alias), std::string::npos) << row.alias;
  }
}

TEST(Profiles, EveryValueIsInItsKnobsRange) {
  for (const ProfileRow &profile : kProfiles) {
    for (const ProfileSetting &setting : profile.settings) {
      if (setting.knob == nullptr) continue;
      for (const KnobRow &row : kKnobs) {
        if (row.value != setting.knob) continue;
        EXPECT_GE(setting.value, row.min) << profile.name << " " << row.name;
        EXPECT_LE(setting.value, row.max) << profile.name << " " << row.name;
      }
    }
  }
}

TEST(Profiles, TheFirstIsTheDefault) {
  for (const ProfileSetting &setting : kProfiles[0].settings) {
    for (const KnobRow &row : kKnobs) {
      if (row.value == setting.knob) {
        EXPECT_EQ(setting.value, row.default_value) << row.name;
      }
    }
  }
}

// A process of its own each: what a knob was set by its own name is never forgotten.
class ProfilesDeathTest : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  // Whether the process ends well after `body` has returned true.
  template <class Body>
  void expect(Body body) {
    EXPECT_EXIT(exit(body() ? 0 : 1), testing::ExitedWithCode(0), "");
  }
  static bool sets(const char *name, const char *value) { return set_knob(name, value) == 0; }
};

TEST_F(ProfilesDeathTest, SetsItsRowsAndPutsTheOthersToTheirDefaults) {
  expect([] {
    return sets("HAKMEM_PROFILE", "memory_lean_dontneed") && knob(g_config.mem_lean_mode) == 2 &&
           knob(g_config.depot_kb) == 256 && sets("HAKMEM_PROFILE", "mixed_speed_first") &&
           knob(g_config.mem_lean) == 0 && knob(g_config.mem_lean_mode) == 0 &&
           knob(g_config.depot_kb) == 8192 && warm_pool_kb() == 2048;
  });
}

TEST_F(ProfilesDeathTest, AreKnownByTheirAliasesToo) {
  expect([] {
    return sets("HAKMEM_PROFILE", "MIXED_TINYV3_C7_SAFE") && warm_pool_kb() == 2048 &&
           sets("HAKMEM_PROFILE", "MIXED_TINYV3_C7_BALANCED") && warm_pool_kb() == 0;
  });
}

TEST_F(ProfilesDeathTest, AnExplicitKnobWinsInEitherOrder) {
  expect([] {
    return sets("HAKMEM_DEPOT_KB", "77") && sets("HAKMEM_PROFILE", "memory_lean_dontneed") &&
           knob(g_config.depot_kb) == 77 && sets("HAKMEM_PURGE_DELAY_MS", "5") &&
           knob(g_config.purge_delay_ms) == 5;
  });
}

TEST_F(ProfilesDeathTest, AnUnknownOneChangesNothing) {
  expect([] {
    return sets("HAKMEM_PROFILE", "mixed_speed_first") &&
           set_knob("HAKMEM_PROFILE", "fast") == EINVAL &&
           set_knob("HAKMEM_PROFILE", "") == EINVAL && warm_pool_kb() == 2048;
  });
}

TEST_F(ProfilesDeathTest, LeanSuppressesAProfilesWarmPoolButNotAnExplicitOne) {
  expect([] {
    return sets("HAKMEM_PROFILE", "mixed_speed_first") && sets("HAKMEM_SS_MEM_LEAN", "1") &&
           warm_pool_kb() == 0 && sets("HAKMEM_SS_WARM_POOL_KB", "64") && warm_pool_kb() == 64;
  });
}

TEST(NearestName, IsFoundWithinAThirdOfTheName) {
  const char *known[] = {"HAKMEM_DEPOT_KB", "HAKMEM_PROFILE"};
  EXPECT_STREQ(nearest_name("HAKMEM_DEPOTKB", known, 2), "HAKMEM_DEPOT_KB");
  EXPECT_STREQ(nearest_name("HAKMEM_PROFIL", known, 2), "HAKMEM_PROFILE");
  EXPECT_EQ(nearest_name("HAKMEM_TRACE", known, 2), nullptr);
}

TEST(Config, AWarningLeavesErrnoAlone) {
  const int saved_stderr = dup(STDERR_FILENO);
  close(STDERR_FILENO);
  errno = 7777;
  warn("unknown setting ", "HAKMEM_NO_SUCH_KNOB", ", ignored");
  const int after = errno;
  dup2(saved_stderr, STDERR_FILENO);
  close(saved_stderr);
  EXPECT_EQ(after, 7777);
}

}  // namespace
}  // namespace hakmem
