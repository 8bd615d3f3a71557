// observed.cc - hakmem_observed: a program that libhakmem-observe.so watches.
//
// Purpose:  holds blocks of one size to its end, and first makes the ledger's sources unavailable, or
//   asks for a ledger by signal, as its options say (usage() names them).
// Boundary: uses malloc alone and knows nothing of hakmem; run_observe.py preloads the library and reads
//   what it wrote.
// Invariants: exit 0, 1 own trouble, 77 no filter of system calls can be set here.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int kExitSkipped = 77;

[[noreturn]] void usage() {
  std::fprintf(
      stderr,
      "usage: hakmem_observed [OPTION]... COUNT BYTES\n"
      "  --without ioctl|scan|threads  the kernel refuses the call, from the program's start on\n"
      "  --ask SIGNAL FILE             sends itself SIGNAL and waits for FILE\n"
      "  --limit files|memory|size     no new descriptor, mapping or byte of a file at the end\n");
  std::exit(1);
}

// Answers `error` to these system calls from now on, in programs executed later too.
bool refuse(unsigned one, unsigned other, unsigned error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, one, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, other, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof program / sizeof program[0], program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Executes this program again, without these two arguments and without the call.
[[noreturn]] void restart_without(const std::string &call, char **argv) {
  bool set = false;
  if (call == "ioctl") {
    set = refuse(SYS_ioctl, SYS_ioctl, EPERM);
  } else if (call == "scan") {  // as kernels before 6.7 answer
    set = refuse(SYS_ioctl, SYS_ioctl, ENOTTY);
  } else if (call == "threads") {
    set = refuse(SYS_clone3, SYS_clone, EAGAIN);
  } else {
    usage();
  }
  if (!set) {
    std::printf("skipped: no seccomp filter can be set here: %s\n", std::strerror(errno));
    std::exit(kExitSkipped);
  }
  argv[2] = argv[0];
  execv("/proc/self/exe", argv + 2);
  std::perror("hakmem_observed: exec of itself");
  std::exit(1);
}

void ask(int signal_number, const char *file) {
  std::raise(signal_number);
  for (int i = 0; i < 1000; ++i) {
    if (access(file, R_OK) == 0) return;
    usleep(10'000);
  }
  std::fprintf(stderr, "hakmem_observed: %s was not written in 10 s\n", file);
  std::exit(1);
}

void limit(const std::string &what) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit none{0, 0};
  const int resource = what == "files"    ? RLIMIT_NOFILE
                       : what == "memory" ? RLIMIT_AS
                       : what == "size"   ? RLIMIT_FSIZE
                                          : -1;
  if (resource < 0) usage();
  if (setrlimit(static_cast<__rlimit_resource>(resource), &none) != 0) {
    std::perror("hakmem_observed: setrlimit");
    std::exit(1);
  }
}

std::vector<void *> g_held;

}  // namespace

int main(int argc, char **argv) {
  if (argc > 3 && std::string(argv[1]) == "--without") restart_without(argv[2], argv);
  std::string limited;
  int at = 1;
  while (at < argc && std::strncmp(argv[at], "--", 2) == 0) {
    const std::string option = argv[at];
    if (option == "--ask" && at + 2 < argc) {
      ask(std::atoi(argv[at + 1]), argv[at + 2]);
      at += 3;
    } else if (option == "--limit" && at + 1 < argc) {
      limited = argv[at + 1];
      at += 2;
    } else {
      usage();
    }
  }
  if (argc - at != 2) usage();
  const size_t count = std::strtoul(argv[at], nullptr, 10);
  const size_t bytes = std::strtoul(argv[at + 1], nullptr, 10);
  for (size_t i = 0; i < count; ++i) {
    g_held.push_back(std::malloc(bytes));
    std::memset(g_held.back(), 1, bytes);
  }
  if (!limited.empty()) limit(limited);
  return 0;
}
