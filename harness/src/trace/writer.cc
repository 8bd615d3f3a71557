#include "trace/writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "model/error.h"

namespace hakbench::trace {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

}  // namespace

Writer::Writer(std::string path)
    : path_(std::move(path)),
      temporary_path_(path_ + ".part"),
      file_(std::fopen(temporary_path_.c_str(), "wb")),
      has_part_(file_ != nullptr) {
  if (file_ == nullptr) fail("cannot be created");
  memcpy(header_.magic, kMagic, sizeof header_.magic);
  header_.version = kVersion;
  header_.header_bytes = sizeof(Header);
  header_.checkpoint_ops = kCheckpointOps;
  if (std::fwrite(&header_, sizeof header_, 1, file_) != 1) fail("cannot be written");
}

Writer::~Writer() { discard(); }

void Writer::discard() {
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  if (std::exchange(has_part_, false)) unlink(temporary_path_.c_str());
}

void Writer::fail(const char *what) {
  const int code = errno;
  discard();
  throw Error("trace " + path_ + " " + what + ": " + strerror(code) +
              "; name another file with -o, or make room");
}

void Writer::write_out(const void *data, size_t size) {
  if (size == 0) return;
  body_.add(data, size);
  if (std::fwrite(data, 1, size, file_) != size) fail("cannot be written");
}

void Writer::flush() {
  header_.body_bytes += buffer_.size();
  write_out(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void Writer::put(uint64_t value) {
  for (; value >= 0x80; value >>= 7) buffer_.push_back(static_cast<unsigned char>(value | 0x80));
  buffer_.push_back(static_cast<unsigned char>(value));
}

void Writer::put_op(OpKind kind, uint64_t operand) {
  put(operand << kKindBits | static_cast<uint64_t>(kind));
}

void Writer::add(const Op &op) {
  if (header_.ops == kMaxOps)
    throw Error("trace " + path_ + ": more than " + std::to_string(kMaxOps) +
                " calls; record a shorter run");
  if (op.thread != thread_) put_op(OpKind::kThread, thread_ = op.thread);
  const bool is_birth = op.kind < OpKind::kFree;
  put_op(op.kind, is_birth ? op.size : header_.blocks - 1 - op.block);
  if (op.kind == OpKind::kAligned) put(op.log2_alignment);
  if (op.kind == OpKind::kRealloc) put(op.size);
  header_.blocks += is_birth ? 1 : 0;
  header_.threads = std::max(header_.threads, op.thread + 1);
  live_bytes_ += op.size - op.old_size;
  header_.peak_live_bytes = std::max(header_.peak_live_bytes, live_bytes_);
  if (++header_.ops % kCheckpointOps == 0) checkpoints_.push_back(live_bytes_);
  if (buffer_.size() >= kBufferBytes) flush();
}

void Writer::finish(const std::string &program, uint64_t unknown_frees, uint64_t lost_frees) {
  flush();
  write_out(checkpoints_.data(), checkpoints_.size() * sizeof(uint64_t));
  header_.end_live_bytes = live_bytes_;
  header_.unknown_frees = unknown_frees;
  header_.lost_frees = lost_frees;
  header_.body_checksum = body_.value();
  program.copy(header_.program, sizeof header_.program - 1);
  header_.header_checksum = header_checksum(header_);
  if (std::fseek(file_, 0, SEEK_SET) != 0 || std::fwrite(&header_, sizeof header_, 1, file_) != 1 ||
      std::fflush(file_) != 0)
    fail("cannot be written");
  if (std::fclose(std::exchange(file_, nullptr)) != 0) fail("cannot be written");
  if (std::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail("cannot be created");
  has_part_ = false;
}

}  // namespace hakbench::trace
