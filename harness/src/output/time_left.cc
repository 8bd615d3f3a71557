#include "output/time_left.h"

namespace hakbench {

void TimeLeft::took(bool latency, double seconds) {
  Kind &kind = latency ? latency_ : plain_;
  --kind.left;
  ++kind.done;
  kind.total_s += seconds;
}

double TimeLeft::seconds() const {
  const double latency_s = latency_.done == 0 ? plain_.mean_s() : latency_.mean_s();
  return static_cast<double>(plain_.left) * plain_.mean_s() +
         static_cast<double>(latency_.left) * latency_s;
}

}  // namespace hakbench
