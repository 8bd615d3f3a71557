// workload.h - what a subject does to the allocator under test.
//
// Purpose: one interface over all workloads, and the registry that makes them by name.
// Owns: nothing; each workload owns its slot arrays, which come from mmap and never from the
//   allocator under test. make_workload maps them and faults them in, so a subject that makes its
//   workload before it samples its base RSS keeps them out of the allocator's account.
// Boundary: a workload sees the allocator only through the plugin's table. It knows nothing about
//   clocks, epochs or processes.
// Invariants: seed, parameters and file decide the stream of operations completely (op_stream_hash is
//   its fingerprint); one op is one call of the allocator (malloc, calloc, realloc, aligned_alloc or
//   free), in every workload.
// Threads: make_workload, live_bytes and the destructor are called while no worker runs. The other
//   methods are called by worker `thread` (0 .. threads-1) itself, all workers the same method with
//   the same `ops`, concurrently, with a barrier between one method and the next. Workers may wait
//   for each other inside run and prefault (producer_consumer and trace do).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allocator_plugin.h"

namespace hakbench {

struct WorkloadConfig {
  std::string name = "random_mixed";
  uint32_t threads = 1;
  uint64_t seed = 1;
  std::map<std::string, uint64_t> params;  // only what differs from the defaults
  std::string file = {};                   // of a workload that reads one
};

class Workload {
 public:
  virtual ~Workload() = default;

  // Untimed: allocates what the working set must hold before the first op (for most workloads
  // nothing). False if the allocator refuses.
  virtual bool set_up(const allocator_plugin &allocator, uint32_t thread) = 0;

  // Warm-up: `ops` operations from another seed than run's. At most once, before the first run; the
  // blocks it leaves live stay in the working set. Returns failed allocations.
  virtual uint64_t prefault(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) = 0;

  // The timed loop. Makes no system call of its own, unless the workload's page says so. State
  // carries on from call to call: run(a) then run(b) is the same stream as run(a+b). Returns failed
  // allocations.
  virtual uint64_t run(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) = 0;

  // Bytes now held by all threads together, as they were asked for.
  virtual uint64_t live_bytes() const = 0;

  // Frees every live block of this thread. set_up and run may follow again, when all threads are through
  // (a soak that drains); run then goes on with its stream, on an empty working set.
  virtual void tear_down(const allocator_plugin &allocator, uint32_t thread) = 0;
};

struct ParamInfo {
  std::string name;
  uint64_t default_value;
  uint64_t min;
  uint64_t max;
  std::string doc;  // with its unit
};

// Functions a workload calls besides malloc and free; bits of WorkloadInfo::needs.
inline constexpr uint32_t kNeedsCalloc = 1;
inline constexpr uint32_t kNeedsRealloc = 2;
inline constexpr uint32_t kNeedsAlignedAlloc = 4;

// WorkloadInfo::written_bytes of a workload that may write all over its blocks.
inline constexpr uint64_t kWritesAnyByte = UINT64_MAX;

struct WorkloadInfo {
  std::string name;
  std::string summary;  // one line
  uint32_t default_threads;
  uint32_t min_threads;
  uint32_t max_threads;
  std::vector<ParamInfo> params;
  uint32_t needs = 0;
  // It writes at most so many bytes at the start of a block that was not reallocated; a check fills
  // the rest and looks at it later.
  uint64_t written_bytes = 4;
  std::string file_doc = {};  // what file it reads; empty: none
};

// NULL on a bad configuration or if the arrays can't be mapped; *error then names the workload, the
// key and what was expected.
std::unique_ptr<Workload> make_workload(const WorkloadConfig &config, std::string *error);

// Whether the allocator has what the workload calls. *error names what is missing.
bool allocator_offers(const WorkloadConfig &config, const allocator_plugin &allocator,
                      std::string *error);

// WorkloadInfo::written_bytes of config.name.
uint64_t written_bytes(const WorkloadConfig &config);

// Fingerprint of the first `ops` operations (of 2^30 at most) that each thread would run after prefault:
// kind of operation is implied by the hashed (slot, size) pairs. Allocates nothing from any allocator under
// test. Returns 0 on a configuration that make_workload refuses.
uint64_t op_stream_hash(const WorkloadConfig &config, uint64_t ops);

// Operations, of all threads together, after which the workload is where it began; 0 if it never is.
// An epoch of whole periods is like the next. 0 on a configuration that make_workload refuses.
uint64_t workload_period_ops(const WorkloadConfig &config);

std::vector<WorkloadInfo> list_workloads();

}  // namespace hakbench
