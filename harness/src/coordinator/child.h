// child.h - programs that hakbench starts and waits for.
//
// Purpose:    one way to hand on arguments, to wait whatever signals come, and to say how it ended.
// Boundary:   what a child does before it becomes the program is the caller's. Subjects, which must not
//             outlive the coordinator, are subject_process.h's.
// Threads:    any.
#ifndef HAKBENCH_COORDINATOR_CHILD_H_
#define HAKBENCH_COORDINATOR_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace hakbench {

// As exec wants it, NULL at the end; valid as long as `texts` are.
std::vector<char *> pointers(const std::vector<std::string> &texts);

// LD_PRELOAD for a program: the library, then what this process's own names. Throws Error for a path
// that ld.so would take for several.
std::string preload_with(const std::string &library);

// Returns the status of waitpid(2). A signal does not end the wait.
int wait_for_end(pid_t child);

// "was killed by signal 9" or "ended with exit code 3"; empty if it ended well.
std::string how_it_ended(int status);

// Runs the program words[0] (a path) to its end. False if it could not be started or did not end well.
// Throws Interrupted if that was because of a signal to hakbench itself.
bool run_program(const std::vector<std::string> &words);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_CHILD_H_
