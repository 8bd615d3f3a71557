// aligned.cc - aligned_alloc of mixed alignments and sizes over a fixed working set.
//
// Models: vector code, page-sized buffers, data kept apart by cache lines: every block is asked for
//   with an alignment, each power of two from min_align to max_align alike.
// Does NOT model: use of the memory beyond its first byte, remote frees, a mix with plain malloc,
//   alignments above max_align. A size is rounded up to a multiple of its alignment, as C11 asks.
// Parameters: ws slots a thread; sizes in bytes before that, evenly over doublings; alignments in
//   bytes, powers of two.
// Threads: any number, each on its own.
#include <bit>

#include "workload/sizes.h"
#include "workload/slots_lane.h"

namespace hakbench {
namespace {

class AlignedModel {
 public:
  explicit AlignedModel(const WorkloadConfig &config)
      : ws_(param32(config, "ws")),
        min_align_(param32(config, "min_align")),
        align_count_(
            static_cast<uint32_t>(std::bit_width(param32(config, "max_align") / min_align_))),
        sizes_(param32(config, "min_size"), param32(config, "max_size")) {}

  uint32_t slots() const { return ws_; }

  // The alignment is drawn from bits in the middle, which neither slot nor size depends on much.
  Draw draw(uint64_t r) const {
    const auto bits = static_cast<uint32_t>(r >> 24 & 0xFFFF);
    const uint32_t alignment = min_align_ << (bits * align_count_ >> 16);
    const uint32_t size = (sizes_.draw(r) + alignment - 1) & ~(alignment - 1);
    return {SplitMix::slot(r, ws_), size, alignment};
  }

  void *allocate(const allocator_plugin &allocator, const Draw &draw) const {
    return allocator.aligned_alloc(draw.alignment, draw.size);
  }
  void touch(void *block, uint32_t) const { touch_first_byte(block); }

 private:
  const uint32_t ws_;
  const uint32_t min_align_;
  const uint32_t align_count_;
  const OctaveSizes sizes_;
};

bool validate(const WorkloadConfig &config, std::string *error) {
  for (const char *const key : {"min_align", "max_align"}) {
    if (std::has_single_bit(config.params.at(key))) continue;
    *error = "workload aligned: " + std::string(key) + " = " +
             std::to_string(config.params.at(key)) + ": expected a power of two (alignment, bytes)";
    return false;
  }
  if (config.params.at("min_align") > config.params.at("max_align")) {
    *error = "workload aligned: min_align = " + std::to_string(config.params.at("min_align")) +
             " is above max_align = " + std::to_string(config.params.at("max_align")) +
             ": expected min_align <= max_align";
    return false;
  }
  return size_params_ok(config, error);
}

}  // namespace

WorkloadRow aligned_row() {
  std::vector<ParamInfo> params = size_params_within(16, 4096, 1, uint64_t{1} << 24);
  params.insert(params.begin(), slots_param(1000));
  params.push_back({"min_align", 16, 16, 1 << 20, "smallest alignment, bytes, a power of two"});
  params.push_back({"max_align", 4096, 16, 1 << 20, "largest alignment, bytes, a power of two"});
  return lane_row<SlotsLane<AlignedModel>>(
      {"aligned", "random aligned_alloc and free of mixed alignments over a fixed working set", 1,
       1, 256, params, kNeedsAlignedAlloc},
      &validate);
}

}  // namespace hakbench
