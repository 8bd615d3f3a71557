// seal.h - what the hardened variant writes into blocks: a canary behind what the program asked
// for, and poison over what it gave back.
//
// Purpose:    see writes beyond a block's end and writes to a block that was freed.
// Owns:       the process's secret, drawn once.
// Boundary:   knows block addresses and sizes; no slabs, no locks.
// Invariants: a live small block ends in a word that says, under a secret key of its address, how
//             many bytes it was asked for; all between is canary bytes. A block that is not live
//             has no such word: poison lies over it.
// Threads:    any, for blocks that the caller holds.
#ifndef HAKMEM_HARDENED_SEAL_H_
#define HAKMEM_HARDENED_SEAL_H_

#include <cstddef>
#include <cstdint>

namespace hakmem::hardened {

// The least that a block is larger than what was asked for.
inline constexpr size_t kSealBytes = 8;
inline constexpr size_t kBroken = SIZE_MAX;

// block_bytes is a multiple of 16, below 64 KiB, and at least asked_bytes + kSealBytes.
void seal(void *block, size_t block_bytes, size_t asked_bytes);
// The bytes asked for; kBroken: the seal was damaged, or the block is not live.
size_t asked_in_seal(const void *block, size_t block_bytes);

// The same for any range, without the word.
void fill_canary(void *begin, size_t bytes);
bool canary_intact(const void *begin, size_t bytes);

// Blocks of up to kPoisonBytes are poisoned whole, of larger ones the beginning and the seal.
inline constexpr size_t kPoisonBytes = 1024;
void poison(void *block, size_t block_bytes);
// Offset of the first byte of the poison that was written since, or kUntouched.
inline constexpr size_t kUntouched = SIZE_MAX;
size_t first_write(const void *block, size_t block_bytes);

// Not cryptographic: unpredictable to who cannot watch many choices.
uint64_t random_choice();

}  // namespace hakmem::hardened

#endif  // HAKMEM_HARDENED_SEAL_H_
