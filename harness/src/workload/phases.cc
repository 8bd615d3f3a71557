// phases.cc - sizes and working set change from phase to phase.
//
// Models: a program that does one kind of work after another: four phases of `phase_ops` ops, over and
//   over, each with its own sizes and number of live blocks (below). What a phase leaves behind is freed
//   at random while the next one fills its own, so blocks of both lie on the same pages for a while.
// Does NOT model: use of the memory (one byte is written), phases that free all they had, sizes above
//   8 KiB, remote frees. `phase_ops` decides how many epochs a phase spans.
#include <array>

#include "workload/live_set.h"

namespace hakbench {
namespace {

struct Phase {
  uint32_t min_size;
  uint32_t max_size;
  uint32_t share;  // of `ws` blocks: one in so many
};

// Names and strings; mixed records; a few large buffers; small nodes again, but few.
constexpr std::array<Phase, 4> kPhases = {
    {{16, 128, 1}, {64, 1024, 2}, {1024, 8192, 8}, {32, 256, 16}}};

class PhasesPlan {
 public:
  explicit PhasesPlan(const WorkloadConfig &config)
      : ws_(param32(config, "ws")), phase_ops_(config.params.at("phase_ops")) {}

  uint32_t most() const { return ws_; }

  uint32_t target(uint64_t time) const { return std::max(1u, ws_ / phase(time).share); }

  uint32_t size(uint64_t time, uint32_t random) const {
    const Phase &now = phase(time);
    return now.min_size + SplitMix::below(random, now.max_size - now.min_size + 1);
  }

  static void hash(const WorkloadConfig &config, StreamHash *hash) {
    for (const char *name : {"ws", "phase_ops"}) hash->add(config.params.at(name));
  }

 private:
  const Phase &phase(uint64_t time) const { return kPhases[time / phase_ops_ % kPhases.size()]; }

  const uint32_t ws_;
  const uint64_t phase_ops_;
};

}  // namespace

WorkloadRow phases_row() {
  return lane_row<LiveSetLane<PhasesPlan>>(
      {"phases",
       "four phases of other sizes and live blocks follow each other, over and over",
       1,
       1,
       256,
       {{"ws", 20'000, 1, uint64_t{1} << 27, "live blocks of the largest phase, a thread"},
        {"phase_ops", 200'000'000, 1, uint64_t{1} << 40, "length of a phase, ops"}}},
      nullptr);
}

}  // namespace hakbench
