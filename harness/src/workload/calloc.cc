// calloc.cc - zeroed blocks of mixed sizes over a fixed working set.
//
// Models: programs that ask for zeroed memory: parsers, tables, interpreters. What is measured is the
//   zeroing, and whether the allocator knows which memory is zero already.
// Does NOT model: use of the memory beyond its first byte, overflowing products (`hakbench check`
//   tries one), remote frees. The memory is not looked at in the timed loop; `hakbench loop --check`
//   reads every byte.
// Parameters: ws slots a thread; sizes in bytes, evenly over doublings from min_size to max_size.
// Threads: any number, each on its own.
#include "workload/sizes.h"
#include "workload/slots_lane.h"

namespace hakbench {
namespace {

class CallocModel {
 public:
  explicit CallocModel(const WorkloadConfig &config)
      : ws_(param32(config, "ws")),
        sizes_(param32(config, "min_size"), param32(config, "max_size")) {}

  uint32_t slots() const { return ws_; }
  Draw draw(uint64_t r) const { return {SplitMix::slot(r, ws_), sizes_.draw(r)}; }
  void *allocate(const allocator_plugin &allocator, const Draw &draw) const {
    return allocator.calloc(1, draw.size);
  }
  void touch(void *block, uint32_t) const { touch_first_byte(block); }

 private:
  const uint32_t ws_;
  const OctaveSizes sizes_;
};

}  // namespace

WorkloadRow calloc_row() {
  std::vector<ParamInfo> params = size_params_within(16, 4096, 1, uint64_t{1} << 24);
  params.insert(params.begin(), slots_param(1000));
  return lane_row<SlotsLane<CallocModel>>(
      {"calloc", "random calloc and free of mixed sizes over a fixed working set", 1, 1, 256,
       params, kNeedsCalloc},
      &size_params_ok);
}

}  // namespace hakbench
