#include "coordinator/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/interrupt.h"
#include "model/error.h"

namespace hakbench {

std::vector<char *> pointers(const std::vector<std::string> &texts) {
  std::vector<char *> result;
  for (const std::string &text : texts) result.push_back(const_cast<char *>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::string preload_with(const std::string &library) {
  if (library.find_first_of(" :") != std::string::npos)
    throw Error("LD_PRELOAD cannot name " + library +
                ": it has a space or a colon; move the build or installation");
  const char *const others = getenv("LD_PRELOAD");
  return others == nullptr ? library : library + ":" + others;
}

int wait_for_end(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return "was killed by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return "";
  return "ended with exit code " + std::to_string(WEXITSTATUS(status));
}

bool run_program(const std::vector<std::string> &words) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    execv(words[0].c_str(), pointers(words).data());
    _exit(127);
  }
  if (how_it_ended(wait_for_end(child)).empty()) return true;
  throw_if_interrupted();
  return false;
}

}  // namespace hakbench
