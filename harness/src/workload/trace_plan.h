// trace_plan.h - a trace as each worker is to replay it.
//
// Purpose:    everything that needs no clock: which worker plays which op, where a block lies, which
//             blocks change workers.
// Owns:       the workers' steps and positions.
// Boundary:   reads a trace (Error if it can't); trace_replay.cc plays the plan.
// Invariants: recorded thread t is played by worker t % workers, in the recorded order. What is live at the
//             trace's end is freed there, by the worker that holds it, in the order of birth: a pass
//             ends with nothing live. A block changes workers through a cell of its own that is used once a pass:
//             its holder gives it right after the last op it does on it. A worker's steps of one op
//             (take, the op, give) have the op's position.
// Threads:    built by one; read by all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/mapped_array.h"

namespace hakbench {

enum class StepKind : uint8_t { kMalloc, kCalloc, kAligned, kFree, kRealloc, kTake, kGive };

struct Step {
  uint64_t size;  // bytes; of kTake and kGive: the cell
  uint32_t slot;  // the worker's own
  StepKind kind;
  uint8_t log2_alignment;
};
static_assert(sizeof(Step) == 16);

struct WorkerPlan {
  MappedArray<Step> steps;
  MappedArray<uint32_t> positions;  // of each step: its op's place in the pass
  uint32_t slots = 0;               // blocks that it holds at once, at most
};

struct TracePlan {
  std::vector<WorkerPlan> workers;
  uint64_t pass_ops = 0;  // the trace's, and the frees of what it left live
  uint64_t cells = 0;
};

// Throws Error.
TracePlan plan_trace(const std::string &path, uint32_t workers);

// Ops of a pass, of any plan for the trace. Throws Error.
uint64_t trace_pass_ops(const std::string &path);

}  // namespace hakbench
