// terminal_line.h - one line on a terminal that is written over and over.
//
// Boundary:   writes to stderr, and only if that is a terminal; silent otherwise, but for warnings.
//             NO_COLOR (any value) switches bold off.
// Invariants: a terminal that was closed is no reason to fail. The line is cleared at the end.
#ifndef HAKBENCH_OUTPUT_TERMINAL_LINE_H_
#define HAKBENCH_OUTPUT_TERMINAL_LINE_H_

#include <string>

namespace hakbench {

class TerminalLine {
 public:
  TerminalLine();
  ~TerminalLine() { show(""); }
  TerminalLine(const TerminalLine &) = delete;
  TerminalLine &operator=(const TerminalLine &) = delete;

  void show(const std::string &line) const;
  // Prints a warning that stays, whether or not stderr is a terminal.
  void warn(const std::string &text) const;
  std::string bold(const std::string &text) const;

 private:
  bool terminal_;
  bool colour_;
};

// "12:34", "1:02:03"
std::string clock_text(double seconds);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_TERMINAL_LINE_H_
