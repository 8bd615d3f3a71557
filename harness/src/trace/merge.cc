#include "trace/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/error.h"
#include "trace/raw_events.h"
#include "trace/writer.h"

namespace hakbench::trace {
namespace {

class RawFile {
 public:
  explicit RawFile(const std::string &path) : path_(path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail(strerror(errno));
    struct stat facts = {};
    const bool known = fstat(fd, &facts) == 0;
    bytes_ = static_cast<size_t>(facts.st_size);
    void *memory = MAP_FAILED;
    if (known && has_header()) memory = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fd, 0);
    const int code = errno;
    close(fd);
    if (known && !has_header()) return;
    if (memory == MAP_FAILED) fail(strerror(code));
    data_ = static_cast<const char *>(memory);
    if (memcmp(header().magic, kRawMagic, sizeof kRawMagic) == 0) return;
    munmap(memory, bytes_);
    fail("it is damaged; remove it");
  }
  ~RawFile() {
    if (data_ != nullptr) munmap(const_cast<char *>(data_), bytes_);
  }
  RawFile(const RawFile &) = delete;
  RawFile &operator=(const RawFile &) = delete;

  // Without one there is nothing but this to ask for.
  bool has_header() const { return bytes_ >= sizeof(RawHeader); }

  const RawHeader &header() const { return *reinterpret_cast<const RawHeader *>(data_); }

  // The finished events, in their order.
  std::vector<std::pair<uint64_t, const RawEvent *>> sorted_events() const {
    std::vector<std::pair<uint64_t, const RawEvent *>> events;
    const size_t chunks = (bytes_ - sizeof(RawHeader)) / kChunkBytes;
    events.reserve(chunks * (kChunkSlots - 1));
    for (size_t chunk = 0; chunk < chunks; ++chunk) {
      const auto *slots =
          reinterpret_cast<const RawEvent *>(data_ + sizeof(RawHeader) + chunk * kChunkBytes);
      for (size_t i = 1; i < kChunkSlots; ++i) {
        // acquire pairs with the recorder's release: the rest of the event is there
        const uint64_t sequence = slots[i].sequence.load(std::memory_order_acquire);
        if (sequence != 0) events.emplace_back(sequence, &slots[i]);
      }
    }
    std::sort(events.begin(), events.end());
    return events;
  }

 private:
  [[noreturn]] void fail(const std::string &why) const {
    throw Error("the raw events " + path_ + " cannot be read: " + why);
  }

  const std::string path_;
  const char *data_ = nullptr;
  size_t bytes_ = 0;
};

// Follows every address from birth to death.
class Merger {
 public:
  explicit Merger(Writer *writer) : writer_(writer) {}

  void add(const RawEvent &event) {
    const uint32_t thread = event.thread;
    switch (event.kind) {
      case RawKind::kMalloc:
        return be_born(event, OpKind::kMalloc, thread);
      case RawKind::kCalloc:
        return be_born(event, OpKind::kCalloc, thread);
      case RawKind::kAligned:
        return be_born(event, OpKind::kAligned, thread);
      case RawKind::kFree:
        return die(event.block, thread);
      case RawKind::kReallocBegin:
        return begin_realloc(event, thread);
      case RawKind::kReallocEnd:
        return end_realloc(event, thread);
    }
  }

  uint64_t unknown_frees() const { return unknown_frees_; }
  uint64_t lost_frees() const { return lost_frees_; }

 private:
  struct Block {
    uint64_t number;
    uint64_t size;
  };
  // A realloc between its two events: `block` is at no address.
  struct Realloc {
    bool known = false;
    uint64_t address = 0;
    Block block = {};
  };

  // Threads are numbered anew, in the order of their first op.
  uint32_t number_of(uint32_t raw_thread) {
    return threads_.emplace(raw_thread, static_cast<uint32_t>(threads_.size())).first->second;
  }

  void make_way(uint64_t address, uint32_t thread) {
    const auto older = live_.find(address);
    if (older == live_.end()) return;
    ++lost_frees_;
    write_free(older->second, thread);
    live_.erase(older);
  }

  void write(OpKind kind, uint8_t log2_alignment, uint32_t thread, const Block &block,
             uint64_t old_size) {
    writer_->add({kind, log2_alignment, number_of(thread), block.number, block.size, old_size});
  }

  void write_free(const Block &block, uint32_t thread) {
    write(OpKind::kFree, 0, thread, {block.number, 0}, block.size);
  }

  void be_born(const RawEvent &event, OpKind kind, uint32_t thread) {
    make_way(event.block, thread);
    const Block block = {blocks_++, event.size};
    write(kind, event.log2_alignment, thread, block, 0);
    live_[event.block] = block;
  }

  void die(uint64_t address, uint32_t thread) {
    const auto entry = live_.find(address);
    if (entry == live_.end()) {
      ++unknown_frees_;
      return;
    }
    write_free(entry->second, thread);
    live_.erase(entry);
  }

  void begin_realloc(const RawEvent &event, uint32_t thread) {
    Realloc &under_way = reallocs_[thread];
    under_way = {};
    under_way.address = event.block;
    const auto entry = live_.find(event.block);
    if (entry == live_.end()) return;
    under_way.known = true;
    under_way.block = entry->second;
    live_.erase(entry);
  }

  void end_realloc(const RawEvent &event, uint32_t thread) {
    const Realloc old = std::exchange(reallocs_[thread], {});
    if (event.block == 0) {
      if (event.size == 0 && old.known) write_free(old.block, thread);   // realloc(p, 0)
      if (event.size != 0 && old.known) live_[old.address] = old.block;  // it failed
      return;
    }
    if (!old.known) {
      ++unknown_frees_;
      return be_born(event, OpKind::kMalloc, thread);
    }
    make_way(event.block, thread);
    const Block block = {old.block.number, event.size};
    write(OpKind::kRealloc, 0, thread, block, old.block.size);
    live_[event.block] = block;
  }

  Writer *const writer_;
  std::unordered_map<uint32_t, uint32_t> threads_;
  std::unordered_map<uint64_t, Block> live_;        // by address
  std::unordered_map<uint32_t, Realloc> reallocs_;  // by thread
  uint64_t blocks_ = 0;
  uint64_t unknown_frees_ = 0;
  uint64_t lost_frees_ = 0;
};

}  // namespace

MergeResult merge_raw_file(const std::string &raw_path, const std::string &trace_path) {
  const RawFile raw(raw_path);
  MergeResult result;
  result.without_header = !raw.has_header();
  if (result.without_header) return result;
  result.program = raw.header().program;
  result.stop_errno = raw.header().stop_errno;
  result.own_operators = raw.header().own_operators != 0;
  Writer writer(trace_path);
  Merger merger(&writer);
  for (const auto &[sequence, event] : raw.sorted_events()) merger.add(*event);
  result.ops = writer.ops();
  if (result.ops > 0) writer.finish(result.program, merger.unknown_frees(), merger.lost_frees());
  return result;
}

}  // namespace hakbench::trace
