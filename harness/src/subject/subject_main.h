// subject_main.h - the process under test.
//
// Purpose:    be as little as possible around one allocator: load it, run workload epochs on command.
// Owns:       the plugin, the workload and the worker threads of this process.
// Boundary:   the control block is its only contact with the coordinator (control_block.h). It writes
//             no file and no terminal, and samples nothing about itself but the clock.
// Invariants: between waking for kRun and sleeping again it makes threads + 1 system calls; clocks are
//             read through the vDSO. SIGINT is ignored: the coordinator decides how a run ends.
// Threads:    the main thread is worker 0; all workers serve every command in step.
#ifndef HAKBENCH_SUBJECT_SUBJECT_MAIN_H_
#define HAKBENCH_SUBJECT_SUBJECT_MAIN_H_

namespace hakbench {

// The hidden first argument with which hakbench re-executes itself; the second is the memfd's number.
inline constexpr char kSubjectArgument[] = "--hakbench-subject";

// Returns the process's exit code. Called before anything else touches the heap.
int subject_main(const char *control_fd_text);

}  // namespace hakbench

#endif  // HAKBENCH_SUBJECT_SUBJECT_MAIN_H_
