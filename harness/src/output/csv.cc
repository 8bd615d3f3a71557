#include "output/csv.h"

#include <fmt/format.h>

namespace hakbench {
namespace {

std::string cell(const std::string &text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c == '\n' || c == '\r' ? ' ' : c;
  }
  return quoted + '"';
}

std::string cell(const Integer &value) { return value ? fmt::format("{}", *value) : ""; }
std::string cell(const Real &value) { return value ? fmt::format("{:.16g}", *value) : ""; }

}  // namespace

const std::vector<ColumnInfo> &epoch_columns() {
  static const std::vector<ColumnInfo> columns = {
#define COLUMN(name, type, doc) {#name, #type, doc},
#include "output/columns.def"
  };
  return columns;
}

std::string epoch_header() {
  std::string line;
  for (const ColumnInfo &column : epoch_columns()) line.append(column.name).append(",");
  line.pop_back();
  return line;
}

std::string epoch_row(const Epoch &epoch) {
  std::string line;
#define COLUMN(name, type, doc) line.append(cell(epoch.name)).append(",");
#include "output/columns.def"
  line.pop_back();
  return line;
}

std::string latency_header() { return "seq,subject,launch,op,low_ns,high_ns,count"; }

std::string latency_rows(const LatencyEpoch &epoch) {
  std::string lines;
  for (const LatencyBucket &bucket : epoch.buckets)
    lines += fmt::format("{}{},{},{},{},{:.10g},{:.10g},{}", lines.empty() ? "" : "\n", epoch.seq,
                         cell(epoch.subject), epoch.launch, bucket.op, bucket.low_ns,
                         bucket.high_ns, bucket.count);
  return lines;
}

std::string exemplar_header() {
  std::string line;
#define COLUMN(name, type, doc) line.append(#name ",");
#include "output/exemplar_columns.def"
  line.pop_back();
  return line;
}

std::string exemplar_rows(const LatencyEpoch &epoch) {
  std::string lines;
  for (const Exemplar &exemplar : epoch.exemplars) {
    if (!lines.empty()) lines += '\n';
#define COLUMN(name, type, doc) lines.append(cell(exemplar.name)).append(",");
#include "output/exemplar_columns.def"
    lines.pop_back();
  }
  return lines;
}

std::string sample_header() { return "seq,subject,launch,epoch,since_drain_s,rss_kb"; }

std::string sample_rows(const IdleEpoch &idle) {
  std::string lines;
  for (const IdleSample &sample : idle.samples)
    lines += fmt::format("{}{},{},{},{},{:.6f},{}", lines.empty() ? "" : "\n", idle.seq,
                         cell(idle.subject), idle.launch, idle.epoch, sample.since_drain_s,
                         sample.rss_kb);
  return lines;
}

std::string event_header() { return "seq,wall_time_s,subject,launch,event,detail"; }

std::string event_row(int64_t seq, double wall_time_s, const Event &event) {
  return fmt::format("{},{},{},{},{},{}", seq, cell(Real(wall_time_s)), cell(event.subject),
                     cell(event.launch), cell(event.event), cell(event.detail));
}

std::vector<std::string> split_row(const std::string &line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool quote = line[i] == '"';
    if (quote && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[i++];
    } else if (quote) {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += line[i];
    }
  }
  return cells;
}

}  // namespace hakbench
