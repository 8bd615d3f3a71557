#include "output/standard_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <string>

#include "model/error.h"

namespace hakbench {

void flush_standard_output() {
  const bool flushed = fflush(stdout) == 0;
  if (flushed && ferror(stdout) == 0) return;
  // An error of before has left no errno that would be its own.
  throw Error("cannot write to standard output: " +
              std::string(flushed ? "a part of it is lost" : strerror(errno)) +
              "; make room, or send it elsewhere");
}

}  // namespace hakbench
