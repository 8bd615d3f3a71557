// suite_reporter.h - what the micro suite prints, and its file in Google Benchmark's own format.
//
// Purpose: each result on the terminal and in FILE.part at once; FILE is there when it is whole.
// Owns: FILE.part until finish(). One that a process leaves holds the results until then.
// Boundary: Google Benchmark calls it; allocators and processes are micro_main.cc's. Throws Error.
// Invariants: FILE.part is valid JSON after each result, however the process ends.
// Threads: one.
#pragma once

#include <benchmark/benchmark.h>
#include <sys/types.h>

#include <sstream>
#include <string>
#include <vector>

namespace hakbench {

std::string part_of(const std::string &file);  // FILE.part

class SuiteReporter : public benchmark::ConsoleReporter {
 public:
  explicit SuiteReporter(const std::string &file);
  ~SuiteReporter() override;
  SuiteReporter(const SuiteReporter &) = delete;
  SuiteReporter &operator=(const SuiteReporter &) = delete;

  bool ReportContext(const Context &context) override;
  void ReportRuns(const std::vector<Run> &runs) override;

  // All results are there: the file gets its name.
  void finish();

  // What the library had to say before the first benchmark.
  std::string notes() const { return notes_.str(); }

 private:
  void write_results();
  [[noreturn]] void fail(int code) const;

  const std::string file_;
  const std::string part_;
  int fd_;
  off_t end_ = 0;  // of the results, where the next one goes; what closes the JSON is behind it
  std::ostringstream text_;
  std::ostringstream notes_;
  benchmark::JSONReporter json_;
};

}  // namespace hakbench
