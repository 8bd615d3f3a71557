#include "coordinator/interrupt.h"

#include <signal.h>

#include <algorithm>
#include <initializer_list>
#include <thread>

namespace hakbench {
namespace {

constexpr std::chrono::milliseconds kSleepSlice{50};

volatile sig_atomic_t pending_signal = 0;

volatile sig_atomic_t continuations = 0;

void remember(int signal_number) { pending_signal = signal_number; }
void count_continuation(int) { continuations = continuations + 1; }

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action = {};
  action.sa_handler = remember;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    sigaction(signal_number, nullptr, &before);
    if (signal_number == SIGHUP && before.sa_handler == SIG_IGN) continue;
    sigaction(signal_number, &action, nullptr);
  }
  struct sigaction continued = {};
  continued.sa_handler = count_continuation;
  continued.sa_flags = SA_RESTART;
  sigaction(SIGCONT, &continued, nullptr);
  // Writing to a full quota or a closed pipe must come back as an error code, not as a signal.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

void throw_if_interrupted() {
  if (pending_signal != 0) throw Interrupted{pending_signal};
}

int times_continued() { return continuations; }

void sleep_until(std::chrono::steady_clock::time_point end) {
  for (;;) {
    throw_if_interrupted();
    const auto now = std::chrono::steady_clock::now();
    if (now >= end) return;
    std::this_thread::sleep_until(std::min(end, now + kSleepSlice));
  }
}

}  // namespace hakbench
