#include "cache/depot.h"

#include <cstring>

#include "config/config.h"

namespace hakmem {
void Depot::reset(void **storage) {
  storage_ = storage;
  made_ = kBinCount;
  spare_ = 0;
  memset(full_, 0, sizeof full_);
  memset(count_, 0, sizeof count_);
  begin_age();
}

Depot::Number Depot::number(void *const *magazine) const {
  return static_cast<Number>((magazine - storage_) / kMagazineSlots);
}

Depot::Number Depot::pop(Number *stack) {
  const Number n = *stack;
  if (n != 0) *stack = next_[n];
  return n;
}

void Depot::push(Number *stack, Number n) {
  next_[n] = *stack;
  *stack = n;
}

void **Depot::put_full(SizeClass c, void **full) {
  if (count_[c] >= most_[c]) return nullptr;
  Number empty = pop(&spare_);
  if (empty == 0) {
    if (made_ == kMagazines) return nullptr;
    empty = made_++;
  }
  push(&full_[c], number(full));
  ++count_[c];
  return magazine(empty);
}

void **Depot::take_full(SizeClass c, void **empty) {
  void **full = take_any(c);
  if (full != nullptr) put_spare(empty);
  return full;
}

void **Depot::take_any(SizeClass c) {
  const Number n = pop(&full_[c]);
  if (n == 0) return nullptr;
  --count_[c];
  if (count_[c] < idle_[c]) idle_[c] = count_[c];
  return magazine(n);
}

void **Depot::take_idle(SizeClass c) {
  if (idle_[c] == 0) return nullptr;
  --idle_[c];
  return take_any(c);
}

void Depot::put_spare(void **magazine) { push(&spare_, number(magazine)); }

void Depot::begin_age() {
  memcpy(idle_, count_, sizeof idle_);
  const size_t most_bytes = static_cast<size_t>(knob(g_config.depot_kb)) * kKiB;
  for (size_t c = 1; c < kClassCount; ++c) {
    const size_t most = most_bytes / (class_bytes(static_cast<SizeClass>(c)) * magazine_blocks(c));
    most_[c] = static_cast<Number>(most < kMagazines ? most : kMagazines);
  }
}

}  // namespace hakmem
