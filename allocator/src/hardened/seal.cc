#include "hardened/seal.h"

#include <atomic>
#include <cstring>

#include "base/units.h"
#include "os/random.h"

namespace hakmem::hardened {
namespace {

// As a pointer it is not canonical: who follows one out of a freed block faults.
constexpr unsigned char kPoison = 0xdf;
struct PoisonBytes {
  constexpr PoisonBytes() {
    for (unsigned char &byte : bytes) byte = kPoison;
  }
  unsigned char bytes[kPoisonBytes] = {};
};
constinit const PoisonBytes g_poison;
// The slack's length, four times: no change of a few bytes makes another valid word.
constexpr uint64_t kCopies = 0x0001'0001'0001'0001;

constinit std::atomic<uint64_t> g_secrets[2];
constinit std::atomic<uint64_t> g_choices{0};

// 0 means "not drawn yet". relaxed: the word publishes nothing but itself.
uint64_t secret(size_t i) {
  uint64_t word = g_secrets[i].load(std::memory_order_relaxed);
  if (word != 0) [[likely]]
    return word;
  const uint64_t drawn = os::random_word() | 1;
  return g_secrets[i].compare_exchange_strong(word, drawn, std::memory_order_relaxed) ? drawn
                                                                                      : word;
}

unsigned char canary_byte() {
  // Never 0, the byte that one write too many most often writes.
  return static_cast<unsigned char>(secret(1) >> 56) | 1;
}

uint64_t key_of(const void *block) {
  const uint64_t key = os::mix_bits(address_of(block) ^ secret(0)) ^ secret(1);
  // The word's first byte must not be 0 either where no canary byte precedes it.
  return (key & 0xff) == kSealBytes ? key ^ 0xff : key;
}

uint64_t load(const void *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

const unsigned char *at(const void *block, size_t offset) {
  return static_cast<const unsigned char *>(block) + offset;
}
unsigned char *at(void *block, size_t offset) {
  return static_cast<unsigned char *>(block) + offset;
}

// First byte in [begin, end) of the block that is not poison.
size_t first_write_between(const void *block, size_t begin, size_t end) {
  if (memcmp(at(block, begin), g_poison.bytes, end - begin) == 0) [[likely]]
    return kUntouched;
  while (*at(block, begin) == kPoison) ++begin;
  return begin;
}

size_t poisoned_head(size_t block_bytes) {
  return block_bytes < kPoisonBytes ? block_bytes : kPoisonBytes;
}

}  // namespace

void fill_canary(void *begin, size_t bytes) { memset(begin, canary_byte(), bytes); }

bool canary_intact(const void *begin, size_t bytes) {
  const unsigned char expected = canary_byte();
  unsigned char differences = 0;
  for (size_t i = 0; i < bytes; ++i) {
    differences |= static_cast<unsigned char>(*at(begin, i) ^ expected);
  }
  return differences == 0;
}

void seal(void *block, size_t block_bytes, size_t asked_bytes) {
  const size_t slack = block_bytes - asked_bytes;
  fill_canary(at(block, asked_bytes), slack - kSealBytes);
  const uint64_t word = key_of(block) ^ (slack * kCopies);
  memcpy(at(block, block_bytes - kSealBytes), &word, sizeof word);
}

size_t asked_in_seal(const void *block, size_t block_bytes) {
  const uint64_t plain = load(at(block, block_bytes - kSealBytes)) ^ key_of(block);
  const size_t slack = plain & 0xffff;
  if (plain != slack * kCopies || slack < kSealBytes || slack > block_bytes) return kBroken;
  const size_t asked_bytes = block_bytes - slack;
  return canary_intact(at(block, asked_bytes), slack - kSealBytes) ? asked_bytes : kBroken;
}

void poison(void *block, size_t block_bytes) {
  memset(block, kPoison, poisoned_head(block_bytes));
  memset(at(block, block_bytes - kSealBytes), kPoison, kSealBytes);
}

size_t first_write(const void *block, size_t block_bytes) {
  const size_t in_head = first_write_between(block, 0, poisoned_head(block_bytes));
  if (in_head != kUntouched) return in_head;
  return first_write_between(block, block_bytes - kSealBytes, block_bytes);
}

uint64_t random_choice() {
  // A Weyl sequence under the secret; relaxed: any order will do.
  constexpr uint64_t kStep = 0x9e3779b97f4a7c15;
  return os::mix_bits(g_choices.fetch_add(kStep, std::memory_order_relaxed) ^ secret(0)) ^
         secret(1);
}

}  // namespace hakmem::hardened
