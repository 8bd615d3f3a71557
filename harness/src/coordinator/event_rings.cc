#include "coordinator/event_rings.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>

namespace hakbench {
namespace {

// 24 bytes a record: 170,000 events of one CPU.
constexpr size_t kMaxRingBytes = size_t{4} << 20;
constexpr size_t kAllRingsBytes = size_t{16} << 20;
constexpr size_t kMinRingBytes = size_t{64} << 10;
// More than any record takes, the kernel's note of a loss included: with less left, one may be missing.
constexpr uint64_t kFullBytes = 128;
constexpr char kSource[] = "perf page-faults and switches";
constexpr uint64_t kExcludeKernel = 1;  // CounterSource::config

size_t page_bytes() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// One event for both: PERF_RECORD_SWITCH comes with any event that asks for it, and unlike the software
// event context-switches also where the kernel's side must be excluded.
int open_event(const CounterSource &source, pid_t pid, int cpu, bool inherit) {
  perf_event_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
  attributes.sample_period = 1;
  attributes.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME;
  attributes.sample_id_all = 1;
  attributes.context_switch = 1;
  attributes.disabled = 1;
  attributes.inherit = inherit ? 1 : 0;
  attributes.exclude_kernel = source.config == kExcludeKernel ? 1 : 0;
  attributes.use_clockid = 1;
  attributes.clockid = CLOCK_MONOTONIC_RAW;
  // The coordinator sleeps while the subject runs, and nothing is to wake it.
  attributes.watermark = 1;
  attributes.wakeup_watermark = UINT32_MAX;
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

// The head is the kernel's to write: its records are visible once it is (acquire).
uint64_t head_of(const unsigned char *memory) {
  const auto *const page = reinterpret_cast<const perf_event_mmap_page *>(memory);
  return __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
}
uint64_t tail_of(const unsigned char *memory) {
  return reinterpret_cast<const perf_event_mmap_page *>(memory)->data_tail;
}
void forget(unsigned char *memory) {
  auto *const page = reinterpret_cast<perf_event_mmap_page *>(memory);
  __atomic_store_n(&page->data_tail, head_of(memory), __ATOMIC_RELEASE);
}

std::vector<int> cpus_of(pid_t pid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(pid, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

// A fault of our own must be found in the ring: what is offered is not always done.
bool records_a_fault(const CounterSource &source) {
  EventRings rings;
  if (!rings.attach(source, 0)) return false;
  void *const page =
      mmap(nullptr, page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  rings.start();
  *static_cast<volatile char *>(page) = 1;
  rings.stop();
  munmap(page, page_bytes());
  bool found = false;
  rings.read([&](const KernelEvent &event) {
    found = found || (event.kind == KernelEvent::Kind::kPageFault && event.tid == gettid());
  });
  return found;
}

CounterSource find_events() {
  CounterSource found;
  int code = 0;
  for (const uint64_t exclude : {uint64_t{0}, kExcludeKernel}) {
    found.config = exclude;
    const int fd = open_event(found, 0, -1, false);
    if (fd < 0) {
      code = errno;
      continue;
    }
    close(fd);
    found.source = std::string(kSource) + (exclude == kExcludeKernel ? ":u" : "");
    if (records_a_fault(found)) return found;
    found.source.clear();
    found.reason =
        "perf's rings can't be mapped or stay empty; run as root or raise "
        "kernel.perf_event_mlock_kb";
    return found;
  }
  found.reason = std::string("perf_event_open: ") + strerror(code) +
                 "; run as root or lower kernel.perf_event_paranoid";
  return found;
}

// The ring's bytes from `at` on; they may go on at its beginning.
void copy_from(const unsigned char *ring, size_t ring_bytes, uint64_t at, void *to, size_t bytes) {
  const size_t begin = static_cast<size_t>(at) & (ring_bytes - 1);
  const size_t first = std::min(bytes, ring_bytes - begin);
  memcpy(to, ring + begin, first);
  memcpy(static_cast<unsigned char *>(to) + first, ring, bytes - first);
}

}  // namespace

const CounterSource &event_source() {
  static const CounterSource source = find_events();
  return source;
}

uint64_t read_records(const unsigned char *ring, size_t ring_bytes, uint64_t tail, uint64_t head,
                      const EventVisitor &visit) {
  // Of a sample and of a switch alike: the header, then what sample_type asks for.
  struct Record {
    perf_event_header header;
    uint32_t pid;
    uint32_t tid;
    uint64_t time;
  } record = {};
  uint64_t last_ns = 0;
  for (uint64_t at = tail; at < head; at += record.header.size) {
    copy_from(ring, ring_bytes, at, &record.header, sizeof record.header);
    if (record.header.size == 0) return last_ns;  // never written by a kernel
    const bool fault = record.header.type == PERF_RECORD_SAMPLE;
    const bool away = record.header.type == PERF_RECORD_SWITCH &&
                      (record.header.misc & PERF_RECORD_MISC_SWITCH_OUT) != 0;
    // Others tell of what an earlier epoch lost.
    if (record.header.size != sizeof record) continue;
    copy_from(ring, ring_bytes, at, &record, sizeof record);
    if (record.header.type == PERF_RECORD_SAMPLE || record.header.type == PERF_RECORD_SWITCH)
      last_ns = std::max(last_ns, record.time);
    if (fault || away)
      visit({fault ? KernelEvent::Kind::kPageFault : KernelEvent::Kind::kSwitch,
             static_cast<pid_t>(record.tid), record.time});
  }
  return ring_bytes - (head - tail) < kFullBytes ? last_ns : UINT64_MAX;
}

EventRings::~EventRings() { close_all(); }

void EventRings::close_all() {
  for (const Ring &ring : rings_) {
    munmap(ring.memory, page_bytes() + ring.bytes);
    close(ring.fd);
  }
  rings_.clear();
}

bool EventRings::add(const CounterSource &source, pid_t pid, int cpu, size_t bytes) {
  const int fd = open_event(source, pid, cpu, true);
  if (fd < 0) return false;
  // Users other than root may lock only so much: less is better than nothing.
  for (; bytes >= kMinRingBytes; bytes /= 2) {
    void *const memory =
        mmap(nullptr, page_bytes() + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) continue;
    rings_.push_back({fd, static_cast<unsigned char *>(memory), bytes});
    return true;
  }
  close(fd);
  return false;
}

bool EventRings::attach(const CounterSource &source, pid_t pid, std::vector<int> cpus) {
  close_all();
  if (source.source.empty()) return false;
  if (cpus.empty()) cpus = cpus_of(pid);
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  const size_t share = std::bit_floor(kAllRingsBytes / std::max<size_t>(cpus.size(), 1));
  const size_t bytes = std::clamp(share, kMinRingBytes, kMaxRingBytes);
  for (const int cpu : cpus) {
    if (add(source, pid, cpu, bytes)) continue;
    close_all();  // with a CPU unseen, no answer would be certain
    return false;
  }
  return !rings_.empty();
}

void EventRings::start() {
  recording_ = !rings_.empty();
  for (const Ring &ring : rings_) {
    forget(ring.memory);
    recording_ = ioctl(ring.fd, PERF_EVENT_IOC_ENABLE, 0) == 0 && recording_;
  }
}

void EventRings::stop() {
  for (const Ring &ring : rings_) ioctl(ring.fd, PERF_EVENT_IOC_DISABLE, 0);
}

uint64_t EventRings::read(const EventVisitor &visit) const {
  if (!recording_) return 0;
  uint64_t complete_until_ns = UINT64_MAX;
  for (const Ring &ring : rings_)
    complete_until_ns = std::min(complete_until_ns,
                                 read_records(ring.memory + page_bytes(), ring.bytes,
                                              tail_of(ring.memory), head_of(ring.memory), visit));
  return complete_until_ns;
}

}  // namespace hakbench
