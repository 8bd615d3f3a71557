/* control.h - what every control is but for its fault: a plugin that wraps another plugin on
 * purpose.
 *
 * Purpose: load the wrapped plugin, hand on its settings, forward every member of its table, and
 *   let the control's file plant one fault of a known size, so that a verdict can be held against a
 *   truth.
 * Owns: the handle of the wrapped plugin, for the life of the process; nothing else.
 * Boundary: harness/plugins/controls/ only; one control file includes this and defines the fault_*
 *   functions declared below, which the compiler inlines.
 * Invariants: a fault of 0 runs the very code that a fault above 0 runs, so the same control at 0
 *   is the honest reference. Counted as one operation: a call of malloc, calloc, realloc,
 *   aligned_alloc, free or free_sized. What the wrapped plugin does not offer is not offered here.
 *   No operation allocates, but for what control_leak and control_step keep.
 * Threads: any after init; each thread has its own count of operations.
 */
#ifndef PLUGINS_CONTROLS_CONTROL_H_
#define PLUGINS_CONTROLS_CONTROL_H_

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "allocator_plugin.h"
#include "settings.h"

/* One number that a control takes from the settings. */
struct control_setting {
  const char *name; /* with its unit; NULL ends the list */
  double usual;     /* 0 of every size of a fault */
  double least;
  double most;
  double *value;
};

/* The fault: its settings; then, in this order, called after all settings are known (an errno value
 * refuses them), on each new thread, and before each operation. Threads count from 0. */
static const struct control_setting *fault_settings(void);
static int fault_start(void);
static void fault_thread_begin(uint64_t thread);
static void fault_at_op(void);

/* Only control_frag defines it: gives the block to free in place of `block`, or NULL. */
#ifdef CONTROL_SWAPS_FREES
static void *fault_block_to_free(void *block);
#else
static inline void *fault_block_to_free(void *block) { return block; }
#endif

#define CONTROL_THREAD_LOCAL static __thread __attribute__((tls_model("initial-exec")))

/* Every this many operations of a thread, faults that cost time or instructions charge for them. */
enum { CONTROL_TICK_OPS = 1024 };

/* The time-stamp counter, which counts at one speed whatever the core does. A macro, so that a test
 * can be the clock. */
#ifndef CONTROL_TICKS
#define CONTROL_TICKS() __builtin_ia32_rdtsc()
#endif

/* Nanoseconds of the monotonic clock; no system call. A macro for the same reason. */
#ifndef CONTROL_NOW_NS
static inline uint64_t control_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
#define CONTROL_NOW_NS() control_now_ns()
#endif

/* What has a page of its own: mapped and written here, by mmap and without huge pages; the wrapped
 * allocator knows nothing of it. `kb` is rounded up to pages of 4. NULL when there is no memory. */
static inline void *control_map_resident(double kb, size_t *mapped_bytes) {
  enum { PAGE_KB = 4 };
  *mapped_bytes = ((size_t)kb + (kb > (double)(size_t)kb) + PAGE_KB - 1) / PAGE_KB * PAGE_KB * 1024;
  void *const memory =
      mmap(NULL, *mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    *mapped_bytes = 0;
    return NULL;
  }
  madvise(memory, *mapped_bytes, MADV_NOHUGEPAGE); /* best effort: a kernel without them refuses */
  memset(memory, 0xA5, *mapped_bytes);
  return memory;
}

/* ---- Rates: even spacing, also of fractions of an operation ---- */

/* Added to a 64-bit sum once an operation, it makes the sum overflow `per_mop` times in a million.
 * Rounded up, so that one in n comes at the n-th operation and not at the next. */
static inline uint64_t control_rate(double per_mop) {
  if (per_mop <= 0) return 0;
  const long double step = 18446744073709551616.0L * per_mop / 1e6L;
  return step >= 18446744073709551615.0L ? UINT64_MAX : (uint64_t)step + 1;
}

static inline int control_due(uint64_t *sum, uint64_t rate) {
  const uint64_t before = *sum;
  *sum = before + rate;
  return *sum < before;
}

/* Where a thread's sum starts: spread evenly (multiples of the golden ratio), so that many threads
 * too short for a whole interval make the right number between them. Thread 0 starts at 0. */
static inline uint64_t control_first_sum(uint64_t thread) { return thread * 0x9E3779B97F4A7C15u; }

/* ---- The wrapped plugin ---- */

static allocator_plugin control_inner; /* a copy, so that a call costs one load */
static allocator_plugin control_table;
static uint64_t control_threads; /* begun so far */
static char control_of[PLUGIN_SETTING_BYTES];
static char control_inner_json[8192];
static char control_build_config[512] = "control"; /* init adds what it wraps */

/* Keeps what the control does not know for the wrapped plugin, as strings. */
static inline int control_hand_on(const char *name, const char *value) {
  const size_t used = strlen(control_inner_json);
  const int length = snprintf(control_inner_json + used, sizeof control_inner_json - used,
                              "%s\"%s\": \"%s\"", used == 1 ? "" : ", ", name, value);
  return (size_t)length + 2 < sizeof control_inner_json - used ? 0 : E2BIG;
}

static inline int control_apply(const char *name, const char *value) {
  if (strcmp(name, "of") == 0) {
    strcpy(control_of, value);
    return value[0] == '\0' ? EINVAL : 0;
  }
  for (const struct control_setting *row = fault_settings(); row->name != NULL; ++row) {
    if (strcmp(name, row->name) != 0) continue;
    char *end;
    const double number = strtod(value, &end);
    if (end == value || *end != '\0') return EINVAL;
    if (!(number >= row->least && number <= row->most)) return ERANGE;
    *row->value = number;
    return 0;
  }
  return control_hand_on(name, value);
}

