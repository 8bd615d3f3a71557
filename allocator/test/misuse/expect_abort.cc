// expect_abort.cc - hakmem_expect_abort PATTERN PROGRAM: runs a misuse program and judges its end.
//
// Purpose: exit 0 if the program died of SIGABRT after exactly one line on standard error that
//   matches PATTERN; else 2 and what it did instead. The PATTERN "SIGSEGV" asks for a death of
//   SIGSEGV, in silence.
// Boundary: the program's first line on standard output replaces {block} in PATTERN.
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <string>

namespace {

// Read ends are read after the program's end: what a misuse program writes fits in a pipe.
std::string drain(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<size_t>(got));
  close(fd);
  return text;
}

std::string describe(int status) {
  if (WIFEXITED(status)) return "exited with " + std::to_string(WEXITSTATUS(status));
  return std::string("died of ") + strsignal(WTERMSIG(status));
}

void replace_all(std::string &text, const std::string &what, const std::string &with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: hakmem_expect_abort PATTERN PROGRAM\n");
    return 1;
  }
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    std::perror("hakmem_expect_abort: pipe");
    return 1;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
  pid_t child = 0;
  char *const child_argv[] = {argv[2], nullptr};
  if (const int error = posix_spawn(&child, argv[2], &actions, nullptr, child_argv, environ)) {
    std::fprintf(stderr, "hakmem_expect_abort: cannot start %s: %s\n", argv[2],
                 std::strerror(error));
    return 1;
  }
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  int status = 0;
  waitpid(child, &status, 0);
  const std::string announced = drain(out[0]);
  const std::string report = drain(err[0]);

  std::string pattern = argv[1];
  replace_all(pattern, "{block}", announced.substr(0, announced.find('\n')));
  const bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
  const bool one_line = !report.empty() && report.find('\n') == report.size() - 1;
  const std::string line = report.substr(0, report.find('\n'));
  if (pattern == "SIGSEGV") {
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && report.empty()) return 0;
    std::fprintf(stderr, "expected SIGSEGV in silence, but it %s and said: %s\n",
                 describe(status).c_str(), report.c_str());
    return 2;
  }
  if (aborted && one_line && fnmatch(pattern.c_str(), line.c_str(), FNM_EXTMATCH) == 0) return 0;
  std::fprintf(stderr, "expected SIGABRT and: %s\nbut it %s and said: %s\n", pattern.c_str(),
               describe(status).c_str(), report.empty() ? "nothing" : report.c_str());
  return 2;
}
