#include "output/result_folder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <filesystem>

#include "model/clock.h"
#include "model/error.h"
#include "output/csv.h"

namespace hakbench {

void make_folder(const std::string &folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code)
    throw Error("cannot make the folder " + folder + ": " + code.message() +
                "; name another with -o");
}

namespace {

// What may stand in a folder beside the rows that every run writes.
constexpr const char *kMadeOfRows[] = {"latency.csv",  "exemplars.csv", "samples.csv",
                                       "verdict.json", "report.md",     "report.html",
                                       "report.png",   "gate.json",     "experiment.json"};

std::string iso_time() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

void make_empty_folder(const std::filesystem::path &path, bool force) {
  make_folder(path.string());
  std::error_code code;
  const bool empty = std::filesystem::is_empty(path, code);
  if (code)
    throw Error("cannot read the output folder " + path.string() + ": " + code.message() +
                "; name another with -o");
  if (!empty && !force)
    throw Error("the output folder " + path.string() +
                " is not empty; name another with -o, or overwrite it with --force");
}

}  // namespace

ResultFolder::ResultFolder(const std::string &path, bool force, nlohmann::json manifest)
    : path_(path), manifest_(std::move(manifest)) {
  make_empty_folder(path_, force);
  open_files(LineFile::Start::kEmpty);  // first: it tells whether another run still goes on
  manifest_["status"] = "running";
  manifest_["start_time"] = iso_time();
  write_manifest();
  // What another run left, with --force: nothing may pass for this run's.
  for (const char *name : kMadeOfRows) {
    std::error_code none_there;
    std::filesystem::remove(path_ + "/" + name, none_there);
  }
}

ResultFolder::ResultFolder(const std::string &path, nlohmann::json manifest,
                           const ResumePoint &point)
    : path_(path),
      manifest_(std::move(manifest)),
      epoch_count_(point.epochs),
      event_count_(point.events) {
  open_files(LineFile::Start::kContinue);  // first: it tells whether the run still goes on
  const ResumePoint now = find_resume_point(path_);
  if (now.epochs != point.epochs || now.events != point.events)
    throw Error("cannot resume " + path_ +
                ": another process wrote to it a moment ago; resume it again");
  manifest_["status"] = "running";
  write_manifest();
}

void ResultFolder::open_files(LineFile::Start start) {
  events_ = std::make_unique<LineFile>(path_ + "/events.csv", start);
  if (events_->is_empty()) events_->append(event_header());
  epochs_ = std::make_unique<LineFile>(path_ + "/epochs.csv", start);
  if (epochs_->is_empty()) epochs_->append(epoch_header());
}

void ResultFolder::on_plan(const RunPlan &plan) {
  if (!plan.epochs) return;
  manifest_["planned_epochs"] = epoch_count_ + *plan.epochs;
  write_manifest();
}

void ResultFolder::on_epoch(const Epoch &epoch) {
  epochs_->append(epoch_row(epoch));
  ++epoch_count_;
}

void ResultFolder::on_latency(const LatencyEpoch &latency) {
  if (latency_ == nullptr) {
    latency_ = std::make_unique<LineFile>(latency_path(), LineFile::Start::kContinue);
    if (latency_->is_empty()) latency_->append(latency_header());
  }
  latency_->append(latency_rows(latency));
  if (latency.exemplars.empty()) return;
  if (exemplars_ == nullptr) {
    exemplars_ = std::make_unique<LineFile>(exemplars_path(), LineFile::Start::kContinue);
    if (exemplars_->is_empty()) exemplars_->append(exemplar_header());
  }
  exemplars_->append(exemplar_rows(latency));
}

void ResultFolder::on_idle(const IdleEpoch &idle) {
  if (samples_ == nullptr) {
    samples_ = std::make_unique<LineFile>(samples_path(), LineFile::Start::kContinue);
    if (samples_->is_empty()) samples_->append(sample_header());
  }
  if (!idle.samples.empty()) samples_->append(sample_rows(idle));
}

void ResultFolder::on_event(const Event &event) {
  events_->append(event_row(event_count_++, wall_time_s(), event));
}

void ResultFolder::on_facts(const nlohmann::json &facts) {
  manifest_.update(facts);
  write_manifest();
}

void ResultFolder::finish(const std::string &status, const std::string &error) {
  manifest_["status"] = status;
  if (!error.empty()) manifest_["error"] = error;
  manifest_["end_time"] = iso_time();
  manifest_["epochs"] = epoch_count_;
  write_manifest();
}

// Names of files and variables may hold bytes that are no UTF-8; those are replaced, not fatal.
void ResultFolder::write_manifest() {
  replace_file(path_ + "/manifest.json",
               manifest_.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::string time_stamped_name(const std::string &what) {
  return fmt::format("{:%Y%m%d-%H%M%S}-{}", fmt::localtime(std::time(nullptr)), what);
}

}  // namespace hakbench
