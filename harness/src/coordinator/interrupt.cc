#include "coordinator/interrupt.h"

#include <signal.h>

#include <initializer_list>

namespace hakbench {
namespace {

volatile sig_atomic_t pending_signal = 0;

void remember(int signal_number) { pending_signal = signal_number; }

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action = {};
  action.sa_handler = remember;
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP})
    sigaction(signal_number, &action, nullptr);
  // Writing to a full quota or a closed pipe must come back as an error code, not as a signal.
  signal(SIGXFSZ, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
}

void throw_if_interrupted() {
  if (pending_signal != 0) throw Interrupted{pending_signal};
}

}  // namespace hakbench
