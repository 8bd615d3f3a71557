// idle.h - how RSS fell while a drained subject idled after one epoch, as plain data.
//
// Purpose:    the record that travels from the coordinator to the writer of samples.csv.
// Invariants: samples are in the order of time; the first is taken right after the drain.
#ifndef HAKBENCH_MODEL_IDLE_H_
#define HAKBENCH_MODEL_IDLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hakbench {

struct IdleSample {
  double since_drain_s;
  int64_t rss_kb;
};

struct IdleEpoch {
  int64_t seq;  // of its row in epochs.csv
  std::string subject;
  int64_t launch;
  int64_t epoch;
  std::vector<IdleSample> samples;
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_IDLE_H_
