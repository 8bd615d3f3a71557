// traced_child.h - what a piece of code does to the CPU and the kernel, counted exactly by ptrace.
//
// Purpose: instructions (single steps) and system calls of a function, without a PMU or a clock.
// Invariants: a function that does the same does the same number of both, so two counts may be
//   subtracted.
// Threads: the function runs in a child process of one thread; keep it short, a step costs
//   microseconds.
#pragma once

#include <cstdint>
#include <functional>

namespace hakbench {

enum class Traced { kInstructions, kSystemCalls };

// -1 if the child could not be traced or did not end well.
int64_t count_traced(Traced what, const std::function<void()> &code);

}  // namespace hakbench
