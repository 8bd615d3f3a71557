// large.cc - large and huge: blocks that many allocators map one by one.
//
// Models: buffers, images, tables, columns of a database: blocks of 32 KiB to 4 MiB (large) or 4 to
//   64 MiB (huge), replaced at random. What is measured is how much of the memory goes back to the
//   kernel and comes again, page fault by page fault.
// Does NOT model: reading the memory, or writing all of it: a byte is written each `touch` bytes; a
//   mix with small blocks; growth by realloc (realloc_growth does); remote frees.
// Parameters: ws slots a thread, half of them live; sizes in bytes, evenly over doublings; touch in
//   bytes, 0 for the first byte only.
// Threads: any number, each on its own. Live memory is about ws / 2 times the mean size a thread:
//   50 MiB (large), 90 MiB (huge).
#include "workload/sizes.h"
#include "workload/slots_lane.h"

namespace hakbench {
namespace {

class LargeModel {
 public:
  explicit LargeModel(const WorkloadConfig &config)
      : ws_(param32(config, "ws")),
        touch_bytes_(param32(config, "touch")),
        sizes_(param32(config, "min_size"), param32(config, "max_size")) {}

  uint32_t slots() const { return ws_; }
  Draw draw(uint64_t r) const { return {SplitMix::slot(r, ws_), sizes_.draw(r)}; }
  void *allocate(const allocator_plugin &allocator, const Draw &draw) const {
    return allocator.malloc(draw.size);
  }
  void touch(void *block, uint32_t size) const {
    auto *const bytes = static_cast<volatile unsigned char *>(block);
    const uint64_t step = touch_bytes_ != 0 ? touch_bytes_ : size;
    for (uint64_t at = 0; at < size; at += step) bytes[at] = 1;
  }

 private:
  const uint32_t ws_;
  const uint32_t touch_bytes_;
  const OctaveSizes sizes_;
};

// No larger than the one block of the plugin `floor`, all of which may be written.
constexpr uint64_t kLargestBytes = uint64_t{256} << 20;

std::vector<ParamInfo> params_of(uint64_t ws, uint64_t min_size, uint64_t max_size) {
  std::vector<ParamInfo> params = size_params_within(min_size, max_size, 1, kLargestBytes);
  params.insert(params.begin(), slots_param(ws));
  params.push_back({"touch", 4096, 0, kLargestBytes,
                    "distance of the bytes that are written, bytes; 0: only the first"});
  return params;
}

}  // namespace

WorkloadRow large_row() {
  return lane_row<SlotsLane<LargeModel>>(
      {"large", "random malloc and free of blocks of 32 KiB to 4 MiB, every page written", 1, 1,
       256, params_of(128, 32 << 10, 4 << 20), 0, kWritesAnyByte},
      &size_params_ok);
}

WorkloadRow huge_row() {
  return lane_row<SlotsLane<LargeModel>>(
      {"huge", "random malloc and free of blocks of 4 to 64 MiB, every page written", 1, 1, 64,
       params_of(8, 4 << 20, 64 << 20), 0, kWritesAnyByte},
      &size_params_ok);
}

}  // namespace hakbench
