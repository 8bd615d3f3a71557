// watch.h - brings a thread back to its slow paths while memory waits to go back to the kernel.
//
// Purpose:    a steady program can run from its magazines for ever, but only slow calls look at the
//             release clock. While there is a backlog, the magazines of a few classes are hidden
//             behind one that looks both empty and full, so that each of their mallocs and frees
//             is a slow call. The fast paths know nothing of it.
//             A program that makes few calls may never use those classes: as long as there are few,
//             the owner map is hidden too, and each free is a slow call.
// Owns:       which classes are watched (those that came to a slow path lately, and others with
//             blocks where those are silent), and their true tops while they are hidden.
// Boundary:   a slow path reveals all before it looks at any magazine, and hides them when done.
// Invariants: a class is watched in one place only.
// Threads:    the heap's thread only.
#ifndef HAKMEM_CACHE_WATCH_H_
#define HAKMEM_CACHE_WATCH_H_

#include "sizeclass/sizeclass.h"

namespace hakmem {

class Watch {
 public:
  // Whether any class is.
  bool hidden() const { return hidden_; }
  // Class c has come to a slow path and is watched from now on, in place of another; hides all that
  // are watched. `tops` are the heap's; `decoy` looks both empty and full; `now_ms` may lag.
  void hide(void ***tops, void **decoy, SizeClass c, uint64_t now_ms);
  // The same, when a slow path was there on behalf of no class.
  void hide_again(void ***tops, void **decoy, uint64_t now_ms);
  // Whether the owner map may be hidden too, so that each free is a slow call; to be told of each.
  bool may_hide_map() const { return map_calls_ < kMostCalls; }
  void count_map_call() { ++map_calls_; }
  // Watches class c, which has not come. 0: none.
  void add(SizeClass c);
  // Puts the true tops back.
  void reveal(void ***tops);
  // The top of a class as it will be once revealed. For an onlooker.
  void **true_top(void **const *tops, SizeClass c) const;

 private:
  // What is watched must not be left alone, or the thread may never come back; but the only class
  // of a program, or one of a few, would cost all its speed. So in a step of the clock a program may
  // be watched for kMostCalls, and if it has many classes for kMostCallsOfOne by its least busy small
  // class alone.
  static constexpr uint64_t kStepMs = 8;
  static constexpr uint32_t kMostCalls = 256;
  static constexpr uint32_t kMostCallsOfOne = 64 * 1024;
  static constexpr size_t kManyClasses = 8;
  // All places but the last are for blocks of up to 1 KiB, which a program is most likely to go on
  // using.
  static constexpr size_t kMaxSmallClass = class_of(kKiB);
  static bool is_small(SizeClass c) { return c <= kMaxSmallClass; }
  static constexpr size_t kWatched = 3;

  struct Watched {
    SizeClass c;  // 0: unused
    bool hidden;
    uint32_t calls;  // in this step
    void **top;
  };

  Watched *find(SizeClass c);
  void begin_step(void *const *const *tops, uint64_t now_ms);
  void hide_all(void ***tops, void **decoy);
  bool may_hide(const Watched &w) const;
  // Gives the places of small classes that did not come in the last step to others with blocks.
  void replace_silent(void *const *const *tops);

  Watched watched_[kWatched] = {};
  uint64_t step_ = 0;
  size_t next_place_ = 0;
  SizeClass candidate_ = 0;
  uint32_t calls_ = 0;        // of all watched classes in this step
  uint32_t map_calls_ = 0;    // of frees, for the map was hidden, in this step
  uint64_t classes_[2] = {};  // that have come to a slow path in a burst
  size_t class_count_ = 0;    // of them
  bool hidden_ = false;
};

}  // namespace hakmem

#endif  // HAKMEM_CACHE_WATCH_H_
