// registry.h - the table of workloads. A new workload is one file and one row here.
//
// Purpose: what the registry needs to know of each workload.
// Boundary: included by the workload files and workload.cc only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "workload/workload.h"

namespace hakbench {

class StreamHash;

// The functions see a configuration whose keys and ranges are already checked and whose defaults
// are filled in.
struct WorkloadRow {
  WorkloadInfo info;
  // What single ranges can't express; names the key and the mend. NULL if there is nothing.
  bool (*validate)(const WorkloadConfig &config, std::string *error);
  std::unique_ptr<Workload> (*make)(const WorkloadConfig &config, std::string *error);
  void (*hash_stream)(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                      StreamHash *hash);
  uint64_t (*period_ops)(const WorkloadConfig &config) = nullptr;  // NULL: it has none
};

WorkloadRow random_mixed_row();
WorkloadRow batch_row();
WorkloadRow producer_consumer_row();
WorkloadRow larson_row();
WorkloadRow thread_churn_row();
WorkloadRow cache_scratch_row();
WorkloadRow growth_row();
WorkloadRow phases_row();
WorkloadRow sawtooth_row();
WorkloadRow xmalloc_row();
WorkloadRow mstress_row();
WorkloadRow cache_thrash_row();
WorkloadRow realloc_growth_row();
WorkloadRow calloc_row();
WorkloadRow aligned_row();
WorkloadRow large_row();
WorkloadRow huge_row();
WorkloadRow fleet_row();
WorkloadRow fragmentation_row();
WorkloadRow remote_mix_row();
WorkloadRow trace_row();

}  // namespace hakbench
