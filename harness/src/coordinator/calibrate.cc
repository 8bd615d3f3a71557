#include "coordinator/calibrate.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hakbench {
namespace {

constexpr uint64_t kFirstTrialOps = 1000;
// What the trials found slow because it was new (page faults, say) can be many times as fast later: an
// epoch that ends so early is lengthened, until some in a row did not, or so many have run.
constexpr double kShortEpoch = 0.7;
constexpr int kEnoughInARow = 2;
constexpr int kMostRounds = 8;
constexpr uint64_t kMaxOps = uint64_t{1} << 40;

uint64_t round_up_to(uint64_t value, uint64_t multiple) {
  return std::max<uint64_t>(1, (value + multiple - 1) / multiple) * multiple;
}

uint64_t round_to_three_digits(double value) {
  const double unit = std::pow(10.0, std::floor(std::log10(std::max(value, 1.0))) - 2);
  return static_cast<uint64_t>(unit < 1 ? value : std::round(value / unit) * unit);
}

}  // namespace

uint64_t calibrate_ops(double epoch_s, uint64_t multiple,
                       const std::function<double(uint64_t)> &time_ops) {
  uint64_t trial_ops = round_up_to(kFirstTrialOps, multiple);
  double seconds = time_ops(trial_ops);
  while (seconds < epoch_s / 10 && trial_ops < kMaxOps) {
    trial_ops = round_up_to(trial_ops * 2, multiple);
    seconds = time_ops(trial_ops);
  }
  std::array<double, 3> rates;
  for (double &rate : rates) rate = static_cast<double>(trial_ops) / time_ops(trial_ops);
  std::sort(rates.begin(), rates.end());
  double rate = rates[1];
  uint64_t ops = 0;
  int in_a_row = 0;
  for (int round = 0; round < kMostRounds && in_a_row < kEnoughInARow; ++round) {
    ops = round_up_to(round_to_three_digits(rate * epoch_s), multiple);
    seconds = time_ops(ops);
    if (seconds > kShortEpoch * epoch_s) {
      ++in_a_row;
    } else {
      in_a_row = 0;
      rate = static_cast<double>(ops) / seconds;
    }
  }
  return ops;
}

}  // namespace hakbench