/* "hakmem" is a file beside this one; what has a slash is a path. */
static inline int control_inner_path(char path[PATH_MAX]) {
  Dl_info own;
  if (strchr(control_of, '/') != NULL) {
    strcpy(path, control_of);
  } else if (dladdr(&control_table, &own) == 0) {
    return ENOENT;
  } else {
    const char *const slash = strrchr(own.dli_fname, '/');
    const int folder = slash == NULL ? 0 : (int)(slash + 1 - own.dli_fname);
    if (snprintf(path, PATH_MAX, "%.*s%s.so", folder, own.dli_fname, control_of) >= PATH_MAX)
      return ENAMETOOLONG;
  }
  return 0;
}

static inline int control_load_inner(void) {
  char path[PATH_MAX];
  const int error = control_inner_path(path);
  if (error != 0) return error;
  void *const handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) return access(path, R_OK) == 0 ? ENOEXEC : ENOENT;
  allocator_plugin_query_fn query;
  *(void **)&query = dlsym(handle, ALLOCATOR_PLUGIN_QUERY_SYMBOL);
  const allocator_plugin *const inner = query == NULL ? NULL : query(ALLOCATOR_PLUGIN_ABI_VERSION);
  if (inner == NULL || inner->struct_size < ALLOCATOR_PLUGIN_FIRST_SIZE) return ENOEXEC;
  if (inner == &control_table) return ELOOP;
  const int has_settings = strcmp(control_inner_json, "{}") != 0;
  if (inner->init == NULL && has_settings) return ENOTSUP;
  const int refused = inner->init == NULL ? 0 : inner->init(control_inner_json);
  if (refused != 0) return refused;
  /* After its init, which may complete the table. Members that it lacks stay NULL. */
  const size_t known = inner->struct_size < sizeof *inner ? inner->struct_size : sizeof *inner;
  memcpy(&control_inner, inner, known);
  return 0;
}

/* ---- The table: each function counts, plants, and forwards ---- */

static void *control_malloc(size_t size) {
  fault_at_op();
  return control_inner.malloc(size);
}

static void *control_calloc(size_t count, size_t size) {
  fault_at_op();
  return control_inner.calloc(count, size);
}

static void *control_realloc(void *block, size_t size) {
  fault_at_op();
  return control_inner.realloc(block, size);
}

static void *control_aligned_alloc(size_t alignment, size_t size) {
  fault_at_op();
  return control_inner.aligned_alloc(alignment, size);
}

static void control_free(void *block) {
  fault_at_op();
  control_inner.free(fault_block_to_free(block));
}

static void control_free_sized(void *block, size_t size) {
  fault_at_op();
  void *const freed = fault_block_to_free(block);
  if (freed == block) {
    control_inner.free_sized(block, size);
  } else {
    control_inner.free(freed); /* another block, of a size not known here */
  }
}

static size_t control_usable_size(void *block) { return control_inner.usable_size(block); }

static void control_thread_begin(void) {
  fault_thread_begin(__atomic_fetch_add(&control_threads, 1, __ATOMIC_RELAXED));
  if (control_inner.thread_begin != NULL) control_inner.thread_begin();
}

static void control_thread_end(void) { control_inner.thread_end(); }
static void control_purge(int level) { control_inner.purge(level); }
static size_t control_stats_json(char *buf, size_t cap) {
  return control_inner.stats_json(buf, cap);
}
static size_t control_ledger_json(char *buf, size_t cap) {
  return control_inner.ledger_json(buf, cap);
}
static void control_shutdown(void) { control_inner.shutdown(); }

/* Offers what the wrapped plugin offers. */
static inline void control_complete_table(void) {
#define CONTROL_OFFER(member) \
  control_table.member = control_inner.member == NULL ? NULL : control_##member
  CONTROL_OFFER(calloc);
  CONTROL_OFFER(realloc);
  CONTROL_OFFER(aligned_alloc);
  CONTROL_OFFER(free_sized);
  CONTROL_OFFER(usable_size);
  CONTROL_OFFER(thread_end);
  CONTROL_OFFER(purge);
  CONTROL_OFFER(stats_json);
  CONTROL_OFFER(ledger_json);
  CONTROL_OFFER(shutdown);
#undef CONTROL_OFFER
  const char *const version = control_inner.version == NULL ? "" : control_inner.version;
  const char *const built = control_inner.build_config == NULL ? "" : control_inner.build_config;
  snprintf(control_build_config, sizeof control_build_config, "control: wraps %s %s; %s",
           control_inner.name, version, built);
}

static int control_init(const char *config_json) {
  strcpy(control_of, "hakmem");
  strcpy(control_inner_json, "{");
  for (const struct control_setting *row = fault_settings(); row->name != NULL; ++row)
    *row->value = row->usual;
  int error = plugin_for_each_setting(config_json, control_apply);
  if (error != 0) return error;
  strcat(control_inner_json, "}");
  error = control_load_inner();
  if (error != 0) return error;
  control_complete_table();
  control_threads = 0;
  fault_thread_begin(0); /* for a caller that begins no thread */
  return fault_start();
}

static allocator_plugin control_table = {
    .struct_size = sizeof(allocator_plugin),
    .abi_version = ALLOCATOR_PLUGIN_ABI_VERSION,
    .name = PLUGIN_NAME,
    .version = "1",
    .build_config = control_build_config,
    .init = control_init,
    .thread_begin = control_thread_begin,
    .malloc = control_malloc,
    .free = control_free,
};

const allocator_plugin *allocator_plugin_query(uint32_t abi_version) {
  return abi_version == ALLOCATOR_PLUGIN_ABI_VERSION ? &control_table : NULL;
}

#endif /* PLUGINS_CONTROLS_CONTROL_H_ */
