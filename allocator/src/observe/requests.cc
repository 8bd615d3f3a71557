#include "observe/requests.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include <cerrno>

#include "base/check.h"
#include "base/units.h"
#include "config/config.h"
#include "observe/observed.h"

namespace hakmem::observe {
namespace {

constexpr size_t kStackBytes = 256 * kKiB;

sem_t g_requests;

void on_signal(int) {
  const int saved_errno = errno;
  sem_post(&g_requests);  // async-signal-safe
  errno = saved_errno;
}

void *serve(void *) {
  for (;;) {
    if (sem_wait(&g_requests) != 0) continue;
    while (sem_trywait(&g_requests) == 0) {  // one ledger answers all that have asked
    }
    write_ledger_file();
  }
}

// False: the system has no room for the thread.
bool start_thread() {
  pthread_attr_t attributes;
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const bool started = pthread_create(&thread, &attributes, serve, nullptr) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace

void serve_requests() {
  load_config_from_environment();
  const auto signal_number = static_cast<int>(knob(g_config.ledger_signal));
  if (signal_number == 0) return;
  if (g_texts.ledger_dump[0] == '\0') {
    return warn("HAKMEM_LEDGER_SIGNAL does nothing", "", "; set HAKMEM_LEDGER_DUMP to a file too");
  }
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sem_init(&g_requests, 0, 0);
  if (!start_thread()) {
    return warn("HAKMEM_LEDGER_SIGNAL can't be served", "", "; there is no room for a thread");
  }
  if (sigaction(signal_number, &action, nullptr) != 0) {
    warn("HAKMEM_LEDGER_SIGNAL can't be served", "", "; choose another signal");
  }
}

}  // namespace hakmem::observe
