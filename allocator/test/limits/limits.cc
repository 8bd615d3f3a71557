// limits.cc - hakmem_limits KIND MIB: the allocator when the kernel says no.
//
// Purpose: under a limit that was in force before the allocator's first call, ask for memory in
// many
//   sizes until NULL; see ENOMEM, nothing broken, most of the limit used; free; see it work again.
//   KIND: address-space (RLIMIT_AS), data (RLIMIT_DATA), overcommit (only on a machine that has
//   vm.overcommit_memory = 2) and cgroup, where the kernel kills instead of saying no: there the
//   program must live, with a small working set, on memory that it frees and takes again.
// Boundary: sets the limit, then executes itself, so that even start-up happens under it.
// Invariants: exit 0 pass, 1 own trouble, 2 hakmem failed, 77 the limit can't be set here.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "hakmem/hakmem.h"
#include "support/block.h"
#include "support/pattern.h"

namespace hakmem_test {
namespace {

#ifdef HAKMEM_HARDENED
constexpr bool kMayRefuseToShrink = true;
#else
constexpr bool kMayRefuseToShrink = false;
#endif
constexpr int kExitSkipped = 77;
constexpr size_t kMiB = size_t{1} << 20;

[[noreturn]] void skip(const std::string &why) {
  std::printf("skipped: %s\n", why.c_str());
  std::exit(kExitSkipped);
}

[[noreturn]] void trouble(const std::string &what) {
  std::fprintf(stderr, "hakmem_limits: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

// The record of a block lies at its own start, so that the test needs no memory of anybody's.
struct Link {
  Link *next;
  size_t size;
};

// The patterned bytes after the record. Of a large block only these are touched: what counts is the
// address space that it takes.
size_t patterned_bytes(size_t size) {
  constexpr size_t kMost = 64 << 10;
  return (size < kMost ? size : kMost) - sizeof(Link);
}

Link *take(size_t size, Link *list) {
  errno = 0;
  void *start = hakmem_malloc(size);
  if (start == nullptr) {
    if (errno != ENOMEM) fail("malloc(%zu) returned NULL with errno %d, not ENOMEM", size, errno);
    return nullptr;
  }
  auto *link = static_cast<Link *>(start);
  *link = Link{list, size};
  fill_pattern(link + 1, patterned_bytes(size), size);
  return link;
}

void give_back(Link *list) {
  while (list != nullptr) {
    Link *next = list->next;
    const size_t bytes = patterned_bytes(list->size);
    if (first_damage(list + 1, bytes, bytes, list->size) != kIntact)
      fail("block %p of %zu bytes changed", static_cast<void *>(list), list->size);
    hakmem_free(list);
    list = next;
  }
}

// Takes blocks of `size` bytes until NULL or `limit_bytes`; returns how many bytes it got.
size_t take_all(size_t size, size_t limit_bytes, Link *&list) {
  size_t got = 0;
  while (got < limit_bytes) {
    Link *link = take(size, list);
    if (link == nullptr) break;
    list = link;
    got += size;
  }
  return got;
}

// With memory exhausted every other call must fail as politely.
void expect_polite_failures(size_t size, Link *some_block) {
  errno = 0;
  if (void *block = hakmem_calloc(1, size))
    fail("calloc(1, %zu) gave %p where malloc had failed", size, block);
  if (errno != ENOMEM) fail("calloc(1, %zu): errno %d, not ENOMEM", size, errno);
  errno = 0;
  if (void *block = hakmem_aligned_alloc(4096, size))
    hakmem_free(block);
  else if (errno != ENOMEM)
    fail("aligned_alloc: errno %d, not ENOMEM", errno);
  if (some_block == nullptr) return;
  errno = 0;
  if (hakmem_realloc(some_block, size_t{1} << 46) != nullptr || errno != ENOMEM)
    fail("realloc to 64 TiB: errno %d, not ENOMEM", errno);
}

// A block that shrinks needs no memory, so it cannot fail for want of it; but the hardened variant, which
// moves the end of a block with all that guards it, may. Returns where it is then.
Link *expect_shrink(Link *block) {
  constexpr size_t kSmall = 48;
  errno = 0;
  auto *shrunk = static_cast<Link *>(hakmem_realloc(block, kSmall));
  if (shrunk == nullptr && kMayRefuseToShrink) return block;
  if (shrunk == nullptr) fail("realloc of %zu to %zu bytes: NULL", block->size, kSmall);
  if (errno != 0) fail("realloc to %zu bytes: errno %d", kSmall, errno);
  const size_t bytes = patterned_bytes(kSmall);
  if (first_damage(shrunk + 1, bytes, patterned_bytes(shrunk->size), shrunk->size) != kIntact)
    fail("realloc of %zu to %zu bytes changed the block", shrunk->size, kSmall);
  shrunk->size = kSmall;
  fill_pattern(shrunk + 1, bytes, kSmall);
  return shrunk;
}

// A thread whose first call comes when nothing is left, and which must work afterwards.
class LateThread {
 public:
  LateThread() : thread_([this] { run(); }) {}
  void let_fail() { advance(1); }
  void let_work() { advance(2); }
  void join() { thread_.join(); }

 private:
  void advance(int stage) {
    stage_.store(stage);
    stage_.notify_all();
    while (done_.load() != stage) done_.wait(stage - 1);
  }
  void reached(int stage) {
    done_.store(stage);
    done_.notify_all();
  }
  void run() {
    stage_.wait(0);
    errno = 0;
    void *block = hakmem_malloc(100);
    if (block == nullptr && errno != ENOMEM)
      fail("first malloc of a thread: NULL with errno %d, not ENOMEM", errno);
    hakmem_free(block);
    reached(1);
    stage_.wait(1);
    Rng rng(1);
    for (uint64_t id = 0; id < 1'000; ++id) {
      Block small = allocate_block(rng, rng.between(0, 4'000), id);
      free_block(rng, small);
    }
    reached(2);
  }
  std::atomic<int> stage_{0}, done_{0};
  std::thread thread_;
};

void exhaust_and_recover(size_t limit_bytes) {
  LateThread late;
  bool late_waits = true;
  size_t first_got = 0;
  for (const size_t size : {kMiB, size_t{64}, size_t{4'000}, size_t{65'536}, 9 * kMiB}) {
    // No more than a small machine has: small blocks are touched wholly, and below large ones the
    // kernel may put huge pages.
    const size_t enough = std::min(limit_bytes, (size < kMiB ? 256 : 1024) * kMiB);
    Link *list = nullptr;
    const size_t got = take_all(size, enough, list);
    if (first_got == 0) first_got = got;
    std::printf("%zu MiB in blocks of %zu bytes\n", got / kMiB, size);
    // Metadata, alignment of mappings and the C library have their share of a small limit.
    if (got < enough / 4)
      fail("only %zu of %zu MiB could be had in blocks of %zu bytes", got / kMiB, enough / kMiB,
           size);
    if (got < enough) {
      expect_polite_failures(size, list);
      list = expect_shrink(list);
    }
    if (late_waits) late.let_fail();
    give_back(list);
    if (late_waits) late.let_work();
    late_waits = false;
  }
  late.join();
  Link *list = nullptr;
  const size_t again = take_all(kMiB, first_got, list);
  give_back(list);
  if (again < first_got / 2)
    fail("%zu MiB at first, only %zu MiB after all was freed", first_got / kMiB, again / kMiB);
}

// Phases of different sizes, each of a third of the limit, twenty limits in all: an allocator that
// keeps what was freed for the size it had is killed.
void live_within(size_t limit_bytes) {
  const size_t sizes[] = {32, 100, 1'000, 4'096, 20'000, 65'536, 500'000, kMiB, 6 * kMiB};
  for (int round = 0; round < 7; ++round)
    for (const size_t size : sizes) {
      Link *list = nullptr;
      if (take_all(size, limit_bytes / 3, list) < limit_bytes / 3)
        fail("blocks of %zu bytes: NULL in a cgroup that kills rather than refuses", size);
      give_back(list);
    }
}

void write_file(const std::string &path, const std::string &text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool ok = fd >= 0 && write(fd, text.data(), text.size()) == ssize_t(text.size());
  if (fd >= 0) close(fd);
  if (!ok) skip("cannot write " + path + " (needs root and a writable cgroup)");
}

// Runs `program` in a new cgroup of the first hierarchy (v1's memory, or v2) that can be written.
[[noreturn]] void run_in_cgroup(const char *program, const char *mib) {
  const bool v1 = access("/sys/fs/cgroup/memory", F_OK) == 0;
  const std::string group = std::string(v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup") +
                            "/hakmem-limits-" + std::to_string(getpid());
  if (mkdir(group.c_str(), 0755) != 0) skip("cannot make " + group + " (needs root)");
  const std::string bytes = std::to_string(std::strtoul(mib, nullptr, 10) * kMiB);
  const pid_t child = fork();
  if (child == 0) {
    write_file(group + (v1 ? "/memory.limit_in_bytes" : "/memory.max"), bytes);
    write_file(group + "/cgroup.procs", std::to_string(getpid()));
    execl(program, program, "--run", "cgroup", mib, nullptr);
    trouble("exec");
  }
  int status = 0;
  waitpid(child, &status, 0);
  rmdir(group.c_str());
  if (WIFSIGNALED(status))
    fail("killed by signal %d within %s MiB: freed memory was not used again", WTERMSIG(status),
         mib);
  std::exit(WEXITSTATUS(status));
}

void set_limit(const std::string &kind, size_t bytes) {
  if (kind == "overcommit") {
    char mode = '?';
    if (FILE *file = std::fopen("/proc/sys/vm/overcommit_memory", "r")) {
      mode = static_cast<char>(std::fgetc(file));
      std::fclose(file);
    }
    if (mode != '2') skip("vm.overcommit_memory is not 2 on this machine");
    return;
  }
  const rlimit limit{bytes, bytes};
  if (setrlimit(kind == "data" ? RLIMIT_DATA : RLIMIT_AS, &limit) != 0) trouble("setrlimit");
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  using namespace hakmem_test;
  // fail() ends the process without flushing.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const bool under_limit = argc == 4 && std::strcmp(argv[1], "--run") == 0;
  if (argc != 3 && !under_limit) {
    std::fprintf(stderr, "usage: hakmem_limits address-space|data|overcommit|cgroup MIB\n");
    return 1;
  }
  const std::string kind = argv[argc - 2];
  const size_t bytes = std::strtoul(argv[argc - 1], nullptr, 10) * kMiB;
  if (!under_limit) {
    if (kind == "cgroup") run_in_cgroup(argv[0], argv[2]);
    set_limit(kind, bytes);
    execl(argv[0], argv[0], "--run", argv[1], argv[2], nullptr);
    trouble("exec of itself");
  }
  if (kind == "cgroup")
    live_within(bytes);
  else
    exhaust_and_recover(bytes);
  std::printf("ok: %s %s MiB\n", kind.c_str(), argv[3]);
}
