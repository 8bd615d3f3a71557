// format.h - the trace file: a program's calls of the malloc family in their order.
//
// Purpose:    the layout that Writer and Reader share; docs/design/trace-format.md is its description.
// Owns:       nothing; plain data.
// Invariants: file = Header, body_bytes of encoded ops, then one uint64 of live bytes for every
//             checkpoint_ops ops. Little-endian. Blocks are numbered 0, 1, ... in the order of their birth.
#ifndef HAKBENCH_TRACE_FORMAT_H_
#define HAKBENCH_TRACE_FORMAT_H_

#include <bit>
#include <cstddef>
#include <cstdint>

namespace hakbench::trace {

inline constexpr char kMagic[8] = {'H', 'A', 'K', 'T', 'R', 'A', 'C', 'E'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint64_t kMaxOps = UINT32_MAX - 1;
inline constexpr uint64_t kMaxBlockBytes = uint64_t{1} << 47;
inline constexpr uint32_t kMaxLog2Alignment = 40;
inline constexpr uint32_t kCheckpointOps = 1024;

// The low three bits of an op's first varint; the rest is its first operand.
enum class OpKind : uint8_t {
  kMalloc = 0,   // size
  kCalloc = 1,   // size, all in all
  kAligned = 2,  // size; log2 of the alignment
  kFree = 3,     // age: blocks born since
  kRealloc = 4,  // age; new size. The block keeps its number
  kThread = 5    // not an op: the thread of those that follow; the first is 0
};
inline constexpr uint32_t kKindBits = 3;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t ops;
  uint64_t blocks;  // born
  uint32_t threads;
  uint32_t checkpoint_ops;
  uint64_t body_bytes;
  uint64_t peak_live_bytes;  // after an op
  uint64_t end_live_bytes;
  uint64_t unknown_frees;    // left out: of blocks that the recording never saw born
  uint64_t lost_frees;       // put in: the address was handed out again
  uint64_t body_checksum;    // of everything behind the header
  char program[64];          // NUL-terminated
  uint64_t header_checksum;  // of everything before it
};
static_assert(sizeof(Header) == 160 && std::endian::native == std::endian::little);

// FNV-1a over bytes: each step is a bijection, so no single changed byte escapes it.
class Checksum {
 public:
  void add(const void *data, size_t size) {
    const auto *bytes = static_cast<const unsigned char *>(data);
    for (size_t i = 0; i < size; ++i) hash_ = (hash_ ^ bytes[i]) * 0x100000001B3u;
  }
  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0xCBF29CE484222325u;
};

inline uint64_t header_checksum(const Header &header) {
  Checksum sum;
  sum.add(&header, offsetof(Header, header_checksum));
  return sum.value();
}

// One call, as Writer takes it and Reader gives it.
struct Op {
  OpKind kind;
  uint8_t log2_alignment;  // of kAligned
  uint32_t thread;
  uint64_t block;
  uint64_t size;      // of the block from now on; 0 after kFree
  uint64_t old_size;  // of kFree and kRealloc: until now
};

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_FORMAT_H_
