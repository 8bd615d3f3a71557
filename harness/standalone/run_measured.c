/* run_measured.c - runs one command on given CPUs and reports what the kernel counted for it.
 *
 * Purpose: `hakbench app` measures whole programs. A process that a large one forks keeps the large one's peak
 *   RSS in its rusage, across exec; so the parent has to be a small program, this one.
 * Usage: run_measured FD TIMEOUT_S CPU[,CPU...] COMMAND [ARGUMENT ...]
 *   FD gets one line when the command has ended: wait status, wall time in ns, user and system CPU time in us,
 *   peak RSS in kB, minor and major faults, involuntary switches; of the command and of the children it waited
 *   for. The command inherits everything else but FD.
 * Errors: 125 wrong usage or no process, one line on standard error; 127 the command can't be started (from the
 *   child, so in the wait status). A command that does not end in time is killed with its process group.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kUsage = 125, kNotStarted = 127 };

static volatile sig_atomic_t child;

static void kill_child(int number) {
  (void)number;
  kill(-(pid_t)child, SIGKILL);
}

static int fail(const char *what) {
  fprintf(stderr, "run_measured: error: %s\n", what);
  return kUsage;
}

static int parse_cpus(char *list, cpu_set_t *set) {
  CPU_ZERO(set);
  for (char *word = strtok(list, ","); word != NULL; word = strtok(NULL, ",")) {
    const int cpu = atoi(word);
    if (cpu < 0 || cpu >= CPU_SETSIZE) return 0;
    CPU_SET((size_t)cpu, set);
  }
  return CPU_COUNT(set) > 0;
}

static _Noreturn void become(char **command, const cpu_set_t *cpus, pid_t starter) {
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the starter ends the command */
  if (getppid() != starter) _exit(kNotStarted);
  setpgid(0, 0);
  sched_setaffinity(0, sizeof *cpus, cpus); /* best effort: a CPU may have gone off line */
  execvp(command[0], command);
  fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
  _exit(kNotStarted);
}

static long long microseconds(struct timeval t) { return t.tv_sec * 1000000LL + t.tv_usec; }

int main(int argc, char **argv) {
  if (argc < 5) return fail("usage: run_measured FD TIMEOUT_S CPU[,CPU...] COMMAND [ARGUMENT ...]");
  const int fd = atoi(argv[1]);
  const int timeout_s = atoi(argv[2]);
  cpu_set_t cpus;
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return fail("FD is not open");
  if (timeout_s < 1 || !parse_cpus(argv[3], &cpus)) return fail("bad timeout or list of CPUs");

  signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status of the command with it */
  struct timespec begin, end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  const pid_t starter = getpid();
  const pid_t pid = fork();
  if (pid < 0) return fail(strerror(errno));
  if (pid == 0) become(argv + 4, &cpus, starter);
  setpgid(pid, pid); /* here too: whoever comes first */
  child = pid;
  signal(SIGALRM, kill_child);
  signal(SIGTERM, kill_child);
  signal(SIGINT, kill_child);
  if (signal(SIGHUP, kill_child) == SIG_IGN) signal(SIGHUP, SIG_IGN); /* nohup */
  alarm((unsigned)timeout_s);
  int status = 0;
  struct rusage usage;
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) return fail(strerror(errno));
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  const long long wall_ns =
      (end.tv_sec - begin.tv_sec) * 1000000000LL + (end.tv_nsec - begin.tv_nsec);
  const int written = dprintf(fd, "%d %lld %lld %lld %ld %ld %ld %ld\n", status, wall_ns,
                              microseconds(usage.ru_utime), microseconds(usage.ru_stime),
                              usage.ru_maxrss, usage.ru_minflt, usage.ru_majflt, usage.ru_nivcsw);
  return written > 0 ? 0 : fail("cannot write to FD");
}
