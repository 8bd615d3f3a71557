// calibrate.h - how many operations take an epoch.
//
// Purpose:    one number of operations, frozen for every subject of a run.
// Boundary:   arithmetic on times that the caller measures; starts nothing.
#ifndef HAKBENCH_COORDINATOR_CALIBRATE_H_
#define HAKBENCH_COORDINATOR_CALIBRATE_H_

#include <cstdint>
#include <functional>

namespace hakbench {

// Finds the operations that take about `epoch_s` seconds, where time_ops(n) runs n operations and
// returns the seconds they took. Grows until a trial lasts a tenth of an epoch, takes the median rate
// of three trials, and runs whole epochs of it: one that ends much too early shows that what came
// before was slowed down by a start, and the epoch is made longer. The result is rounded to three
// significant digits and to a multiple of `multiple` (the workers share it evenly). At least
// `multiple`.
uint64_t calibrate_ops(double epoch_s, uint64_t multiple,
                       const std::function<double(uint64_t)> &time_ops);

}  // namespace hakbench

#endif  // HAKBENCH_COORDINATOR_CALIBRATE_H_
