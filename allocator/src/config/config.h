// config.h - the values of the knobs, and how this library was built.
//
// Purpose:    one table of knobs (knobs.def) and one of profiles (profiles.def), read once from the
//             environment.
// Owns:       the process-wide Config.
// Boundary:   the only caller of getenv/environ in hakmem.
// Invariants: a knob holds what was set by its own name; else what the profile says; else its
//             default.
// Threads:    values are relaxed atomics; set rarely, read on slow paths.
#ifndef HAKMEM_CONFIG_CONFIG_H_
#define HAKMEM_CONFIG_CONFIG_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace hakmem {

// The statistics layer: counters on the fast path. Set by the build (target hakmem_core_observe).
#ifndef HAKMEM_OBSERVE
#define HAKMEM_OBSERVE 0
#endif
inline constexpr bool kObserve = HAKMEM_OBSERVE != 0;

// The hardened variant: every free is checked, quarantined and poisoned; no thread caches. Set by
// the build (target hakmem_core_hardened).
#ifndef HAKMEM_HARDENED
#define HAKMEM_HARDENED 0
#endif
inline constexpr bool kHardened = HAKMEM_HARDENED != 0;

// The pass-down variant: malloc's fast path hands heap and class to the slow path, which otherwise
// finds both again. Set by the build (target hakmem_core_passdown); docs/analysis/0004.
#ifndef HAKMEM_ALLOC_PASSDOWN
#define HAKMEM_ALLOC_PASSDOWN 0
#endif
inline constexpr bool kAllocPassdown = HAKMEM_ALLOC_PASSDOWN != 0;
static_assert(!(kHardened && kAllocPassdown), "the hardened variant has no thread caches");
static_assert(!(kObserve && kAllocPassdown), "the pass-down variant counts nothing");

struct Config {
#define KNOB(field, name, default_value, ...) std::atomic<int64_t> field{default_value};
#include "config/knobs.def"
};

extern constinit Config g_config;

struct KnobRow {
  const char *name;
  std::atomic<int64_t> *value;
  int64_t default_value, min, max;
  const char *unit;   // of a choice: the names of 0, 1 ... with slashes between
  const char *takes;  // what is said of a value that it does not take
  const char *doc;
  bool observe_only = false;
};

// Knobs whose value is text. Written before a second thread can read them.
inline constexpr size_t kMaxTextBytes = 1023;
struct Texts {
#define OBSERVE_TEXT(field, ...) char field[kMaxTextBytes + 1];
#include "config/knobs.def"
};

extern constinit Texts g_texts;

inline constexpr size_t kKnobCount = 0
#define KNOB(...) +1
#include "config/knobs.def"
    ;

extern const KnobRow kKnobs[kKnobCount];

inline constexpr char kProfileVariable[] = "HAKMEM_PROFILE";

struct ProfileSetting {
  std::atomic<int64_t> *knob;
  int64_t value;
};
struct ProfileRow {
  const char *name;
  const char *alias;  // empty: none
  const char *doc;
  ProfileSetting settings[8];  // those with a knob count
};

inline constexpr size_t kProfileCount = 0
#define SET(...)
#define PROFILE(...) +1
#include "config/profiles.def"
    ;

extern const ProfileRow kProfiles[kProfileCount];

// Reads HAKMEM_* from the environment, once; later calls do nothing. Before the C library has set
// the environment up it does nothing and returns false, and a later call does the work.
bool load_config_from_environment();

// Sets a knob, or with kProfileVariable all that are not set by their own names. Returns 0, ENOENT
// (no knob of that name), EINVAL (does not parse, out of range, or no such profile) or ENOTSUP (a
// knob of the observe build, which this is not).
int set_knob(const char *name, const char *value);

inline int64_t knob(const std::atomic<int64_t> &value) {
  return value.load(std::memory_order_relaxed);  // publishes nothing but itself
}

// How much superslab memory to have resident ahead of its use. Memory-lean mode puts a profile's warm
// pool out of force, but not one that was asked for by its own name.
int64_t warm_pool_kb();

// How many guard pages there may be at a time.
inline int64_t most_guards() {
#if HAKMEM_HARDENED
  return knob(g_config.guard_pages);
#else
  return 0;
#endif
}

}  // namespace hakmem

#endif  // HAKMEM_CONFIG_CONFIG_H_
