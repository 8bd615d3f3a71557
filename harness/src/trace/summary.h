// summary.h - what a trace consists of.
//
// Purpose:    one pass over a trace -> counts and histograms. Percentiles and pictures are the analysis's.
// Owns:       nothing that outlives the call.
// Boundary:   reads a trace; throws Error.
// Invariants: a histogram's bucket b counts values of b bits: 0 | 1 | 2..3 | 4..7 ...
//             Lifetimes are of blocks that died in the trace: from the op that bore one to the one that
//             freed it, in ops of all threads and in bytes that were asked for meanwhile.
#ifndef HAKBENCH_TRACE_SUMMARY_H_
#define HAKBENCH_TRACE_SUMMARY_H_

#include <array>
#include <cstdint>
#include <vector>

#include "trace/reader.h"

namespace hakbench::trace {

using Histogram = std::array<uint64_t, 65>;

struct ThreadCounts {
  uint64_t births = 0;
  uint64_t frees = 0;
  uint64_t remote_frees = 0;  // of blocks that another thread bore
  uint64_t reallocs = 0;
  uint64_t born_bytes = 0;
};

struct LivePoint {
  uint64_t ops;
  uint64_t live_bytes;
  uint64_t live_blocks;
};

struct Summary {
  std::array<uint64_t, 5> ops_by_kind = {};  // by OpKind
  uint64_t born_bytes = 0;                   // asked for, realloc's new sizes included
  uint64_t end_live_blocks = 0;
  uint64_t peak_live_blocks = 0;
  uint64_t remote_frees = 0;
  uint64_t reallocs_grown = 0;
  uint64_t reallocs_shrunk = 0;
  uint64_t reallocs_same = 0;
  Histogram sizes = {};  // bytes, at birth
  Histogram lifetimes_ops = {};
  Histogram lifetimes_bytes = {};
  std::vector<ThreadCounts> threads;
  std::vector<LivePoint> live;  // at most kMaxLivePoints, evenly spaced, and the end
};
inline constexpr size_t kMaxLivePoints = 2000;

Summary summarize(Reader *reader);

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_SUMMARY_H_
