// interrupt.h - SIGINT, SIGTERM and SIGHUP end a run cleanly instead of the process.
//
// Boundary:   install() once, by cli/, before the first subject starts. Waits return early on a
//             signal (no SA_RESTART) and their callers ask throw_if_interrupted().
#ifndef HAKBENCH_COORDINATOR_INTERRUPT_H_
#define HAKBENCH_COORDINATOR_INTERRUPT_H_

#include <chrono>

namespace hakbench {

struct Interrupted {
  int signal;  // the exit code is 128 + signal
};

// A SIGHUP that is ignored already stays so: the process was started with nohup.
void install_interrupt_handlers();
void throw_if_interrupted();  // throws Interrupted
// How often this process went on after it had been stopped (Ctrl-Z, SIGSTOP), since install.
int times_continued();
// Sleeps; throws Interrupted soon after a signal.
void sleep_until(std::chrono::steady_clock::time_point end);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_INTERRUPT_H_
