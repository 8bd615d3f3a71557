#include "observe/ledger.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "observe/cached_blocks.h"
#include "observe/residency.h"
#include "observe/writer.h"
#include "os/os.h"
#include "slab/locate.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"

namespace hakmem::observe {

const OwnerRow kOwners[kOwnerCount] = {
#define OWNER(id, name, doc) {name, doc},
    HAKMEM_LEDGER_OWNERS(OWNER)
#undef OWNER
};

namespace {

// A range of addresses that hakmem knows. kLiveBlocks stands for a superslab, which is looked into.
struct Range {
  uintptr_t begin, end;
  Owner owner;
};
constexpr Owner kSuperslabRange = Owner::kLiveBlocks;

// A cached block's address; the low bit tells where it is: blocks are 16-byte aligned.
using CachedEntry = uintptr_t;
constexpr uintptr_t kTransferBit = 1;

CachedEntry entry_of(const void *block, Cached where) {
  return address_of(block) | (where == Cached::kTransfer ? kTransferBit : 0);
}

// What a byte of a small slab is part of.
enum class Part : uint8_t { kNew, kFree, kLive, kMagazine, kTransfer };
constexpr size_t kParts = 5;

// The lists that one ledger works in, all in one mapping.
struct Workspace {
  residency::Scratch scratch;
  Part parts[kMaxBlocks];  // of the blocks of `slab`
  const Slab *slab;
  size_t range_count, cached_count;
  Range *ranges;
  CachedEntry *cached;
  Ledger *ledger;
};

Owner owner_of(huge_blocks::Extent extent) {
  switch (extent) {
    case huge_blocks::Extent::kLive:
      return Owner::kHugeBlocks;
    case huge_blocks::Extent::kKept:
      return Owner::kFreeRuns;
    default:
      return Owner::kMetadata;
  }
}

// --- collecting: twice, first to count

struct Collector {
  Range *ranges;
  size_t range_room, range_count;
  CachedEntry *cached;
  size_t cached_room, cached_count;

  void add(uintptr_t begin, uintptr_t end, Owner owner) {
    if (range_count < range_room) ranges[range_count] = {begin, end, owner};
    ++range_count;
  }

