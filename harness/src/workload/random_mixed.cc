// random_mixed.cc - random malloc and free over a fixed working set.
//
// Models: a long-lived process in steady state: mixed small sizes, half of the slots live,
//   lifetimes of about `ws` ops, geometric; each thread on its own.
// Does NOT model: use of the memory (one byte is written), sizes above max_size, remote frees,
//   growth or shrinkage. Size and slot come from the same r, so with a power-of-two `ws` a slot sees only
//   some sizes (with ws >= 1024 always the same one). The generator repeats after 2^32 - 1 ops.
#include "workload/random_mixed_lane.h"

namespace hakbench {
namespace {

// The inverse of random_mixed_step: each xor-shift undone in turn. x ^ x << k has the inverse
// x ^ x << k ^ x << 2k ^ ... (shifts nilpotent over GF(2)).
uint32_t step_back(uint32_t r) {
  r ^= r << 5 ^ r << 10 ^ r << 15 ^ r << 20 ^ r << 25 ^ r << 30;
  r ^= r >> 17;
  r ^= r << 13 ^ r << 26;
  return r;
}

}  // namespace

std::vector<ParamInfo> random_mixed_params() {
  std::vector<ParamInfo> params = size_params();
  params.insert(params.begin(), {"ws", RANDOM_MIXED_DEFAULT_WS, 1, uint64_t{1} << 27,
                                 "working set, slots a thread"});
  return params;
}

RandomMixedLane::RandomMixedLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
    : state_{.rng = random_mixed_run_seed(config.seed, thread),
             .ws = param32(config, "ws"),
             .min_size = param32(config, "min_size"),
             .span = param32(config, "max_size") - param32(config, "min_size") + 1,
             .slots = nullptr},
      prefault_end_(random_mixed_prefault_seed(config.seed, thread)) {}

bool RandomMixedLane::map() {
  if (!slots_.map(state_.ws) || !met_.map(state_.ws)) return false;
  state_.slots = slots_.data();
  return true;
}

uint64_t RandomMixedLane::prefault(const allocator_plugin &allocator, uint64_t ops) {
  random_mixed_state warm = state_;
  warm.rng = prefault_end_;
  const uint64_t failed = random_mixed_loop(&warm, allocator.malloc, allocator.free, ops);
  prefault_end_ = warm.rng;
  prefault_ops_ += ops;
  return failed;
}

uint64_t RandomMixedLane::run(const allocator_plugin &allocator, uint64_t ops) {
  run_ops_ += ops;
  return random_mixed_loop(&state_, allocator.malloc, allocator.free, ops);
}

uint64_t RandomMixedLane::live_bytes() const {
  uint64_t unmet = 0;
  for (uint32_t i = 0; i < state_.ws; ++i) {
    met_[i] = slots_[i] == nullptr;
    unmet += slots_[i] != nullptr;
  }
  const bool masked = random_mixed_is_masked(state_.span);
  uint64_t bytes = 0;
  const auto walk_back = [&](uint32_t r, uint64_t ops) {
    for (; ops != 0 && unmet != 0; --ops, r = step_back(r)) {
      unsigned char &met = met_[r % state_.ws];
      if (met) continue;
      met = 1;
      --unmet;
      bytes += random_mixed_size(r, state_.min_size, state_.span, masked);
    }
  };
  walk_back(state_.rng, run_ops_);
  walk_back(prefault_end_, prefault_ops_);
  return bytes;
}

void RandomMixedLane::tear_down(const allocator_plugin &allocator) {
  for (uint32_t i = 0; i < state_.ws; ++i) {
    allocator.free(slots_[i]);
    slots_[i] = nullptr;
  }
}

void RandomMixedLane::hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                                  StreamHash *hash) {
  const uint32_t ws = param32(config, "ws");
  const uint32_t min_size = param32(config, "min_size");
  const uint32_t span = param32(config, "max_size") - min_size + 1;
  const bool masked = random_mixed_is_masked(span);
  uint32_t r = random_mixed_run_seed(config.seed, thread);
  for (; ops != 0; --ops) {
    r = random_mixed_step(r);
    hash->add(uint64_t{r % ws} << 32 | random_mixed_size(r, min_size, span, masked));
  }
}

WorkloadRow random_mixed_row() {
  return lane_row<RandomMixedLane>(
      {"random_mixed", "random malloc and free of mixed small sizes over a fixed working set", 1, 1,
       256, random_mixed_params()},
      &size_params_ok);
}

}  // namespace hakbench
