// fleet.cc - sizes and lifetimes as measured in server fleets.
//
// Models: what a fleet of C++ servers asks of its allocator, in steady state: 59 % of the blocks are of
//   17 to 64 bytes, 3 % are above 2 KiB and make up most of the bytes, and how long a block lives
//   depends on its size.
// Source: the ten TCMalloc profiles of Google's fleetbench (github.com/google/fleetbench,
//   fleetbench/tcmalloc/distributions/TCMALLOC_0.csv to _9.csv at commit 703e5e55, July 2026): for
//   each size the rate of allocations and the number of live blocks. The table below is their
//   mean, each profile normalised to a sum of 1, over size classes that double. Blocks
//   above 256 KiB are left out: 3 of 100,000 allocations, 42 of 100,000 live blocks.
// Does NOT model: the differences between those ten programs, the few hot sizes inside a class (sizes
//   are even within it), bursts, long tails of lifetimes (within a class they are geometric), one
//   thread freeing another's blocks (remote_mix does), use of the memory beyond its first byte.
// How: each class has slots in proportion to its live blocks and is drawn in proportion to its
//   allocations. So a block of class c lives live_c / births_c times as long as the mean (Little).
// Parameters: ws slots a thread, half of them live; 100,000 are about 15 MiB live.
// Threads: any number, each on its own.

#include "workload/slots_lane.h"

namespace hakbench {
namespace {

struct FleetClass {
  uint32_t max_size;  // bytes; the smallest is one above half of it
  uint32_t births;    // of 100,000 allocations
  uint32_t live;      // of 100,000 live blocks
};

constexpr FleetClass kClasses[] = {
    {8, 4162, 1655},     {16, 7148, 4723},   {32, 23092, 27196}, {64, 30491, 25792},
    {128, 15497, 19393}, {256, 7835, 9611},  {512, 4608, 6397},  {1024, 2518, 1847},
    {2048, 1241, 876},   {4096, 1905, 1208}, {8192, 1034, 910},  {16384, 199, 247},
    {32768, 95, 114},    {65536, 102, 26},   {131072, 61, 4},    {262144, 14, 3},
};
constexpr uint32_t kClassCount = std::size(kClasses);
constexpr uint32_t kScale = 100000;
// A draw costs one load from this table, which is small enough for the innermost cache; its
// resolution is 1 in 4096, and the rarest class gets one entry.
constexpr uint32_t kTickets = 4096;

class FleetModel {
 public:
  explicit FleetModel(const WorkloadConfig &config) {
    uint32_t births = 0;
    uint32_t ticket = 0;
    for (uint32_t c = 0; c < kClassCount; ++c) {
      const FleetClass &fleet = kClasses[c];
      births += fleet.births;
      const auto end = static_cast<uint32_t>(uint64_t{births} * kTickets / kScale);
      const uint32_t last = c + 1 == kClassCount ? kTickets : std::max(end, ticket + 1);
      for (; ticket < last; ++ticket) class_of_ticket_[ticket] = static_cast<uint8_t>(c);
      const auto count = static_cast<uint32_t>(config.params.at("ws") * fleet.live / kScale);
      const uint32_t min_size = c == 0 ? 1 : fleet.max_size / 2 + 1;
      ranges_[c] = {slots_, std::max(count, 1u), min_size, fleet.max_size - min_size + 1};
      slots_ += ranges_[c].count;
    }
  }

  uint32_t slots() const { return slots_; }

  // 12 bits choose the class, 32 the slot, 20 the size.
  Draw draw(uint64_t r) const {
    const Range &range = ranges_[class_of_ticket_[r & (kTickets - 1)]];
    const uint32_t slot = SplitMix::slot(r >> 12, range.count);
    return {range.first + slot,
            range.min_size + static_cast<uint32_t>((r >> 44) * range.span >> 20)};
  }

  void *allocate(const allocator_plugin &allocator, const Draw &draw) const {
    return allocator.malloc(draw.size);
  }
  void touch(void *block, uint32_t) const { touch_first_byte(block); }

 private:
  struct Range {
    uint32_t first;
    uint32_t count;
    uint32_t min_size;
    uint32_t span;
  };
  Range ranges_[kClassCount];
  uint8_t class_of_ticket_[kTickets];
  uint32_t slots_ = 0;
};

}  // namespace

WorkloadRow fleet_row() {
  return lane_row<SlotsLane<FleetModel>>({"fleet",
                                          "sizes and lifetimes as published for a fleet of servers",
                                          1,
                                          1,
                                          256,
                                          {slots_param(100000)}},
                                         nullptr);
}

}  // namespace hakbench
