// result_folder.h - the folder that holds everything about one run.
//
// Purpose:    epochs.csv, latency.csv, exemplars.csv, samples.csv, events.csv and manifest.json,
//             valid at every moment of a run.
// Owns:       the folder's files while the run goes on.
// Boundary:   a RunObserver; knows no subject and no schedule.
// Invariants: the manifest is there, status "running", before the first row; each rewrite replaces it
//             in one step. A row is in its file when on_epoch returns (line_file.h). latency.csv
//             and exemplars.csv begin with the first latency epoch, samples.csv with the first drained
//             one; all rows that one epoch has in a file are written at once.
// Threads:    one.
#ifndef HAKBENCH_OUTPUT_RESULT_FOLDER_H_
#define HAKBENCH_OUTPUT_RESULT_FOLDER_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "model/run_observer.h"
#include "output/line_file.h"
#include "output/resume_point.h"

namespace hakbench {

// Makes a folder and its parents, if need be. Throws Error.
void make_folder(const std::string &folder);

class ResultFolder : public RunObserver {
 public:
  // Makes the folder and its parents. Refuses one that already holds something, unless `force`: then
  // the run's files replace those of the same name. Throws Error.
  ResultFolder(const std::string &path, bool force, nlohmann::json manifest);

  // Continues a folder: a cut-off last line is removed, rows are appended.
  ResultFolder(const std::string &path, nlohmann::json manifest, const ResumePoint &point);

  void on_plan(const RunPlan &plan) override;
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &latency) override;
  void on_idle(const IdleEpoch &idle) override;
  void on_event(const Event &event) override;
  void on_facts(const nlohmann::json &facts) override;

  // status: "complete", "interrupted" or "failed"; error may be empty.
  void finish(const std::string &status, const std::string &error);

  const std::string &path() const { return path_; }

 private:
  void open_files(LineFile::Start start);
  void write_manifest();
  std::string latency_path() const { return path_ + "/latency.csv"; }
  std::string exemplars_path() const { return path_ + "/exemplars.csv"; }
  std::string samples_path() const { return path_ + "/samples.csv"; }

  std::string path_;
  nlohmann::json manifest_;
  std::unique_ptr<LineFile> epochs_;
  std::unique_ptr<LineFile> latency_;  // from the first latency epoch on
  std::unique_ptr<LineFile> exemplars_;
  std::unique_ptr<LineFile> samples_;  // from the first drained epoch on
  std::unique_ptr<LineFile> events_;
  int64_t epoch_count_ = 0;
  int64_t event_count_ = 0;
};

// "20261123-141500-hakmem-vs-mimalloc" in local time, for the default folder.
std::string time_stamped_name(const std::string &what);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_RESULT_FOLDER_H_