  void collect() {
    const uintptr_t table = address_of(address_window::table());
    add(table, table + address_window::kTableBytes, Owner::kMetadata);
    for (const Superslab *s = page_heap::first_superslab(); s != nullptr; s = s->next) {
      add(s->address(), s->address() + s->bytes(), kSuperslabRange);
    }
    for (const Heap *heap = heap_registry::first_heap(); heap != nullptr; heap = heap->next) {
      const heap_registry::HeapExtent extent = heap_registry::extent_of(heap);
      add(extent.begin, extent.owner_map, Owner::kHeaps);
      if (extent.end > extent.owner_map) add(extent.owner_map, extent.end, Owner::kOwnerMaps);
    }
    huge_blocks::for_each_extent(
        [](void *self, const void *base, size_t bytes, huge_blocks::Extent extent) {
          static_cast<Collector *>(self)->add(address_of(base), address_of(base) + bytes,
                                              owner_of(extent));
        },
        this);
    for_each_cached([&](void *block, Cached where) {
      if (cached_count < cached_room) cached[cached_count] = entry_of(block, where);
      ++cached_count;
    });
  }
};

// --- sharing out

uint64_t &bytes_of(Workspace *w, Owner owner) {
  return w->ledger->owner_bytes[static_cast<size_t>(owner)];
}

// What each block of a small slab is. The slab's own bits know which are out, the sorted list which of
// those are cached.
void classify_blocks(Workspace *w, const Slab *slab) {
  w->slab = slab;
  const size_t carved = slab->carved.load(std::memory_order_relaxed);
  const uint64_t *bits = free_bits(const_cast<Slab *>(slab));
  for (size_t i = 0; i < slab->capacity; ++i) {
    const bool free = (bits[i / 64] >> (i % 64) & 1) != 0;
    w->parts[i] = i >= carved ? Part::kNew : free ? Part::kFree : Part::kLive;
  }
  const uintptr_t base = slab_address(slab);
  const uintptr_t end = base + slab->run_slabs * kSlabBytes;
  const CachedEntry *const last = w->cached + w->cached_count;
  const CachedEntry *e = std::lower_bound<const CachedEntry *>(w->cached, last, base);
  for (; e != last && *e < end; ++e) {
    const size_t index = (*e - base) / class_bytes(slab->size_class);
    if (index < slab->capacity)
      w->parts[index] = (*e & kTransferBit) != 0 ? Part::kTransfer : Part::kMagazine;
  }
}

// Shares the bytes [begin, end) of one page of a small slab out.
void share_page(Workspace *w, const Slab *slab, uintptr_t begin, uintptr_t end) {
  const uintptr_t base = slab_address(slab);
  const size_t block_bytes = class_bytes(slab->size_class);
  size_t part_bytes[kParts] = {};
  size_t tail_bytes = end - begin;  // behind the last block
  for (size_t i = (begin - base) / block_bytes; i < slab->capacity; ++i) {
    const uintptr_t block = base + i * block_bytes;
    if (block >= end) break;
    const size_t bytes = std::min(block + block_bytes, end) - std::max(block, begin);
    part_bytes[static_cast<size_t>(w->parts[i])] += bytes;
    tail_bytes -= bytes;
  }
  const auto part = [&](Part p) { return part_bytes[static_cast<size_t>(p)]; };
  const size_t held = part(Part::kLive) + part(Part::kMagazine) + part(Part::kTransfer);
  bytes_of(w, Owner::kLiveBlocks) += part(Part::kLive);
  bytes_of(w, Owner::kThreadCaches) += part(Part::kMagazine);
  bytes_of(w, Owner::kDepotTransfer) += part(Part::kTransfer);
  bytes_of(w, Owner::kNeverUsed) += part(Part::kNew);
  bytes_of(w, held > 0 ? Owner::kSlack : Owner::kFreeRuns) += part(Part::kFree) + tail_bytes;
}

void share_small(Workspace *w, const Slab *slab, uintptr_t begin, uintptr_t end) {
  if (slab->used == 0) {
    bytes_of(w, Owner::kWarmEmptySlabs) += end - begin;
    return;
  }
  if (w->slab != slab) classify_blocks(w, slab);
  for (uintptr_t page_end; begin < end; begin = page_end) {
    page_end = std::min(align_down(begin, kOsPageBytes) + kOsPageBytes, end);
    share_page(w, slab, begin, page_end);
  }
}

// Shares resident bytes [begin, end) of a superslab out.
void share_superslab(Workspace *w, const Superslab *superslab, uintptr_t begin, uintptr_t end) {
  const uintptr_t slabs = superslab->address() + superslab->first_slab * kSlabBytes;
  if (begin < slabs) {
    const uintptr_t metadata_end = std::min(slabs, end);
    bytes_of(w, Owner::kMetadata) += metadata_end - begin;
    begin = metadata_end;
  }
  while (begin < end) {
    const size_t i = (begin - superslab->address()) >> kSlabShift;
    uintptr_t piece_end = 0;
    if (superslab->free.test(i)) {
      piece_end = superslab->address() + (i + 1) * kSlabBytes;
      piece_end = std::min(piece_end, end);
      const Owner owner = superslab->warm.test(i)      ? Owner::kWarmEmptySlabs
                          : superslab->touched.test(i) ? Owner::kFreeRuns
                                                       : Owner::kNeverUsed;
      bytes_of(w, owner) += piece_end - begin;
    } else {
      const Slab *slab = superslab->slabs + superslab->head.last_at_or_below(i);
      piece_end = std::min(slab_address(slab) + slab->run_slabs * kSlabBytes, end);
      if (slab->kind() == SlabKind::kSmall) {
        share_small(w, slab, begin, piece_end);
      } else if (slab->kind() == SlabKind::kCached) {
        bytes_of(w, Owner::kThreadCaches) += piece_end - begin;
      } else {
        bytes_of(w, Owner::kLiveBlocks) += piece_end - begin;
      }
    }
    begin = piece_end;
  }
}

Owner owner_of(residency::Mapping mapping) {
  switch (mapping) {
    case residency::Mapping::kFile:
      return Owner::kOtherFiles;
    case residency::Mapping::kStack:
      return Owner::kStacks;
    default:
      return Owner::kOtherAnonymous;
  }
}

// A mapping as the kernel sees it may hold several of hakmem's, and a page two of its ranges.
void share_resident(void *context, residency::Mapping mapping, uintptr_t begin, uintptr_t end) {
  auto *w = static_cast<Workspace *>(context);
  const Range *const last = w->ranges + w->range_count;
  const Range *range = std::partition_point<const Range *>(
      w->ranges, last, [begin](const Range &r) { return r.end <= begin; });
  while (begin < end) {
    if (range == last || begin < range->begin) {
      const uintptr_t piece_end = range == last ? end : std::min(range->begin, end);
      bytes_of(w, owner_of(mapping)) += piece_end - begin;
      begin = piece_end;
      continue;
    }
    const uintptr_t piece_end = std::min(range->end, end);
    if (range->owner == kSuperslabRange) {
      share_superslab(w, static_cast<const Superslab *>(as_pointer(range->begin)), begin,
                      piece_end);
    } else {
      bytes_of(w, range->owner) += piece_end - begin;
    }
    begin = piece_end;
    ++range;
  }
}

// --- the whole

uint64_t blocks_held_bytes(const Workspace *w) {
  uint64_t bytes = 0;
  for (const Superslab *s = page_heap::first_superslab(); s != nullptr; s = s->next) {
    for (size_t i = s->first_slab; i < s->slab_count(); i += s->slabs[i].run_slabs) {
      const Slab &slab = s->slabs[i];
      if (s->free.test(i) || slab.kind() == SlabKind::kCached) continue;
      bytes += slab.kind() == SlabKind::kSmall ? slab.used * class_bytes(slab.size_class)
                                               : slab.run_slabs * kSlabBytes;
    }
  }
  for (size_t i = 0; i < w->cached_count; ++i) {
    const Location location = locate(as_pointer(w->cached[i] & ~kTransferBit));
    if (location.what == Location::What::kSmall) {
      bytes -= std::min<uint64_t>(bytes, usable_bytes(location));
    }
  }
  for (size_t i = 0; i < w->range_count; ++i) {
    if (w->ranges[i].owner == Owner::kHugeBlocks) bytes += w->ranges[i].end - w->ranges[i].begin;
  }
  return bytes;
}

void work_out(Workspace *w, Ledger *ledger) {
  std::sort(w->ranges, w->ranges + w->range_count,
            [](const Range &a, const Range &b) { return a.begin < b.begin; });
  std::sort(w->cached, w->cached + w->cached_count);
  // A running thread may have moved a magazine meanwhile, so that it was met twice.
  const auto same_block = [](CachedEntry a, CachedEntry b) {
    return (a | kTransferBit) == (b | kTransferBit);
  };
  w->cached_count = static_cast<size_t>(
      std::unique(w->cached, w->cached + w->cached_count, same_block) - w->cached);
  ledger->blocks_held_bytes = blocks_held_bytes(w);
  ledger->error = residency::walk(&w->scratch, share_resident, w);
  if (ledger->error != nullptr) return;
  ledger->rss_bytes = residency::rss_bytes(&w->scratch);
  if (ledger->rss_bytes == 0) {
    ledger->error = "/proc/self/smaps_rollup can't be read; it needs Linux 4.14 or later";
  }
}

// Reading /proc may end a cancelled thread, with every lock of the allocator taken.
class NoCancellation {
 public:
  NoCancellation() { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  ~NoCancellation() { pthread_setcancelstate(before_, nullptr); }
  NoCancellation(const NoCancellation &) = delete;
  NoCancellation &operator=(const NoCancellation &) = delete;

 private:
  int before_ = 0;
};

}  // namespace

Ledger take_ledger() {
  const NoCancellation whole;
  Ledger ledger{};
  heap_registry::freeze();
  Collector counter{};
  counter.collect();
  // The ledger's own mapping is a range too; a running thread may cache a little more meanwhile.
  const size_t range_room = counter.range_count + 1;
  const size_t cached_room = counter.cached_count + Depot::kMagazines;
  const size_t range_at = align_up(sizeof(Workspace), alignof(Range));
  const size_t cached_at = range_at + range_room * sizeof(Range);
  const size_t bytes = align_up(cached_at + cached_room * sizeof(CachedEntry), kOsPageBytes);
  bool taken = false;
  void *p = os::g_kernel->map(nullptr, bytes, &taken);
  if (p == nullptr) {
    heap_registry::thaw();
    ledger.error = "there is no memory for the ledger; free some";
    return ledger;
  }
  memset(p, 1, bytes);  // resident from the beginning, so that its size does not change on the way
  auto *w = static_cast<Workspace *>(p);
  w->slab = nullptr;
  w->ledger = &ledger;
  w->ranges = static_cast<Range *>(as_pointer(address_of(p) + range_at));
  w->cached = static_cast<CachedEntry *>(as_pointer(address_of(p) + cached_at));
  Collector collector{w->ranges, range_room - 1, 0, w->cached, cached_room, 0};
  collector.collect();
  w->range_count = std::min(collector.range_count, range_room - 1);
  w->cached_count = std::min(collector.cached_count, cached_room);
  w->ranges[w->range_count++] = {address_of(p), address_of(p) + bytes, Owner::kLedger};
  work_out(w, &ledger);
  heap_registry::thaw();
  static_cast<void>(os::g_kernel->unmap(p, bytes));
  return ledger;
}

size_t write_ledger_json(const Ledger &ledger, char *buf, size_t cap) {
  Writer w(buf, cap);
  w.begin();
  if (ledger.error != nullptr) {
    w.text_field("error", ledger.error);
  } else {
    w.field("pid", static_cast<uint64_t>(getpid()));
    w.text_field("program", program_invocation_short_name);
    w.field("rss_bytes", ledger.rss_bytes);
    w.signed_field("residual_bytes", ledger.residual_bytes());
    w.field("blocks_held_bytes", ledger.blocks_held_bytes);
    w.open("owners", '[');
    for (size_t i = 0; i < kOwnerCount; ++i) {
      w.open(nullptr);
      w.text_field("name", kOwners[i].name);
      w.field("bytes", ledger.owner_bytes[i]);
      w.text_field("doc", kOwners[i].doc);
      w.close();
    }
    w.close(']');
  }
  w.close();
  return w.length();
}

}  // namespace hakmem::observe
