// config_test.cc - the table of knobs.
#include "config/config.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

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

}  // namespace
}  // namespace hakmem
