// sawtooth.cc - a live set that grows and shrinks, slowly and over and over.
//
// Models: a service whose load rises and falls: the set of live blocks goes from `floor` to `peak` and
//   back within `period` ops, evenly, and is exchanged all the time; what survives the fall is spread at
//   random over all that was allocated, which is what keeps an allocator from giving memory back.
// Does NOT model: use of the memory (one byte is written), blocks of one age or size that go together
//   (growth and batch have them), remote frees. Finding the target is a part of each op's cost.
#include "workload/live_set.h"

namespace hakbench {
namespace {

class SawtoothPlan {
 public:
  explicit SawtoothPlan(const WorkloadConfig &config)
      : peak_(param32(config, "peak")),
        floor_(param32(config, "floor")),
        half_(std::max<uint64_t>(1, config.params.at("period") / 2)),
        min_size_(param32(config, "min_size")),
        span_(param32(config, "max_size") - min_size_ + 1) {}

  uint32_t most() const { return peak_; }

  uint32_t target(uint64_t time) const {
    const uint64_t at = time % (2 * half_);
    const uint64_t from_floor = at < half_ ? at : 2 * half_ - at;
    return floor_ +
           static_cast<uint32_t>(static_cast<double>(peak_ - floor_) *
                                 static_cast<double>(from_floor) / static_cast<double>(half_));
  }

  uint32_t size(uint64_t, uint32_t random) const {
    return min_size_ + SplitMix::below(random, span_);
  }

  static void hash(const WorkloadConfig &config, StreamHash *hash) {
    for (const char *name : {"peak", "floor", "period"}) hash->add(config.params.at(name));
  }

 private:
  const uint32_t peak_;
  const uint32_t floor_;
  const uint64_t half_;
  const uint32_t min_size_;
  const uint32_t span_;
};

bool validate(const WorkloadConfig &config, std::string *error) {
  const uint64_t floor = config.params.at("floor");
  const uint64_t peak = config.params.at("peak");
  if (floor > peak) {
    *error = "workload sawtooth: floor = " + std::to_string(floor) +
             " is above peak = " + std::to_string(peak) + ": expected floor <= peak";
    return false;
  }
  return size_params_ok(config, error);
}

}  // namespace

WorkloadRow sawtooth_row() {
  std::vector<ParamInfo> params = {
      {"peak", 100'000, 1, uint64_t{1} << 27, "live blocks at the top, a thread"},
      {"floor", 1000, 0, uint64_t{1} << 27, "live blocks at the bottom, a thread"},
      {"period", 1'000'000'000, 2, uint64_t{1} << 40, "from bottom to top and back, ops"}};
  for (const ParamInfo &param : size_params()) params.push_back(param);
  return lane_row<LiveSetLane<SawtoothPlan>>(
      {"sawtooth", "the set of live blocks grows and shrinks slowly, over and over", 1, 1, 256,
       params},
      &validate);
}

}  // namespace hakbench
