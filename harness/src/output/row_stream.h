// row_stream.h - the rows of epochs.csv on standard output, while they come.
//
// Invariants: one write(2) a row, no buffer: whoever reads, or the file behind it, has every finished
//             epoch, however the run ends. Standard output holds nothing else.
#ifndef HAKBENCH_OUTPUT_ROW_STREAM_H_
#define HAKBENCH_OUTPUT_ROW_STREAM_H_

#include "model/run_observer.h"

namespace hakbench {

class RowStream : public RunObserver {
 public:
  RowStream();  // writes the header; throws Error, as on_epoch does

  void on_plan(const RunPlan &) override {}
  void on_epoch(const Epoch &epoch) override;
  void on_latency(const LatencyEpoch &) override {}
  void on_event(const Event &) override {}
  void on_facts(const nlohmann::json &) override {}
};

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_ROW_STREAM_H_
