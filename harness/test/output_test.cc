// The CSV writer, the line file and the result folder.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "model/error.h"
#include "model/installation.h"
#include "output/csv.h"
#include "output/line_file.h"
#include "output/result_folder.h"
#include "output/resume_point.h"
#include "output/time_left.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> split(const std::string &line) {
  std::vector<std::string> cells;
  std::stringstream stream(line + ",");
  for (std::string cell; std::getline(stream, cell, ',');) cells.push_back(cell);
  return cells;
}

class OutputTest : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  std::string folder_ = testing::TempDir() + "hakbench-output-test-" + std::to_string(getpid());
};

TEST(Installation, OwnFilesAreNamedFromTheInstallationFolder) {
  EXPECT_EQ(relative_to_installation(installation_folder() + "/plugins/x.so"), "plugins/x.so");
  EXPECT_EQ(relative_to_installation("/usr/lib/x.so"), "/usr/lib/x.so");
  EXPECT_EQ(relative_to_installation(installation_folder() + "-other/x.so"),
            installation_folder() + "-other/x.so");
  EXPECT_EQ(relative_to_installation("x.so"), "x.so");
}

TEST(Installation, NamesLeadBackToTheFiles) {
  const std::string own = fs::read_symlink("/proc/self/exe").string();
  EXPECT_NE(relative_to_installation(own), own);
  EXPECT_EQ(resolve_in_installation(relative_to_installation(own)), own);
  EXPECT_EQ(resolve_in_installation("/usr/lib/x.so"), "/usr/lib/x.so");
  EXPECT_EQ(resolve_in_installation("plugins/nosuch.so"), "plugins/nosuch.so");
}

TEST(TimeLeft, LatencyEpochsTakeWhatTheyTook) {
  TimeLeft left(6, 2);  // two launches: warm-up, throughput, latency
  EXPECT_TRUE(left.is_at_least());
  left.took(false, 3);
  left.took(false, 1);
  EXPECT_DOUBLE_EQ(left.seconds(), 4 * 2) << "nothing is known of latency epochs yet";
  EXPECT_TRUE(left.is_at_least());
  left.took(true, 20);
  EXPECT_DOUBLE_EQ(left.seconds(), 2 * 2 + 20);
  EXPECT_FALSE(left.is_at_least());
  left.took(false, 3);
  left.took(false, 1);
  EXPECT_DOUBLE_EQ(left.seconds(), 20);
  left.took(true, 22);
  EXPECT_DOUBLE_EQ(left.seconds(), 0);
}

TEST(TimeLeft, WithoutLatencyEpochsItIsNoBound) {
  TimeLeft left(4, 0);
  left.took(false, 2);
  EXPECT_DOUBLE_EQ(left.seconds(), 6);
  EXPECT_FALSE(left.is_at_least());
}

TEST(Csv, HeaderIsTheListOfColumnsInFileOrder) {
  std::string expected;
#define COLUMN(name, type, doc) expected += #name ",";
#include "output/columns.def"
  EXPECT_EQ(epoch_header() + ",", expected);
  EXPECT_EQ(split(epoch_header()).front(), "seq");
}

TEST(Csv, ColumnTypesAreKnownAndNamesAreUnique) {
  std::set<std::string> names;
  for (const ColumnInfo &column : epoch_columns()) {
    EXPECT_TRUE(names.insert(column.name).second) << column.name;
    const std::string type = column.type;
    EXPECT_TRUE(type == "text" || type == "integer" || type == "real") << column.name;
  }
}

