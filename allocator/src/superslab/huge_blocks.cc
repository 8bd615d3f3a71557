#include "superslab/huge_blocks.h"

#include <iterator>

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
// What one page of a page table maps.
constexpr size_t kPageTableBytes = 2 * kMiB;
// A kept block is at least so large when it is cut from another.
constexpr size_t kLeastRestBytes = 4 * kMiB;
// Of what a request needs, so much more may stay with its block.
constexpr size_t kMostSurplusShare = 8;
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

size_t mapping_bytes(size_t bytes) { return align_up(bytes == 0 ? 1 : bytes, kOsPageBytes); }

// Asks for huge pages in a block that is large enough; what asked for them once and is not any more
// shall not grow by whole huge pages.
void advise(HugeBlock *block) {
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  const bool wanted = block->mapped_bytes >= threshold;
  if (wanted == block->advised) return;
  block->advised = wanted;
  const auto advice = wanted ? os::g_kernel->want_huge_pages : os::g_kernel->refuse_huge_pages;
  advice(block->base, block->mapped_bytes);
}

// --- giving back

void keep(HugeBlock *block) {
  block->live = false;
  huge_cache::put(block);
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

void follow_live(ptrdiff_t blocks, size_t more_bytes, size_t fewer_bytes) {
  g_totals.blocks += static_cast<size_t>(blocks);
  g_totals.mapped_bytes += more_bytes - fewer_bytes;
  huge_cache::follow_live(g_totals.mapped_bytes);
  give_back(huge_cache::take_excess, SIZE_MAX);
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
  *block = {base, mapped, nullptr, {}, false, false, false};
  return block;
}

// Moves the block's pages to a mapping of another size. False: no room, unchanged.
bool move(HugeBlock *block, size_t mapped, size_t alignment) {
  const size_t old = block->mapped_bytes;
  void *target = address_window::map(mapped, alignment);
  if (target == nullptr) return false;
  if (!os::g_kernel->move(block->base, old, target, mapped)) {
    address_window::unmap(target, mapped);
    return false;
  }
  address_window::forget(block->base, old);
  block->base = target;
  block->mapped_bytes = mapped;
  return true;
}

bool grow_in_place(HugeBlock *block, size_t mapped) {
  if (!address_window::grow(block->base, block->mapped_bytes, mapped, Use::kHuge, block)) {
    return false;
  }
  block->mapped_bytes = mapped;
  return true;
}

// Makes the tail of a block one that is kept. False: unchanged.
bool split(HugeBlock *block, size_t mapped) {
  const size_t tail = block->mapped_bytes - mapped;
  HugeBlock *rest = map_block(tail, kUnitBytes);
  if (rest == nullptr) return false;
  if (!address_window::split(block->base, block->mapped_bytes, mapped, rest->base)) {
    address_window::unmap(rest->base, tail);
    put_record(rest);
    return false;
  }
  rest->advised = block->advised;
  block->mapped_bytes = mapped;
  keep(rest);
  return true;
}

// Takes from a kept block what is more than the request needs. Much of it becomes a kept block;
// where pages of page tables end, the kernel moves these and not their entries. Little of it stays.
void cut(HugeBlock *block, size_t mapped) {
  const size_t whole = align_up(mapped, kPageTableBytes);
  if (block->mapped_bytes >= whole + kLeastRestBytes) split(block, whole);
  const size_t more = block->mapped_bytes - mapped;
  if (more > mapped / kMostSurplusShare &&
      address_window::shrink(block->base, block->mapped_bytes, mapped)) {
    block->mapped_bytes = mapped;
  }
}

HugeBlock *reuse(size_t mapped, size_t alignment) {
  HugeBlock *block = huge_cache::take_best(mapped, alignment);
  if (block == nullptr) return nullptr;
  const bool grown = block->mapped_bytes < mapped;
  if (!grown) {
    cut(block, mapped);
  } else if (!grow_in_place(block, mapped) && !move(block, mapped, alignment)) {
    keep(block);
    return nullptr;
  }
  huge_cache::count_hit(grown);
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
    if (address_window::shrink(block->base, old, mapped)) block->mapped_bytes = mapped;
  } else if (mapped > old && !grow_in_place(block, mapped)) {
    bool moved = move(block, mapped, kUnitBytes);
    if (!moved && give_back(huge_cache::take_any, SIZE_MAX) > 0) {
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
