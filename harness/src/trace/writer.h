// writer.h - writes a trace file.
//
// Purpose:    ops in their order -> the file; counts live bytes as it goes.
// Owns:       the file under its temporary name; finish() gives it its own, any failure removes it.
// Boundary:   the caller numbers blocks in the order of their birth, threads in the order of their first
//             op. Throws Error.
// Invariants: a file under its own name is complete.
#ifndef HAKBENCH_TRACE_WRITER_H_
#define HAKBENCH_TRACE_WRITER_H_

#include <cstdio>
#include <string>
#include <vector>

#include "trace/format.h"

namespace hakbench::trace {

class Writer {
 public:
  explicit Writer(std::string path);
  ~Writer();
  Writer(const Writer &) = delete;
  Writer &operator=(const Writer &) = delete;

  void add(const Op &op);
  // The rest of the header; the counts are the writer's own.
  void finish(const std::string &program, uint64_t unknown_frees, uint64_t lost_frees);

  uint64_t ops() const { return header_.ops; }

 private:
  void put(uint64_t value);
  void put_op(OpKind kind, uint64_t operand);
  void flush();
  void write_out(const void *data, size_t size);
  void discard();
  [[noreturn]] void fail(const char *what);

  const std::string path_;
  const std::string temporary_path_;
  std::FILE *file_;
  bool has_part_;  // the file under its temporary name
  Header header_ = {};
  Checksum body_;
  uint32_t thread_ = 0;
  uint64_t live_bytes_ = 0;
  std::vector<unsigned char> buffer_;
  std::vector<uint64_t> checkpoints_;
};

}  // namespace hakbench::trace

#endif  // HAKBENCH_TRACE_WRITER_H_
