#include "cli/duration.h"

#include <fmt/format.h>

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

void expect_epoch_fits(const std::string &epoch, const std::string &option, double epoch_s,
                       double idle_s, const std::string &duration, double duration_s) {
  constexpr double kRounding = 1e-9;  // 300ms and 0.3 are the same
  if (epoch_s + idle_s <= duration_s * (1 + kRounding)) return;
  const std::string shorter =
      option.empty() ? "" : "a shorter " + option + (idle_s > 0 ? " or --idle" : "") + " or ";
  throw Error(
      fmt::format("{}{} longer than the {}{:g} s; give {}a longer --duration", epoch,
                  idle_s > 0 ? fmt::format(" and the idle {:g} s behind it are", idle_s) : " is",
                  duration.empty() ? "soak's " : "--duration of ", duration_s, shorter));
}

}  // namespace hakbench
