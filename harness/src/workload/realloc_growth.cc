// realloc_growth.cc - vectors and strings that grow by realloc.
//
// Models: containers filled without knowing how much will come. Of `buffers` buffers one is picked at
//   random: without memory it is begun with 16 to 128 bytes; at its limit it is freed; else it
//   grows. Even buffers double, as vectors do; odd ones grow by an eighth and 16 bytes, as appended
//   strings do, which an allocator may serve in place.
// Does NOT model: shrinking, the copy into a fresh block that C++ vectors make instead of realloc, reading;
//   of what is added one byte a page is written.
// Parameters: buffers a thread; limits in bytes, drawn anew for each life, evenly over doublings.
// Threads: any number, each on its own.
#include "workload/kit.h"
#include "workload/sizes.h"

namespace hakbench {
namespace {

constexpr uint32_t kPageBytes = 4096;

struct Buffer {
  void *block;
  uint32_t size;   // bytes; 0 without a block
  uint32_t limit;  // bytes; at this size it is freed
};

class Growth {
 public:
  explicit Growth(const WorkloadConfig &config)
      : limits_(param32(config, "min_limit"), param32(config, "max_limit")) {}

  // The size of a new buffer, and in *limit where it will end.
  uint32_t begin(uint64_t r, uint32_t *limit) const {
    *limit = limits_.draw(r);
    return std::min(16u << (r >> 32 & 3), *limit);
  }

  static uint32_t grown(uint32_t index, const Buffer &buffer) {
    const uint64_t size = buffer.size;
    const uint64_t wanted = index % 2 == 0 ? 2 * size : size + size / 8 + 16;
    return static_cast<uint32_t>(std::min<uint64_t>(wanted, buffer.limit));
  }

 private:
  const OctaveSizes limits_;
};

void touch_added(void *block, uint32_t from, uint32_t to) {
  auto *const bytes = static_cast<volatile unsigned char *>(block);
  for (uint64_t at = from; at < to; at += kPageBytes) bytes[at] = 1;
}

class ReallocGrowthLane : public SeededLane<ReallocGrowthLane> {
 public:
  ReallocGrowthLane(const WorkloadConfig &config, uint32_t thread, NothingShared *)
      : SeededLane<ReallocGrowthLane>(config, thread),
        count_(param32(config, "buffers")),
        growth_(config) {}

  bool map() { return buffers_.map(count_); }

  uint64_t live_bytes() const {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count_; ++i) bytes += buffers_[i].size;
    return bytes;
  }

  void tear_down(const allocator_plugin &allocator) {
    for (uint32_t i = 0; i < count_; ++i) allocator.free(std::exchange(buffers_[i], {}).block);
  }

  static void hash_stream(const WorkloadConfig &config, uint32_t thread, uint64_t ops,
                          StreamHash *hash) {
    add_params(config, hash);
    const Growth growth(config);
    const uint32_t count = param32(config, "buffers");
    std::vector<Buffer> buffers(count);
    SplitMix random(SplitMix::run_seed(config.seed, thread));
    for (; ops != 0; --ops) {
      const uint64_t r = random.next();
      const uint32_t index = SplitMix::slot(r, count);
      Buffer &buffer = buffers[index];
      if (buffer.size == 0) {
        buffer.size = growth.begin(r, &buffer.limit);
      } else {
        buffer.size = buffer.size == buffer.limit ? 0 : Growth::grown(index, buffer);
      }
      hash->add(uint64_t{index} << 32 | buffer.size);
    }
  }

 private:
  friend class SeededLane<ReallocGrowthLane>;

  uint64_t work(const allocator_plugin &allocator, SplitMix *random, uint64_t ops) {
    SplitMix local = *random;
    uint64_t failed = 0;
    for (; ops != 0; --ops) {
      const uint64_t r = local.next();
      const uint32_t index = SplitMix::slot(r, count_);
      Buffer &buffer = buffers_[index];
      if (buffer.size != 0 && buffer.size == buffer.limit) {
        allocator.free(std::exchange(buffer, {}).block);
        continue;
      }
      const uint32_t size =
          buffer.size == 0 ? growth_.begin(r, &buffer.limit) : Growth::grown(index, buffer);
      void *const block =
          buffer.size == 0 ? allocator.malloc(size) : allocator.realloc(buffer.block, size);
      if (block == nullptr) {  // a buffer that could not grow keeps what it has
        ++failed;
        continue;
      }
      touch_added(block, buffer.size, size);
      buffer.block = block;
      buffer.size = size;
    }
    *random = local;
    return failed;
  }

  const uint32_t count_;
  const Growth growth_;
  MappedArray<Buffer> buffers_;
};

bool validate(const WorkloadConfig &config, std::string *error) {
  const uint64_t min_limit = config.params.at("min_limit");
  const uint64_t max_limit = config.params.at("max_limit");
  if (min_limit <= max_limit) return true;
  *error = "workload realloc_growth: min_limit = " + std::to_string(min_limit) +
           " is above max_limit = " + std::to_string(max_limit) +
           ": expected min_limit <= max_limit";
  return false;
}

}  // namespace

WorkloadRow realloc_growth_row() {
  constexpr uint64_t kMaxLimit = uint64_t{1} << 26;
  return lane_row<ReallocGrowthLane>(
      {"realloc_growth",
       "buffers that grow by realloc, by doubling or by an eighth, and are freed",
       1,
       1,
       256,
       {{"buffers", 200, 1, uint64_t{1} << 24, "buffers a thread"},
        {"min_limit", 64, 1, kMaxLimit, "least size at which a buffer is freed, bytes"},
        {"max_limit", 65536, 1, kMaxLimit, "largest size at which a buffer is freed, bytes"}},
       kNeedsRealloc},
      &validate);
}

}  // namespace hakbench
