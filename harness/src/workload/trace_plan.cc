#include "workload/trace_plan.h"

#include <utility>

#include "model/error.h"
#include "trace/reader.h"

namespace hakbench {
namespace {

using trace::Op;
using trace::OpKind;
using trace::Reader;

constexpr StepKind step_kind(OpKind kind) {
  switch (kind) {
    case OpKind::kCalloc:
      return StepKind::kCalloc;
    case OpKind::kAligned:
      return StepKind::kAligned;
    case OpKind::kFree:
      return StepKind::kFree;
    case OpKind::kRealloc:
      return StepKind::kRealloc;
    default:
      return StepKind::kMalloc;
  }
}

template <class T>
void map_or_throw(MappedArray<T> *array, size_t size) {
  if (!array->map(size))
    throw Error("workload trace: no memory for its own arrays; replay a shorter trace");
}

// Reads the trace twice: once to see who does the next op on each block and to count, once to write the
// steps down.
class Planner {
 public:
  Planner(const std::string &path, uint32_t workers) : reader_(path), hands_(workers) {
    plan_.workers.resize(workers);
    map_or_throw(&holder_, reader_.header().blocks);
    map_or_throw(&last_op_, reader_.header().blocks);
    map_or_throw(&place_, reader_.header().blocks);
    map_or_throw(&is_given_, reader_.header().ops);
  }

  TracePlan plan() {
    survey();
    for (size_t worker = 0; worker < hands_.size(); ++worker) {
      map_or_throw(&plan_.workers[worker].steps, hands_[worker].steps);
      map_or_throw(&plan_.workers[worker].positions, hands_[worker].steps);
      map_or_throw(&hands_[worker].free_slots, hands_[worker].arrivals);
      hands_[worker].steps = 0;
    }
    write_steps();
    return std::move(plan_);
  }

 private:
  static constexpr uint32_t kNobody = UINT32_MAX;

  // What a worker has in hand while the plan is made.
  struct Hand {
    uint64_t steps = 0;
    uint64_t arrivals = 0;  // blocks born or taken
    MappedArray<uint32_t> free_slots;
    uint64_t free_slot_count = 0;
  };

  uint32_t worker_of(uint32_t thread) const {
    return thread % static_cast<uint32_t>(hands_.size());
  }
  static bool is_birth(const Op &op) { return op.kind < OpKind::kFree; }

  void survey() {
    uint32_t position = 0;
    for (Op op; reader_.next(&op); ++position) {
      const uint32_t worker = worker_of(op.thread);
      Hand &hand = hands_[worker];
      ++hand.steps;
      if (is_birth(op)) {
        ++hand.arrivals;
      } else if (holder_[op.block] != worker) {
        is_given_[last_op_[op.block]] = 1;
        ++hands_[holder_[op.block]].steps;
        ++hand.steps;
        ++hand.arrivals;
      }
      holder_[op.block] = op.kind == OpKind::kFree ? kNobody : worker;
      last_op_[op.block] = position;
    }
    plan_.pass_ops = position;
    for (uint64_t block = 0; block < holder_.size(); ++block) {
      if (holder_[block] == kNobody) continue;
      ++hands_[holder_[block]].steps;
      ++plan_.pass_ops;
    }
  }

  void write_steps() {
    reader_.rewind();
    uint32_t position = 0;
    for (Op op; reader_.next(&op); ++position) write_op(op, position);
    for (uint64_t block = 0; block < holder_.size(); ++block) {
      if (holder_[block] == kNobody) continue;
      write(holder_[block], position++, {0, place_[block], StepKind::kFree, 0});
    }
  }

  void write_op(const Op &op, uint32_t position) {
    const uint32_t worker = worker_of(op.thread);
    uint32_t &place = place_[op.block];
    if (is_birth(op)) {
      place = take_slot(worker);
    } else if (holder_[op.block] == kNobody) {
      const uint32_t cell = place;
      place = take_slot(worker);
      write(worker, position, {cell, place, StepKind::kTake, 0});
    }
    holder_[op.block] = worker;
    write(worker, position, {op.size, place, step_kind(op.kind), op.log2_alignment});
    if (op.kind == OpKind::kFree) {
      give_slot_back(worker, place);
      holder_[op.block] = kNobody;
    } else if (is_given_[position] != 0) {
      const auto cell = static_cast<uint32_t>(plan_.cells++);
      write(worker, position, {cell, place, StepKind::kGive, 0});
      give_slot_back(worker, place);
      place = cell;
      holder_[op.block] = kNobody;
    }
  }

  // The slot used last comes first: it is in the cache.
  uint32_t take_slot(uint32_t worker) {
    Hand &hand = hands_[worker];
    if (hand.free_slot_count > 0) return hand.free_slots[--hand.free_slot_count];
    return plan_.workers[worker].slots++;
  }
  void give_slot_back(uint32_t worker, uint32_t slot) {
    Hand &hand = hands_[worker];
    hand.free_slots[hand.free_slot_count++] = slot;
  }

  void write(uint32_t worker, uint32_t position, const Step &step) {
    const uint64_t at = hands_[worker].steps++;
    plan_.workers[worker].steps[at] = step;
    plan_.workers[worker].positions[at] = position;
  }

  Reader reader_;
  std::vector<Hand> hands_;
  TracePlan plan_;
  MappedArray<uint32_t> holder_;   // of each block; kNobody: it is dead, or lies in its cell
  MappedArray<uint32_t> last_op_;  // of each block, while surveying
  MappedArray<uint32_t> place_;    // of each block: its holder's slot, or its cell
  MappedArray<uint8_t> is_given_;  // of each op: another worker does the next on its block
};

}  // namespace

TracePlan plan_trace(const std::string &path, uint32_t workers) {
  return Planner(path, workers).plan();
}

uint64_t trace_pass_ops(const std::string &path) {
  Reader reader(path);
  uint64_t live_blocks = 0;
  for (Op op; reader.next(&op);) {
    if (op.kind < OpKind::kFree) ++live_blocks;
    if (op.kind == OpKind::kFree) --live_blocks;
  }
  return reader.header().ops + live_blocks;
}

}  // namespace hakbench
