#include "coordinator/subject_process.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "coordinator/child.h"
#include "coordinator/interrupt.h"
#include "subject/futex.h"
#include "subject/subject_main.h"

extern char **environ;

namespace hakbench {
namespace {

using Clock = std::chrono::steady_clock;

// How long a wait goes on before it looks whether the subject still lives.
constexpr timespec kWaitSlice = {0, 100'000'000};
constexpr std::chrono::seconds kStartTimeout{60};
constexpr std::chrono::seconds kExitTimeout{60};

// Several allocators are built with initial-exec TLS, which dlopen can place only in this reserve.
constexpr char kTunablesName[] = "GLIBC_TUNABLES";
constexpr char kTlsTunable[] = "glibc.rtld.optional_static_tls=65536";

template <size_t N>
void set_text(char (&to)[N], const std::string &from, const char *what) {
  if (from.size() >= N)
    throw Error(std::string(what) + " is too long (" + std::to_string(from.size()) +
                " of at most " + std::to_string(N - 1) + " bytes); shorten it");
  memcpy(to, from.c_str(), from.size() + 1);
}

void fill_spec(const SubjectConfig &config, const WorkloadConfig &workload,
               const std::vector<int> &cpus, SubjectSpec *spec) {
  set_text(spec->plugin_name, config.plugin.name, "the plugin's name");
  set_text(spec->plugin_path, config.plugin.path, "the plugin's path");
  set_text(spec->init_json, config.init_json, "the plugin's init settings");
  set_text(spec->workload, workload.name, "the workload's name");
  set_text(spec->workload_file, workload.file, "the path of the workload's file");
  spec->seed = workload.seed;
  spec->threads = workload.threads;
  if (spec->threads > kMaxWorkers)
    throw Error("threads=" + std::to_string(spec->threads) + " is more than the " +
                std::to_string(kMaxWorkers) + " workers of a subject; lower it");
  if (workload.params.size() > kMaxParams) throw Error("too many workload parameters");
  for (const auto &[key, value] : workload.params) {
    SubjectSpec::Param &param = spec->params[spec->param_count++];
    set_text(param.key, key, "a workload parameter's name");
    param.value = value;
  }
  for (const int cpu : cpus) {
    if (spec->cpu_count == kMaxCpus) break;
    spec->cpus[spec->cpu_count++] = static_cast<uint16_t>(cpu);
  }
}

std::string describe_death(int status) {
  if (WIFSIGNALED(status)) {
    const char *name = sigabbrev_np(WTERMSIG(status));
    return std::string("was killed by SIG") + (name != nullptr ? name : "?") + " (" +
           strsignal(WTERMSIG(status)) + ")";
  }
  return "ended by itself with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::vector<std::string> subject_environment(const std::map<std::string, std::string> &extra) {
  std::map<std::string, std::string> all;
  for (char **entry = environ; *entry != nullptr; ++entry) {
    const char *equals = strchr(*entry, '=');
    if (equals != nullptr)
      all[std::string(*entry, static_cast<size_t>(equals - *entry))] = equals + 1;
  }
  for (const auto &[name, value] : extra) all[name] = value;
  std::string &tunables = all[kTunablesName];
  tunables += (tunables.empty() ? "" : ":") + std::string(kTlsTunable);
  std::vector<std::string> result;
  for (const auto &[name, value] : all) result.push_back(name + "=" + value);
  return result;
}

SubjectProcess::SubjectProcess(const SubjectConfig &config, const WorkloadConfig &workload,
                               const std::vector<int> &cpus, bool times_ops) {
  const int fd = memfd_create("hakbench-control", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof(ControlBlock)) != 0)
    throw Error(std::string("cannot make the shared control block: ") + strerror(errno) +
                "; free some memory");
  void *memory = mmap(nullptr, sizeof(ControlBlock), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    close(fd);
    throw Error(std::string("cannot map the shared control block: ") + strerror(errno));
  }
  control_ = static_cast<ControlBlock *>(memory);
  try {
    fill_spec(config, workload, cpus, &control_->spec);
    control_->spec.times_ops = times_ops;
    // Command 1, "be there", is under way from the start.
    control_->remaining.store(1, std::memory_order_relaxed);
    control_->go.store(1, std::memory_order_release);
    spawn(config, fd, cpus);
    close(fd);
    await(kStartTimeout);
  } catch (...) {
    release();
    throw;
  }
  syscalls_.attach(syscall_source(), pid_);
  instructions_.attach(instruction_source(), pid_);
  if (!times_ops) return;
  // Worker w gets the w-th CPU. The process can't be asked: its one thread has worker 0's by now.
  const size_t seats = std::min<size_t>(cpus.size(), workload.threads);
  events_.attach(event_source(), pid_,
                 {cpus.begin(), cpus.begin() + static_cast<ptrdiff_t>(seats)});
}

SubjectProcess::~SubjectProcess() { release(); }

void SubjectProcess::release() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  if (control_ != nullptr) munmap(control_, sizeof(ControlBlock));
  control_ = nullptr;
}

