// turn_runner.h - what every schedule does with a subject: start it, warm it up, give it a turn.
//
// Purpose:    the parts that `ab`, `run` and `soak` share; session.cc and soak_session.cc decide when.
// Owns:       the operations of an epoch, once calibrated, and the numbering of epochs.
// Boundary:   RunConfig in, RunObserver out. A Turn belongs to the schedule that started it.
// Invariants: the ops of an epoch are the same for every subject and every epoch of the run. An epoch
//             is reported the moment it has been measured. A subject that fails becomes an event and
//             an Error that names allocator, launch and epoch. An epoch in which the machine was
//             suspended, or hakbench stopped, is quarantined.
// Threads:    one.
#ifndef HAKBENCH_COORDINATOR_TURN_RUNNER_H_
#define HAKBENCH_COORDINATOR_TURN_RUNNER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "coordinator/interrupt.h"
#include "coordinator/run_config.h"
#include "coordinator/subject_process.h"
#include "coordinator/suspend_watch.h"
#include "model/run_observer.h"

namespace hakbench {

// A subject process of the launch under way.
struct Turn {
  const SubjectConfig *config = nullptr;
  std::unique_ptr<SubjectProcess> process;
  int64_t launch = 0;
  int64_t next_epoch = 0;
  Integer rss_base_kb;
};

// Where in the schedule an epoch stands. Empty outside blocks.
struct Place {
  Integer block;
  Integer slot;
  std::string order;
};

class TurnRunner {
 public:
  TurnRunner(const RunConfig &config, RunObserver *observer)
      : config_(config), observer_(observer) {}

  // Finds the operations of an epoch on the reference, unless they are given, and reports them. First.
  void calibrate();

  // Starts a process, takes its baseline, loads the plugin.
  Turn start(const SubjectConfig &subject, int64_t launch);
  // What the subject knows of its plugin, for the manifest.
  void note_facts(const Turn &turn);
  // Prefault, then the warm-up epochs.
  void warm_up(Turn *turn);
  void shut_down(const Turn &turn);

  // Measures, places and reports one epoch. `after` runs on the measured epoch before it is reported.
  Epoch run_epoch(Turn *turn, const char *kind, const Place &place,
                  const std::function<void(Epoch *)> &after = {});
  // The same ops as in every epoch, each timed by itself; it takes longer by the probe's cost.
  void run_latency_epoch(Turn *turn);

  // An event of the whole run if `turn` is NULL.
  void event(const Turn *turn, const std::string &name, const std::string &detail);

  // Runs `work` for a subject; if the subject fails, records it and names allocator, launch, epoch.
  template <typename Work>
  auto blame(const Turn &turn, const std::string &where, Work work) {
    try {
      return work();
    } catch (const SubjectFailure &failure) {
      throw Error(record_failure(turn, where, failure));
    }
  }

 private:
  void report_facts();
  void warn_if_slow(const Turn &turn, const Epoch &epoch);
  std::string record_failure(const Turn &turn, const std::string &where,
                             const SubjectFailure &failure);
  std::chrono::nanoseconds timeout_for(double expected_s) const;
  bool is_noisy(const Epoch &epoch) const;

  const RunConfig &config_;
  RunObserver *observer_;
  uint64_t ops_ = 0;  // of an epoch, over all workers
  double expected_epoch_s_ = 0;
  int64_t next_seq_ = config_.first_seq;
  nlohmann::json subject_facts_ = nlohmann::json::array();
  SuspendWatch suspend_watch_;
  int continued_ = times_continued();
};

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_TURN_RUNNER_H_
