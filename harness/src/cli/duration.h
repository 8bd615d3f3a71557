// duration.h - durations as people type them.
//
// Purpose:    text to seconds, and the refusal of epochs that do not fit into their run.
// Boundary:   pure; throws Error that names the option.
#ifndef HAKBENCH_CLI_DURATION_H_
#define HAKBENCH_CLI_DURATION_H_

#include <string>

namespace hakbench {

// "0.25", "250ms", "30s", "5m" or "1h" to seconds. Throws Error naming `option` for anything else, and for
// what is not above zero.
double parse_seconds(const std::string &option, const std::string &text);

// A run of one epoch that is longer than all the time there is would go on far beyond it: throws Error then.
// `epoch` names the epoch, `option` what makes it shorter ("": nothing does). `duration` is what the user
// gave; empty: `duration_s` is the profile's or the default.
void expect_epoch_fits(const std::string &epoch, const std::string &option, double epoch_s,
                       double idle_s, const std::string &duration, double duration_s);

}  // namespace hakbench

#endif  // HAKBENCH_CLI_DURATION_H_
