#include "traced_child.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hakbench {
namespace {

// The child stops itself before and after the code; what lies between is counted.
[[noreturn]] void be_traced(const std::function<void()> &code) {
  if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
  raise(SIGSTOP);
  code();
  raise(SIGSTOP);
  _exit(0);
}

bool stopped_by(pid_t child, int signal_number) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFSTOPPED(status) &&
         WSTOPSIG(status) == signal_number;
}

}  // namespace

int64_t count_traced(Traced what, const std::function<void()> &code) {
  const pid_t child = fork();
  if (child == 0) be_traced(code);
  int64_t count = -1;
  if (child > 0 && stopped_by(child, SIGSTOP)) {
    const bool by_instruction = what == Traced::kInstructions;
    const auto go_on = by_instruction ? PTRACE_SINGLESTEP : PTRACE_SYSCALL;
    int64_t stops = 0;
    for (;;) {
      if (ptrace(go_on, child, nullptr, nullptr) != 0 || !stopped_by(child, SIGTRAP)) break;
      ++stops;
    }
    // A system call stops twice, on entry and on exit.
    count = by_instruction ? stops : stops / 2;
  }
  int status = 0;
  kill(child, SIGKILL);
  while (waitpid(child, &status, 0) == child && !WIFEXITED(status) && !WIFSIGNALED(status)) {
  }
  return count;
}

}  // namespace hakbench
