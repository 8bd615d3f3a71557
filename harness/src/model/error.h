// error.h - how the harness says that it cannot go on.
//
// Purpose:    one exception type that carries one line for a person: what is wrong, and the mend.
// Boundary:   thrown anywhere below cli/; caught once, in cli/main.cc, which prints the line and
//             exits with 1. Never crosses into the subject's timed loop.
#ifndef HAKBENCH_MODEL_ERROR_H_
#define HAKBENCH_MODEL_ERROR_H_

#include <stdexcept>
#include <string>

namespace hakbench {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace hakbench

#endif  // HAKBENCH_MODEL_ERROR_H_
