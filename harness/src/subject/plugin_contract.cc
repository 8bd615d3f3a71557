#include "subject/plugin_contract.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

namespace hakbench {
namespace {

constexpr size_t kAlignment = 16;  // of max_align_t
constexpr size_t kSmallEnd = 4096;
constexpr size_t kHugeBytes = size_t{64} << 20;
constexpr size_t kPageBytes = 4096;

std::vector<size_t> test_sizes() {
  std::vector<size_t> sizes;
  for (size_t size = 1; size <= kSmallEnd; ++size) sizes.push_back(size);
  for (size_t size = 2 * kSmallEnd; size <= size_t{8} << 20; size *= 2) {
    sizes.insert(sizes.end(), {size - 1, size, size + 1});
  }
  return sizes;
}

std::string text(const char *format, size_t a, size_t b = 0, size_t c = 0) {
  char line[160];
  std::snprintf(line, sizeof line, format, a, b, c);
  return line;
}

size_t address(const void *block) { return reinterpret_cast<uintptr_t>(block); }

// A byte pattern that differs from block to block and along the block.
unsigned char pattern_byte(size_t block_number, size_t at) {
  return static_cast<unsigned char>((block_number * 167 + 1) ^ (at * 13));
}

void fill(void *block, size_t size, size_t block_number) {
  auto *const bytes = static_cast<unsigned char *>(block);
  for (size_t at = 0; at < size; ++at) bytes[at] = pattern_byte(block_number, at);
}

// The first offset that no longer holds the pattern; `size` if all do.
size_t first_damage(const void *block, size_t size, size_t block_number) {
  const auto *const bytes = static_cast<const unsigned char *>(block);
  size_t at = 0;
  while (at < size && bytes[at] == pattern_byte(block_number, at)) ++at;
  return at;
}

bool all_zero(const void *block, size_t size) {
  const auto *const bytes = static_cast<const unsigned char *>(block);
  return std::all_of(bytes, bytes + size, [](unsigned char byte) { return byte == 0; });
}

// Blocks that are freed whatever happens.
class Blocks {
 public:
  explicit Blocks(const allocator_plugin &allocator) : allocator_(allocator) {}
  Blocks(const Blocks &) = delete;
  Blocks &operator=(const Blocks &) = delete;
  ~Blocks() {
    for (void *block : blocks_) allocator_.free(block);
  }
  void *add(void *block) {
    blocks_.push_back(block);
    return block;
  }
  void *&operator[](size_t i) { return blocks_[i]; }
  size_t size() const { return blocks_.size(); }

