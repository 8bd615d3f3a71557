#include "output/prometheus.h"

#include <fmt/format.h>
#include <stdio.h>

#include "model/error.h"

namespace hakbench {
namespace {

// One metric: its HELP and TYPE, then a sample for each subject that has a value.
class Metric {
 public:
  Metric(std::string *out, const std::string &name, const char *type, const char *help)
      : out_(out), name_(name) {
    *out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }

  template <typename Value>
  void sample(const std::string &labels, const std::optional<Value> &value, int64_t factor = 1) {
    if (value)
      *out_ += fmt::format("{}{} {}\n", name_, labels, *value * static_cast<Value>(factor));
  }

 private:
  std::string *out_;
  const std::string name_;
};

// The format's escapes in a label's value.
std::string escaped(const std::string &text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string labels_of(const std::string &subject, const std::string &allocator) {
  return fmt::format("{{subject=\"{}\",allocator=\"{}\"}}", escaped(subject), escaped(allocator));
}

}  // namespace

PrometheusMetrics::PrometheusMetrics(MetricsSink *sink) : sink_(sink) {
  sink_->publish(document());
}

void PrometheusMetrics::on_plan(const RunPlan &plan) {
  seconds_left_ = plan.expected_seconds;
  publish();
}

void PrometheusMetrics::on_epoch(const Epoch &epoch) {
  Subject &subject = subjects_[epoch.subject];
  subject.allocator = epoch.allocator;
  ++subject.epochs;
  subject.quarantined += *epoch.quarantined;
  subject.ops += *epoch.ops;
  subject.failed_allocs += epoch.failed_allocs.value_or(0);
  if (epoch.syscalls) subject.syscalls = subject.syscalls.value_or(0) + *epoch.syscalls;
  subject.last = epoch;
  harness_rss_kb_ = epoch.harness_rss_kb;
  publish();
}

void PrometheusMetrics::publish() {
  try {
    sink_->publish(document());
  } catch (const Error &error) {
    if (!failed_) fputs(fmt::format("hakbench: warning: {}\n", error.what()).c_str(), stderr);
    failed_ = true;
  }
}

std::string PrometheusMetrics::document() const {
  std::string out;
  const auto each = [&](const char *name, const char *type, const char *help, auto value,
                        int64_t factor = 1) {
    Metric metric(&out, name, type, help);
    for (const auto &[label, subject] : subjects_)
      metric.sample(labels_of(label, subject.allocator), value(subject), factor);
  };
  const auto count = [](int64_t Subject::*member) {
    return [member](const Subject &s) { return Integer(s.*member); };
  };
  const auto last = [](auto Epoch::*member) {
    return [member](const Subject &s) { return s.last.*member; };
  };
  each("hakbench_epochs_total", "counter", "Epochs that are on record.", count(&Subject::epochs));
  each("hakbench_epochs_quarantined_total", "counter", "Epochs over the declared noise limit.",
       count(&Subject::quarantined));
  each("hakbench_ops_total", "counter", "Operations in timed epochs.", count(&Subject::ops));
  each("hakbench_failed_allocations_total", "counter", "Allocations that returned NULL.",
       count(&Subject::failed_allocs));
  each("hakbench_syscalls_total", "counter",
       "System calls in timed epochs, the harness's own left out.",
       [](const Subject &s) { return s.syscalls; });
  each("hakbench_ops_per_second", "gauge", "Throughput of the last epoch.",
       last(&Epoch::ops_per_s));
  each("hakbench_rss_bytes", "gauge", "RSS of the subject at the last epoch's end.",
       last(&Epoch::rss_kb), 1024);
  each("hakbench_rss_above_base_bytes", "gauge",
       "The same, above the RSS before the plugin was loaded.", last(&Epoch::rss_above_base_kb),
       1024);
  each("hakbench_peak_rss_bytes", "gauge", "Highest RSS within the last epoch.",
       last(&Epoch::peak_rss_kb), 1024);
  each("hakbench_drained_rss_bytes", "gauge", "RSS after the last drain (a ratchet soak).",
       last(&Epoch::drained_rss_kb), 1024);
  each("hakbench_live_bytes", "gauge", "Bytes the workload held at the last epoch's end.",
       last(&Epoch::live_bytes));
  each("hakbench_last_epoch_timestamp_seconds", "gauge", "When the last epoch ended, since 1970.",
       last(&Epoch::wall_time_s));
  Metric(&out, "hakbench_harness_rss_bytes", "gauge", "RSS of the harness itself.")
      .sample("", harness_rss_kb_, 1024);
  Metric(&out, "hakbench_planned_seconds", "gauge", "Time that this process has to soak.")
      .sample("", seconds_left_);
  return out;
}

}  // namespace hakbench
