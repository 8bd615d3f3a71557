// epoch.h - what one epoch measured, and what happened between epochs, as plain data.
//
// Purpose:    the record that travels from the coordinator to every writer.
// Owns:       nothing; values only.
// Boundary:   the members of Epoch are the columns of output/columns.def, by name; the CSV writer is
//             generated from that file, so a column without its member does not compile.
// Invariants: an empty optional or an empty text means "not measured"; a measured zero is 0.
// Threads:    none.
#ifndef HAKBENCH_MODEL_EPOCH_H_
#define HAKBENCH_MODEL_EPOCH_H_

#include <cstdint>
#include <optional>
#include <string>

namespace hakbench {

using Integer = std::optional<int64_t>;
using Real = std::optional<double>;

struct Epoch {
  Integer seq;
  std::string subject;
  std::string allocator;
  Integer launch;
  Integer block;
  Integer slot;
  std::string order;
  Integer epoch;
  std::string kind;
  std::string workload;
  Integer threads;
  std::string cpu;

  Integer start_ns;
  Real wall_time_s;
  Integer ops;
  Integer elapsed_ns;
  Integer cpu_time_ns;
  Real ops_per_s;
  Real ns_per_op;
  Integer failed_allocs;
  Integer live_bytes;

  Integer rss_base_kb;
  Integer rss_kb;
  Integer rss_above_base_kb;
  Integer peak_rss_kb;
  Integer peak_rss_above_base_kb;
  Integer anon_huge_kb;
  Integer vm_size_kb;
  Integer minor_faults;
  Integer major_faults;
  Integer syscalls;
  Integer instructions;
  Integer drained_rss_kb;
  Integer idle_rss_kb;
  Integer harness_rss_kb;

  Integer voluntary_switches;
  Integer involuntary_switches;
  Integer run_delay_ns;
  Integer steal_ns;
  Integer psi_cpu_us;
  Integer quarantined;
  Real load_1min;
};

// Its detail is a sentence that is also told to whoever waits for the run.
inline constexpr char kWarningEvent[] = "warning";

// A row of events.csv. `launch` is empty for events of the whole run.
struct Event {
  std::string subject;
  Integer launch;
  std::string event;   // launch, calibration, quarantine, crash, hang, interrupted ...
  std::string detail;  // for people; key=value pairs where a program reads it (block=3)
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_EPOCH_H_
