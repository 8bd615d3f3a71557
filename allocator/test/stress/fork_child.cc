#include "fork_child.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace hakmem_test {
namespace {

constexpr int kPatience_ms = 30'000;
constexpr int kBlocksOfChild = 100;
// Above every id that the threads of the parent give out.
constexpr uint64_t kChildIds = uint64_t{1} << 60;

void await_child(pid_t child) {
  for (int waited_ms = 0; waited_ms < kPatience_ms; ++waited_ms) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
      if (WIFSIGNALED(status)) fail("forked child died of signal %d", WTERMSIG(status));
      fail("forked child ended with exit code %d", WEXITSTATUS(status));
    }
    if (ended < 0 && errno != EINTR) fail("waitpid of the forked child: errno %d", errno);
    const timespec millisecond{0, 1'000'000};
    nanosleep(&millisecond, nullptr);
  }
  kill(child, SIGKILL);
  fail("forked child hung for %d s", kPatience_ms / 1000);
}

[[noreturn]] void run_child(std::span<const Block> inherited, uint64_t seed, int generation) {
  Rng rng(seed + static_cast<uint64_t>(generation));
  Block own[kBlocksOfChild];
  uint64_t id = kChildIds;
  for (Block &block : own) block = allocate_block(rng, rng.between(0, 40'000), id++);
  // The first child frees the even ones, its child the odd ones: each frees what is its own copy.
  for (size_t i = 0; i < inherited.size(); ++i) {
    Block block = inherited[i];
    if (!block) continue;
    if (i % 2 == static_cast<size_t>(generation))
      free_block(rng, block);
    else if (generation == 0)
      verify_block(block);
  }
  for (Block &block : own)
    if (rng.one_in(2)) free_block(rng, block);

  if (generation == 0) {
    const pid_t grandchild = fork();
    if (grandchild < 0) fail("fork in the forked child: errno %d", errno);
    if (grandchild == 0) run_child(inherited, seed, generation + 1);
    await_child(grandchild);
  }
  for (Block &block : own)
    if (block) free_block(rng, block);
  _exit(0);
}

}  // namespace

void fork_and_check(std::span<const Block> blocks, uint64_t seed) {
  const pid_t child = fork();
  if (child < 0) fail("fork: errno %d", errno);
  if (child == 0) run_child(blocks, seed, 0);
  await_child(child);
}

}  // namespace hakmem_test
