// prometheus.h - a soak's figures in the text format that Prometheus reads.
//
// Purpose:    one document after each epoch; a sink takes it to a file or serves it over HTTP.
// Boundary:   a RunObserver. Counters begin with the process, as Prometheus expects: a resumed soak
//             starts them again at 0.
// Invariants: its memory does not grow with the soak. What was not measured has no sample. A sink that
//             fails while the soak goes on is a warning, once; the soak does not end of it.
// Threads:    on_* in the coordinator's only thread. The server has its own, which the first document starts
//             and which inherits the coordinator's CPU, so that it never runs on a subject's.
#ifndef HAKBENCH_OUTPUT_PROMETHEUS_H_
#define HAKBENCH_OUTPUT_PROMETHEUS_H_

#include <map>
#include <memory>
#include <string>

#include "model/run_observer.h"

namespace hakbench {

class MetricsSink {
 public:
  virtual ~MetricsSink() = default;
  virtual void publish(const std::string &document) = 0;  // throws Error
  virtual std::string where() const = 0;  // "file x" or "http://127.0.0.1:9123/metrics"
};

// `target`: a PORT on 127.0.0.1 (0: any free one), ADDRESS:PORT, or else the name of a file. The port is
// taken, or the file made, at once. Throws Error that names it and the mend.
std::unique_ptr<MetricsSink> open_metrics_sink(const std::string &target);

class PrometheusMetrics : public RunObserver {
 public:
  // Publishes at once, so that there is something to read from the start.
  explicit PrometheusMetrics(MetricsSink *sink);

  void on_plan(const RunPlan &plan) override;
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &) override {}
  void on_event(const Event &) override {}
  void on_facts(const nlohmann::json &) override {}

  std::string document() const;

 private:
  struct Subject {
    std::string allocator;
    int64_t epochs = 0;
    int64_t quarantined = 0;
    int64_t ops = 0;
    int64_t failed_allocs = 0;
    Integer syscalls;
    Epoch last;
  };

  void publish();

  MetricsSink *sink_;
  bool failed_ = false;
  Real seconds_left_;
  Integer harness_rss_kb_;
  std::map<std::string, Subject> subjects_;  // by label
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_PROMETHEUS_H_
