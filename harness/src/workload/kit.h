// kit.h - what workloads are made of.
//
// Purpose: a generator, a fingerprint, polite waiting, and the frame that turns "one thread's part" (a
//   lane) into a Workload; memory that no allocator knows is model/mapped_array.h.
// Owns: LaneWorkload its lanes and what they share.
// Boundary: used by the workload files only.
// Invariants: after make_workload no lane asks the kernel for memory.
// Threads: a lane is used by its own worker, or by anyone while no worker runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/mapped_array.h"
#include "workload/random_mixed_loop.h"
#include "workload/registry.h"
#include "workload/workload.h"

namespace hakbench {

// SplitMix64: 64 random bits a step. `slot` uses the low half, `size` the high half, so the two are
// independent.
class SplitMix {
 public:
  explicit SplitMix(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    const uint64_t r = random_mixed_scramble(state_);
    state_ += 0x9E3779B97F4A7C15u;
    return r;
  }
  static uint32_t below(uint32_t random, uint32_t bound) {
    return static_cast<uint32_t>((uint64_t{random} * bound) >> 32);
  }
  static uint32_t slot(uint64_t r, uint32_t slots) {
    return below(static_cast<uint32_t>(r), slots);
  }
  static uint32_t size(uint64_t r, uint32_t min_size, uint32_t span) {
    return min_size + below(static_cast<uint32_t>(r >> 32), span);
  }

  static uint64_t run_seed(uint64_t seed, uint32_t thread) {
    return random_mixed_scramble(random_mixed_scramble(seed) + thread);
  }
  static uint64_t prefault_seed(uint64_t seed, uint32_t thread) {
    return random_mixed_scramble(random_mixed_scramble(~seed) + thread);
  }

 private:
  uint64_t state_;
};

// Order-sensitive 64-bit fingerprint (FNV-1a over 64-bit words, scrambled at the end).
class StreamHash {
 public:
  void add(uint64_t word) { hash_ = (hash_ ^ word) * 0x100000001B3u; }
  uint64_t value() const { return random_mixed_scramble(hash_); }

 private:
  uint64_t hash_ = 0xCBF29CE484222325u;
};

// Makes configurations that differ only beyond the hashed ops differ too.
inline void add_params(const WorkloadConfig &config, StreamHash *hash) {
  for (const auto &[key, value] : config.params) hash->add(value);
}

inline uint32_t param32(const WorkloadConfig &config, const char *name) {
  return static_cast<uint32_t>(config.params.at(name));
}

// The size parameters most workloads share, and their joint check.
std::vector<ParamInfo> size_params();
bool size_params_ok(const WorkloadConfig &config, std::string *error);

// What lanes share if they share nothing.
struct NothingShared {
  explicit NothingShared(const WorkloadConfig &) {}
  bool map() { return true; }
};

// A Lane has: Lane(config, thread, Shared *), bool map(), set_up, prefault, run, live_bytes,
// tear_down as Workload without the thread, and a static hash_stream(config, thread, ops, hash).
template <class Lane, class Shared = NothingShared>
class LaneWorkload final : public Workload {
 public:
  explicit LaneWorkload(const WorkloadConfig &config) : shared_(config) {
    lanes_.reserve(config.threads);
    for (uint32_t thread = 0; thread < config.threads; ++thread) {
      lanes_.push_back(std::make_unique<Lane>(config, thread, &shared_));
    }
  }

  static std::unique_ptr<Workload> make(const WorkloadConfig &config, std::string *error) {
    auto workload = std::make_unique<LaneWorkload>(config);
    bool mapped = workload->shared_.map();
    for (auto &lane : workload->lanes_) mapped = mapped && lane->map();
    if (mapped) return workload;
    *error = "workload " + config.name + ": no memory for its own arrays; ask for a smaller one";
    return nullptr;
  }

  bool set_up(const allocator_plugin &allocator, uint32_t thread) override {
    return lanes_[thread]->set_up(allocator);
  }
  uint64_t prefault(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) override {
    return lanes_[thread]->prefault(allocator, ops);
  }
  uint64_t run(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) override {
    return lanes_[thread]->run(allocator, ops);
  }
  uint64_t live_bytes() const override {
    uint64_t bytes = 0;
    for (const auto &lane : lanes_) bytes += lane->live_bytes();
    return bytes;
  }
  void tear_down(const allocator_plugin &allocator, uint32_t thread) override {
    lanes_[thread]->tear_down(allocator);
  }

 private:
  Shared shared_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

// What lanes share whose warm-up is their work from another seed. A Lane has, beside the rest,
// uint64_t work(allocator, SplitMix *random, ops): returns the failed allocations.
template <class Lane>
class SeededLane {
 public:
  bool set_up(const allocator_plugin &) { return true; }
  uint64_t prefault(const allocator_plugin &allocator, uint64_t ops) {
    return static_cast<Lane *>(this)->work(allocator, &warm_random_, ops);
  }
  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    return static_cast<Lane *>(this)->work(allocator, &random_, ops);
  }

 protected:
  SeededLane(const WorkloadConfig &config, uint32_t thread)
      : random_(SplitMix::run_seed(config.seed, thread)),
        warm_random_(SplitMix::prefault_seed(config.seed, thread)) {}

 private:
  SplitMix random_;
  SplitMix warm_random_;
};

template <class Lane, class Shared = NothingShared>
WorkloadRow lane_row(WorkloadInfo info, bool (*validate)(const WorkloadConfig &, std::string *)) {
  return {std::move(info), validate, &LaneWorkload<Lane, Shared>::make, &Lane::hash_stream};
}

}  // namespace hakbench
