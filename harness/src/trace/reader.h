// reader.h - reads a trace file.
//
// Purpose:    the file -> ops in their order, each with what it does to its block.
// Owns:       a mapping of the file and a table of the blocks' sizes; no heap memory that grows with the
//             trace, so a subject can read one before it samples its baseline.
// Boundary:   throws Error, one line that names the file: not a trace, cut off, damaged, another version.
// Invariants: what it gives is consistent: a freed block is live, threads and blocks are below the
//             header's counts, and at the end live bytes are the header's.
// Threads:    one.
#ifndef HAKBENCH_TRACE_READER_H_
#define HAKBENCH_TRACE_READER_H_

#include <string>

#include "model/mapped_array.h"
#include "trace/format.h"

namespace hakbench::trace {

class Reader {
 public:
  // Checks lengths and checksums of the whole file.
  explicit Reader(std::string path);
  ~Reader();
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;

  const Header &header() const { return header_; }
  const std::string &path() const { return path_; }

  // The next op, or false at the end.
  bool next(Op *op);
  void rewind();

  // Of the ops that next() gave since the beginning.
  uint64_t ops_read() const { return ops_read_; }
  uint64_t live_bytes() const { return live_bytes_; }

  // Live bytes after (i + 1) * checkpoint_ops ops, as they were written.
  uint64_t checkpoints() const { return header_.ops / header_.checkpoint_ops; }
  uint64_t checkpoint(uint64_t i) const;

 private:
  void map_file();
  void check_header();
  void expect_end();
  uint64_t take();
  uint64_t take_size();
  uint64_t take_live_block(uint64_t age);
  void give_birth(uint64_t size, Op *op);
  [[noreturn]] void fail(const std::string &what) const;

  const std::string path_;
  const unsigned char *file_ = nullptr;
  size_t file_bytes_ = 0;
  Header header_ = {};
  MappedArray<uint64_t> sizes_;  // of each block: bytes + 1, 0 if it is not live
  const unsigned char *at_ = nullptr;
  const unsigned char *end_ = nullptr;  // of the encoded ops
  uint32_t thread_ = 0;
  uint64_t blocks_ = 0;
  uint64_t ops_read_ = 0;
  uint64_t live_bytes_ = 0;
};

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_READER_H_
