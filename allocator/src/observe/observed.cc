#include "observe/observed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "cache/heap_registry.h"
#include "config/config.h"
#include "observe/census.h"
#include "observe/ledger.h"
#include "superslab/huge_blocks.h"
#include "superslab/page_heap.h"
#include "superslab/release_policy.h"

namespace hakmem::observe {
namespace {

using Number = unsigned long long;

// Larger than any of the texts below can become: a line for each class and each owner.
constexpr size_t kTextBytes = 24 * kKiB;

bool write_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    const ssize_t n = write(fd, text, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text += n;
    length -= static_cast<size_t>(n);
  }
  return true;
}

Number kib(uint64_t bytes) { return (bytes + kKiB / 2) / kKiB; }

// --- tables

void print_classes(Writer *w, const Census &census) {
  w->print("hakmem: small blocks by size class (blocks, but for the last column)\n");
  w->print("%7s %12s %12s %10s %10s %10s %7s %6s %9s %8s %8s %8s %8s\n", "bytes", "allocs", "frees",
           "refills", "remote", "flushes", "slabs", "empty", "held", "cached", "free", "new",
           "held_kb");
  for (size_t i = 1; i < kClassCount; ++i) {
    const auto c = static_cast<SizeClass>(i);
    const ClassCensus &now = census.classes[c];
    const heap_registry::ClassTotals all = heap_registry::class_totals(c);
    if (all.allocs() == 0 && now.slabs() == 0) continue;
    w->print("%7zu %12llu %12llu %10llu %10llu %10llu %7llu %6llu %9llu %8llu %8llu %8llu %8llu\n",
             class_bytes(c), Number{all.allocs()}, Number{all.frees + all.remote_frees},
             Number{all.refills}, Number{all.remote_frees}, Number{all.flushes},
             Number{now.slabs()}, Number{now.empty_slabs}, Number{now.blocks_held()},
             Number{now.blocks_cached}, Number{now.blocks_free}, Number{now.blocks_new},
             kib(now.blocks_held() * class_bytes(c)));
  }
}

void print_ledger(Writer *w, const Ledger &ledger) {
  if (ledger.error != nullptr) {
    w->print("hakmem: no RSS ledger: %s\n", ledger.error);
    return;
  }
  w->print("hakmem: who holds the resident memory\n");
  const auto line = [&](const char *name, int64_t bytes, const char *doc) {
    const double kb = static_cast<double>(bytes) / kKiB;
    const double share = 100.0 * static_cast<double>(bytes) / static_cast<double>(ledger.rss_bytes);
    w->print("%-18s %12.1f kB %6.1f %%  %s\n", name, kb, share, doc);
  };
  for (size_t i = 0; i < kOwnerCount; ++i) {
    line(kOwners[i].name, static_cast<int64_t>(ledger.owner_bytes[i]), kOwners[i].doc);
  }
  line("residual", ledger.residual_bytes(), "RSS less the sum");
  line("RSS", static_cast<int64_t>(ledger.rss_bytes), "as smaps_rollup says");
}

void print_slabs(Writer *w, const Census &census) {
  const SlabStates slabs = census.slab_states();
  const page_heap::Totals pages = page_heap::totals();
  const release::Totals released = release::totals();
  const auto line = [&](const char *name, uint64_t count, uint64_t bytes) {
    w->print("  %-28s %10llu %12llu kB\n", name, Number{count}, kib(bytes));
  };
  w->print("hakmem: superslabs, the slabs in them, and what went back to the kernel\n");
  line("superslabs", pages.superslabs, pages.mapped_bytes);
  w->print("  %-28s %10llu\n", "small slabs, full", Number{slabs.full});
  w->print("  %-28s %10llu\n", "small slabs, partial", Number{slabs.partial});
  line("small slabs, empty but kept", slabs.empty, census.empty_slab_bytes);
  line("large blocks", census.large_runs, census.large_bytes);
  line("large blocks freed of late", census.recent_runs, census.recent_bytes);
  line("free runs", census.free_runs, census.free_bytes);
  line("discard calls", released.discard_calls, released.discarded_bytes);
  line("unmap calls", released.unmap_calls, released.unmapped_bytes);
}

void print_warm(Writer *w, const Census &census) {
  w->print("hakmem: memory that is free but kept, for reuse or until the purge delay is over\n");
  w->print("  %-28s %10llu %12llu kB\n", "empty slabs of heaps", Number{census.slab_states().empty},
           kib(census.empty_slab_bytes));
  w->print("  %-28s %10s %12llu kB\n", "free runs, touched", "", kib(census.free_touched_bytes));
  const page_heap::Totals pages = page_heap::totals();
  w->print("  %-28s %10s %12llu kB\n", "of it the kernel may take", "", kib(pages.offered_bytes));
  const warm_pool::Totals &pool = pages.warm;
  w->print("  %-28s %10s %12llu kB\n", "warm pool, never used", "", kib(pool.bytes));
  w->print("  %-28s %10llu %12llu kB\n", "warm pool, fills", Number{pool.fills},
           kib(pool.populated_bytes));
  w->print("  %-28s %10llu\n", "warm slabs taken into use", Number{pool.hits});
  w->print("  %-28s %10llu\n", "others, never used before", Number{pool.misses});
  const huge_cache::Totals huge = huge_blocks::totals().kept;
  w->print("  %-28s %10llu %12llu kB\n", "huge blocks kept", Number{huge.blocks}, kib(huge.bytes));
  w->print("  %-28s %10llu\n", "huge blocks served from them", Number{huge.hits + huge.grown});
  w->print("  %-28s %10lld ms\n", "purge delay",
           static_cast<long long>(knob(g_config.purge_delay_ms)));
}

// --- the ledger's file

// Holds any setting with a process's number and a suffix.
constexpr size_t kPathBytes = kMaxTextBytes + 64;

// Puts the process's number in place of %p.
void expand(const char *pattern, const char *suffix, char (&path)[kPathBytes]) {
  const char *mark = strstr(pattern, "%p");
  Writer w(path, sizeof path);
  if (mark == nullptr) {
    w.print("%s%s", pattern, suffix);
  } else {
    w.print("%.*s%d%s%s", static_cast<int>(mark - pattern), pattern, getpid(), mark + 2, suffix);
  }
}

// What the program registered to run at exit has run before this.
[[gnu::destructor]] void dump_at_exit() { dump(); }

}  // namespace

