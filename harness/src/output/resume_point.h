// resume_point.h - where a run that ended, or was ended, goes on.
//
// Purpose:    read from a folder's own files what is on record.
// Boundary:   reads only. A last line that was cut off does not count; ResultFolder removes it.
#ifndef HAKBENCH_OUTPUT_RESUME_POINT_H_
#define HAKBENCH_OUTPUT_RESUME_POINT_H_

#include <cstdint>
#include <string>

namespace hakbench {

struct ResumePoint {
  uint32_t next_launch =
      0;  // the highest one on record + 1: a launch that broke off is not repeated
  int64_t next_seq = 0;
  int64_t epochs = 0;  // rows of epochs.csv
  double soaked_s =
      0;  // sum over launches of the time from the first epoch's start to the last's end
  int64_t events = 0;  // rows of events.csv
};

// Throws Error if the files were written by another version, or hold what no version writes. Files that
// are not there yet have no rows.
ResumePoint find_resume_point(const std::string &folder);

}  // namespace hakbench

#endif  // HAKBENCH_OUTPUT_RESUME_POINT_H_
