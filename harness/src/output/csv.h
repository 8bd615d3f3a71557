// csv.h - rows of epochs.csv, latency.csv, exemplars.csv, samples.csv and events.csv.
//
// Purpose:    the text form of Epoch, LatencyEpoch, IdleEpoch and Event; the columns of epochs.csv come from
//             columns.def, those of exemplars.csv from exemplar_columns.def.
// Invariants: fields are quoted after RFC 4180 only where needed; no field holds a line feed, so a line
//             is a row. What was not measured is an empty cell. Reals have 16 significant digits (microseconds of
//             today, in seconds since 1970).
#ifndef HAKBENCH_OUTPUT_CSV_H_
#define HAKBENCH_OUTPUT_CSV_H_

#include <string>
#include <vector>

#include "model/epoch.h"
#include "model/idle.h"
#include "model/latency.h"

namespace hakbench {

struct ColumnInfo {
  const char *name;
  const char *type;  // text, integer or real
  const char *doc;
};
const std::vector<ColumnInfo> &epoch_columns();

std::string epoch_header();
std::string epoch_row(const Epoch &epoch);

std::string latency_header();
std::string latency_rows(const LatencyEpoch &epoch);  // lines, without the last line feed

std::string exemplar_header();
std::string exemplar_rows(const LatencyEpoch &epoch);  // lines, without the last line feed

std::string sample_header();
std::string sample_rows(const IdleEpoch &idle);  // lines, without the last line feed

std::string event_header();
std::string event_row(int64_t seq, double wall_time_s, const Event &event);

// The cells of a row that one of these made.
std::vector<std::string> split_row(const std::string &line);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_CSV_H_
