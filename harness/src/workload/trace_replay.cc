// trace_replay.cc - the calls that a real program made.
//
// Models: a recorded program's sizes, lifetimes, order and threads. The trace is replayed again and
//   again; at its end what is still live is freed, as ops of their own, and the next pass begins. The ops
//   are in arrays of their own before the first call. Recorded thread t is played by worker t % threads,
//   in its order; a block that another worker frees or resizes next goes there through a cell, so that a
//   free waits for its malloc. With one worker the whole recorded order is kept.
// Does NOT model: the program's work between the calls, and what it wrote into its blocks (one byte is
//   written, or with touch_kb one in each page); the order of threads beyond the blocks that cross them, so that
//   live bytes within a pass may differ from the recorded ones when there are several workers;
//   threads' ends. A worker that waits for a block spins briefly and then sleeps on a futex:
//   system calls of the workload's own. What an allocator does not offer is done with malloc and free: aligned blocks
//   are then not aligned, and a realloc copies nothing. A block whose realloc fails is given up.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "model/error.h"
#include "trace/reader.h"
#include "workload/kit.h"
#include "workload/trace_plan.h"

namespace hakbench {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kCacheLineBytes = 64;

// A block, as a worker holds it. NULL with size 0: the allocator had refused it.
struct Held {
  void *block;
  uint64_t size;
};

// Where a block waits between two workers. `full` says whose the rest is.
struct Cell {
  Held held;
  std::atomic<uint64_t> full;  // 1: the taker's, 0: the giver's
};

// Workers that found a cell not ready. Sleeping is announced before the last look at the cell, and
// waking looks for sleepers after the cell has changed (both sequentially consistent), so no wake is
// lost.
class Bed {
 public:
  template <class Ready>
  void wait(Ready ready) {
    for (int i = 0; i < kSpins; ++i) {
      if (ready()) return;
      __builtin_ia32_pause();
    }
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    for (;;) {
      const uint32_t seen = changes_.load(std::memory_order_seq_cst);
      if (ready()) break;
      futex(FUTEX_WAIT_PRIVATE, seen);
    }
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
  }
  void wake() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_relaxed) == 0) return;
    changes_.fetch_add(1, std::memory_order_seq_cst);
    futex(FUTEX_WAKE_PRIVATE, INT32_MAX);
  }

 private:
  static constexpr int kSpins = 200;

  void futex(int operation, uint32_t value) {
    syscall(SYS_futex, &changes_, operation, value, nullptr, nullptr, 0);
  }

  alignas(kCacheLineBytes) std::atomic<uint32_t> sleepers_{0};
  alignas(kCacheLineBytes) std::atomic<uint32_t> changes_{0};
};

// The plan's cells, and the way through them. A worker that gives wakes; one that takes does too, because
// the giver may be a pass ahead and wait for the cell.
class Crossing {
 public:
  [[nodiscard]] bool map(uint64_t cells) { return cells_.map(cells); }

  void give(uint64_t index, const Held &held) {
    Cell &cell = cells_[index];
    move(&cell, 0, [&] { cell.held = held; });
  }
  Held take(uint64_t index) {
    Cell &cell = cells_[index];
    Held held;
    move(&cell, 1, [&] { held = cell.held; });
    return held;
  }

  // While no worker runs: what lies between two workers.
  template <class Visit>
  void empty(Visit visit) {
    for (size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].full.exchange(0, std::memory_order_relaxed) != 0) visit(cells_[i].held);
    }
  }

 private:
  template <class Change>
  void move(Cell *cell, uint64_t before, Change change) {
    // acquire pairs with the other side's release below: what `held` is, and that it was read
    const auto ready = [&] { return cell->full.load(std::memory_order_acquire) == before; };
    if (!ready()) bed_.wait(ready);
    change();
    cell->full.store(1 - before, std::memory_order_release);
    bed_.wake();
  }

  MappedArray<Cell> cells_;
  Bed bed_;
};