void write_observed(Writer *w) {
  const Census census = count();
  w->open("slabs");
  const SlabStates slabs = census.slab_states();
  w->field("full", slabs.full);
  w->field("partial", slabs.partial);
  w->field("empty_kept", slabs.empty);
  w->field("empty_kept_bytes", census.empty_slab_bytes);
  w->field("large_runs", census.large_runs);
  w->field("large_bytes", census.large_bytes);
  w->field("recent_runs", census.recent_runs);
  w->field("recent_bytes", census.recent_bytes);
  w->field("free_runs", census.free_runs);
  w->field("free_bytes", census.free_bytes);
  w->field("free_touched_bytes", census.free_touched_bytes);
  w->close();
  w->open("classes");
  for (size_t i = 1; i < kClassCount; ++i) {
    const auto c = static_cast<SizeClass>(i);
    const heap_registry::ClassTotals all = heap_registry::class_totals(c);
    const ClassCensus &now = census.classes[c];
    if (all.allocs() == 0 && now.slabs() == 0) continue;
    char name[16];
    snprintf(name, sizeof name, "%zu", class_bytes(c));
    w->open(name);
    w->field("allocs", all.allocs());
    w->field("frees", all.frees + all.remote_frees);
    w->field("hits", all.hits);
    w->field("refills", all.refills);
    w->field("flushes", all.flushes);
    w->field("remote_frees", all.remote_frees);
    w->field("full_slabs", now.full_slabs);
    w->field("partial_slabs", now.partial_slabs);
    w->field("empty_slabs", now.empty_slabs);
    w->field("blocks_held", now.blocks_held());
    w->field("blocks_cached", now.blocks_cached);
    w->field("blocks_free", now.blocks_free);
    w->field("blocks_new", now.blocks_new);
    w->close();
  }
  w->close();
}

void write_ledger_file() {
  load_config_from_environment();
  if (g_texts.ledger_dump[0] == '\0') return;
  char path[kPathBytes], unfinished[kPathBytes];
  char suffix[32];  // other threads and processes may write at the same time
  snprintf(suffix, sizeof suffix, ".%d.part", gettid());
  expand(g_texts.ledger_dump, "", path);
  expand(g_texts.ledger_dump, suffix, unfinished);
  struct stat now;
  if (lstat(path, &now) == 0 && !S_ISREG(now.st_mode)) {
    // It would be replaced by a file.
    return warn("can't write ", path, ": it is no regular file; HAKMEM_LEDGER_DUMP must name one");
  }
  char json[kTextBytes];
  const size_t length = write_ledger_json(take_ledger(), json, sizeof json);
  const int fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return warn("can't write ", unfinished, "; HAKMEM_LEDGER_DUMP must name a file");
  const bool written = write_all(fd, json, length) && write_all(fd, "\n", 1);
  close(fd);
  if (written && rename(unfinished, path) == 0) return;
  unlink(unfinished);
  warn("can't write ", path, "; is it a directory, or the disk full?");
}

void dump() {
  load_config_from_environment();
  const bool blocks = knob(g_config.tiny_mem_dump) != 0;
  const bool slabs = knob(g_config.ss_stats_dump) != 0;
  const bool warm = knob(g_config.warm_pool_stats) != 0;
  if (blocks || slabs || warm) {
    char text[kTextBytes];
    Writer w(text, sizeof text);
    const Census census = count();
    if (blocks) {
      print_classes(&w, census);
      print_ledger(&w, take_ledger());
    }
    if (slabs) print_slabs(&w, census);
    if (warm) print_warm(&w, census);
    write_all(STDERR_FILENO, text, w.written());
  }
  write_ledger_file();
}

}  // namespace hakmem::observe