 private:
  const allocator_plugin &allocator_;
  std::vector<void *> blocks_;
};

// A block of `size` bytes owes the alignment of every type that fits into it (C23 7.24.3), so 16 bytes
// from size 16, less below; some allocators give 16 always, others use that freedom.
std::string check_alignment(const allocator_plugin &allocator, std::string *seen) {
  Blocks blocks(allocator);
  const std::vector<size_t> sizes = test_sizes();
  size_t tiny_alignment = kAlignment;  // the least that blocks below kAlignment got
  for (const size_t size : sizes) {
    const void *const block = blocks.add(allocator.malloc(size));
    if (block == nullptr) return text("malloc(%zu) returned NULL", size);
    const size_t owed = std::min(kAlignment, std::bit_floor(size));
    if (address(block) % owed != 0) {
      return text("malloc(%zu) = %#zx, not aligned to %zu", size, address(block), owed);
    }
    if (size < kAlignment) {
      tiny_alignment = std::min(tiny_alignment, size_t{1} << std::countr_zero(address(block)));
    }
  }
  *seen = text("%zu sizes to %zu MiB; blocks below 16 bytes are aligned to %zu", sizes.size(),
               sizes.back() >> 20, tiny_alignment);
  return "";
}

std::string check_zero_size(const allocator_plugin &allocator, std::string *seen) {
  Blocks blocks(allocator);
  const void *const a = blocks.add(allocator.malloc(0));
  const void *const b = blocks.add(allocator.malloc(0));
  if (a != nullptr && a == b) return "two live blocks of malloc(0) are the same";
  *seen = a == nullptr ? "NULL" : "a block of its own";
  return "";
}

std::string check_free_null(const allocator_plugin &allocator, std::string *) {
  allocator.free(nullptr);
  return "";
}

// Dirties blocks of every size first, so that zeroing can't pass by luck of fresh pages.
std::string check_calloc_zero(const allocator_plugin &allocator, std::string *seen) {
  const std::vector<size_t> sizes = test_sizes();
  {
    Blocks dirty(allocator);
    for (const size_t size : sizes) {
      void *const block = dirty.add(allocator.malloc(size));
      if (block == nullptr) return text("malloc(%zu) returned NULL", size);
      std::memset(block, 0xA5, size);
    }
  }
  Blocks blocks(allocator);
  for (const size_t size : sizes) {
    const void *const block = blocks.add(allocator.calloc(1, size));
    if (block == nullptr) return text("calloc(1, %zu) returned NULL", size);
    if (!all_zero(block, size)) return text("calloc(1, %zu) is not zeroed", size);
  }
  *seen = text("%zu sizes after dirtying", sizes.size());
  return "";
}

std::string check_calloc_overflow(const allocator_plugin &allocator, std::string *) {
  Blocks blocks(allocator);
  for (const size_t count : {SIZE_MAX / 2, SIZE_MAX / 16 + 2}) {
    if (blocks.add(allocator.calloc(count, 16)) != nullptr) {
      return text("calloc(%zu, 16) overflows but returned a block", count);
    }
  }
  return "";
}

std::string check_realloc(const allocator_plugin &allocator, std::string *seen) {
  constexpr size_t kSteps[] = {1,       16,    17,   100,  1040, 1041, 5000, 70000,
                               3 << 20, 80000, 4097, 1039, 64,   15,   3};
  Blocks blocks(allocator);
  blocks.add(allocator.realloc(nullptr, kSteps[0]));
  size_t before = kSteps[0];
  if (blocks[0] == nullptr) return "realloc(NULL, 1) returned NULL";
  fill(blocks[0], before, 0);
  for (const size_t size : kSteps) {
    void *const moved = allocator.realloc(blocks[0], size);
    if (moved == nullptr) return text("realloc from %zu to %zu bytes returned NULL", before, size);
    blocks[0] = moved;
    const size_t kept = std::min(before, size);
    const size_t damage = first_damage(moved, kept, 0);
    if (damage != kept) {
      return text("realloc from %zu to %zu bytes lost byte %zu", before, size, damage);
    }
    fill(moved, size, 0);
    before = size;
  }
  *seen = "up, down and from NULL";
  return "";
}

std::string check_aligned_alloc(const allocator_plugin &allocator, std::string *seen) {
  constexpr size_t kMaxAlignment = size_t{2} << 20;
  Blocks blocks(allocator);
  for (size_t alignment = kAlignment; alignment <= kMaxAlignment; alignment *= 2) {
    for (const size_t size : {alignment, 3 * alignment}) {  // multiples, as C11 asked for
      void *const block = blocks.add(allocator.aligned_alloc(alignment, size));
      if (block == nullptr) return text("aligned_alloc(%zu, %zu) returned NULL", alignment, size);
      if (address(block) % alignment != 0) {
        return text("aligned_alloc(%zu, %zu) = %#zx", alignment, size, address(block));
      }
      static_cast<volatile unsigned char *>(block)[0] = 1;
      static_cast<volatile unsigned char *>(block)[size - 1] = 1;
    }
  }
  *seen = "16 bytes to 2 MiB";
  return "";
}

// Writes all that is usable, so that a wrong answer damages a neighbour, which is then seen.
std::string check_usable_size(const allocator_plugin &allocator, std::string *seen) {
  Blocks blocks(allocator);
  std::vector<size_t> usable_sizes;
  for (size_t size = 1; size <= kSmallEnd; ++size) {
    void *const block = blocks.add(allocator.malloc(size));
    if (block == nullptr) return text("malloc(%zu) returned NULL", size);
    const size_t usable = allocator.usable_size(block);
    if (usable < size) return text("usable_size of malloc(%zu) is %zu", size, usable);
    fill(block, usable, size);
    usable_sizes.push_back(usable);
  }
  for (size_t size = 1; size <= kSmallEnd; ++size) {
    const size_t usable = usable_sizes[size - 1];
    if (first_damage(blocks[size - 1], usable, size) != usable) {
      return text("the %zu usable bytes of malloc(%zu) belong to another block too", usable, size);
    }
  }
  *seen = text("1..%zu bytes", kSmallEnd);
  return "";
}

std::string check_free_sized(const allocator_plugin &allocator, std::string *seen) {
  const std::vector<size_t> sizes = test_sizes();
  for (const size_t size : sizes) {
    void *const block = allocator.malloc(size);
    if (block == nullptr) return text("malloc(%zu) returned NULL", size);
    allocator.free_sized(block, size);
  }
  *seen = text("%zu sizes", sizes.size());
  return "";
}

// Blocks come and go at random, each with its pattern, which must be whole when the block is freed.
std::string check_no_overlap(const allocator_plugin &allocator, std::string *seen) {
  constexpr size_t kSlots = 2000;
  constexpr size_t kOps = 100000;
  constexpr size_t kSizeMask = 2047;
  std::vector<size_t> sizes(kSlots, 0);
  Blocks blocks(allocator);
  for (size_t i = 0; i < kSlots; ++i) blocks.add(nullptr);
  uint32_t random = 1;
  for (size_t op = 0; op < kOps; ++op) {
    random = random * 1664525u + 1013904223u;  // any generator will do: Numerical Recipes' LCG
    const size_t slot = (random >> 8) % kSlots;
    if (blocks[slot] == nullptr) {
      sizes[slot] = 1 + ((random >> 16) & kSizeMask);
      blocks[slot] = allocator.malloc(sizes[slot]);
      if (blocks[slot] == nullptr) return text("malloc(%zu) returned NULL", sizes[slot]);
      fill(blocks[slot], sizes[slot], slot);
      continue;
    }
    const size_t damage = first_damage(blocks[slot], sizes[slot], slot);
    if (damage != sizes[slot]) {
      return text("byte %zu of a live block of %zu bytes was overwritten: blocks overlap", damage,
                  sizes[slot]);
    }
    allocator.free(blocks[slot]);
    blocks[slot] = nullptr;
  }
  *seen = text("%zu operations over %zu patterned blocks", kOps, kSlots);
  return "";
}

std::string check_cross_thread_free(const allocator_plugin &allocator, std::string *seen) {
  constexpr size_t kBlocks = 5000;
  constexpr size_t kRounds = 3;
  std::string fault;
  for (size_t round = 0; round < kRounds && fault.empty(); ++round) {
    std::vector<void *> blocks(kBlocks);
    for (size_t i = 0; i < kBlocks; ++i) {
      blocks[i] = allocator.malloc(1 + i % 2048);
      if (blocks[i] != nullptr) fill(blocks[i], 1 + i % 2048, i);
    }
    std::thread other([&] {
      if (allocator.thread_begin != nullptr) allocator.thread_begin();
      for (size_t i = 0; i < kBlocks; ++i) {
        const size_t size = 1 + i % 2048;
        if (blocks[i] == nullptr) {
          fault = text("malloc(%zu) returned NULL", size);
        } else if (first_damage(blocks[i], size, i) != size) {
          fault = text("a block of %zu bytes changed before another thread freed it", size);
        }
        allocator.free(blocks[i]);
      }
      if (allocator.thread_end != nullptr) allocator.thread_end();
    });
    other.join();
  }
  *seen = text("%zu blocks", kBlocks * kRounds);
  return fault;
}

std::string check_huge(const allocator_plugin &allocator, std::string *seen) {
  Blocks blocks(allocator);
  auto *const block = static_cast<unsigned char *>(blocks.add(allocator.malloc(kHugeBytes)));
  if (block == nullptr) return text("malloc(%zu) returned NULL", kHugeBytes);
  for (size_t at = 0; at < kHugeBytes; at += kPageBytes)
    block[at] = pattern_byte(1, at / kPageBytes);
  for (size_t at = 0; at < kHugeBytes; at += kPageBytes) {
    if (block[at] != pattern_byte(1, at / kPageBytes)) return text("byte %zu was lost", at);
  }
  *seen = text("%zu MiB, every page written", kHugeBytes >> 20);
  return "";
}

bool always(const allocator_plugin &) { return true; }

template <auto Member>
bool has(const allocator_plugin &allocator) {
  return allocator.*Member != nullptr;
}

}  // namespace

const std::vector<ContractTest> &contract_tests() {
  using Table = allocator_plugin;
  static const std::vector<ContractTest> tests = {
      {"alignment", &always, &check_alignment},
      {"malloc_zero", &always, &check_zero_size},
      {"free_null", &always, &check_free_null},
      {"calloc_zeroes", &has<&Table::calloc>, &check_calloc_zero},
      {"calloc_overflow", &has<&Table::calloc>, &check_calloc_overflow},
      {"realloc_keeps", &has<&Table::realloc>, &check_realloc},
      {"aligned_alloc", &has<&Table::aligned_alloc>, &check_aligned_alloc},
      {"usable_size", &has<&Table::usable_size>, &check_usable_size},
      {"free_sized", &has<&Table::free_sized>, &check_free_sized},
      {"no_overlap", &always, &check_no_overlap},
      {"cross_thread_free", &always, &check_cross_thread_free},
      {"huge_block", &always, &check_huge},
  };
  return tests;
}

}  // namespace hakbench