// One worker's replay.
class Player {
 public:
  Player(const WorkerPlan &plan, const TracePlan &all, size_t touch_bytes, Crossing *crossing)
      : plan_(plan),
        pass_ops_(all.pass_ops),
        workers_(all.workers.size()),
        touch_bytes_(touch_bytes),
        crossing_(crossing) {}

  [[nodiscard]] bool map() { return held_.map(plan_.slots); }

  // The workers' shares of the next ops * workers ops of the recorded order.
  uint64_t run(const allocator_plugin &allocator, uint64_t ops) {
    uint64_t failed = 0;
    for (uint64_t left = ops * workers_; left > 0;) {
      const uint64_t count = std::min(left, pass_ops_ - position_);
      const size_t end = first_step_at(position_ + count);
      failed += play(allocator, next_step_, end);
      next_step_ = end;
      position_ += count;
      left -= count;
      if (position_ == pass_ops_) position_ = next_step_ = 0;
    }
    return failed;
  }

  uint64_t live_bytes() const { return live_bytes_; }

  // The next run begins a pass, as every worker's does.
  void tear_down(const allocator_plugin &allocator) {
    for (size_t slot = 0; slot < held_.size(); ++slot) give_up(allocator, &held_[slot]);
    position_ = next_step_ = 0;
  }
  // A block that no worker held was freed.
  void count_out(uint64_t bytes) { live_bytes_ -= bytes; }

 private:
  size_t first_step_at(uint64_t position) const {
    const uint32_t *begin = plan_.positions.data();
    return static_cast<size_t>(std::lower_bound(begin, begin + plan_.positions.size(), position) -
                               begin);
  }

  uint64_t play(const allocator_plugin &allocator, size_t begin, size_t end) {
    uint64_t failed = 0;
    for (size_t i = begin; i < end; ++i) {
      const Step &step = plan_.steps[i];
      Held &held = held_[step.slot];
      switch (step.kind) {
        case StepKind::kMalloc:
          failed += hold(allocator.malloc(step.size), step.size, &held);
          break;
        case StepKind::kCalloc:
          failed += hold(allocator.calloc != nullptr ? allocator.calloc(1, step.size)
                                                     : allocator.malloc(step.size),
                         step.size, &held);
          break;
        case StepKind::kAligned:
          failed += hold(aligned(allocator, step), step.size, &held);
          break;
        case StepKind::kFree:
          give_up(allocator, &held);
          break;
        case StepKind::kRealloc:
          failed += resize(allocator, step.size, &held);
          break;
        case StepKind::kTake:
          held = crossing_->take(step.size);
          break;
        case StepKind::kGive:
          crossing_->give(step.size, held);
          held = {};
          break;
      }
    }
    return failed;
  }

  // C asks for a size that is a multiple of the alignment; programs do not always.
  static void *aligned(const allocator_plugin &allocator, const Step &step) {
    const size_t alignment = std::max(sizeof(void *), size_t{1} << step.log2_alignment);
    if (allocator.aligned_alloc == nullptr) return allocator.malloc(step.size);
    return allocator.aligned_alloc(alignment, (step.size + alignment - 1) & ~(alignment - 1));
  }

  uint64_t hold(void *block, uint64_t size, Held *held) {
    if (block == nullptr) {
      *held = {};
      return 1;
    }
    *held = {block, size};
    live_bytes_ += size;
    auto *const bytes = static_cast<volatile unsigned char *>(block);
    if (size > 0) bytes[0] = 1;
    const size_t touched = std::min<size_t>(size, touch_bytes_);
    for (size_t at = kPageBytes; at < touched; at += kPageBytes) bytes[at] = 1;
    return 0;
  }

  void give_up(const allocator_plugin &allocator, Held *held) {
    if (held->block == nullptr) return;
    live_bytes_ -= held->size;
    allocator.free(held->block);
    *held = {};
  }

