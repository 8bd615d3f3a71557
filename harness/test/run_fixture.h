// run_fixture.h - runs the real hakbench in a folder of its own, for tests of the whole program.
//
// Owns:       the folder below the test's temporary directory, removed at the end.
// Boundary:   arguments in; exit code, both outputs and the result folder's files out.
#ifndef HAKBENCH_TEST_RUN_FIXTURE_H_
#define HAKBENCH_TEST_RUN_FIXTURE_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace hakbench {

namespace fs = std::filesystem;
using nlohmann::json;
using Row = std::map<std::string, std::string>;

inline std::string read_file(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<Row> read_csv(const std::string &path) {
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

inline std::string faulty(const std::string &name) {
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
      execv(binary_.c_str(), argv.data());
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

  // From here on run() starts a copy, in a tree whose path LD_PRELOAD can't name, with an empty
  // `library`. Returns the library's path.
  std::string move_to_odd_tree(const std::string &library) {
    const std::string tree = folder_ + "/odd tree";
    for (const char *part : {"/bin", "/lib"}) fs::create_directories(tree + part);
    fs::copy_file(HAKBENCH_BINARY, tree + "/bin/hakbench");
    binary_ = tree + "/bin/hakbench";
    std::ofstream(tree + "/lib/" + library).flush();
    return tree + "/lib/" + library;
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
  std::string binary_ = HAKBENCH_BINARY;
};

}  // namespace hakbench

#endif  // HAKBENCH_TEST_RUN_FIXTURE_H_
