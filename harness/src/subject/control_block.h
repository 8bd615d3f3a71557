// control_block.h - the memory that the coordinator and one subject share.
//
// Purpose:    the whole protocol between the two processes, as data.
// Owns:       nothing; the coordinator creates the memfd, both sides map it.
// Boundary:   plain data and futex words only: no pointers, no containers. The coordinator writes
//             SubjectSpec before exec and Command while the subject sleeps; the subject writes the rest.
// Invariants: one command at a time. The coordinator fills Command and then advances `go`; the subject
//             wakes, works, fills its answer and then sets `done` to the value of `go` it served.
//             From waking to sleeping again a subject with T threads makes exactly T + 1 system calls
//             of the harness's own: each worker's FUTEX_WAIT on `go`, and the last worker's FUTEX_WAKE
//             of `done`. Nothing of a kRun or kTimedRun command beyond those enters the kernel,
//             but for a gettid in a kTimedRun of each thread that a workload starts.
// Threads:    each worker writes only its own WorkerResult; `remaining` elects the last worker.
#ifndef HAKBENCH_SUBJECT_CONTROL_BLOCK_H_
#define HAKBENCH_SUBJECT_CONTROL_BLOCK_H_

#include <atomic>
#include <cstdint>

#include "subject/latency_probe.h"

namespace hakbench {

inline constexpr uint32_t kMaxWorkers = 256;
inline constexpr uint32_t kMaxParams = 16;
inline constexpr uint32_t kMaxCpus = 1024;

// What the subject is to be. Texts are NUL-terminated.
struct SubjectSpec {
  char plugin_name[128];
  char plugin_path[4096];
  char init_json[8192];
  char workload[64];
  char workload_file[4096];  // empty: it reads none
  uint64_t seed;
  uint32_t threads;
  bool times_ops;  // there will be kTimedRun commands
  uint32_t param_count;
  struct Param {
    char key[48];
    uint64_t value;
  } params[kMaxParams];
  uint32_t cpu_count;  // worker i runs on cpus[i % cpu_count]
  uint16_t cpus[kMaxCpus];
};

enum class CommandKind : uint32_t {
  kLoad,       // load the plugin, init, start the workers, set the workload up
  kPrefault,   // warm-up of `ops` operations a worker
  kRun,        // the timed loop: `ops` operations a worker
  kTimedRun,   // the same loop, each call of the allocator timed by itself
  kLatency,    // fill latency with the service times since the last such command
  kTearDown,   // free all blocks, as at the end; a ratchet soak
  kSetUp,      // and what the workload takes before its first operation, again
  kLiveBytes,  // fill live_bytes; apart from kRun because it may be slow
  kCheck,      // run check_plugin instead of a workload; only after start, never with kLoad
  kExit,       // tear the workload down, shut the allocator down, exit with 0
  kLedger      // fill text with the allocator's ledger_json
};

struct alignas(64) WorkerResult {
  uint64_t start_ns;  // CLOCK_MONOTONIC
  uint64_t end_ns;
  uint64_t failed_allocs;
};

// Facts about the plugin that only the process that loaded it knows.
struct PluginFacts {
  char name[128];
  char version[128];
  char build_config[512];
  char library_path[4096];
  char sha256[65];
  char build_id[129];
  char link_kind[64];
  bool generic;
};

// Service times in ticks of the subject's clock, and what those are: the clock at both ends of the epoch.
struct LatencyResult {
  char clock[128];
  ClockPair start;
  ClockPair end;
  LatencyRecord record;
};

struct ControlBlock {
  SubjectSpec spec;

  // Coordinator -> subject. `go` is a futex word and publishes (release) command and ops.
  alignas(64) std::atomic<uint32_t> go;
  CommandKind command;
  uint64_t ops;

  // Among the workers: start together, and know who is last. Reset by the coordinator.
  alignas(64) std::atomic<uint32_t> arrived;
  alignas(64) std::atomic<uint32_t> remaining;

  // Subject -> coordinator. `done` is a futex word and publishes (release) all answers.
  alignas(64) std::atomic<uint32_t> done;
  bool failed;  // the command could not be carried out; `text` says why
  uint64_t live_bytes;
  PluginFacts facts;
  char text[32768];      // an error, JSON, or the lines of a check: "name\tok|FAILED\tdetail\n"
  char check_name[128];  // the check under way, so that a crash can be named

  WorkerResult workers[kMaxWorkers];
  LatencyResult latency;
};

static_assert(std::atomic<uint32_t>::is_always_lock_free);

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_CONTROL_BLOCK_H_
