#include "superslab/huge_blocks.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/units.h"
#include "config/config.h"
#include "os/lock.h"
#include "os/os.h"
#include "superslab/address_window.h"

namespace hakmem::huge_blocks {
namespace {

using address_window::Use;

constexpr size_t kRecordChunkBytes = 16 * kKiB;
// A kept block is at least so large when it is cut from another.
constexpr size_t kLeastRestBytes = kPageTableBytes;
// Of what a request needs, so much more may stay with its block.
constexpr size_t kMostSurplusShare = 4;
// While there are more blocks than this none is put together, for the kernel limits the number of
// mappings (65530 by default).
constexpr size_t kMostToPutTogether = 1024;
// At most this much, or an eighth of what is kept if that is more, goes back in one tick.
constexpr size_t kMinReleaseBytesPerTick = 64 * kMiB;

struct RecordChunk {
  RecordChunk *next;
  HugeBlock records[(kRecordChunkBytes - sizeof(void *)) / sizeof(HugeBlock)];
};
static_assert(sizeof(RecordChunk) <= kRecordChunkBytes);

constinit os::Lock g_lock;
constinit HugeBlock *g_unused_records = nullptr;
constinit RecordChunk *g_chunks = nullptr;
constinit Totals g_totals{};

// Records are never given back: there are as many as there were huge blocks at a time.
HugeBlock *take_record() {
  if (g_unused_records == nullptr) {
    bool taken = false;
    auto *chunk = static_cast<RecordChunk *>(os::g_kernel->map(nullptr, kRecordChunkBytes, &taken));
    if (chunk == nullptr) return nullptr;
    chunk->next = g_chunks;
    g_chunks = chunk;
    for (size_t i = std::size(chunk->records); i-- > 0;) {
      chunk->records[i].next = g_unused_records;
      g_unused_records = &chunk->records[i];
    }
  }
  HugeBlock *record = g_unused_records;
  g_unused_records = record->next;
  return record;
}

void put_record(HugeBlock *record) {
  record->base = nullptr;
  record->live = false;
  record->next = g_unused_records;
  g_unused_records = record;
}

bool is_surplus(size_t more, size_t needed) { return more > needed / kMostSurplusShare; }

// Whole page tables where that is little more, so that kept blocks fit each other.
size_t mapping_bytes(size_t bytes) {
  const size_t pages = align_up(bytes == 0 ? 1 : bytes, kOsPageBytes);
  const size_t tables = align_up(bytes, kPageTableBytes);
  return kHardened || tables < pages || is_surplus(tables - pages, pages) ? pages : tables;
}

void give_advice(bool wanted, void *base, size_t bytes) {
  (wanted ? os::g_kernel->want_huge_pages : os::g_kernel->refuse_huge_pages)(base, bytes);
}

// Asks for huge pages in a block that is large enough; what asked for them once and is not any more
// shall not grow by whole huge pages.
void advise(HugeBlock *block) {
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  const bool wanted = block->mapped_bytes >= threshold;
  if (wanted == block->advised) return;
  block->advised = wanted;
  give_advice(wanted, block->base, block->mapped_bytes);
}

// --- giving back

void keep(HugeBlock *block) {
  block->live = false;
  block->fresh = true;
  huge_cache::put(block);
}

bool shrink(HugeBlock *block, size_t mapped) {
  if (!address_window::shrink(block->base, block->mapped_bytes, mapped)) return false;
  block->mapped_bytes = mapped;
  block->seams.drop_from(mapped);
  return true;
}

// Gives the blocks that `take` yields back, up to `budget` bytes. What the kernel refuses is kept: it
// refuses only when splitting mappings would exceed its limit.
template <class Take>
size_t give_back(Take take, size_t budget) {
  HugeBlock *refused = nullptr;
  size_t bytes = 0;
  while (bytes < budget) {
    HugeBlock *block = take();
    if (block == nullptr) break;
    if (address_window::unmap(block->base, block->mapped_bytes)) {
      bytes += block->mapped_bytes;
      put_record(block);
    } else {
      block->next = refused;
      refused = block;
    }
  }
  while (refused != nullptr) {
    HugeBlock *block = refused;
    refused = block->next;
    keep(block);
  }
  return bytes;
}

// Gives back what is kept beyond what may be: the smallest blocks, and of the last what is too much.
void give_excess_back() {
  while (const size_t excess = huge_cache::excess_bytes()) {
    HugeBlock *block = huge_cache::take_smallest();
    const size_t stays = block->mapped_bytes > excess
                             ? align_down(block->mapped_bytes - excess, kPageTableBytes)
                             : 0;
    if (stays > 0 && shrink(block, stays)) {
      huge_cache::put(block);
    } else if (give_back([&] { return std::exchange(block, nullptr); }, SIZE_MAX) == 0) {
      break;
    }
  }
}

void follow_live(ptrdiff_t blocks, size_t more_bytes, size_t fewer_bytes) {
  g_totals.blocks += static_cast<size_t>(blocks);
  g_totals.mapped_bytes += more_bytes - fewer_bytes;
  huge_cache::follow_live(g_totals.mapped_bytes);
  give_excess_back();
}

// --- blocks from new mappings, and from kept ones

HugeBlock *map_block(size_t mapped, size_t alignment) {
  HugeBlock *block = take_record();
  if (block == nullptr) return nullptr;
  void *base = address_window::map(mapped, alignment);
  if (base == nullptr) {
    put_record(block);
    return nullptr;
  }
  *block = {base, mapped, nullptr, {}, {}, false, false, false};
  return block;
}

// Moves the block's pages to a mapping of another size. False: no room, or they are in several
// mappings; unchanged.
bool move(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t old = block->mapped_bytes;
  if (block->seams.last() > 0) return false;
  void *target = address_window::map(mapped, alignment);
  if (target == nullptr) return false;
  const os::Moved moved = os::g_kernel->move(block->base, old, target, mapped);
  if (moved == os::Moved::kNo) address_window::unmap(target, mapped);
  if (moved == os::Moved::kTargetLost) address_window::forget(target, mapped);
  if (moved != os::Moved::kYes) return false;
  address_window::forget(block->base, old);
  block->base = target;
  block->mapped_bytes = mapped;
  return true;
}

bool grow_in_place(HugeBlock *block, size_t mapped) {
  const address_window::Extent extent{block->base, block->seams.last(), block->mapped_bytes};
  if (!address_window::grow(extent, mapped, Use::kHuge, block)) return false;
  block->mapped_bytes = mapped;
  return true;
}

// --- pages of kept blocks in another's place
//
// What moves are whole page tables, but for the end of a block. Nobody needs what is in the pages.

// Keeps what is left of a block, if anything, as fresh as it was.
void keep_rest(HugeBlock *block) {
  if (block->mapped_bytes > 0) {
    huge_cache::put(block);
  } else {
    put_record(block);
  }
}

// The block ends where the kernel lost a part of its mapping.
void end_before(HugeBlock *block, size_t at, size_t lost_bytes) {
  if (at + lost_bytes < block->mapped_bytes) shrink(block, at + lost_bytes);
  address_window::forget(block->base, block->mapped_bytes, at);
  block->mapped_bytes = at;
}

// Moves pages from the source's end to `*at` in the target: as many as it lacks, of one mapping.
// Advances *at. The source becomes shorter, maybe empty: what the kernel does not move goes back to
// it. False: refused; the target may have become shorter.
bool move_tail(HugeBlock *source, HugeBlock *target, size_t *at) {
  const size_t lacks = target->mapped_bytes - *at;
  const size_t end = source->mapped_bytes;
  const size_t begin =
      std::max(align_down(end > lacks ? end - lacks : 0, kPageTableBytes), source->seams.last());
  const bool all = end - begin >= lacks;
  const size_t bytes = all ? lacks : align_down(end - begin, kPageTableBytes);
  if (begin + bytes < end && !shrink(source, begin + bytes)) return false;
  if (bytes == 0) return true;
  void *place = as_pointer(address_of(target->base) + *at);
  const os::Moved moved = address_window::split(source->base, begin + bytes, begin, place);
  if (moved == os::Moved::kTargetLost) end_before(target, *at, bytes);
  if (moved != os::Moved::kYes) address_window::shrink(source->base, begin + bytes, begin);
  source->mapped_bytes = begin;
  source->seams.drop_from(begin);
  if (moved != os::Moved::kYes) return false;
  if (source->advised != target->advised) give_advice(target->advised, place, bytes);
  target->seams.add(*at);
  *at += bytes;
  return true;
}

// Makes the tail of a block one of its own. NULL: none, or not all of it; the block is shorter or as
// it was.
HugeBlock *split(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t bytes = align_down(block->mapped_bytes - mapped, kPageTableBytes);
  HugeBlock *tail = map_block(bytes, alignment);
  if (tail == nullptr) return nullptr;
  tail->advised = block->advised;
  size_t at = 0;
  while (at < bytes && move_tail(block, tail, &at)) {
  }
  if (at == bytes) return tail;
  if (tail->mapped_bytes > at) shrink(tail, at);
  keep_rest(tail);
  return nullptr;
}

// Makes of a kept block one that serves the request, and one that is kept: the shorter moves. What is
// less than a page table maps, and little of what is needed, stays.
HugeBlock *cut(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t needed = align_up(mapped, kPageTableBytes);
  if (block->mapped_bytes >= needed + kLeastRestBytes) {
    const size_t rest = align_down(block->mapped_bytes - needed, kPageTableBytes);
    const bool serve_tail = needed < rest;
    HugeBlock *tail = serve_tail ? split(block, rest, alignment) : split(block, needed, kUnitBytes);
    if (tail != nullptr) {
      if (serve_tail) std::swap(block, tail);
      keep(tail);
    }
  }
  if (is_surplus(block->mapped_bytes - mapped, mapped)) shrink(block, mapped);
  return block;
}

// Puts pages of kept blocks where the block's have not been touched, from `begin` on, as far as they
// reach. False: the kernel lost a part of the block, which ends there.
bool fill(HugeBlock *block, size_t begin) {
  if (g_totals.blocks + huge_cache::totals().blocks > kMostToPutTogether) return true;
  const size_t first = align_up(begin, kPageTableBytes), end = block->mapped_bytes;
  size_t at = first;
  bool moved = true;
  while (moved && at < end && block->seams.room() > 1) {
    HugeBlock *source = huge_cache::take_best(end - at, kUnitBytes);
    if (source == nullptr) break;
    moved = move_tail(source, block, &at);
    keep_rest(source);
  }
  if (first < at && at < block->mapped_bytes) block->seams.add(at);
  return block->mapped_bytes == end;
}

// Makes a block that is large enough of the largest that is kept and others. NULL: no memory.
HugeBlock *put_together(HugeBlock *largest, size_t mapped, size_t alignment) {
  HugeBlock *block = largest;
  size_t begin = largest->mapped_bytes;
  if (!grow_in_place(block, mapped) && !move(block, mapped, alignment)) {
    const bool in_parts = largest->seams.last() > 0;
    huge_cache::put(largest);
    block = map_block(mapped, alignment);
    if (block == nullptr || !in_parts) return block;
    begin = 0;
  }
  advise(block);
  if (fill(block, begin)) return block;
  address_window::unpublish(block->base, block->mapped_bytes);
  keep_rest(block);
  return nullptr;
}

HugeBlock *reuse(size_t mapped, size_t alignment) {
  HugeBlock *block = huge_cache::take_best(mapped, alignment);
  if (block == nullptr) return nullptr;
  const bool grown = block->mapped_bytes < mapped;
  if (grown) {
    block = put_together(block, mapped, alignment);
  } else {
    block = cut(block, mapped, alignment);
  }
  if (block != nullptr) huge_cache::count_hit(grown);
  return block;
}

}  // namespace

void *allocate(size_t bytes, size_t alignment, Contents contents) {
  const size_t mapped = mapping_bytes(bytes);
  if (mapped < bytes) return nullptr;
  if (alignment < kUnitBytes) alignment = kUnitBytes;
  const os::LockGuard guard(g_lock);
  HugeBlock *block = contents == Contents::kAny ? reuse(mapped, alignment) : nullptr;
  if (block == nullptr) block = map_block(mapped, alignment);
  if (block == nullptr) return nullptr;
  advise(block);
  block->live = true;
  address_window::publish(block->base, block->mapped_bytes, Use::kHuge, block);
  follow_live(1, block->mapped_bytes, 0);
  return block->base;
}

bool free(HugeBlock *block) {
  const os::LockGuard guard(g_lock);
  if (!block->live) return false;
  address_window::unpublish(block->base, block->mapped_bytes);
  keep(block);
  follow_live(-1, 0, block->mapped_bytes);
  return true;
}

void *resize(HugeBlock *block, size_t new_bytes) {
  const size_t mapped = mapping_bytes(new_bytes);
  if (mapped < new_bytes) return nullptr;
  const os::LockGuard guard(g_lock);
  const size_t old = block->mapped_bytes;
  if (mapped < old) {
    shrink(block, mapped);
  } else if (mapped > old && !grow_in_place(block, mapped)) {
    const bool movable = block->seams.last() == 0;
    bool moved = movable && move(block, mapped, kUnitBytes);
    if (movable && !moved && give_back(huge_cache::take_any, SIZE_MAX) > 0) {
      moved = move(block, mapped, kUnitBytes);
    }
    if (!moved) return nullptr;
    advise(block);
    address_window::publish(block->base, mapped, Use::kHuge, block);
  }
  follow_live(0, block->mapped_bytes, old);
  return block->base;
}

bool release_aged(bool age_begins) {
  const os::LockGuard guard(g_lock);
  const size_t an_eighth = huge_cache::totals().bytes / 8;
  const size_t budget = an_eighth > kMinReleaseBytesPerTick ? an_eighth : kMinReleaseBytesPerTick;
  const bool more = give_back(huge_cache::take_aged, budget) >= budget;
  if (age_begins) huge_cache::begin_age();
  return more;
}

size_t release_kept() {
  const os::LockGuard guard(g_lock);
  return give_back(huge_cache::take_any, SIZE_MAX);
}

bool keeps_any() { return huge_cache::any(); }

Totals totals() {
  const os::LockGuard guard(g_lock);
  Totals t = g_totals;
  t.kept = huge_cache::totals();
  return t;
}

void for_each_extent(ExtentVisitor visit, void *context) {
  for (const RecordChunk *chunk = g_chunks; chunk != nullptr; chunk = chunk->next) {
    visit(context, chunk, kRecordChunkBytes, Extent::kRecords);
    for (const HugeBlock &record : chunk->records) {
      if (record.base == nullptr) continue;
      visit(context, record.base, record.mapped_bytes, record.live ? Extent::kLive : Extent::kKept);
    }
  }
}

void lock_for_fork() { g_lock.lock(); }
void unlock_after_fork() { g_lock.unlock(); }
void reset_after_fork() { g_lock.reset_after_fork(); }

}  // namespace hakmem::huge_blocks
