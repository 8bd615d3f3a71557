// micro_test.cc - `hakbench micro` as its users see it: files, names, errors. No time is compared.
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
  EXPECT_EQ(micro({"-a", "glibc", "--filter", "nothing"}).exit_code, 1);
  EXPECT_FALSE(fs::exists(result_ + "/glibc.json"));
}

}  // namespace
}  // namespace hakbench
