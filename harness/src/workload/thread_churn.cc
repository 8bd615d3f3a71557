// thread_churn.cc - threads are born, use inherited blocks, and die.
//
// Models: thread-per-request servers and pools that resize: each unit starts a thread that runs a
//   few hundred random_mixed ops on the working set the former thread left behind, so it frees blocks
//   of dead threads and leaves its own to the next.
// Does NOT model: several short-lived threads of one worker at the same time, detached threads.
//   Each unit costs a thread's creation and join, the C library's part of which is the same for every
//   allocator; these are system calls of the workload's own. A unit ends early at the end of run.
#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "workload/random_mixed_lane.h"

namespace hakbench {
namespace {

class ThreadChurnLane {
 public:
  ThreadChurnLane(const WorkloadConfig &config, uint32_t thread, NothingShared *nothing)
      : ops_per_thread_(config.params.at("ops_per_thread")), slots_(config, thread, nothing) {}

  bool map() { return slots_.map(); }
  bool set_up(const allocator_plugin &allocator) { return slots_.set_up(allocator); }

  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) {
    return in_threads(allocator, ops, &RandomMixedLane::prefault);
  }

  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    return in_threads(allocator, ops, &RandomMixedLane::run);
  }

  uint64_t live_bytes() const { return slots_.live_bytes(); }
  void tear_down(const allocator_plugin &allocator) { slots_.tear_down(allocator); }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    hash->add(config.params.at("ops_per_thread"));
    RandomMixedLane::hash_stream(config, thread, ops, hash);
  }

 private:
  using Part = uint64_t (RandomMixedLane::*)(const allocator_plugin &, uint64_t);

  struct Unit {
    RandomMixedLane *slots;
    Part part;
    const allocator_plugin *allocator;
    uint64_t ops;
    uint64_t failed;
  };

  static void *live(void *argument) {
    auto *const unit = static_cast<Unit *>(argument);
    const allocator_plugin &allocator = *unit->allocator;
    if (allocator.thread_begin != nullptr) allocator.thread_begin();
    unit->failed += (unit->slots->*unit->part)(allocator, unit->ops);
    if (allocator.thread_end != nullptr) allocator.thread_end();
    return nullptr;
  }

  uint64_t in_threads(const allocator_plugin &allocator, uint64_t ops, Part part) {
    Unit unit{&slots_, part, &allocator, 0, 0};
    for (; ops != 0; ops -= unit.ops) {
      unit.ops = std::min(ops, ops_per_thread_);
      pthread_t thread;
      const int error = pthread_create(&thread, nullptr, &live, &unit);
      if (error != 0) {  // there is no honest number to go on with
        std::fprintf(stderr, "workload thread_churn: cannot start a thread: %s; raise ulimit -u\n",
                     std::strerror(error));
        std::abort();
      }
      pthread_join(thread, nullptr);
    }
    return unit.failed;
  }

  const uint64_t ops_per_thread_;
  RandomMixedLane slots_;
};

}  // namespace

WorkloadRow thread_churn_row() {
  std::vector<ParamInfo> params = random_mixed_params();
  params.push_back({"ops_per_thread", 300, 1, uint64_t{1} << 40, "life of a thread, ops"});
  return lane_row<ThreadChurnLane>(
      {"thread_churn", "short-lived threads run random_mixed on the blocks of dead ones", 1, 1, 64,
       params},
      &size_params_ok);
}

}  // namespace hakbench
