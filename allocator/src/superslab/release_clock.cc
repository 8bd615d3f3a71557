#include "superslab/release_clock.h"

#include <atomic>

#include "base/units.h"
#include "config/config.h"
#include "os/os.h"

namespace hakmem::release_clock {
namespace {

constexpr uint64_t kLeastPauseMs = 16;
constexpr uint64_t kPausesPerPurgeDelay = 4;

// The time shown, above the low bits of the kernel's clock when it was last read: both in one word,
// so that threads that wake together count a pause once. The low bits come round in 4.6 hours; a
// pause longer than that may count less, never more.
constexpr unsigned kKernelBits = 24;
constexpr uint64_t kKernelMask = (uint64_t{1} << kKernelBits) - 1;
// Nothing else is published with it. Acquire: the kernel's clock is read after it.
constinit std::atomic<uint64_t> g_clock{0};

uint64_t longest_pause_ms() {
  const uint64_t share =
      div_up(static_cast<uint64_t>(knob(g_config.purge_delay_ms)), kPausesPerPurgeDelay);
  return share > kLeastPauseMs ? share : kLeastPauseMs;
}

}  // namespace

uint64_t now_ms() {
  uint64_t seen = g_clock.load(std::memory_order_acquire);
  const uint64_t kernel_ms = os::g_kernel->now_ms();
  const uint64_t shown = seen >> kKernelBits;
  const uint64_t since = (kernel_ms - seen) & kKernelMask;
  if (since == 0) return shown;
  const uint64_t most = longest_pause_ms();
  const uint64_t now = shown + (since < most ? since : most);
  // If this fails, another thread has just moved the clock by the same pause.
  g_clock.compare_exchange_strong(seen, now << kKernelBits | (kernel_ms & kKernelMask),
                                  std::memory_order_relaxed);
  return now;
}

}  // namespace hakmem::release_clock
