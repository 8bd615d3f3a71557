// recent_runs.h - the large runs that were freed last, not yet merged with their neighbours.
//
// Purpose:    a program that frees a buffer and asks for one of the same size gets the same run
//             again, without splitting and merging.
// Owns:       up to kMost runs of kMostSlabs slabs together: in the masks they are in use.
// Boundary:   the page heap merges them before anything else looks for memory or looks at it, and
//             with every age.
// Threads:    under the page heap's lock.
#ifndef HAKMEM_SUPERSLAB_RECENT_RUNS_H_
#define HAKMEM_SUPERSLAB_RECENT_RUNS_H_

#include <cstddef>

#include "superslab/superslab.h"

namespace hakmem {

class RecentRuns {
 public:
  constexpr RecentRuns() = default;

  // Whether there was room for one more run.
  bool put(Slab *run) {
    if (count_ == kMost || slabs_ + run->run_slabs > kMostSlabs) return false;
    runs_[count_++] = run;
    slabs_ += run->run_slabs;
    return true;
  }
  // The newest run of exactly so many slabs; NULL: there is none.
  Slab *take(size_t slabs) {
    for (size_t i = count_; i-- > 0;) {
      if (runs_[i]->run_slabs == slabs) return take_at(i);
    }
    return nullptr;
  }
  // Any run; NULL: there is none.
  Slab *take_any() { return count_ == 0 ? nullptr : take_at(count_ - 1); }

 private:
  static constexpr size_t kMost = 8;
  static constexpr size_t kMostSlabs = 4 * kMiB / kSlabBytes;

  Slab *take_at(size_t i) {
    Slab *run = runs_[i];
    for (--count_; i < count_; ++i) runs_[i] = runs_[i + 1];
    slabs_ -= run->run_slabs;
    return run;
  }

  Slab *runs_[kMost] = {};  // the oldest first
  size_t count_ = 0;
  size_t slabs_ = 0;
};

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_RECENT_RUNS_H_