TEST(Csv, MissingIsEmptyAndZeroIsZero) {
  Epoch epoch;
  EXPECT_EQ(epoch_row(epoch), std::string(epoch_columns().size() - 1, ','));
  epoch.seq = 0;
  epoch.syscalls = 0;
  const std::vector<std::string> names = split(epoch_header());
  const std::vector<std::string> cells = split(epoch_row(epoch));
  ASSERT_EQ(cells.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(cells[i], names[i] == "seq" || names[i] == "syscalls" ? "0" : "") << names[i];
}

TEST(Csv, CellsWithCommasAndQuotesAreQuotedAndLinesStayWhole) {
  Event event;
  event.event = "crash";
  event.detail = "said \"no\", twice\nand died";
  EXPECT_EQ(event_row(3, 1.5, event), "3,1.5,,,crash,\"said \"\"no\"\", twice and died\"");
}

TEST(Csv, RowsAreSplitAsTheyWereWritten) {
  Event event;
  event.event = "crash";
  event.detail = "said \"no\", twice";
  EXPECT_EQ(split_row(event_row(3, 1.5, event)),
            (std::vector<std::string>{"3", "1.5", "", "", "crash", "said \"no\", twice"}));
  EXPECT_EQ(split_row(",,"), (std::vector<std::string>{"", "", ""}));
}

TEST(LineFile, FullDeviceIsAnErrorThatNamesFileAndMend) {
  LineFile file("/dev/full", LineFile::Start::kEmpty);
  try {
    file.append("row");
    FAIL() << "writing to a full device went unnoticed";
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find("/dev/full: No space left"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("-o"), std::string::npos);
  }
}

TEST_F(OutputTest, LineThatDoesNotFitIsCutOffAgain) {
  fs::create_directories(folder_);
  const std::string path = folder_ + "/rows.csv";
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small = {10, before.rlim_max};
  LineFile file(path, LineFile::Start::kEmpty);
  setrlimit(RLIMIT_FSIZE, &small);
  file.append("12345");
  EXPECT_THROW(file.append("678901234"), Error);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(read_file(path), "12345\n");
}

TEST_F(OutputTest, ContinuedFileLosesItsCutOffLineAndNoOther) {
  fs::create_directories(folder_);
  const std::string path = folder_ + "/rows.csv";
  // The second is longer than what is read at a time.
  for (const std::string &cut_off : {std::string("4,5"), std::string(10'000, 'x'), std::string()}) {
    std::ofstream(path) << "1,2\n3,4\n" + cut_off;
    LineFile(path, LineFile::Start::kContinue).append("5,6");
    EXPECT_EQ(read_file(path), "1,2\n3,4\n5,6\n");
  }
  std::ofstream(path) << "no line at all";
  EXPECT_TRUE(LineFile(path, LineFile::Start::kContinue).is_empty());
}

TEST_F(OutputTest, FileIsWrittenByOneAtATime) {
  fs::create_directories(folder_);
  const std::string path = folder_ + "/rows.csv";
  LineFile first(path, LineFile::Start::kEmpty);
  first.append("1,2");
  for (const auto start : {LineFile::Start::kEmpty, LineFile::Start::kContinue})
    EXPECT_THROW(LineFile(path, start), Error);
  EXPECT_EQ(read_file(path), "1,2\n");
}

TEST_F(OutputTest, FolderIsValidFromTheFirstMoment) {
  ResultFolder results(folder_ + "/deep/er", false, {{"format", "hakbench-result/1"}});
  const std::string path = results.path();
  EXPECT_EQ(nlohmann::json::parse(read_file(path + "/manifest.json"))["status"], "running");
  Epoch epoch;
  epoch.seq = 0;
  results.on_epoch(epoch);
  EXPECT_EQ(read_file(path + "/epochs.csv"), epoch_header() + "\n" + epoch_row(epoch) + "\n");
  results.on_facts({{"ops_per_epoch", 5}});
  results.finish("failed", "why");
  const auto manifest = nlohmann::json::parse(read_file(path + "/manifest.json"));
  EXPECT_EQ(manifest["status"], "failed");
  EXPECT_EQ(manifest["error"], "why");
  EXPECT_EQ(manifest["ops_per_epoch"], 5);
  EXPECT_EQ(manifest["epochs"], 1);
}

TEST_F(OutputTest, LatencyFileBeginsWithTheFirstLatencyEpoch) {
  ResultFolder results(folder_, false, nlohmann::json::object());
  const std::string path = results.path() + "/latency.csv";
  EXPECT_FALSE(fs::exists(path));
  results.on_latency({7, "b", 2, {{"free", 4, 4.4, 3}, {"malloc", 33.25, 34.5, 1'000'000'000}}});
  results.on_latency({9, "a", 2, {{"timer", 0, 0.4, 1}}});
  EXPECT_EQ(read_file(path),
            "seq,subject,launch,op,low_ns,high_ns,count\n7,b,2,free,4,4.4,3\n"
            "7,b,2,malloc,33.25,34.5,1000000000\n9,a,2,timer,0,0.4,1\n");
}

TEST_F(OutputTest, LatencyFileIsContinuedWithTheRunAndGoesWithIt) {
  const std::string path = folder_ + "/latency.csv";
  const LatencyEpoch epoch = {7, "b", 2, {{"free", 4, 4.4, 3}}};
  const std::string row = "7,b,2,free,4,4.4,3\n";
  { ResultFolder(folder_, false, nlohmann::json::object()).on_latency(epoch); }
  std::ofstream(path, std::ios::app) << "8,a,2,fr";
  { ResultFolder(folder_, nlohmann::json::object(), ResumePoint{}).on_latency(epoch); }
  EXPECT_EQ(read_file(path), "seq,subject,launch,op,low_ns,high_ns,count\n" + row + row);
  { ResultFolder(folder_, true, nlohmann::json::object()); }
  EXPECT_FALSE(fs::exists(path)) << "it would belong to another run's epochs";
}

constexpr char kExemplarHeader[] =
    "seq,subject,launch,op,size_bytes,thread,start_ns,service_time_ns,page_faults,context_"
    "switches\n";

TEST_F(OutputTest, ExemplarFileBeginsWithTheFirstExemplarAndKeepsEmptyApartFromNone) {
  ResultFolder results(folder_, false, nlohmann::json::object());
  const std::string path = results.path() + "/exemplars.csv";
  results.on_latency({6, "b", 2, {{"free", 4, 4.4, 3}}});
  EXPECT_FALSE(fs::exists(path));
  LatencyEpoch epoch = {7, "b", 2, {{"free", 4, 4.4, 3}}};
  epoch.exemplars = {{7, "b", 2, "calloc", 4096, 0, 123456789012, 5000, 2, 0},
                     {7, "b", 2, "free", {}, {}, 123456789099, 4000, {}, {}}};
  results.on_latency(epoch);
  EXPECT_EQ(read_file(path), std::string(kExemplarHeader) +
                                 "7,b,2,calloc,4096,0,123456789012,5000,2,0\n"
                                 "7,b,2,free,,,123456789099,4000,,\n");
}

TEST_F(OutputTest, ExemplarFileIsContinuedWithTheRunAndGoesWithIt) {
  const std::string path = folder_ + "/exemplars.csv";
  LatencyEpoch epoch = {7, "b", 2, {{"free", 4, 4.4, 3}}};
  epoch.exemplars = {{7, "b", 2, "free", {}, 0, 12, 4, 0, 0}};
  const std::string row = "7,b,2,free,,0,12,4,0,0\n";
  { ResultFolder(folder_, false, nlohmann::json::object()).on_latency(epoch); }
  std::ofstream(path, std::ios::app) << "8,a,2,fr";
  { ResultFolder(folder_, nlohmann::json::object(), find_resume_point(folder_)).on_latency(epoch); }
  EXPECT_EQ(read_file(path), kExemplarHeader + row + row);
  std::ofstream(path) << "seq,subject\n1,a\n";
  EXPECT_THROW(find_resume_point(folder_), Error)
      << "rows of other columns are not mixed with these";
  { ResultFolder(folder_, true, nlohmann::json::object()); }
  EXPECT_FALSE(fs::exists(path)) << "it would belong to another run's epochs";
}

TEST_F(OutputTest, WhatWasMadeOfOtherRowsGoesWithThem) {
  fs::create_directories(folder_);
  for (const char *name : {"verdict.json", "report.md", "report.html", "report.png", "gate.json"})
    std::ofstream(folder_ + "/" + name) << "of another run";
  std::ofstream(folder_ + "/notes.txt") << "the user's";
  { ResultFolder(folder_, true, nlohmann::json::object()); }
  for (const char *name : {"verdict.json", "report.md", "report.html", "report.png", "gate.json"})
    EXPECT_FALSE(fs::exists(folder_ + "/" + name)) << name;
  EXPECT_TRUE(fs::exists(folder_ + "/notes.txt"));
}

TEST_F(OutputTest, AFolderThatAnotherRunWroteToMeanwhileIsNotContinued) {
  ResumePoint before;
  {
    ResultFolder results(folder_, false, nlohmann::json::object());
    before = find_resume_point(folder_);
    Epoch epoch;
    epoch.seq = epoch.launch = 0;
    epoch.start_ns = epoch.elapsed_ns = 1;
    results.on_epoch(epoch);
  }
  EXPECT_THROW(ResultFolder(folder_, nlohmann::json::object(), before), Error);
  EXPECT_NO_THROW(ResultFolder(folder_, nlohmann::json::object(), find_resume_point(folder_)));
}

TEST_F(OutputTest, OnlyARegularFileIsReplacedAndALinkStays) {
  fs::create_directories(folder_);
  const std::string file = folder_ + "/file", link = folder_ + "/link", pipe = folder_ + "/pipe";
  replace_file(file, "one");
  fs::create_symlink("file", link);
  replace_file(link, "two");
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(read_file(file), "two");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(replace_file(pipe, "three"), Error);
  EXPECT_THROW(replace_file(folder_, "three"), Error);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST_F(OutputTest, FolderThatIsNotEmptyIsRefusedUnlessForced) {
  fs::create_directories(folder_ + "/x");
  EXPECT_THROW(ResultFolder(folder_, false, {}), Error);
  EXPECT_NO_THROW(ResultFolder(folder_, true, nlohmann::json::object()));
}

}  // namespace
}  // namespace hakbench
