#include "output/resume_point.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include "model/error.h"
#include "output/csv.h"

namespace hakbench {
namespace {

// Calls `row` for each complete line after the header; returns their number.
template <typename Row>
int64_t read_rows(const std::string &path, const std::string &header, const Row &row) {
  std::ifstream file(path);
  std::string line;
  // A line that ends with the file, and not with a line feed, was cut off.
  const auto next = [&] { return std::getline(file, line) && !file.eof(); };
  if (!next()) return 0;
  if (line != header)
    throw Error(
        "cannot resume: " + path +
        " has other columns than this hakbench writes; resume with the version that began it");
  int64_t count = 0;
  for (; next(); ++count) row(line);
  return count;
}

size_t column(const std::string &name) {
  const auto &columns = epoch_columns();
  const auto at = std::find_if(columns.begin(), columns.end(),
                               [&](const ColumnInfo &info) { return info.name == name; });
  return static_cast<size_t>(at - columns.begin());
}

int64_t whole_number(const std::vector<std::string> &cells, size_t at, const std::string &path) {
  int64_t value = -1;
  const std::string text = at < cells.size() ? cells[at] : "";
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value < 0)
    throw Error("cannot resume: " + path + " has a row with '" + text + "' where a number from 0 " +
                "belongs; mend the file");
  return value;
}

// CLOCK_MONOTONIC is comparable within a launch only: the machine may have booted between two.
class LaunchSpans {
 public:
  void add(uint32_t launch, int64_t start_ns, int64_t end_ns) {
    const auto [at, is_new] = spans_.try_emplace(launch, start_ns, end_ns);
    if (is_new) return;
    at->second.first = std::min(at->second.first, start_ns);
    at->second.second = std::max(at->second.second, end_ns);
  }

  double total_s() const {
    double total = 0;
    for (const auto &[launch, span] : spans_)
      total += static_cast<double>(span.second - span.first) / 1e9;
    return total;
  }

 private:
  std::map<uint32_t, std::pair<int64_t, int64_t>> spans_;
};

}  // namespace

ResumePoint find_resume_point(const std::string &folder) {
  ResumePoint point;
  const std::string path = folder + "/epochs.csv";
  const size_t seq_at = column("seq");
  const size_t launch_at = column("launch");
  const size_t start_at = column("start_ns");
  const size_t elapsed_at = column("elapsed_ns");
  LaunchSpans spans;
  point.epochs = read_rows(path, epoch_header(), [&](const std::string &line) {
    const std::vector<std::string> cells = split_row(line);
    const auto launch = static_cast<uint32_t>(whole_number(cells, launch_at, path));
    point.next_launch = std::max(point.next_launch, launch + 1);
    point.next_seq = std::max(point.next_seq, whole_number(cells, seq_at, path) + 1);
    const int64_t start_ns = whole_number(cells, start_at, path);
    spans.add(launch, start_ns, start_ns + whole_number(cells, elapsed_at, path));
  });
  point.soaked_s = spans.total_s();
  const auto ignore = [](const std::string &) {};
  point.events = read_rows(folder + "/events.csv", event_header(), ignore);
  read_rows(folder + "/exemplars.csv", exemplar_header(), ignore);  // only whether it can go on
  return point;
}

}  // namespace hakbench
