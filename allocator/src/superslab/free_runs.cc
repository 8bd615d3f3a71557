#include "superslab/free_runs.h"

#include <bit>

namespace hakmem {
namespace {

// First slab at or behind `run` with the alignment, or NULL if `slabs` from there do not fit.
Slab *fit(Slab *run, size_t slabs, size_t align_slabs) {
  const Superslab *superslab = superslab_of(run);
  const size_t begin = index_of(superslab, run);
  const size_t aligned = align_up(begin, align_slabs);
  return aligned + slabs <= begin + run->run_slabs ? run + (aligned - begin) : nullptr;
}

bool is_resident(const Slab *slab) {
  const Superslab *superslab = superslab_of(slab);
  const size_t index = index_of(superslab, slab);
  return superslab->touched.test(index) || superslab->warm.test(index);
}

}  // namespace

void FreeRuns::insert(Slab *first, size_t slabs) {
  const size_t bin = bin_of(slabs);
  first->set_kind(SlabKind::kFree);
  first->run_slabs = static_cast<uint16_t>(slabs);
  first->prev = nullptr;
  first->next = bins_[bin];
  if (first->next != nullptr) first->next->prev = first;
  bins_[bin] = first;
  if (bin < kLongBin) filled_ |= uint64_t{1} << bin;
}

void FreeRuns::remove(Slab *first) {
  const size_t bin = bin_of(first->run_slabs);
  if (first->next != nullptr) first->next->prev = first->prev;
  if (first->prev != nullptr) {
    first->prev->next = first->next;
  } else {
    bins_[bin] = first->next;
    if (first->next == nullptr && bin < kLongBin) filled_ &= ~(uint64_t{1} << bin);
  }
}

Slab *FreeRuns::find(size_t slabs, size_t align_slabs, Slab **place) const {
  if (slabs < kLongBin) {
    uint64_t candidates = filled_ & (~uint64_t{0} << slabs);
    for (; candidates != 0; candidates &= candidates - 1) {
      const auto bin = static_cast<size_t>(std::countr_zero(candidates));
      for (Slab *run = bins_[bin]; run != nullptr; run = run->next) {
        if ((*place = fit(run, slabs, align_slabs)) != nullptr) return run;
        if (align_slabs == 1) break;
      }
    }
  }
  Slab *best = nullptr;
  size_t lowest_cost = SIZE_MAX;
  for (Slab *run = bins_[kLongBin]; run != nullptr; run = run->next) {
    Slab *fitting = fit(run, slabs, align_slabs);
    if (fitting == nullptr) continue;
    const size_t cost = (is_resident(fitting) ? 0 : SIZE_MAX / 2) + run->run_slabs;
    if (cost >= lowest_cost) continue;
    lowest_cost = cost;
    best = run;
    *place = fitting;
  }
  return best;
}

}  // namespace hakmem
