#include "cache/watch.h"

namespace hakmem {

bool Watch::may_hide(const Watched &w) const {
  if (w.c == 0) return false;
  if (calls_ < kMostCalls) return true;
  if (class_count_ < kManyClasses || !is_small(w.c)) return false;
  for (const Watched &other : watched_) {
    if (other.c != 0 && is_small(other.c) && other.calls < w.calls) return false;
  }
  return calls_ < kMostCallsOfOne;
}

Watch::Watched *Watch::find(SizeClass c) {
  for (Watched &w : watched_) {
    if (w.c == c) return &w;
  }
  return nullptr;
}

void Watch::replace_silent(void *const *const *tops) {
  for (size_t i = 0; i + 1 < kWatched; ++i) {
    if (watched_[i].calls != 0) continue;
    for (size_t n = 0; n < kMaxSmallClass; ++n) {
      candidate_ = static_cast<SizeClass>(candidate_ % kMaxSmallClass + 1);
      if (*tops[candidate_] == nullptr || find(candidate_) != nullptr) continue;
      watched_[i] = {candidate_, false, 0, nullptr};
      break;
    }
  }
}

void Watch::add(SizeClass c) {
  if (c == 0 || find(c) != nullptr) return;
  const bool small = is_small(c);
  watched_[small ? next_place_ : kWatched - 1] = {c, false, 0, nullptr};
  if (small) next_place_ = (next_place_ + 1) % (kWatched - 1);
}

void Watch::begin_step(void *const *const *tops, uint64_t now_ms) {
  if (now_ms / kStepMs == step_) return;
  step_ = now_ms / kStepMs;
  calls_ = map_calls_ = 0;
  replace_silent(tops);
  for (Watched &w : watched_) w.calls = 0;
}

void Watch::hide_all(void ***tops, void **decoy) {
  for (Watched &w : watched_) {
    if (!may_hide(w)) continue;
    w.hidden = true;
    w.top = tops[w.c];
    tops[w.c] = decoy;
    hidden_ = true;
  }
}

void Watch::hide(void ***tops, void **decoy, SizeClass c, uint64_t now_ms) {
  begin_step(tops, now_ms);
  const uint64_t bit = uint64_t{1} << (c % 64);
  if ((classes_[c / 64] & bit) == 0) {
    classes_[c / 64] |= bit;
    ++class_count_;
  }
  if (Watched *watched = find(c)) {
    ++watched->calls;
    ++calls_;
  } else {
    add(c);
    find(c)->calls = 1;
  }
  hide_all(tops, decoy);
}

void Watch::hide_again(void ***tops, void **decoy, uint64_t now_ms) {
  begin_step(tops, now_ms);
  hide_all(tops, decoy);
}

void **Watch::true_top(void **const *tops, SizeClass c) const {
  for (const Watched &w : watched_) {
    if (w.hidden && w.c == c) return w.top;
  }
  return tops[c];
}

void Watch::reveal(void ***tops) {
  for (Watched &w : watched_) {
    if (w.hidden) tops[w.c] = w.top;
    w.hidden = false;
  }
  hidden_ = false;
}

}  // namespace hakmem
