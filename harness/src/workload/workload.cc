// workload.cc - the registry: checks a configuration once, for every workload alike.
#include "workload/workload.h"

#include <algorithm>

#include "workload/kit.h"
#include "workload/registry.h"

namespace hakbench {
namespace {

// In the order of `hakbench list workloads`: plain use, several threads, other functions, memory.
const std::vector<WorkloadRow> &rows() {
  static const std::vector<WorkloadRow> table = {
      random_mixed_row(),   batch_row(),         fleet_row(),        producer_consumer_row(),
      xmalloc_row(),        larson_row(),        mstress_row(),      remote_mix_row(),
      thread_churn_row(),   cache_scratch_row(), cache_thrash_row(), calloc_row(),
      realloc_growth_row(), aligned_row(),       large_row(),        huge_row(),
      growth_row(),         phases_row(),        sawtooth_row(),     fragmentation_row(),
      trace_row(),
  };
  return table;
}

// A second or two of hashing: longer streams are told apart by their beginnings.
constexpr uint64_t kMostHashedOps = uint64_t{1} << 30;

template <class Items>
std::string join_names(const Items &items) {
  std::string names;
  for (const auto &item : items) names += (names.empty() ? "" : ", ") + item.name;
  return names;
}

std::string range_text(uint64_t min, uint64_t max) {
  return min == max ? std::to_string(min) : std::to_string(min) + ".." + std::to_string(max);
}

const WorkloadRow *find_row(const std::string &name, std::string *error) {
  for (const WorkloadRow &row : rows()) {
    if (row.info.name == name) return &row;
  }
  *error = "unknown workload '" + name + "': expected one of " + join_names(list_workloads());
  return nullptr;
}

bool check_param(const WorkloadInfo &info, const std::string &key, uint64_t value,
                 std::string *error) {
  const auto param = std::find_if(info.params.begin(), info.params.end(),
                                  [&](const ParamInfo &p) { return p.name == key; });
  if (param == info.params.end()) {
    *error = "workload " + info.name + ": unknown parameter '" + key + "': expected one of " +
             join_names(info.params);
    return false;
  }
  if (value < param->min || value > param->max) {
    *error = "workload " + info.name + ": " + key + " = " + std::to_string(value) + ": expected " +
             range_text(param->min, param->max) + " (" + param->doc + ")";
    return false;
  }
  return true;
}

// The row of config.name, and in *resolved the configuration with every parameter present.
const WorkloadRow *resolve(const WorkloadConfig &config, WorkloadConfig *resolved,
                           std::string *error) {
  const WorkloadRow *const row = find_row(config.name, error);
  if (row == nullptr) return nullptr;
  const WorkloadInfo &info = row->info;
  if (config.threads < info.min_threads || config.threads > info.max_threads) {
    *error = "workload " + info.name + ": threads = " + std::to_string(config.threads) +
             ": expected " + range_text(info.min_threads, info.max_threads);
    return nullptr;
  }
  if (config.file.empty() != info.file_doc.empty()) {
    *error = "workload " + info.name +
             (config.file.empty() ? ": it needs a file: name " + info.file_doc
                                  : ": it reads no file, but was given " + config.file +
                                        ": leave it out, or choose workload trace");
    return nullptr;
  }
  for (const auto &[key, value] : config.params) {
    if (!check_param(info, key, value, error)) return nullptr;
  }
  *resolved = config;
  for (const ParamInfo &param : info.params) {
    resolved->params.emplace(param.name, param.default_value);
  }
  if (row->validate != nullptr && !row->validate(*resolved, error)) return nullptr;
  return row;
}

}  // namespace

std::vector<ParamInfo> size_params() {
  constexpr uint64_t kMaxSize = uint64_t{1} << 30;
  return {{"min_size", RANDOM_MIXED_DEFAULT_MIN_SIZE, 1, kMaxSize, "smallest block, bytes"},
          {"max_size", RANDOM_MIXED_DEFAULT_MAX_SIZE, 1, kMaxSize, "largest block, bytes"}};
}

bool size_params_ok(const WorkloadConfig &config, std::string *error) {
  const uint64_t min_size = config.params.at("min_size");
  const uint64_t max_size = config.params.at("max_size");
  if (min_size <= max_size) return true;
  *error = "workload " + config.name + ": min_size = " + std::to_string(min_size) +
           " is above max_size = " + std::to_string(max_size) + ": expected min_size <= max_size";
  return false;
}

std::unique_ptr<Workload> make_workload(const WorkloadConfig &config, std::string *error) {
  WorkloadConfig resolved;
  const WorkloadRow *const row = resolve(config, &resolved, error);
  return row == nullptr ? nullptr : row->make(resolved, error);
}

bool allocator_offers(const WorkloadConfig &config, const allocator_plugin &allocator,
                      std::string *error) {
  const WorkloadRow *const row = find_row(config.name, error);
  if (row == nullptr) return false;
  const uint32_t needs = row->info.needs;
  const char *missing = nullptr;
  if ((needs & kNeedsCalloc) != 0 && allocator.calloc == nullptr) missing = "calloc";
  if ((needs & kNeedsRealloc) != 0 && allocator.realloc == nullptr) missing = "realloc";
  if ((needs & kNeedsAlignedAlloc) != 0 && allocator.aligned_alloc == nullptr) {
    missing = "aligned_alloc";
  }
  if (missing == nullptr) return true;
  *error = "workload " + config.name + ": the allocator's plugin offers no " + missing +
           "; choose another workload for it";
  return false;
}

uint64_t op_stream_hash(const WorkloadConfig &config, uint64_t ops) {
  ops = std::min(ops, kMostHashedOps);
  WorkloadConfig resolved;
  std::string error;
  const WorkloadRow *const row = resolve(config, &resolved, &error);
  if (row == nullptr) return 0;
  StreamHash hash;
  for (uint32_t thread = 0; thread < resolved.threads; ++thread) {
    row->hash_stream(resolved, thread, ops, &hash);
  }
  return hash.value();
}

uint64_t written_bytes(const WorkloadConfig &config) {
  std::string error;
  const WorkloadRow *const row = find_row(config.name, &error);
  return row == nullptr ? kWritesAnyByte : row->info.written_bytes;
}

uint64_t workload_period_ops(const WorkloadConfig &config) {
  WorkloadConfig resolved;
  std::string error;
  const WorkloadRow *const row = resolve(config, &resolved, &error);
  return row == nullptr || row->period_ops == nullptr ? 0 : row->period_ops(resolved);
}

std::vector<WorkloadInfo> list_workloads() {
  std::vector<WorkloadInfo> infos;
  for (const WorkloadRow &row : rows()) infos.push_back(row.info);
  return infos;
}

}  // namespace hakbench
