#include "subject/loop.h"

#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <vector>

#include "workload/recording_allocator.h"

namespace hakbench {

// Not inlined and not mangled, so that it can be named from outside.
extern "C" __attribute__((noinline)) uint64_t hakbench_timed_loop(Workload *workload,
                                                                  const allocator_plugin *table,
                                                                  uint32_t worker, uint64_t ops) {
  return workload->run(*table, worker, ops);
}

namespace {

// While no worker runs: do workload and books agree?
void compare_live_bytes(const Workload &workload, std::string *error) {
  const uint64_t counted = workload.live_bytes();
  const uint64_t recorded = recording().live_bytes;
  if (counted == recorded) return;
  *error = "check: the workload counts " + std::to_string(counted) + " live bytes, but " +
           std::to_string(recorded) + " are";
}

void check_ending(std::string *error) {
  const Recording books = recording();
  if (!books.fault.empty()) *error = "check: " + books.fault;
  if (error->empty() && books.live_bytes != 0)
    *error = "check: " + std::to_string(books.live_bytes) + " bytes are live after the end";
}

}  // namespace

bool run_loop(const LoadedPlugin &plugin, const WorkloadConfig &config, const LoopWork &work,
              uint64_t *failed_allocs, std::string *error) {
  const std::unique_ptr<Workload> workload = make_workload(config, error);
  if (workload == nullptr) return false;
  if (!allocator_offers(config, *plugin.table, error)) return false;
  const allocator_plugin &table =
      work.check ? record_calls_of(*plugin.table, written_bytes(config)) : *plugin.table;
  // Whatever a worker adds here is read after the barrier or the join that follows it.
  std::atomic<uint64_t> failed = 0;
  std::atomic<bool> set_up = true;
  std::barrier together(static_cast<std::ptrdiff_t>(config.threads));
  const auto work_as = [&](uint32_t worker) {
    if (table.thread_begin != nullptr) table.thread_begin();
    if (!workload->set_up(table, worker)) set_up.store(false, std::memory_order_relaxed);
    together.arrive_and_wait();
    if (set_up.load(std::memory_order_relaxed)) {
      if (work.prefault_per_worker > 0) {
        failed.fetch_add(workload->prefault(table, worker, work.prefault_per_worker),
                         std::memory_order_relaxed);
        together.arrive_and_wait();
      }
      failed.fetch_add(hakbench_timed_loop(workload.get(), &table, worker, work.ops_per_worker),
                       std::memory_order_relaxed);
      together.arrive_and_wait();
      if (work.check) {
        if (worker == 0) compare_live_bytes(*workload, error);
        together.arrive_and_wait();
      }
      workload->tear_down(table, worker);
    }
    if (table.thread_end != nullptr) table.thread_end();
  };
  std::vector<std::thread> others;
  for (uint32_t worker = 1; worker < config.threads; ++worker) others.emplace_back(work_as, worker);
  work_as(0);
  for (std::thread &other : others) other.join();
  if (table.shutdown != nullptr) table.shutdown();
  *failed_allocs = failed.load(std::memory_order_relaxed);
  if (!set_up.load(std::memory_order_relaxed)) *error = "no memory for the workload";
  if (work.check) check_ending(error);
  return error->empty();
}

}  // namespace hakbench
