// watch.h - brings a thread back to its slow paths while memory waits to go back to the kernel.
//
// Purpose:    a steady program can run from its magazines for ever, but only slow calls look at the
//             release clock. While there is a backlog, the magazines of a few classes are hidden
//             behind one that looks both empty and full, so that each of their mallocs and frees
//             is a slow call. The fast paths know nothing of it.
// Owns:       which classes are watched (those that came to a slow path lately), and their true
//             tops while they are hidden.
// Boundary:   a slow path reveals all before it looks at any magazine, and hides them when done.
// Invariants: hidden tops only while the heap's next tick is due (Heap::calls_to_tick == 0).
// Threads:    the heap's thread only.
#ifndef HAKMEM_CACHE_WATCH_H_
#define HAKMEM_CACHE_WATCH_H_

#include "sizeclass/sizeclass.h"

namespace hakmem {

class Watch {
 public:
  bool hidden() const { return hidden_; }
  // Watches class c from now on, in place of one that has been silent; hides all that are watched.
  // `tops` are the heap's; `decoy` looks both empty and full.
  void hide(void ***tops, void **decoy, SizeClass c, uint64_t now_ms);
  // Puts the true tops back.
  void reveal(void ***tops);

 private:
  // One of many classes costs little to watch; the only class of a program would cost all its speed.
  static constexpr uint32_t kMostCalls = 8192;  // of one class, in one step of the clock
      // The first places are for the smallest classes, which a program is most likely to go on using;
  // the others for those that came last.
  static constexpr size_t kSmallest = 2;
  static constexpr size_t kWatched = 4;
  // A class that has been silent for so long gives its place up.
  static constexpr uint64_t kForgottenMs = 250;
  static constexpr uint64_t kSilentMs = 20;

  struct Watched {
    SizeClass c;  // 0: unused
    bool hidden;
    uint32_t calls;
    uint64_t seen_ms;
    void **top;
  };

  Watched *place_for(SizeClass c);

  Watched watched_[kWatched] = {};
  uint64_t now_ms_ = 0;
  bool hidden_ = false;
};

}  // namespace hakmem

#endif  // HAKMEM_CACHE_WATCH_H_
