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
  record->next = g_unused_records;
  g_unused_records = record;
}

size_t mapping_bytes(size_t bytes) { return align_up(bytes == 0 ? 1 : bytes, kOsPageBytes); }

void advise(void *base, size_t bytes) {
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  if (bytes >= threshold) os::g_kernel->want_huge_pages(base, bytes);
}

}  // namespace

void *allocate(size_t bytes, size_t alignment) {
  const size_t mapped = mapping_bytes(bytes);
  if (mapped < bytes) return nullptr;
  const os::LockGuard guard(g_lock);
  HugeBlock *record = take_record();
  if (record == nullptr) return nullptr;
  void *base = address_window::map(mapped, alignment > kUnitBytes ? alignment : kUnitBytes);
  if (base == nullptr) {
    put_record(record);
    return nullptr;
  }
  advise(base, mapped);
  *record = {base, mapped, nullptr, {}};
  address_window::publish(base, mapped, Use::kHuge, record);
  ++g_totals.blocks;
  g_totals.mapped_bytes += mapped;
  return base;
}

bool free(HugeBlock *block) {
  const os::LockGuard guard(g_lock);
  if (block->base == nullptr) return false;
  const size_t mapped = block->mapped_bytes;
  // The kernel refuses only when splitting mappings would exceed its limit; the pages then stay.
  if (!address_window::unmap(block->base, mapped)) return true;
  put_record(block);
  --g_totals.blocks;
  g_totals.mapped_bytes -= mapped;
  return true;
}

void *resize(HugeBlock *block, size_t new_bytes) {
  const size_t mapped = mapping_bytes(new_bytes);
  if (mapped < new_bytes) return nullptr;
  const os::LockGuard guard(g_lock);
  const size_t old = block->mapped_bytes;
  const auto resized = [&](void *base) {
    block->base = base;
    block->mapped_bytes = mapped;
    g_totals.mapped_bytes += mapped - old;
    return base;
  };
  if (mapped == old) return block->base;
  if (mapped < old) {
    return address_window::shrink(block->base, old, mapped) ? resized(block->base) : block->base;
  }
  if (address_window::grow(block->base, old, mapped, Use::kHuge, block))
    return resized(block->base);
  void *target = address_window::map(mapped, kUnitBytes);
  if (target == nullptr) return nullptr;
  if (!os::g_kernel->move(block->base, old, target, mapped)) {
    address_window::unmap(target, mapped);
    return nullptr;
  }
  address_window::forget(block->base, old);
  advise(target, mapped);
  address_window::publish(target, mapped, Use::kHuge, block);
  return resized(target);
}

Totals totals() {
  const os::LockGuard guard(g_lock);
  return g_totals;
}

void for_each_extent(ExtentVisitor visit, void *context) {
  for (const RecordChunk *chunk = g_chunks; chunk != nullptr; chunk = chunk->next) {
    visit(context, chunk, kRecordChunkBytes, true);
    for (const HugeBlock &record : chunk->records) {
      if (record.base != nullptr) visit(context, record.base, record.mapped_bytes, false);
    }
  }
}

void lock_for_fork() { g_lock.lock(); }
void unlock_after_fork() { g_lock.unlock(); }
void reset_after_fork() { g_lock.reset_after_fork(); }

}  // namespace hakmem::huge_blocks
