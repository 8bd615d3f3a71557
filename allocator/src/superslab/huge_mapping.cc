#include "superslab/huge_mapping.h"

#include <algorithm>

#include "config/config.h"
#include "os/os.h"
#include "superslab/address_window.h"
#include "superslab/huge_records.h"

namespace hakmem::huge_mapping {
namespace {

void give_advice(bool wanted, void *base, size_t bytes) {
  (wanted ? os::g_kernel->want_huge_pages : os::g_kernel->refuse_huge_pages)(base, bytes);
}

// The block ends where the kernel lost a part of its mapping.
void end_before(HugeBlock *block, size_t at, size_t lost_bytes) {
  if (at + lost_bytes < block->mapped_bytes) shrink(block, at + lost_bytes);
  address_window::forget(block->base, block->mapped_bytes, at);
  block->mapped_bytes = at;
}

}  // namespace

HugeBlock *map(size_t bytes, size_t alignment) {
  HugeBlock *block = huge_records::take();
  if (block == nullptr) return nullptr;
  void *base = address_window::map(bytes, alignment);
  if (base == nullptr) {
    huge_records::put(block);
    return nullptr;
  }
  *block = {base, bytes, 0, nullptr, nullptr, {}, {}, 0, false};
  return block;
}

bool unmap(HugeBlock *block) {
  if (!address_window::unmap(block->base, block->mapped_bytes)) return false;
  huge_records::put(block);
  return true;
}

void advise(HugeBlock *block) {
  const size_t threshold = static_cast<size_t>(knob(g_config.huge_page_threshold_mb)) * kMiB;
  const bool wanted = block->mapped_bytes >= threshold;
  if (wanted == block->advised) return;
  block->advised = wanted;
  give_advice(wanted, block->base, block->mapped_bytes);
}

bool shrink(HugeBlock *block, size_t bytes) {
  if (!address_window::shrink(block->base, block->mapped_bytes, bytes)) return false;
  block->mapped_bytes = bytes;
  block->seams.drop_from(bytes);
  return true;
}

bool grow_in_place(HugeBlock *block, size_t bytes) {
  const address_window::Extent extent{block->base, block->seams.last(), block->mapped_bytes};
  if (!address_window::grow(extent, bytes, address_window::Use::kHuge, block)) return false;
  block->mapped_bytes = bytes;
  return true;
}

bool move(HugeBlock *block, size_t bytes, size_t alignment) {
  const size_t old = block->mapped_bytes;
  if (block->seams.last() > 0) return false;
  void *target = address_window::map(bytes, alignment);
  if (target == nullptr) return false;
  const os::Moved moved = os::g_kernel->move(block->base, old, target, bytes);
  if (moved == os::Moved::kNo) address_window::unmap(target, bytes);
  if (moved == os::Moved::kTargetLost) address_window::forget(target, bytes);
  if (moved != os::Moved::kYes) return false;
  address_window::forget(block->base, old);
  block->base = target;
  block->mapped_bytes = bytes;
  return true;
}

bool move_tail(HugeBlock *source, HugeBlock *target, size_t *at) {
  const size_t end = align_down(source->mapped_bytes, kPageTableBytes);
  const size_t used = align_up(source->usable_bytes, kPageTableBytes);
  const size_t least = std::max(source->seams.last(), used);
  if (least >= end) return false;
  if (end < source->mapped_bytes && !shrink(source, end)) return false;
  const size_t bytes = std::min(target->mapped_bytes - *at, end - least);
  const size_t begin = end - bytes;
  void *place = as_pointer(address_of(target->base) + *at);
  const os::Moved moved = address_window::split(source->base, end, begin, place);
  if (moved == os::Moved::kTargetLost) end_before(target, *at, bytes);
  if (moved != os::Moved::kYes && !address_window::shrink(source->base, end, begin)) return false;
  source->mapped_bytes = begin;
  source->seams.drop_from(begin);
  if (moved != os::Moved::kYes) return false;
  if (source->advised != target->advised) give_advice(target->advised, place, bytes);
  target->seams.add(*at);
  *at += bytes;
  return true;
}

}  // namespace hakmem::huge_mapping
