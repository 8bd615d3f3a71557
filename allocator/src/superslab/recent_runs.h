// recent_runs.h - the large runs that were freed last, not yet merged with their neighbours.
//
// Purpose:    a program that frees a buffer and asks for one of the same size gets the same run
//             again, without splitting and merging.
// Owns:       up to kMostRuns runs of kMostSlabs slabs together: in the masks they are in use.
// Boundary:   a heap has a few, which its thread takes without a lock; those that are too large or too
//             many for it, and those it gives back, the page heap has. A heap gives its own up before
//             a large block is looked for elsewhere, the page heap its own before any other run is
//             handed out, and both do with every age.
// Invariants: a run's kind says who has it (SlabKind): whoever puts it here has changed that first.
// Threads:    a heap's: its thread's, but for bytes(). The page heap's: under its lock.
#ifndef HAKMEM_SUPERSLAB_RECENT_RUNS_H_
#define HAKMEM_SUPERSLAB_RECENT_RUNS_H_

#include <atomic>
#include <cstddef>

#include "superslab/superslab.h"

namespace hakmem {

template <size_t kMostRuns, size_t kMostSlabs>
class RecentRuns {
 public:
  static constexpr size_t kMostBytes = kMostSlabs * kSlabBytes;

  constexpr RecentRuns() = default;

  // Whether there was room for one more run.
  bool put(Slab *run) {
    if (count_ == kMostRuns || slabs() + run->run_slabs > kMostSlabs) return false;
    runs_[count_++] = run;
    slabs_.store(slabs() + run->run_slabs, std::memory_order_relaxed);
    return true;
  }
  // The newest run of exactly so many slabs, for a large block again; NULL: there is none.
  Slab *take(size_t slabs) {
    for (size_t i = count_; i-- > 0;) {
      if (runs_[i]->run_slabs != slabs) continue;
      Slab *run = take_at(i);
      run->set_kind(SlabKind::kLarge);
      return run;
    }
    return nullptr;
  }
  // NULL: there is none.
  Slab *take_oldest() { return count_ == 0 ? nullptr : take_at(0); }
  // Those that are there stay lost.
  void forget() {
    count_ = 0;
    slabs_.store(0, std::memory_order_relaxed);
  }
  // For any thread: a recent value.
  size_t bytes() const { return slabs() * kSlabBytes; }

 private:
  size_t slabs() const { return slabs_.load(std::memory_order_relaxed); }
  Slab *take_at(size_t i) {
    Slab *run = runs_[i];
    for (--count_; i < count_; ++i) runs_[i] = runs_[i + 1];
    slabs_.store(slabs() - run->run_slabs, std::memory_order_relaxed);
    return run;
  }

  Slab *runs_[kMostRuns] = {};  // the oldest first
  size_t count_ = 0;
  std::atomic<size_t> slabs_{0};
};

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_RECENT_RUNS_H_
