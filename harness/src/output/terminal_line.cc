#include "output/terminal_line.h"

#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace hakbench {

TerminalLine::TerminalLine()
    : terminal_(isatty(STDERR_FILENO) == 1), colour_(getenv("NO_COLOR") == nullptr) {}

void TerminalLine::show(const std::string &line) const {
  if (terminal_) fputs(("\r\x1b[K" + line).c_str(), stderr);
}

void TerminalLine::warn(const std::string &text) const {
  show("");
  fputs(("hakbench: warning: " + text + "\n").c_str(), stderr);
}

std::string TerminalLine::bold(const std::string &text) const {
  return colour_ ? "\x1b[1m" + text + "\x1b[0m" : text;
}

std::string clock_text(double seconds) {
  const int64_t whole = std::llround(std::max(seconds, 0.0));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace hakbench
