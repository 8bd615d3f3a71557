#include "os/random.h"

#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>

#include <cerrno>
#include <cstring>

namespace hakmem::os {

uint64_t random_word() {
  const int saved_errno = errno;
  uint64_t word = 0;
  if (getrandom(&word, sizeof word, GRND_NONBLOCK) != sizeof word) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto *at_start = reinterpret_cast<const void *>(getauxval(AT_RANDOM));
    if (at_start != nullptr) memcpy(&word, at_start, sizeof word);
    word = mix_bits(word + static_cast<uint64_t>(now.tv_nsec));
  }
  errno = saved_errno;
  return word;
}

}  // namespace hakmem::os