void SubjectProcess::spawn(const SubjectConfig &config, int control_fd,
                           const std::vector<int> &cpus) {
  const std::string fd_text = std::to_string(control_fd);
  const std::vector<std::string> arguments = {"hakbench", kSubjectArgument, fd_text};
  const std::vector<std::string> environment = subject_environment(config.env);
  const std::vector<char *> argv = pointers(arguments);
  const std::vector<char *> envp = pointers(environment);
  const pid_t coordinator = getpid();
  const pid_t child = fork();
  if (child < 0)
    throw Error(std::string("cannot start a subject process: ") + strerror(errno) +
                "; free memory or raise the process limit");
  if (child > 0) {
    pid_ = child;
    return;
  }
  // Only async-signal-safe calls from here to exec.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != coordinator) _exit(1);
  signal(SIGXFSZ, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
  fcntl(control_fd, F_SETFD, 0);
  execve("/proc/self/exe", argv.data(), envp.data());
  _exit(127);
}

void SubjectProcess::throw_if_dead() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return;
  pid_ = -1;
  throw_if_interrupted();  // a signal to the whole process group ends the subject too
  throw SubjectFailure(WIFSIGNALED(status) ? "crash" : "exit", describe_death(status));
}

void SubjectProcess::await(std::chrono::nanoseconds timeout) {
  const uint32_t wanted = control_->go.load(std::memory_order_relaxed);
  Clock::time_point deadline = Clock::now() + timeout;
  int continued = times_continued();
  uint32_t seen;
  while ((seen = control_->done.load(std::memory_order_acquire)) != wanted) {
    futex_wait(&control_->done, seen, &kWaitSlice);
    throw_if_interrupted();
    if (control_->done.load(std::memory_order_acquire) == wanted) break;
    throw_if_dead();
    // Ctrl-Z stops the subject too: that time is not its own.
    if (const int now = times_continued(); now != continued) {
      continued = now;
      deadline = Clock::now() + timeout;
    }
    if (Clock::now() > deadline) {
      const double seconds = std::chrono::duration<double>(timeout).count();
      throw SubjectFailure("hang", fmt::format("did not finish within {:g} s", seconds));
    }
  }
  if (control_->failed) throw SubjectFailure("refused", control_->text);
}

void SubjectProcess::issue(CommandKind kind, uint64_t ops_per_worker) {
  const bool all_workers = loaded_ || kind == CommandKind::kLoad;
  control_->command = kind;
  control_->ops = ops_per_worker;
  control_->arrived.store(0, std::memory_order_relaxed);
  control_->remaining.store(all_workers ? control_->spec.threads : 1, std::memory_order_relaxed);
  control_->go.fetch_add(1, std::memory_order_release);
  futex_wake_all(&control_->go);
}

void SubjectProcess::execute(CommandKind kind, uint64_t ops_per_worker,
                             std::chrono::nanoseconds timeout) {
  issue(kind, ops_per_worker);
  await(timeout);
  if (kind == CommandKind::kLoad) loaded_ = true;
}

void SubjectProcess::shut_down() {
  issue(CommandKind::kExit, 0);
  const Clock::time_point deadline = Clock::now() + kExitTimeout;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) != pid_) {
    throw_if_interrupted();
    if (Clock::now() > deadline) throw SubjectFailure("hang", "did not end when told to");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  pid_ = -1;
  if (status != 0) throw_if_interrupted();  // as in throw_if_dead
  if (status != 0) throw SubjectFailure("crash", describe_death(status) + " while shutting down");
}

}  // namespace hakbench
