// model.h - a reference model of what an allocator owes its caller.
//
// Purpose: carry out operations on hakmem and compare each answer with a model: an interval map of
//   live blocks. Checked with every operation: alignment, usable size (>= asked, stable), no
//   overlap with another live block, zeroes of calloc, contents kept by realloc and by everything
//   else, errno untouched.
// Owns: the blocks in its slots; frees them when it dies.
// Boundary: hakmem's public API. Drivers (random in model/, bytes in fuzz/) only choose the ops.
// Invariants: live_ holds exactly the blocks of occupied slots, each filled to its usable size.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <vector>

namespace hakmem_test {

// hakmem broke a promise; what() names the operation and the promise.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class OpKind : uint8_t {
  kMalloc,
  kCalloc,
  kRealloc,
  kReallocarray,
  kAlignedAlloc,
  kPosixMemalign,
  kFree,
  kFreeSized,        // with the size asked for
  kFreeUsableSized,  // with the usable size
  kPurgeThread,
  kPurgeAll,
};
inline constexpr int kOpKinds = 11;

struct Op {
  OpKind kind;
  uint16_t slot;           // modulo the model's slots
  uint8_t alignment_log2;  // of the aligned kinds
  uint8_t count;           // elements of calloc and reallocarray, which get size / count bytes each
  size_t size;             // bytes
};

class Model {
 public:
  // Operations that would hold more than `max_live_bytes` are skipped.
  Model(size_t slots, size_t max_live_bytes);
  ~Model();
  Model(const Model &) = delete;
  Model &operator=(const Model &) = delete;

  // Throws Violation. An allocation into an occupied slot frees its block first.
  void apply(const Op &op);
  // Checks every live block. Throws Violation.
  void check_all() const;

  size_t live_blocks() const { return live_.size(); }

 private:
  struct Block {
    unsigned char *start = nullptr;
    size_t asked = 0;      // bytes
    size_t usable = 0;     // bytes, all filled with the pattern of (id, usable)
    size_t alignment = 0;  // asked for, or 0
    uint64_t id = 0;
  };
  using Live = std::map<const unsigned char *, const Block *>;

  void allocate(const Op &op, Block &block);
  void reallocate(const Op &op, Block &block);
  void release(OpKind kind, Block &block);
  void adopt(Block &block, void *start, size_t asked, size_t alignment, const Op &op);
  void check(const Block &block, const char *when) const;

  std::vector<Block> slots_;
  Live live_;
  size_t max_live_bytes_;
  size_t live_bytes_ = 0;
  uint64_t next_id_ = 1;
};

}  // namespace hakmem_test
