#include "coordinator/syscall_counter.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/text_file.h"

namespace hakbench {
namespace {

constexpr char kTracepointFile[] = "/events/raw_syscalls/sys_enter/id";

int open_event(uint64_t tracepoint_id, pid_t pid) {
  perf_event_attr attributes = {};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.config = tracepoint_id;
  attributes.inherit = 1;  // threads started later are counted too
  return static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
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

SyscallTracepoint find_tracepoint() {
  SyscallTracepoint found;
  for (const char *tracefs : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"})
    if (found.id == 0) found.id = read_id(tracefs);
  if (found.id == 0 && geteuid() == 0) found.id = read_id_in_private_mount();
  if (found.id == 0) {
    found.reason = geteuid() == 0
                       ? "this kernel offers no raw_syscalls tracepoint"
                       : "the tracing file system is not readable; run as root, or mount tracefs "
                         "readable (mount -o remount,mode=755 /sys/kernel/tracing)";
    return found;
  }
  const int fd = open_event(found.id, 0);
  if (fd < 0) {
    found.reason = std::string("perf_event_open: ") + strerror(errno) +
                   "; run as root or lower kernel.perf_event_paranoid";
    found.id = 0;
    return found;
  }
  close(fd);
  found.source = "raw_syscalls:sys_enter";
  return found;
}

}  // namespace

const SyscallTracepoint &syscall_tracepoint() {
  static const SyscallTracepoint tracepoint = find_tracepoint();
  return tracepoint;
}

SyscallCounter::~SyscallCounter() {
  if (fd_ >= 0) close(fd_);
}

bool SyscallCounter::attach(pid_t pid) {
  const uint64_t id = syscall_tracepoint().id;
  if (id == 0) return false;
  fd_ = open_event(id, pid);
  return fd_ >= 0;
}

Integer SyscallCounter::read_total() const {
  int64_t total = 0;
  if (fd_ < 0 || read(fd_, &total, sizeof total) != sizeof total) return {};
  return total;
}

}  // namespace hakbench
