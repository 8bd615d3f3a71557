/* random_mixed_loop.h - the one random_mixed loop, for hakbench and the standalone benches.
 *
 * Purpose: xorshift32 (13,17,5) gives r; slot r % ws; an occupied slot is freed, an empty one gets
 *   malloc(min_size + r reduced to the span) and its first byte written.
 * Owns: nothing; the caller maps the slots.
 * Boundary: plain C11 and header-only, so that a bench without libstdc++ compiles the same loop.
 * Invariants: by default (16..1039 bytes) the size is exactly 16 + (r & 0x3FF). In general, with
 *   span = max_size - min_size + 1: a power of two is reduced with a mask, as above; any other span
 *   with the high half of r * span, which costs no division and does not tie the size to the slot.
 * Threads: a state belongs to one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define RANDOM_MIXED_DEFAULT_WS 400u
#define RANDOM_MIXED_DEFAULT_MIN_SIZE 16u
#define RANDOM_MIXED_DEFAULT_MAX_SIZE 1039u

typedef struct random_mixed_state {
  uint32_t rng;      /* never 0 */
  uint32_t ws;       /* slots, at least 1 */
  uint32_t min_size; /* bytes */
  uint32_t span;     /* max_size - min_size + 1 */
  void **slots;
} random_mixed_state;

static inline uint32_t random_mixed_step(uint32_t r) {
  r ^= r << 13;
  r ^= r >> 17;
  r ^= r << 5;
  return r;
}

static inline int random_mixed_is_masked(uint32_t span) { return (span & (span - 1)) == 0; }

static inline uint32_t random_mixed_size(uint32_t r, uint32_t min_size, uint32_t span, int masked) {
  return min_size + (masked ? r & (span - 1) : (uint32_t)(((uint64_t)r * span) >> 32));
}

/* A 64-bit mixer (the finaliser of SplitMix64, Steele, Lea and Flood 2014). */
static inline uint64_t random_mixed_scramble(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

static inline uint32_t random_mixed_fold(uint64_t x) {
  const uint32_t folded = (uint32_t)(x ^ (x >> 32));
  return folded != 0 ? folded : 0x9E3779B9u;
}

/* Thread 0 starts from the user's seed itself; the others and every warm-up from scrambled ones. */
static inline uint32_t random_mixed_run_seed(uint64_t seed, uint32_t thread) {
  return random_mixed_fold(thread == 0 ? seed : random_mixed_scramble(seed + thread));
}

static inline uint32_t random_mixed_prefault_seed(uint64_t seed, uint32_t thread) {
  return random_mixed_fold(random_mixed_scramble(random_mixed_scramble(~seed) + thread));
}

static inline __attribute__((always_inline)) uint64_t random_mixed_loop_as(
    random_mixed_state *state, void *(*malloc_fn)(size_t), void (*free_fn)(void *), uint64_t ops,
    int masked) {
  const uint32_t ws = state->ws;
  const uint32_t min_size = state->min_size;
  const uint32_t span = state->span;
  void **const slots = state->slots;
  uint32_t r = state->rng;
  uint64_t failed = 0;
  for (; ops != 0; --ops) {
    r = random_mixed_step(r);
    void **const slot = &slots[r % ws];
    if (*slot != NULL) {
      free_fn(*slot);
      *slot = NULL;
    } else {
      void *const block = malloc_fn(random_mixed_size(r, min_size, span, masked));
      if (block != NULL) {
        *(volatile unsigned char *)block = (unsigned char)r; /* volatile: must not be elided */
        *slot = block;
      } else {
        ++failed;
      }
    }
  }
  state->rng = r;
  return failed;
}

/* Runs `ops` operations; returns how many mallocs failed. A failed slot stays empty. */
static inline uint64_t random_mixed_loop(random_mixed_state *state, void *(*malloc_fn)(size_t),
                                         void (*free_fn)(void *), uint64_t ops) {
  return random_mixed_is_masked(state->span)
             ? random_mixed_loop_as(state, malloc_fn, free_fn, ops, 1)
             : random_mixed_loop_as(state, malloc_fn, free_fn, ops, 0);
}
