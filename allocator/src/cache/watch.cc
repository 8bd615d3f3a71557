#include "cache/watch.h"

namespace hakmem {

// Where class c is or may be watched; NULL: nowhere.
Watch::Watched *Watch::place_for(SizeClass c) {
  const auto is_free = [&](const Watched &w, uint64_t silent_ms) {
    return w.c == 0 || w.seen_ms + silent_ms < now_ms_;
  };
  for (Watched &w : watched_) {
    if (w.c == c) return &w;
  }
  for (size_t i = 0; i < kSmallest; ++i) {
    if (is_free(watched_[i], kForgottenMs) || c < watched_[i].c) return &watched_[i];
  }
  for (size_t i = kSmallest; i < kWatched; ++i) {
    if (is_free(watched_[i], kSilentMs)) return &watched_[i];
  }
  return nullptr;
}

void Watch::hide(void ***tops, void **decoy, SizeClass c, uint64_t now_ms) {
  if (now_ms != now_ms_) {
    now_ms_ = now_ms;
    for (Watched &w : watched_) w.calls = 0;
  }
  Watched *place = place_for(c);
  if (place != nullptr) {
    if (place->c != c) *place = {c, false, 0, 0, nullptr};
    place->seen_ms = now_ms;
    ++place->calls;
  }
  for (Watched &w : watched_) {
    if (w.c == 0 || w.calls > kMostCalls) continue;
    w.hidden = true;
    w.top = tops[w.c];
    tops[w.c] = decoy;
  }
  hidden_ = true;
}

void Watch::reveal(void ***tops) {
  for (Watched &w : watched_) {
    if (w.hidden) tops[w.c] = w.top;
    w.hidden = false;
  }
  hidden_ = false;
}

}  // namespace hakmem
