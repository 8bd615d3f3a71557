// coverage_ends.cc - the coverage build only: a test program's counts reach their files, however it
// ends.
//
// Purpose:    gcov writes at exit() alone, but misuse ends in abort() or in a fault, and a forked
//             child in _exit().
// Boundary:   linked into every test program of the preset `coverage`, with --wrap=_exit. The
//             allocator's own code knows nothing of it. How a program ends stays as it was.
#include <signal.h>

extern "C" {
void __gcov_dump();
[[noreturn]] void __real__exit(int code);
[[noreturn]] void __wrap__exit(int code);
}

void __wrap__exit(int code) {
  __gcov_dump();
  __real__exit(code);
}

namespace {

// Returns to the abort or to the fault, which ends the program now that the handler is gone.
void on_deadly_signal(int) { __gcov_dump(); }

[[gnu::constructor]] void catch_deadly_signals() {
  struct sigaction action = {};
  action.sa_handler = on_deadly_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGABRT, &action, nullptr);
  sigaction(SIGSEGV, &action, nullptr);
}

}  // namespace
