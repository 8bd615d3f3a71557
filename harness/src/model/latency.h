// latency.h - the service times of one latency epoch, as plain data.
//
// Purpose:    the record that travels from the coordinator to the writer of latency.csv.
// Invariants: only buckets that hold something; by op, then in rising order. `op` is malloc, free, calloc,
//             realloc, aligned_alloc, or timer: the probe's own cost.
#ifndef HAKBENCH_MODEL_LATENCY_H_
#define HAKBENCH_MODEL_LATENCY_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hakbench {

struct LatencyBucket {
  std::string op;
  double low_ns;   // inclusive
  double high_ns;  // exclusive
  int64_t count;
};

struct LatencyEpoch {
  int64_t seq;  // of its row in epochs.csv
  std::string subject;
  int64_t launch;
  std::vector<LatencyBucket> buckets;
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_LATENCY_H_
