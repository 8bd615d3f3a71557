#include "suite_reporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <iostream>
#include <utility>

#include "model/error.h"
#include "output/line_file.h"

namespace hakbench {
namespace {

constexpr char kDebugWarning[] = "***WARNING*** Library was built as DEBUG";
constexpr char kAboutDebug[] =
    "Google Benchmark is built with its own checks, as Debian's is (library_build_type: debug); "
    "the "
    "timed loops are hakbench's code.\n";

benchmark::ConsoleReporter::OutputOptions colours() {
  const char *terminal = getenv("TERM");
  const bool has_some =
      isatty(STDOUT_FILENO) != 0 && terminal != nullptr && strcmp(terminal, "dumb") != 0;
  return has_some ? benchmark::ConsoleReporter::OO_Color : benchmark::ConsoleReporter::OO_None;
}

// The library's warning would have one doubt the numbers.
std::string explained(const std::string &notes) {
  std::string result;
  std::istringstream lines(notes);
  for (std::string line; std::getline(lines, line);)
    result += line.starts_with(kDebugWarning) ? kAboutDebug : line + "\n";
  return result;
}

}  // namespace

std::string part_of(const std::string &file) { return file + ".part"; }

SuiteReporter::SuiteReporter(const std::string &file)
    : ConsoleReporter(colours()),
      file_(file),
      part_(part_of(file)),
      fd_(open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (fd_ < 0) fail(errno);
  json_.SetOutputStream(&text_);
  json_.SetErrorStream(&text_);
  SetErrorStream(&notes_);
}

SuiteReporter::~SuiteReporter() {
  if (fd_ >= 0) close(fd_);
}

void SuiteReporter::fail(int code) const {
  const bool is_full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  throw Error("cannot write " + part_ + ": " + strerror(code) + "; " +
              (is_full ? "make room, or name another folder with -o" : "name another with -o"));
}

// The new results and what closes the JSON, in place of what closed it before.
void SuiteReporter::write_results() {
  const std::string results = text_.str();
  text_.str("");
  json_.Finalize();
  const std::string close_json = text_.str();
  text_.str("");
  const auto write_at_end = [&](const std::string &text) {
    return lseek(fd_, end_, SEEK_SET) >= 0 && write_all(fd_, text);
  };
  if (write_at_end(results + close_json)) {
    end_ += static_cast<off_t>(results.size());
    return;
  }
  const int code = errno;
  // There was room for it before, and nothing to keep if there was not.
  if (end_ > 0 && write_at_end(close_json)) {
    const off_t kept = end_ + static_cast<off_t>(close_json.size());
    [[maybe_unused]] const int ignored = ftruncate(fd_, kept);
  }
  fail(code);
}

bool SuiteReporter::ReportContext(const Context &context) {
  const bool goes_on = ConsoleReporter::ReportContext(context) && json_.ReportContext(context);
  std::cerr << explained(notes_.str());
  SetErrorStream(&std::cerr);
  write_results();
  return goes_on;
}

void SuiteReporter::ReportRuns(const std::vector<Run> &runs) {
  ConsoleReporter::ReportRuns(runs);
  json_.ReportRuns(runs);
  write_results();
}

void SuiteReporter::finish() {
  if (fsync(fd_) != 0) fail(errno);
  if (close(std::exchange(fd_, -1)) != 0) fail(errno);
  if (rename(part_.c_str(), file_.c_str()) != 0)
    throw Error("cannot create " + file_ + ": " + strerror(errno) + "; the results are in " +
                part_);
}

}  // namespace hakbench
