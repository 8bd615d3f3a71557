#include "coordinator/kernel_counter.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/text_file.h"

namespace hakbench {
namespace {

constexpr char kTracepointFile[] = "/events/raw_syscalls/sys_enter/id";

int open_event(const CounterSource &source, pid_t pid) {
  perf_event_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.type = source.type;
  attributes.config = source.config;
  attributes.inherit = 1;  // threads started later are counted too
  if (source.type == PERF_TYPE_HARDWARE) {
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    // On the PMU all the time or not at all: with another user of it, read() gives nothing instead of a
    // share. perf's own scaling would be a guess.
    attributes.pinned = 1;
  }
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

Integer read_count(int fd) {
  int64_t total = 0;
  if (fd < 0 || read(fd, &total, sizeof total) != sizeof total) return {};
  return total;
}

uint64_t read_id(const std::string &tracefs) {
  return strtoull(read_line_file(tracefs + kTracepointFile).c_str(), nullptr, 10);
}

// The tracing file system is often not mounted. A child with a mount name space of its own mounts it
// for itself, so nothing changes on the machine, and tells the number through a pipe.
uint64_t read_id_in_private_mount() {
  int fds[2];
  if (pipe(fds) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    uint64_t id = 0;
    if (unshare(CLONE_NEWNS) == 0 &&
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr) == 0)
      id = read_id("/sys/kernel/tracing");
    _exit(write(fds[1], &id, sizeof id) == sizeof id ? 0 : 1);
  }
  close(fds[1]);
  uint64_t id = 0;
  if (read(fds[0], &id, sizeof id) != sizeof id) id = 0;
  close(fds[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return id;
}

constexpr char kPermissionMend[] = "; run as root or lower kernel.perf_event_paranoid";

CounterSource find_tracepoint() {
  CounterSource found;
  found.type = PERF_TYPE_TRACEPOINT;
  for (const char *tracefs : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
    if (found.config == 0) found.config = read_id(tracefs);
  if (found.config == 0 && geteuid() == 0) found.config = read_id_in_private_mount();
  if (found.config == 0) {
    found.reason = geteuid() == 0
                       ? "this kernel offers no raw_syscalls tracepoint"
                       : "the tracing file system is not readable; run as root, or mount tracefs "
                         "readable (mount -o remount,mode=755 /sys/kernel/tracing)";
    return found;
  }
  const int fd = open_event(found, 0);
  if (fd < 0) {
    found.reason = std::string("perf_event_open: ") + strerror(errno) + kPermissionMend;
    return found;
  }
  close(fd);
  found.source = "raw_syscalls:sys_enter";
  return found;
}

CounterSource find_instructions() {
  CounterSource found;
  found.type = PERF_TYPE_HARDWARE;
  found.config = PERF_COUNT_HW_INSTRUCTIONS;
  const int fd = open_event(found, 0);
  if (fd < 0) {
    const bool forbidden = errno == EACCES || errno == EPERM;
    found.reason = std::string("perf_event_open: ") + strerror(errno) +
                   (forbidden ? kPermissionMend
                              : "; this machine offers no hardware counters, as most virtual ones; "
                                "count with callgrind (hakbench loop)");
    return found;
  }
  // Some hypervisors offer a PMU that stands still; we have executed something since it was opened.
  const Integer count = read_count(fd);
  close(fd);
  if (count.value_or(0) > 0) {
    found.source = "perf instructions:u";
  } else {
    found.reason =
        "the instruction counter stands still or is in use; end other users of the PMU (perf, "
        "the NMI watchdog), or measure on another machine";
  }
  return found;
}

}  // namespace

const CounterSource &syscall_source() {
  static const CounterSource source = find_tracepoint();
  return source;
}

const CounterSource &instruction_source() {
  static const CounterSource source = find_instructions();
  return source;
}

KernelCounter::~KernelCounter() {
  if (fd_ >= 0) close(fd_);
}

bool KernelCounter::attach(const CounterSource &source, pid_t pid) {
  if (source.source.empty()) return false;
  fd_ = open_event(source, pid);
  return fd_ >= 0;
}

Integer KernelCounter::read_total() const { return read_count(fd_); }

}  // namespace hakbench
