#include "superslab/superslabs.h"

#include "config/config.h"
#include "os/os.h"
#include "superslab/address_window.h"
#include "superslab/slab_states.h"
#include "superslab/warm_pool.h"

namespace hakmem {
namespace {

constexpr size_t kMinSuperslabSlabs = 16;

// Units whose last superslab had slabs in `remote`: owner maps outlive superslabs. Under the page
// heap's lock.
constinit uint64_t g_remote_units[kUnitCount / 64] = {};

uint64_t *remote_units_word(const Superslab *superslab, uint64_t *bit) {
  const size_t unit = (superslab->address() >> kUnitShift) & (kUnitCount - 1);
  *bit = uint64_t{1} << (unit % 64);
  return &g_remote_units[unit / 64];
}

void remember_remote(const Superslab *superslab) {
  if (!superslab->remote.any()) return;
  uint64_t bit = 0;
  *remote_units_word(superslab, &bit) |= bit;
}

void recall_remote(Superslab *superslab) {
  uint64_t bit = 0;
  uint64_t *const word = remote_units_word(superslab, &bit);
  if ((*word & bit) == 0) return;
  *word &= ~bit;
  superslab->remote.set_all();
}

size_t metadata_slabs(size_t slabs) { return div_up(Superslab::metadata_bytes(slabs), kSlabBytes); }

// Room for `min_slabs` beside the metadata. NULL: there is none.
void *map_slabs(size_t min_slabs, size_t *slabs) {
  for (*slabs = kSlabsPerSuperslab; *slabs >= kMinSuperslabSlabs; *slabs /= 2) {
    if (*slabs < metadata_slabs(*slabs) + min_slabs) return nullptr;
    void *p = address_window::map(*slabs * kSlabBytes, kUnitBytes);
    if (p != nullptr) return p;
  }
  return nullptr;
}

bool has_resident_slabs(Superslab *superslab) {
  return superslab->touched.any(0, kSlabsPerSuperslab) ||
         superslab->warm.any(0, kSlabsPerSuperslab);
}

}  // namespace

void Superslabs::link(Superslab *superslab) {
  superslab->prev = nullptr;
  superslab->next = first_;
  if (superslab->next != nullptr) superslab->next->prev = superslab;
  first_ = superslab;
  ++count_;
  mapped_bytes_ += superslab->bytes();
}

void Superslabs::unlink(Superslab *superslab) {
  if (superslab->next != nullptr) superslab->next->prev = superslab->prev;
  if (superslab->prev != nullptr) {
    superslab->prev->next = superslab->next;
  } else {
    first_ = superslab->next;
  }
  --count_;
  mapped_bytes_ -= superslab->bytes();
}

bool Superslabs::add(FreeRuns *runs, size_t min_slabs) {
  size_t slabs = 0;
  void *p = map_slabs(min_slabs, &slabs);
  if (p == nullptr) return false;
  const size_t first = metadata_slabs(slabs);
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  const size_t bytes = slabs * kSlabBytes;
  const bool huge_pages = mapped_bytes_ >= threshold && bytes > kHugePageBytes;
  // The metadata in front is touched lazily, by small pages.
  os::g_kernel->refuse_huge_pages(p, huge_pages ? kHugePageBytes : bytes);
  if (huge_pages) {
    os::g_kernel->want_huge_pages(as_pointer(address_of(p) + kHugePageBytes),
                                  bytes - kHugePageBytes);
  }
  auto *superslab = static_cast<Superslab *>(p);  // all zero: the kernel's pages
  superslab->made_slabs = static_cast<uint16_t>(slabs);
  superslab->set_slab_count(slabs);
  superslab->first_slab = static_cast<uint16_t>(first);
  superslab->free_slabs = static_cast<uint16_t>(slabs - first);
  superslab->huge_pages = huge_pages;
  superslab->free.set(first, slabs - first);
  recall_remote(superslab);
  link(superslab);
  runs->insert(superslab->slabs + first, slabs - first);
  address_window::publish(superslab, bytes, address_window::Use::kSuperslab, superslab);
  return true;
}

// Of a wholly free one. False: the kernel refuses.
bool Superslabs::unmap(FreeRuns *runs, Superslab *superslab) {
  Slab *run = superslab->slabs + superslab->first_slab;
  const size_t slabs = run->run_slabs;
  runs->remove(run);
  unlink(superslab);
  const size_t warm = superslab->warm.count(0, superslab->slab_count());
  remember_remote(superslab);
  if (address_window::unmap(superslab, superslab->bytes())) {
    warm_pool::lose(warm);
    return true;
  }
  link(superslab);
  runs->insert(run, slabs);
  return false;
}

// Gives the free slabs at the end back. False: there are none, or the kernel refuses. One that is
// wholly free, because the kernel has refused all of it, stays so: unmap() wants its free run.
bool Superslabs::cut(FreeRuns *runs, Superslab *superslab) {
  if (slab_states::wholly_free(superslab)) return false;
  const size_t old_count = superslab->slab_count();
  const size_t slabs = superslab->free.run_length_below(old_count);
  if (slabs == 0) return false;
  const size_t new_count = old_count - slabs;
  Slab *run = superslab->slabs + new_count;
  runs->remove(run);
  if (!address_window::shrink(superslab, old_count * kSlabBytes, new_count * kSlabBytes)) {
    runs->insert(run, slabs);
    return false;
  }
  superslab->set_slab_count(new_count);
  slab_states::set_used(superslab, new_count, slabs);
  slab_states::set_untouched(superslab, new_count, slabs);
  warm_pool::forget(superslab, new_count, slabs);
  mapped_bytes_ -= slabs * kSlabBytes;
  return true;
}

bool Superslabs::unmap_free(FreeRuns *runs) {
  bool any = false;
  Superslab *next = nullptr;
  for (Superslab *superslab = first_; superslab != nullptr; superslab = next) {
    next = superslab->next;
    if (slab_states::wholly_free(superslab)) any |= unmap(runs, superslab);
  }
  return any;
}

bool Superslabs::give_back_free(FreeRuns *runs) {
  bool any = unmap_free(runs);
  for (Superslab *s = first_; s != nullptr; s = s->next) any |= cut(runs, s);
  return any;
}

void Superslabs::unmap_aged(FreeRuns *runs) {
  bool one_stays = false;
  Superslab *next = nullptr;
  for (Superslab *superslab = first_; superslab != nullptr; superslab = next) {
    next = superslab->next;
    if (!slab_states::wholly_free(superslab) || has_resident_slabs(superslab)) continue;
    if (one_stays) unmap(runs, superslab);
    one_stays = true;
  }
}

}  // namespace hakmem
