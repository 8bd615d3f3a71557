// free_runs.h - which runs of slabs are free, by length.
//
// Purpose:    find a free run for a request without a walk through all superslabs.
// Owns:       the links of the first slab of every free run, and its kind and length.
// Boundary:   the page heap says what is free and what is not; masks and memory are its business.
// Invariants: a run is in exactly one bin: that of its length, or from kLongBin slabs on the last.
// Threads:    under the page heap's lock.
#ifndef HAKMEM_SUPERSLAB_FREE_RUNS_H_
#define HAKMEM_SUPERSLAB_FREE_RUNS_H_

#include <cstddef>
#include <cstdint>

#include "superslab/superslab.h"

namespace hakmem {

class FreeRuns {
 public:
  constexpr FreeRuns() = default;

  // The run of so many slabs that begins at `first` becomes free.
  void insert(Slab *first, size_t slabs);
  void remove(Slab *first);
  // The best run for so many slabs with an alignment in slabs, and in *place where they fit in it; NULL:
  // there is none. Best fit by length; but of the long runs, one in which the place is resident comes first,
  // so that such memory is used again before a superslab's untouched end.
  Slab *find(size_t slabs, size_t align_slabs, Slab **place) const;

 private:
  static constexpr size_t kBins = 65;
  static constexpr size_t kLongBin = 64;
  static size_t bin_of(size_t slabs) { return slabs < kLongBin ? slabs : kLongBin; }

  Slab *bins_[kBins] = {};
  uint64_t filled_ = 0;  // bit n: bin n < kLongBin is not empty
};

}  // namespace hakmem

#endif  // HAKMEM_SUPERSLAB_FREE_RUNS_H_
