// recorded_program.cc - a program whose calls are known: recorded_program MODE [PATH].
#include "trace/recorded_program.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "trace/raw_events.h"

using namespace hakbench::trace_test;

namespace {

void *volatile g_early;
__attribute__((constructor)) void ask_early() { g_early = malloc(kEarlyBytes); }

// The compiler may not leave out a call whose result it sees.
template <class T>
T *seen(T *block) {
  asm volatile("" : "+r"(block) : : "memory");
  return block;
}

std::atomic<void *> g_mailbox[kThreads];

std::atomic<int> g_at_work{kThreads};

void free_mail(int thread) { free(g_mailbox[thread].exchange(nullptr)); }

// Until the mailbox's owner gives way.
void wait_for_room(int thread) {
  free_mail(thread);
  std::this_thread::yield();
}

// Thread t puts each block into the mailbox of the next thread, which frees it.
void take_part(int thread) {
  for (int round = 0; round < kRounds; ++round) {
    void *block = seen(malloc(born_bytes(thread, round)));
    if (is_resized(round)) block = seen(realloc(block, resized_bytes(thread, round)));
    std::atomic<void *> &to = g_mailbox[(thread + 1) % kThreads];
    for (void *empty = nullptr; !to.compare_exchange_weak(empty, block); empty = nullptr)
      wait_for_room(thread);
    free_mail(thread);
  }
  g_at_work.fetch_sub(1);
  while (g_at_work.load() > 0) wait_for_room(thread);
}

void run_threads() {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(take_part, thread);
  for (std::thread &thread : threads) thread.join();
  for (int thread = 0; thread < kThreads; ++thread) free_mail(thread);
}

void call_family() {
  size_t bytes = kFamilyBytes;
  std::vector<void *> blocks;
  blocks.push_back(seen(malloc(bytes++)));
  blocks.push_back(seen(calloc(1, bytes++)));
  void *aligned = nullptr;
  if (posix_memalign(&aligned, 64, bytes++) == 0) blocks.push_back(seen(aligned));
  blocks.push_back(seen(aligned_alloc(256, bytes++)));
  blocks.push_back(seen(memalign(1024, bytes++)));
  blocks.push_back(seen(valloc(bytes++)));
  blocks.push_back(seen(reallocarray(nullptr, 1, bytes++)));
  blocks.push_back(seen(static_cast<char *>(::operator new(bytes++))));
  for (void *block : blocks) free(block);
  free(nullptr);
  if (seen(malloc(SIZE_MAX / 2)) != nullptr) abort();  // fails, so it is in no trace
}

[[noreturn]] void be_child(void *inherited) {
  free(inherited);  // born in another process
  free(seen(malloc(kAfterForkBytes)));
  _exit(0);
}

void fork_child() {
  void *inherited = seen(malloc(kMarkBytes));
  const pid_t child = fork();
  if (child == 0) be_child(inherited);
  waitpid(child, nullptr, 0);
  free(inherited);
}

std::atomic<bool> g_cancelled{false};

void allocate_often() {
  for (int round = 0; round < kCancelledRounds; ++round) free(seen(malloc(kCancelledBytes)));
}

// Its cancellation is pending while it allocates, and acted on where the program asks for it.
void *be_cancelled(void *) {
  while (!g_cancelled.load()) sched_yield();
  allocate_often();
  pthread_testcancel();
  return nullptr;
}

void cancel_thread() {
  alarm(20);  // rather than hang
  pthread_t thread;
  if (pthread_create(&thread, nullptr, be_cancelled, nullptr) != 0) abort();
  pthread_cancel(thread);
  g_cancelled.store(true);
  void *result = nullptr;
  pthread_join(thread, &result);
  if (result != PTHREAD_CANCELED) abort();
  allocate_often();
}

// What processes leave that are killed at their first call, then a process whose number is larger.
void leave_short_files() {
  const std::string prefix = getenv(hakbench::trace::kPrefixVariable);
  std::ofstream(prefix + ".1.0" + hakbench::trace::kRawSuffix);
  std::ofstream(prefix + ".2.0" + hakbench::trace::kRawSuffix) << "HAKRAW01";
  fork_child();
}

// Until a signal ends it, or a minute.
[[noreturn]] void wait_for_signal(const char *ready) {
  alarm(60);
  std::ofstream(ready) << getpid() << '\n';
  for (;;) pause();
}

}  // namespace

int main(int, char **argv) {
  const char *mode = argv[1];
  if (strcmp(mode, "threads") == 0) run_threads();
  if (strcmp(mode, "family") == 0) call_family();
  if (strcmp(mode, "fork") == 0) fork_child();
  if (strcmp(mode, "exec") == 0) execl(argv[0], argv[0], "nothing", nullptr);
  if (strcmp(mode, "cancel") == 0) cancel_thread();
  if (strcmp(mode, "short") == 0) leave_short_files();
  if (strcmp(mode, "wait") == 0) wait_for_signal(argv[2]);
  if (strcmp(mode, "mkdir") == 0 && mkdir(argv[2], 0755) != 0) abort();
  if (strcmp(mode, "_exit") == 0) _exit(0);
  if (strcmp(mode, "abort") == 0) abort();
  if (strcmp(mode, "killed") == 0) kill(getpid(), SIGKILL);
  if (strcmp(mode, "closes") == 0) {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    run_threads();
  }
}
