#include "trace/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/error.h"

namespace hakbench::trace {

Reader::Reader(std::string path) : path_(std::move(path)) {
  map_file();
  try {
    check_header();
    if (!sizes_.map(header_.blocks)) fail("has more blocks than there is memory to replay");
  } catch (...) {
    munmap(const_cast<unsigned char *>(file_), file_bytes_);
    throw;
  }
  rewind();
}

Reader::~Reader() { munmap(const_cast<unsigned char *>(file_), file_bytes_); }

void Reader::fail(const std::string &what) const { throw Error("trace " + path_ + " " + what); }

void Reader::map_file() {
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    fail(std::string("cannot be read: ") + strerror(errno) +
         "; name a file that `hakbench record` wrote");
  struct stat facts;
  const bool is_file = fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
  file_bytes_ = is_file ? static_cast<size_t>(facts.st_size) : 0;
  void *memory = MAP_FAILED;
  if (file_bytes_ > 0) memory = mmap(nullptr, file_bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) fail("is empty or no file; name a file that `hakbench record` wrote");
  file_ = static_cast<const unsigned char *>(memory);
}

void Reader::check_header() {
  const size_t magic_bytes = std::min(sizeof kMagic, file_bytes_);
  if (memcmp(file_, kMagic, magic_bytes) != 0)
    fail("is no trace; name a file that `hakbench record` wrote");
  const std::string mend = "; copy it again, or record it again";
  if (file_bytes_ < sizeof(Header))
    fail("is cut off within its header (" + std::to_string(file_bytes_) + " bytes)" + mend);
  memcpy(&header_, file_, sizeof header_);
  if (header_.version != kVersion)
    fail("has version " + std::to_string(header_.version) + ", this hakbench reads " +
         std::to_string(kVersion) + "; record it again");
  if (header_.header_checksum != header_checksum(header_) ||
      header_.header_bytes != sizeof(Header) || header_.checkpoint_ops == 0 ||
      memchr(header_.program, '\0', sizeof header_.program) == nullptr)
    fail("has a damaged header" + mend);
  // Each op takes a byte at least, so a sane file bounds every count, and every table made from it.
  if (header_.ops > kMaxOps || header_.ops > header_.body_bytes || header_.blocks > header_.ops ||
      header_.threads > header_.ops || header_.body_bytes > file_bytes_ + kMaxBlockBytes)
    fail("has a damaged header" + mend);
  const uint64_t expected = sizeof(Header) + header_.body_bytes + checkpoints() * sizeof(uint64_t);
  if (file_bytes_ < expected)
    fail("is cut off: " + std::to_string(file_bytes_) + " of " + std::to_string(expected) +
         " bytes" + mend);
  if (file_bytes_ > expected)
    fail("has " + std::to_string(file_bytes_ - expected) + " bytes behind its end" + mend);
  Checksum sum;
  sum.add(file_ + sizeof(Header), file_bytes_ - sizeof(Header));
  if (sum.value() != header_.body_checksum) fail("is damaged: its checksum differs" + mend);
}

void Reader::rewind() {
  at_ = file_ + sizeof(Header);
  end_ = at_ + header_.body_bytes;
  thread_ = 0;
  blocks_ = ops_read_ = live_bytes_ = 0;
}

uint64_t Reader::checkpoint(uint64_t i) const {
  uint64_t value;
  memcpy(&value, end_ + i * sizeof value, sizeof value);
  return value;
}

uint64_t Reader::take() {
  uint64_t value = 0;
  for (unsigned shift = 0; at_ < end_ && shift < 64; shift += 7) {
    const unsigned char byte = *at_++;
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("is damaged at op " + std::to_string(ops_read_) + ": a number without an end");
}

uint64_t Reader::take_size() {
  const uint64_t size = take();
  if (size > kMaxBlockBytes)
    fail("is damaged at op " + std::to_string(ops_read_) + ": a block larger than 2^47 bytes");
  return size;
}

uint64_t Reader::take_live_block(uint64_t age) {
  if (age >= blocks_ || sizes_[blocks_ - 1 - age] == 0)
    fail("is damaged at op " + std::to_string(ops_read_) + ": it names a block that is not live");
  return blocks_ - 1 - age;
}

void Reader::give_birth(uint64_t size, Op *op) {
  if (size > kMaxBlockBytes || blocks_ == header_.blocks)
    fail("is damaged at op " + std::to_string(ops_read_) + ": a block that cannot be");
  op->block = blocks_++;
  op->size = size;
}

bool Reader::next(Op *op) {
  if (ops_read_ == header_.ops) {
    expect_end();
    return false;
  }
  *op = {};
  uint64_t word = take();
  auto kind = static_cast<OpKind>(word & ((1u << kKindBits) - 1));
  while (kind == OpKind::kThread) {
    const uint64_t thread = word >> kKindBits;
    if (thread >= header_.threads)
      fail("is damaged at op " + std::to_string(ops_read_) + ": a thread beyond its number");
    thread_ = static_cast<uint32_t>(thread);
    word = take();
    kind = static_cast<OpKind>(word & ((1u << kKindBits) - 1));
  }
  op->kind = kind;
  op->thread = thread_;
  const uint64_t operand = word >> kKindBits;
  switch (kind) {
    case OpKind::kAligned:
      op->log2_alignment = static_cast<uint8_t>(std::min<uint64_t>(take(), UINT8_MAX));
      if (op->log2_alignment > kMaxLog2Alignment)
        fail("is damaged at op " + std::to_string(ops_read_) + ": an alignment that cannot be");
      [[fallthrough]];
    case OpKind::kMalloc:
    case OpKind::kCalloc:
      give_birth(operand, op);
      sizes_[op->block] = op->size + 1;
      break;
    case OpKind::kFree:
      op->block = take_live_block(operand);
      op->old_size = std::exchange(sizes_[op->block], 0) - 1;
      break;
    case OpKind::kRealloc:
      op->block = take_live_block(operand);
      op->size = take_size();
      op->old_size = std::exchange(sizes_[op->block], op->size + 1) - 1;
      break;
    default:
      fail("is damaged at op " + std::to_string(ops_read_) + ": an unknown kind of op");
  }
  live_bytes_ += op->size - op->old_size;
  ++ops_read_;
  return true;
}

void Reader::expect_end() {
  if (at_ != end_ || blocks_ != header_.blocks || live_bytes_ != header_.end_live_bytes)
    fail("is damaged: its ops do not add up to what its header says");
}

}  // namespace hakbench::trace
