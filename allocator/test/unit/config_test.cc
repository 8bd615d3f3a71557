// config_test.cc - the table of knobs.
#include "config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

#include "base/check.h"

namespace hakmem {
namespace {

TEST(Config, EveryRowHoldsItsDefaultAndAcceptsItsRange) {
  for (const KnobRow &row : kKnobs) {
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

TEST(Config, TheHeaderExplainsEveryKnob) {
  std::stringstream header;
  header << std::ifstream(HAKMEM_HEADER).rdbuf();
  for (const KnobRow &row : kKnobs) {
    EXPECT_NE(header.str().find(" *   " + std::string(row.name) + "  "), std::string::npos)
        << row.name << " is not explained at hakmem_configure";
  }
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
