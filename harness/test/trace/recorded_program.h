// recorded_program.h - what recorded_program does, so that the test knows its exact calls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hakbench::trace_test {

// Sizes from here on are the program's own; the C library asks for nothing as large in it.
inline constexpr size_t kMarkBytes = 1'000'000;
inline constexpr int kThreads = 3;
inline constexpr int kRounds = 500;

// Thread t's block of round r, and what every third one is then resized to.
constexpr size_t born_bytes(int thread, int round) {
  return kMarkBytes + static_cast<size_t>(thread) * 10'000 + static_cast<size_t>(round);
}
constexpr size_t resized_bytes(int thread, int round) {
  return born_bytes(thread, round) + 500'000;
}
constexpr bool is_resized(int round) { return round % 3 == 0; }

// Of the block that a constructor asks for before main, and of the one behind a fork or an exec.
inline constexpr size_t kEarlyBytes = 3'000'001;
inline constexpr size_t kAfterForkBytes = 3'000'002;
inline constexpr size_t kFamilyBytes = 3'000'100;

// Of the blocks of a thread whose cancellation is pending, and then of the main thread: enough of
// them for several of the recorder's chunks.
inline constexpr size_t kCancelledBytes = 3'000'200;
inline constexpr int kCancelledRounds = 5'000;

}  // namespace hakbench::trace_test
