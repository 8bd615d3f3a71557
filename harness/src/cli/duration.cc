#include "cli/duration.h"

#include <charconv>

#include "model/error.h"

namespace hakbench {

double parse_seconds(const std::string &option, const std::string &text) {
  double value = 0;
  const char *end = text.data() + text.size();
  const auto [unit_at, code] = std::from_chars(text.data(), end, value);
  const std::string unit(unit_at, end);
  const double factor = unit.empty() || unit == "s" ? 1
                        : unit == "ms"              ? 1e-3
                        : unit == "m"               ? 60
                        : unit == "h"               ? 3600
                                                    : 0;
  if (code != std::errc() || factor == 0 || !(value * factor > 0) || value * factor > 1e7)
    throw Error(option + " " + text +
                " is no duration above zero; write for example 0.25, 250ms, 30s, 5m or 1h");
  return value * factor;
}

}  // namespace hakbench
