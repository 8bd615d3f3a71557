// latency.h - the service times of one latency epoch, as plain data.
//
// Purpose:    the record that travels from the coordinator to the writer of latency.csv and exemplars.csv.
// Boundary:   the members of Exemplar are the columns of output/exemplar_columns.def, by name.
// Invariants: only buckets that hold something; by op, then in rising order. `op` is malloc, free, calloc,
//             realloc, aligned_alloc, or timer: the probe's own cost.
#ifndef HAKBENCH_MODEL_LATENCY_H_
#define HAKBENCH_MODEL_LATENCY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/epoch.h"

namespace hakbench {

struct LatencyBucket {
  std::string op;
  double low_ns;   // inclusive
  double high_ns;  // exclusive
  int64_t count;
};

// One of the slowest operations of an epoch. What was not measured is empty.
struct Exemplar {
  Integer seq;
  std::string subject;
  Integer launch;
  std::string op;
  Integer size_bytes;
  Integer thread;
  Integer start_ns;
  Integer service_time_ns;
  Integer page_faults;
  Integer context_switches;
};

struct LatencyEpoch {
  int64_t seq;  // of its row in epochs.csv
  std::string subject;
  int64_t launch;
  std::vector<LatencyBucket> buckets;
  std::vector<Exemplar> exemplars = {};  // the slowest first
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_LATENCY_H_