  uint64_t resize(const allocator_plugin &allocator, uint64_t size, Held *held) {
    if (allocator.realloc == nullptr || held->block == nullptr || size == 0) {
      give_up(allocator, held);
      return hold(allocator.malloc(size), size, held);
    }
    void *const block = allocator.realloc(held->block, size);
    if (block == nullptr) {
      give_up(allocator, held);
      return 1;
    }
    live_bytes_ -= held->size;
    return hold(block, size, held);
  }

  const WorkerPlan &plan_;
  const uint64_t pass_ops_;
  const uint64_t workers_;
  const size_t touch_bytes_;
  Crossing *const crossing_;
  MappedArray<Held> held_;
  size_t next_step_ = 0;
  uint64_t position_ = 0;  // in the pass
  uint64_t live_bytes_ =
      0;  // modulo 2^64: a block is added where it is born and taken off where it dies
};

class TraceReplay final : public Workload {
 public:
  // Throws Error.
  explicit TraceReplay(const WorkloadConfig &config)
      : plan_(plan_trace(config.file, config.threads)) {
    if (plan_.pass_ops == 0) throw Error("trace " + config.file + " has no calls to replay");
    bool mapped = crossing_.map(plan_.cells);
    for (const WorkerPlan &worker : plan_.workers) {
      players_.push_back(
          std::make_unique<Player>(worker, plan_, config.params.at("touch_kb") * 1024, &crossing_));
      mapped = mapped && players_.back()->map();
    }
    if (!mapped)
      throw Error("workload trace: no memory for its own arrays; replay a shorter trace");
  }

  static std::unique_ptr<Workload> make(const WorkloadConfig &config, std::string *error) {
    try {
      return std::make_unique<TraceReplay>(config);
    } catch (const Error &failure) {
      *error = failure.what();
      return nullptr;
    }
  }

  bool set_up(const allocator_plugin &, uint32_t) override { return true; }
  // A trace knows no seed: the warm-up is the trace's beginning.
  uint64_t prefault(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) override {
    return run(allocator, thread, ops);
  }
  uint64_t run(const allocator_plugin &allocator, uint32_t thread, uint64_t ops) override {
    return players_[thread]->run(allocator, ops);
  }
  uint64_t live_bytes() const override {
    uint64_t bytes = 0;
    for (const auto &player : players_) bytes += player->live_bytes();
    return bytes;
  }
  void tear_down(const allocator_plugin &allocator, uint32_t thread) override {
    players_[thread]->tear_down(allocator);
    if (thread != 0) return;
    crossing_.empty([&](const Held &held) {
      if (held.block == nullptr) return;
      allocator.free(held.block);
      players_[0]->count_out(held.size);
    });
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t, uint64_t, StreamHash *hash) {
    try {
      hash->add(trace::Reader(config.file).header().body_checksum);
    } catch (const Error &) {
      hash->add(0);  // make_workload says what is wrong with the file
    }
    hash->add(config.params.at("touch_kb"));
  }

  static uint64_t period_ops(const WorkloadConfig &config) {
    try {
      return trace_pass_ops(config.file);
    } catch (const Error &) {
      return 0;
    }
  }

 private:
  const TracePlan plan_;
  Crossing crossing_;
  std::vector<std::unique_ptr<Player>> players_;
};

}  // namespace

WorkloadRow trace_row() {
  constexpr uint64_t kMaxTouchKb = 1024;  // enough to tell first touches from none
  return {{"trace",
           "replays the calls of a recorded program",
           1,
           1,
           256,
           {{"touch_kb", 0, 0, kMaxTouchKb,
             "a byte is written in each page of a block's first touch_kb KiB; 0: one byte in all"}},
           0,
           kWritesAnyByte,
           "a trace that hakbench record wrote, with --trace app.trace"},
          nullptr,
          &TraceReplay::make,
          &TraceReplay::hash_stream,
          &TraceReplay::period_ops};
}

}  // namespace hakbench
