// stress.cc - hakmem_stress: patterned blocks over threads for a number of seconds.
//
// Purpose: every way a block can travel: allocated, resized and freed by its thread; handed over to
//   another thread through a queue; left behind by a thread that ended and freed by one that never
//   met it. Each round starts new threads on the tables of other ones.
// Owns: the tables of live blocks; all are freed at the end.
// Invariants: a round's operations depend on (seed, round, thread) only; how threads interleave
// does
//   not repeat. Between rounds all live blocks are compared for overlap.
// Threads: a table belongs to one worker a round; a mailbox is shared under its lock.
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "fork_child.h"
#include "hakmem/hakmem.h"
#include "support/block.h"
#include "support/build.h"

namespace hakmem_test {
namespace {

constexpr size_t kSlots = 768;
constexpr size_t kMaxLiveBytes = size_t{32} << 20;  // a thread
constexpr int kOpsPerRound = kSanitizer ? 3'000 : 15'000;
constexpr int kForksPerRound = kSanitizer ? 1 : 2;

struct Options {
  size_t threads = 4;
  double seconds = 5;
  uint64_t seed = 1;
  bool fork = false;
};

// Blocks on their way to the thread that will free them.
class Mailbox {
 public:
  void post(const Block &block) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(block);
  }
  void collect(std::vector<Block> &out) {
    const std::lock_guard lock(mutex_);
    out.swap(blocks_);
  }

 private:
  std::mutex mutex_;
  std::vector<Block> blocks_;
};

struct Table {
  std::vector<Block> slots = std::vector<Block>(kSlots);
  size_t live_bytes = 0;
};

class Stress {
 public:
  explicit Stress(const Options &options)
      : options_(options), tables_(options.threads), mailboxes_(options.threads) {}

  // Returns the number of rounds.
  uint64_t run();

 private:
  void run_round(uint64_t round);
  void work(uint64_t round, size_t worker);
  void step(Rng &rng, Table &table, size_t worker, uint64_t id);
  void empty_mailbox(Rng &rng, size_t worker);
  void check_round();
  void free_everything();

  const Options options_;
  std::vector<Table> tables_;
  std::vector<Mailbox> mailboxes_;
};

uint64_t Stress::run() {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(options_.seconds);
  uint64_t round = 0;
  do {
    run_round(round++);
    check_round();
  } while (Clock::now() < end);
  free_everything();
  return round;
}

void Stress::run_round(uint64_t round) {
  std::vector<std::thread> workers;
  for (size_t worker = 0; worker < options_.threads; ++worker)
    workers.emplace_back([this, round, worker] { work(round, worker); });
  if (options_.fork) {
    // The main thread forks too, while all of the workers are in the allocator.
    Rng rng(mix64(options_.seed) ^ round);
    std::vector<Block> blocks;
    for (uint64_t i = 0; i < 64; ++i)
      blocks.push_back(allocate_block(rng, realistic_size(rng) / 8, (round << 32) + i));
    for (int i = 0; i < kForksPerRound; ++i) {
      hakmem_stats_json(nullptr, 0);
      hakmem_ledger_json(nullptr, 0);
      fork_and_check(blocks, rng.next());
    }
    for (Block &block : blocks) free_block(rng, block);
  }
  for (std::thread &worker : workers) worker.join();
}

void Stress::work(uint64_t round, size_t worker) {
  // A table meets another worker each round: its blocks are freed by threads that never met theirs.
  Table &table = tables_[(worker + round) % options_.threads];
  Rng rng(mix64(options_.seed) ^ mix64(round * 64 + worker));
  const uint64_t first_id = ((round + 1) * options_.threads + worker) << 20;
  const int fork_at = options_.fork && worker == 0 ? kOpsPerRound / 2 : -1;
  for (int op = 0; op < kOpsPerRound; ++op) {
    step(rng, table, worker, first_id + static_cast<uint64_t>(op));
    if (op % 64 == 0) empty_mailbox(rng, worker);
    if (op == fork_at) fork_and_check(table.slots, rng.next());
  }
}

void Stress::step(Rng &rng, Table &table, size_t worker, uint64_t id) {
  Block &block = table.slots[rng.below(kSlots)];
  const size_t size = realistic_size(rng);
  if (!block) {
    if (table.live_bytes + size > kMaxLiveBytes) return;
    block = allocate_block(rng, size, id);
    table.live_bytes += size;
    return;
  }
  table.live_bytes -= block.size;
  switch (rng.below(4)) {
    case 0:
      if (size != 0 && table.live_bytes + size <= kMaxLiveBytes) {
        resize_block(block, size, id);
        table.live_bytes += size;
        return;
      }
      [[fallthrough]];
    case 1:
    case 2:
      free_block(rng, block);
      return;
    default:
      mailboxes_[(worker + 1 + rng.below(options_.threads)) % options_.threads].post(block);
      block = Block{};
  }
}

void Stress::empty_mailbox(Rng &rng, size_t worker) {
  std::vector<Block> received;
  mailboxes_[worker].collect(received);
  for (Block &block : received) free_block(rng, block);
}

void Stress::check_round() {
  std::vector<Block> live;
  Rng rng(0);
  for (size_t worker = 0; worker < options_.threads; ++worker) empty_mailbox(rng, worker);
  for (const Table &table : tables_)
    for (const Block &block : table.slots)
      if (block) live.push_back(block);
  check_disjoint(live);
}

void Stress::free_everything() {
  Rng rng(options_.seed);
  for (Table &table : tables_)
    for (Block &block : table.slots)
      if (block) free_block(rng, block);
}

[[noreturn]] void usage(const char *wrong) {
  std::fprintf(stderr,
               "hakmem_stress: %s\n"
               "usage: hakmem_stress [--threads N] [--seconds S] [--seed X] [--fork]\n",
               wrong);
  std::exit(1);
}

Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const char *name = argv[i];
    if (std::strcmp(name, "--fork") == 0) {
      options.fork = true;
      continue;
    }
    if (++i == argc) usage("an option lacks its value, or is unknown");
    char *rest = nullptr;
    errno = 0;
    if (std::strcmp(name, "--threads") == 0)
      options.threads = std::strtoul(argv[i], &rest, 10);
    else if (std::strcmp(name, "--seconds") == 0)
      options.seconds = std::strtod(argv[i], &rest);
    else if (std::strcmp(name, "--seed") == 0)
      options.seed = std::strtoull(argv[i], &rest, 0);
    else
      usage("unknown option");
    if (rest == argv[i] || *rest != '\0' || errno != 0) usage("a value is not a number");
  }
  if (options.threads < 1 || options.threads > 64) usage("--threads must be 1 to 64");
  if (!(options.seconds > 0)) usage("--seconds must be above 0");
  return options;
}

}  // namespace
}  // namespace hakmem_test

int main(int argc, char **argv) {
  using namespace hakmem_test;
  const Options options = parse(argc, argv);
  set_seed_to_report(options.seed);
  const uint64_t rounds = Stress(options).run();
  std::printf("ok: %" PRIu64 " rounds of %zu threads x %d operations, seed %" PRIu64 "%s\n", rounds,
              options.threads, kOpsPerRound, options.seed, options.fork ? ", with forks" : "");
}
