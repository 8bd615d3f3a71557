#include "trace/summary.h"

#include <algorithm>
#include <bit>

namespace hakbench::trace {
namespace {

struct Birth {
  uint64_t op;
  uint64_t born_bytes;  // of the trace, until then
  uint32_t thread;
};

void count(Histogram *histogram, uint64_t value) { ++(*histogram)[std::bit_width(value)]; }

class Summarizer {
 public:
  explicit Summarizer(const Header &header)
      : births_(header.blocks),
        every_(std::max<uint64_t>(1, (header.ops + kMaxLivePoints - 1) / kMaxLivePoints)) {
    summary_.threads.resize(header.threads);
  }

  void add(const Op &op, uint64_t live_bytes) {
    ThreadCounts &thread = summary_.threads[op.thread];
    ++summary_.ops_by_kind[static_cast<size_t>(op.kind)];
    ++ops_;
    if (op.kind == OpKind::kFree) {
      die(op, &thread);
    } else if (op.kind == OpKind::kRealloc) {
      ++thread.reallocs;
      ++(op.size > op.old_size   ? summary_.reallocs_grown
         : op.size < op.old_size ? summary_.reallocs_shrunk
                                 : summary_.reallocs_same);
    } else {
      be_born(op, &thread);
    }
    summary_.born_bytes += op.size;
    thread.born_bytes += op.size;
    if (ops_ % every_ == 0) note(live_bytes);
  }

  Summary finish(uint64_t live_bytes) {
    if (ops_ % every_ != 0) note(live_bytes);
    summary_.end_live_blocks = live_blocks_;
    return summary_;
  }

 private:
  void be_born(const Op &op, ThreadCounts *thread) {
    ++thread->births;
    count(&summary_.sizes, op.size);
    births_[op.block] = {ops_, summary_.born_bytes, op.thread};
    summary_.peak_live_blocks = std::max(summary_.peak_live_blocks, ++live_blocks_);
  }

  void die(const Op &op, ThreadCounts *thread) {
    const Birth &birth = births_[op.block];
    ++thread->frees;
    if (birth.thread != op.thread) ++thread->remote_frees, ++summary_.remote_frees;
    count(&summary_.lifetimes_ops, ops_ - birth.op);
    count(&summary_.lifetimes_bytes, summary_.born_bytes - birth.born_bytes);
    --live_blocks_;
  }

  void note(uint64_t live_bytes) { summary_.live.push_back({ops_, live_bytes, live_blocks_}); }

  Summary summary_;
  std::vector<Birth> births_;  // of each block
  const uint64_t every_;
  uint64_t ops_ = 0;
  uint64_t live_blocks_ = 0;
};

}  // namespace

Summary summarize(Reader *reader) {
  Summarizer summarizer(reader->header());
  reader->rewind();
  for (Op op; reader->next(&op);) summarizer.add(op, reader->live_bytes());
  return summarizer.finish(reader->live_bytes());
}

}  // namespace hakbench::trace
