// standard_output.h - whether what was printed has arrived.
//
// Purpose:    output that is lost makes no success: it is an error with one line, as any other.
// Boundary:   looks at stdio's stdout, and so at std::cout too. A closed standard output is none here:
//             cli/main.cc opens another in its place.
// Threads:    one.
#ifndef HAKBENCH_OUTPUT_STANDARD_OUTPUT_H_
#define HAKBENCH_OUTPUT_STANDARD_OUTPUT_H_

namespace hakbench {

// Throws Error, which names the mend, if standard output did not take all that was printed.
void flush_standard_output();

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_STANDARD_OUTPUT_H_
