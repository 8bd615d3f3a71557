// trace_format_test.cc - the trace file: round trip, and every way to damage one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "model/error.h"
#include "trace/reader.h"
#include "trace/writer.h"

namespace hakbench::trace {
namespace {

namespace fs = std::filesystem;

class TraceFile : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // Random ops of three threads, some blocks left live.
  std::vector<Op> write_trace(size_t ops) {
    std::mt19937 random(7);
    std::vector<Op> written;
    std::vector<Op> live;
    uint64_t blocks = 0;
    Writer writer(path_);
    while (written.size() < ops) {
      const auto thread = static_cast<uint32_t>(random() % 3);
      const uint64_t size = random() % (1u << (random() % 24));
      Op op = {OpKind::kMalloc, 0, thread, 0, size, 0};
      const auto kind = random() % 5;
      if (kind < 3 || live.empty()) {
        op.kind = static_cast<OpKind>(kind % 3);
        op.log2_alignment = op.kind == OpKind::kAligned ? 6 : 0;
        op.block = blocks++;
        live.push_back(op);
      } else {
        std::swap(live[random() % live.size()], live.back());
        op.kind = kind == 3 ? OpKind::kFree : OpKind::kRealloc;
        op.block = live.back().block;
        op.old_size = live.back().size;
        if (op.kind == OpKind::kFree) op.size = 0;
        live.back().size = op.size;
        if (op.kind == OpKind::kFree) live.pop_back();
      }
      writer.add(op);
      written.push_back(op);
    }
    writer.finish("program", 5, 6);
    return written;
  }

  std::string contents() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // In place: some file systems write a file that was emptied first to the disk at once.
  void replace(const std::string &bytes) const {
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT, 0644);
    ASSERT_EQ(pwrite(fd, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    ASSERT_EQ(ftruncate(fd, static_cast<off_t>(bytes.size())), 0);
    close(fd);
  }

  // The error of reading the file to its end, empty if there is none.
  std::string error() const {
    try {
      Reader reader(path_);
      for (Op op; reader.next(&op);) {
      }
      return "";
    } catch (const Error &failure) {
      return failure.what();
    }
  }
  void expect_one_line_about(const std::string &what) const {
    const std::string line = error();
    EXPECT_EQ(line.rfind("trace " + path_ + " ", 0), 0u) << line;
    EXPECT_NE(line.find(what), std::string::npos) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }

  const std::string folder_ = testing::TempDir() + "trace-format-" + std::to_string(getpid());
  const std::string path_ = folder_ + "/a.trace";
};

TEST_F(TraceFile, GivesBackWhatWasWritten) {
  const std::vector<Op> written = write_trace(5000);
  Reader reader(path_);
  uint64_t live_bytes = 0;
  uint64_t peak_bytes = 0;
  for (int pass = 0; pass < 2; ++pass, reader.rewind()) {
    live_bytes = 0;
    for (size_t i = 0; i < written.size(); ++i) {
      Op op;
      ASSERT_TRUE(reader.next(&op));
      EXPECT_EQ(std::tuple(op.kind, op.log2_alignment, op.thread, op.block, op.size, op.old_size),
                std::tuple(written[i].kind, written[i].log2_alignment, written[i].thread,
                           written[i].block, written[i].size, written[i].old_size))
          << i;
      live_bytes += written[i].size - written[i].old_size;
      peak_bytes = std::max(peak_bytes, live_bytes);
      EXPECT_EQ(reader.live_bytes(), live_bytes);
      if ((i + 1) % kCheckpointOps == 0) {
        EXPECT_EQ(reader.checkpoint(i / kCheckpointOps), live_bytes);
      }
    }
    Op op;
    EXPECT_FALSE(reader.next(&op));
  }
  const Header &header = reader.header();
  EXPECT_EQ(header.ops, written.size());
  EXPECT_EQ(header.threads, 3u);
  EXPECT_EQ(header.peak_live_bytes, peak_bytes);
  EXPECT_EQ(header.end_live_bytes, live_bytes);
  EXPECT_EQ(std::tuple(header.unknown_frees, header.lost_frees), std::tuple(5u, 6u));
  EXPECT_STREQ(header.program, "program");
}

TEST_F(TraceFile, CutOffAnywhereIsSaid) {
  write_trace(1500);
  const std::string whole = contents();
  for (size_t bytes = whole.size(); bytes-- > 0;) {
    ASSERT_EQ(truncate(path_.c_str(), static_cast<off_t>(bytes)), 0);
    expect_one_line_about(bytes == 0 ? "is empty" : "is cut off");
  }
  replace(whole + "x");
  expect_one_line_about("has 1 bytes behind its end");
}

TEST_F(TraceFile, AnyChangedByteIsSaid) {
  write_trace(1100);
  const std::string whole = contents();
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    replace(changed);
    EXPECT_NE(error(), "") << at;
  }
}

// With its checksums mended, damage may pass for another trace, but never crashes or misleads the reader.
TEST_F(TraceFile, DamageWithRightChecksumsIsHarmless) {
  write_trace(1100);
  const std::string whole = contents();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string changed = whole;
    for (int byte = 0; byte < 3; ++byte)
      changed[sizeof kMagic + random() % (changed.size() - sizeof kMagic)] =
          static_cast<char>(random());
    Header header;
    memcpy(&header, changed.data(), sizeof header);
    Checksum body;
    body.add(changed.data() + sizeof header, changed.size() - sizeof header);
    header.version = kVersion;
    header.body_checksum = body.value();
    header.header_checksum = header_checksum(header);
    memcpy(changed.data(), &header, sizeof header);
    replace(changed);
    const std::string line = error();
    refused += line.empty() ? 0 : 1;
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
  EXPECT_GT(refused, 2500);
}

TEST_F(TraceFile, AnythingElseIsNoTrace) {
  expect_one_line_about("cannot be read: No such file");
  replace("");
  expect_one_line_about("is empty or no file");
  replace("#!/bin/sh\n" + std::string(1000, 'x'));
  expect_one_line_about("is no trace; name a file that `hakbench record` wrote");
  replace("x");
  expect_one_line_about("is no trace");
  const Reader *none = nullptr;
  EXPECT_THROW(none = new Reader(folder_), Error);
  EXPECT_EQ(none, nullptr);
}

TEST_F(TraceFile, AnotherVersionIsNamed) {
  write_trace(10);
  std::string whole = contents();
  whole[sizeof kMagic] = 9;
  replace(whole);
  expect_one_line_about("has version 9, this hakbench reads 1");
}

TEST_F(TraceFile, WithoutFinishThereIsNoFile) {
  {
    Writer writer(path_);
    writer.add({OpKind::kMalloc, 0, 0, 0, 1, 0});
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_THROW(Writer(folder_ + "/no/such/folder.trace"), Error);
}

}  // namespace
}  // namespace hakbench::trace
