/* bench_random_mixed.c - random_mixed against one allocator, linked in; no harness.
 *
 * Purpose: the same loop as hakbench's random_mixed, as a program small enough to be looked at with
 *   any profiler, and to give a peak RSS that is nearly all the allocator's.
 * Owns: the slot array, from mmap.
 * Boundary: the allocator is BENCH_MALLOC and BENCH_FREE, set at compile time, never inlined. Plain
 *   C, so no libstdc++ is resident.
 * Invariants: the live blocks are not freed at the end, so that statistics which the allocator
 *   prints at exit show the steady state.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include BENCH_HEADER
#include "workload/random_mixed_loop.h"

static const char kPrefaultVariable[] = "HAKMEM_BENCH_PREFAULT";

enum { kExitFailed = 1, kMaxSize = 1 << 30, kMaxWs = 1 << 27 };

struct options {
  uint64_t cycles;
  uint64_t ws;
  uint64_t seed;
  uint64_t min_size;
  uint64_t max_size;
  uint64_t prefault_ops;
};

static void print_help(void) {
  printf(
      "Usage: " BENCH_PROGRAM
      " [cycles [ws [seed [min_size max_size]]]]\n"
      "\n"
      "Random malloc and free over `ws` slots with the allocator " BENCH_NAME
      ".\n"
      "\n"
      "  cycles      timed operations, one malloc or one free each (default 20000000)\n"
      "  ws          slots of the working set (default %u)\n"
      "  seed        of the generator (default 1)\n"
      "  min_size    smallest block, bytes (default %u)\n"
      "  max_size    largest block, bytes (default %u)\n"
      "\n"
      "Environment:\n"
      "  %s   operations of untimed warm-up; 0 for none (default cycles / 10)\n"
      "\n"
      "Prints allocator, parameters, throughput, rss, peak_rss and failed_allocs, one a line; the "
      "first word of\n"
      "a line is its name and the second its value. Exit code: 0, or 1 on a bad argument, no\n"
      "memory, or standard output that cannot be written.\n",
      RANDOM_MIXED_DEFAULT_WS, RANDOM_MIXED_DEFAULT_MIN_SIZE, RANDOM_MIXED_DEFAULT_MAX_SIZE,
      kPrefaultVariable);
}

static _Noreturn void fail(const char *what, const char *mend) {
  fprintf(stderr, BENCH_PROGRAM ": %s; %s\n", what, mend);
  exit(kExitFailed);
}

/* What was measured and is not there is no success. */
static int end_output(void) {
  if (fflush(stdout) == 0 && ferror(stdout) == 0) return 0;
  char what[128];
  snprintf(what, sizeof what, "cannot write to standard output: %s", strerror(errno));
  fail(what, "make room, or send it elsewhere");
}

static uint64_t parse_number(const char *name, const char *text, uint64_t min, uint64_t max) {
  char *end = NULL;
  errno = 0;
  const uint64_t value = strtoull(text, &end, 10);
  if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= min &&
      value <= max) {
    return value;
  }
  char what[128];
  snprintf(what, sizeof what, "%s = '%.40s': expected a number in %" PRIu64 "..%" PRIu64, name,
           text, min, max);
  fail(what, "see --help");
}

static struct options parse_options(int argc, char **argv) {
  struct options options = {.cycles = 20000000,
                            .ws = RANDOM_MIXED_DEFAULT_WS,
                            .seed = 1,
                            .min_size = RANDOM_MIXED_DEFAULT_MIN_SIZE,
                            .max_size = RANDOM_MIXED_DEFAULT_MAX_SIZE};
  if (argc > 6) fail("too many arguments", "see --help");
  if (argc == 5) fail("min_size needs a max_size after it", "see --help");
  if (argc > 1) options.cycles = parse_number("cycles", argv[1], 1, INT64_MAX);
  if (argc > 2) options.ws = parse_number("ws", argv[2], 1, kMaxWs);
  if (argc > 3) options.seed = parse_number("seed", argv[3], 0, UINT64_MAX);
  if (argc > 5) options.min_size = parse_number("min_size", argv[4], 1, kMaxSize);
  if (argc > 5) options.max_size = parse_number("max_size", argv[5], options.min_size, kMaxSize);

  const char *const prefault = getenv(kPrefaultVariable);
  options.prefault_ops = prefault == NULL ? options.cycles / 10
                                          : parse_number(kPrefaultVariable, prefault, 0, INT64_MAX);
  return options;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A "Name: N kB" line of /proc/self/status; -1 if it can't be read. Not getrusage: its ru_maxrss
 * survives exec, so a large parent would show as ours. */
static long status_kb(const char *name) {
  static char text[8192];
  const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length < 0) return -1;
  text[length] = '\0';
  const char *const line = strstr(text, name);
  return line == NULL ? -1 : strtol(line + strlen(name), NULL, 10);
}

int main(int argc, char **argv) {
  if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    print_help();
    return end_output();
  }
  const struct options options = parse_options(argc, argv);
  void **const slots = mmap(NULL, options.ws * sizeof(void *), PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (slots == MAP_FAILED) fail("no memory for the slots", "use a smaller ws");
  const long base_kb = status_kb("VmRSS:");

  random_mixed_state state = {.rng = random_mixed_prefault_seed(options.seed, 0),
                              .ws = (uint32_t)options.ws,
                              .min_size = (uint32_t)options.min_size,
                              .span = (uint32_t)(options.max_size - options.min_size + 1),
                              .slots = slots};
  uint64_t failed = random_mixed_loop(&state, BENCH_MALLOC, BENCH_FREE, options.prefault_ops);

  state.rng = random_mixed_run_seed(options.seed, 0);
  const uint64_t start_ns = now_ns();
  failed += random_mixed_loop(&state, BENCH_MALLOC, BENCH_FREE, options.cycles);
  const uint64_t elapsed_ns = now_ns() - start_ns;

  const long peak_kb = status_kb("VmHWM:");
  const long rss_kb = status_kb("VmRSS:");
  const double ns_per_op = (double)elapsed_ns / (double)options.cycles;
  printf("allocator      " BENCH_NAME "\n");
  printf("parameters     cycles=%" PRIu64 " ws=%" PRIu64 " seed=%" PRIu64 " min_size=%" PRIu64
         " max_size=%" PRIu64 " prefault=%" PRIu64 "\n",
         options.cycles, options.ws, options.seed, options.min_size, options.max_size,
         options.prefault_ops);
  printf("throughput     %.0f ops/s (%.3f ns/op, %.3f s)\n", 1e9 / ns_per_op, ns_per_op,
         (double)elapsed_ns / 1e9);
  if (rss_kb >= 0 && base_kb >= 0) {
    printf("rss            %ld kB (%ld kB above the start)\n", rss_kb, rss_kb - base_kb);
  }
  if (peak_kb >= 0 && base_kb >= 0) {
    printf("peak_rss       %ld kB (%ld kB above the start)\n", peak_kb, peak_kb - base_kb);
  }
  printf("failed_allocs  %" PRIu64 "\n", failed);
  return end_output();
}
