// subject_process.h - one process under test, seen from the coordinator.
//
// Purpose:    start a subject, give it commands, notice when it dies or hangs, end it.
// Owns:       the child process, the shared control block, the child's kernel counters and,
//             if it times operations, the rings of its kernel events.
// Boundary:   knows the protocol (subject/control_block.h); knows no schedule, epoch row or file.
// Invariants: between two commands the subject sleeps. A subject never outlives this object, nor the
//             coordinator's death.
// Threads:    the coordinator's only thread.
#ifndef HAKBENCH_COORDINATOR_SUBJECT_PROCESS_H_
#define HAKBENCH_COORDINATOR_SUBJECT_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "coordinator/event_rings.h"
#include "coordinator/kernel_counter.h"
#include "coordinator/run_config.h"
#include "model/error.h"
#include "subject/control_block.h"

namespace hakbench {

// The subject did not finish a command. what() tells the end of the sentence: "was killed by SIGSEGV".
class SubjectFailure : public Error {
 public:
  SubjectFailure(const char *kind, const std::string &what) : Error(what), event(kind) {}
  std::string event;  // crash, exit, hang, refused
};

class SubjectProcess {
 public:
  // Starts the process and waits until it sleeps for the first time; nothing is loaded yet. times_ops:
  // there will be kTimedRun commands.
  SubjectProcess(const SubjectConfig &config, const WorkloadConfig &workload,
                 const std::vector<int> &cpus, bool times_ops = false);
  ~SubjectProcess();
  SubjectProcess(const SubjectProcess &) = delete;
  SubjectProcess &operator=(const SubjectProcess &) = delete;

  // Carries one command out. Throws SubjectFailure, or Interrupted on a signal to the coordinator.
  void execute(CommandKind kind, uint64_t ops_per_worker, std::chrono::nanoseconds timeout);

  // kExit: the subject frees everything and ends; its exit code must be 0.
  void shut_down();

  pid_t pid() const { return pid_; }
  const ControlBlock &control() const { return *control_; }
  const KernelCounter &syscalls() const { return syscalls_; }
  const KernelCounter &instructions() const { return instructions_; }
  EventRings &events() { return events_; }  // records nothing unless times_ops

 private:
  void spawn(const SubjectConfig &config, int control_fd, const std::vector<int> &cpus);
  void issue(CommandKind kind, uint64_t ops_per_worker);
  void await(std::chrono::nanoseconds timeout);
  void throw_if_dead();
  void release();

  pid_t pid_ = -1;
  ControlBlock *control_ = nullptr;
  bool loaded_ = false;  // all workers exist and take part in commands
  KernelCounter syscalls_;
  KernelCounter instructions_;
  EventRings events_;
};

// A subject's environment as NAME=VALUE: this process's, then `extra`, then GLIBC_TUNABLES extended so
// that allocators with initial-exec TLS can be dlopened.
std::vector<std::string> subject_environment(const std::map<std::string, std::string> &extra);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_SUBJECT_PROCESS_H_
