#include "superslab/huge_blocks.h"

#include <utility>

#include "base/units.h"
#include "config/config.h"
#include "os/lock.h"
#include "superslab/address_window.h"
#include "superslab/huge_mapping.h"
#include "superslab/huge_records.h"

namespace hakmem::huge_blocks {
namespace {

using address_window::Use;

// Of what a request needs, so much more may be the program's.
constexpr size_t kMostSurplusShare = 4;
// While there are more blocks than this none is put together, for the kernel limits the number of
// mappings (65530 by default).
constexpr size_t kMostToPutTogether = 1024;
// At most this much, or an eighth of what is kept if that is more, goes back in one tick.
constexpr size_t kMinReleaseBytesPerTick = 64 * kMiB;

constinit os::Lock g_lock;
constinit Totals g_totals{};

// What a block has for a request: whole page tables where that is little more, so that realloc seldom
// needs the kernel.
size_t usable_for(size_t bytes) {
  const size_t pages = align_up(bytes == 0 ? 1 : bytes, kOsPageBytes);
  const size_t tables = align_up(bytes, kPageTableBytes);
  return kHardened || tables < pages || tables - pages > pages / kMostSurplusShare ? pages : tables;
}

// From now on the block, or its spare, is kept.
void keep(HugeBlock *block) {
  block->ages = 0;
  huge_cache::put(block);
}

// Of a block that was taken from the cache: all of it, or a live one's spare. False: the kernel refuses.
bool give_back_one(HugeBlock *block) {
  return block->live() ? huge_mapping::shrink(block, block->usable_bytes)
                       : huge_mapping::unmap(block);
}

// Gives back what `take` yields, up to `budget` bytes. What the kernel refuses is kept.
template <class Take>
size_t give_back(Take take, size_t budget) {
  HugeBlock *refused = nullptr;
  size_t bytes = 0;
  while (bytes < budget) {
    HugeBlock *block = take();
    if (block == nullptr) break;
    const size_t spare = block->spare_bytes();
    if (give_back_one(block)) {
      bytes += spare;
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

// Gives back what is kept beyond what may be: the smallest first, and of the last what is too much.
void give_excess_back() {
  while (const size_t excess = huge_cache::excess_bytes()) {
    HugeBlock *block = huge_cache::take_smallest();
    const size_t over = excess < block->spare_bytes() ? excess : block->spare_bytes();
    const size_t end = align_down(block->mapped_bytes - over, kPageTableBytes);
    if (end > block->usable_bytes && huge_mapping::shrink(block, end)) {
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

// Keeps what is left of a block or of its spare, if anything, as old as it was.
void keep_rest(HugeBlock *block) {
  if (block->spare_bytes() > 0) {
    huge_cache::put(block);
  } else if (!block->live()) {
    huge_records::put(block);
  }
}

// Makes the tail of a block one of its own. NULL: none, or not all of it; the block is shorter or as
// it was.
HugeBlock *split(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t bytes = block->mapped_bytes - mapped;
  HugeBlock *tail = huge_mapping::map(bytes, alignment);
  if (tail == nullptr) return nullptr;
  tail->advised = block->advised;
  size_t at = 0;
  while (at < bytes && huge_mapping::move_tail(block, tail, &at)) {
  }
  if (at == bytes) return tail;
  if (tail->mapped_bytes > at) huge_mapping::shrink(tail, at);
  keep_rest(tail);
  return nullptr;
}

// Makes of a kept block one that serves the request. Its end is moved away for that if this is the
// shorter part; else the rest stays with the block as its spare.
HugeBlock *cut(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t rest = block->mapped_bytes - mapped;
  if (rest <= mapped) return block;
  HugeBlock *tail = split(block, rest, alignment);
  if (tail == nullptr) return block;
  keep(block);
  return tail;
}

bool may_put_together() {
  return g_totals.blocks + huge_cache::totals().blocks <= kMostToPutTogether;
}

// Puts pages of kept blocks, and spare ones, where the block's have not been touched, from `begin` on,
// as far as they reach. False: the kernel lost a part of the block, which ends there.
bool fill(HugeBlock *block, size_t begin) {
  if (!may_put_together()) return true;
  const size_t end = block->mapped_bytes;
  size_t at = begin;
  bool moved = true;
  while (moved && at < end && block->seams.room() > 1) {
    HugeBlock *source = huge_cache::take_best(end - at, kUnitBytes);
    if (source == nullptr) source = huge_cache::take_spare();
    if (source == nullptr) break;
    moved = huge_mapping::move_tail(source, block, &at);
    keep_rest(source);
  }
  if (begin < at && at < block->mapped_bytes) block->seams.add(at);
  return block->mapped_bytes == end;
}

// Makes a block that is large enough of the largest that is kept, if any, and others. NULL: no memory.
HugeBlock *put_together(HugeBlock *largest, size_t mapped, size_t alignment) {
  HugeBlock *block = largest;
  size_t begin = 0;
  if (largest == nullptr) {
    block = huge_mapping::map(mapped, alignment);
    if (block == nullptr) return nullptr;
  } else if (begin = largest->mapped_bytes; !huge_mapping::grow_in_place(block, mapped) &&
                                            !huge_mapping::move(block, mapped, alignment)) {
    const bool in_parts = largest->seams.last() > 0;
    huge_cache::put(largest);
    block = huge_mapping::map(mapped, alignment);
    if (block == nullptr || !in_parts) return block;
    begin = 0;
  }
  huge_mapping::advise(block);
  if (fill(block, begin)) return block;
  address_window::unpublish(block->base, block->mapped_bytes);
  keep_rest(block);
  return nullptr;
}

HugeBlock *reuse(size_t mapped, size_t alignment) {
  if (!huge_cache::any()) return nullptr;
  HugeBlock *block = huge_cache::take_best(mapped, alignment);
  if (block == nullptr && !may_put_together()) return nullptr;
  const bool grown = block == nullptr || block->mapped_bytes < mapped;
  if (grown) {
    block = put_together(block, mapped, alignment);
  } else {
    block = cut(block, mapped, alignment);
  }
  if (block != nullptr) huge_cache::count_hit(grown);
  return block;
}

// The block is live, and will be kept: its end reaches a page table's, if it may.
void make_whole(HugeBlock *block) {
  huge_cache::remove_spare(block);
  const size_t whole = align_up(block->mapped_bytes, kPageTableBytes);
  if (kHardened || whole == block->mapped_bytes || huge_mapping::grow_in_place(block, whole))
    return;
  if (whole > kPageTableBytes) huge_mapping::shrink(block, whole - kPageTableBytes);
}

// Makes a live block larger, in place or elsewhere. False: as it was.
bool grow(HugeBlock *block, size_t mapped) {
  if (huge_mapping::grow_in_place(block, mapped)) return true;
  if (block->seams.last() > 0) return false;
  if (!huge_mapping::move(block, mapped, kUnitBytes) &&
      (give_back(huge_cache::take_any, SIZE_MAX) == 0 ||
       !huge_mapping::move(block, mapped, kUnitBytes))) {
    return false;
  }
  huge_mapping::advise(block);
  address_window::publish(block->base, mapped, Use::kHuge, block);
  return true;
}

}  // namespace

void *allocate(size_t bytes, size_t alignment, Contents contents) {
  const size_t usable = usable_for(bytes);
  if (usable < bytes) return nullptr;
  if (alignment < kUnitBytes) alignment = kUnitBytes;
  const os::LockGuard guard(g_lock);
  HugeBlock *block = nullptr;
  if (contents == Contents::kAny) block = reuse(align_up(usable, kPageTableBytes), alignment);
  if (block == nullptr) block = huge_mapping::map(usable, alignment);
  if (block == nullptr) return nullptr;
  huge_mapping::advise(block);
  block->usable_bytes = usable;
  address_window::publish(block->base, block->mapped_bytes, Use::kHuge, block);
  if (block->spare_bytes() > 0) keep(block);
  follow_live(1, usable, 0);
  return block->base;
}

bool free(HugeBlock *block) {
  const os::LockGuard guard(g_lock);
  if (!block->live()) return false;
  make_whole(block);
  address_window::unpublish(block->base, block->mapped_bytes);
  const size_t usable = std::exchange(block->usable_bytes, 0);
  keep(block);
  follow_live(-1, 0, usable);
  return true;
}

void *resize(HugeBlock *block, size_t new_bytes) {
  const size_t usable = usable_for(new_bytes);
  if (usable < new_bytes) return nullptr;
  const os::LockGuard guard(g_lock);
  const size_t old = block->usable_bytes;
  huge_cache::remove_spare(block);
  const bool resized = usable > block->mapped_bytes
                           ? grow(block, usable)
                           : usable >= old || huge_mapping::shrink(block, usable);
  if (resized) block->usable_bytes = usable;
  if (block->spare_bytes() > 0) huge_cache::put(block);
  follow_live(0, block->usable_bytes, old);
  return resized || usable < old ? block->base : nullptr;
}

bool release_aged(bool age_begins) {
  const os::LockGuard guard(g_lock);
  const size_t an_eighth = huge_cache::totals().bytes / 8;
  const size_t budget = an_eighth > kMinReleaseBytesPerTick ? an_eighth : kMinReleaseBytesPerTick;
  if (age_begins) huge_cache::begin_age();
  return give_back(huge_cache::take_aged, budget) >= budget;
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
  for (auto *chunk = huge_records::first_chunk(); chunk != nullptr; chunk = chunk->next) {
    visit(context, chunk, huge_records::Chunk::kBytes, Extent::kRecords);
    for (const HugeBlock &record : chunk->records) {
      if (record.base == nullptr) continue;
      if (record.live()) visit(context, record.base, record.usable_bytes, Extent::kLive);
      const void *spare = as_pointer(address_of(record.base) + record.usable_bytes);
      if (record.spare_bytes() > 0) visit(context, spare, record.spare_bytes(), Extent::kKept);
    }
  }
}

void lock_for_fork() { g_lock.lock(); }
void unlock_after_fork() { g_lock.unlock(); }
void reset_after_fork() { g_lock.reset_after_fork(); }

}  // namespace hakmem::huge_blocks
