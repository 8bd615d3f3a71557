// duration.h - durations as people type them.
#ifndef HAKBENCH_CLI_DURATION_H_
#define HAKBENCH_CLI_DURATION_H_

#include <string>

namespace hakbench {

// "0.25", "250ms", "30s", "5m" or "1h" to seconds. Throws Error naming `option` for anything else, and for
// what is not above zero.
double parse_seconds(const std::string &option, const std::string &text);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_DURATION_H_
