#include "output/ledger_table.h"

#include <fmt/format.h>

namespace hakbench {
namespace {

std::string heading(const nlohmann::json &ledger) {
  if (!ledger.contains("allocator"))
    return fmt::format("process {} ({})\n", ledger.value("pid", 0), ledger.value("program", "?"));
  const nlohmann::json &workload = ledger["workload"];
  std::string text =
      fmt::format("{} after {} operations of {}", ledger["allocator"].get<std::string>(),
                  ledger["ops"].get<uint64_t>(), workload["name"].get<std::string>());
  for (const auto &[key, value] : workload["params"].items())
    text += fmt::format(" {}={}", key, value.get<uint64_t>());
  return text + fmt::format(" threads={} seed={}\n", workload["threads"].get<uint64_t>(),
                            workload["seed"].get<uint64_t>());
}

}  // namespace

std::string ledger_table(const nlohmann::json &ledger) {
  const auto rss = ledger["rss_bytes"].get<double>();
  std::string text = heading(ledger);
  text += fmt::format("{:<20} {:>12} {:>8}\n", "owner", "kB", "share");
  const auto line = [&](const std::string &name, double bytes, const std::string &doc) {
    text += fmt::format("{:<20} {:>12.1f} {:>7.2f}%  {}\n", name, bytes / 1024,
                        rss > 0 ? 100 * bytes / rss : 0, doc);
  };
  for (const nlohmann::json &owner : ledger["owners"])
    line(owner["name"], owner["bytes"].get<double>(), owner.value("doc", ""));
  line("RSS", rss, "as the kernel says (smaps_rollup)");
  line("residual", ledger["residual_bytes"].get<double>(), "RSS less the sum of the owners");
  if (ledger.contains("asked_bytes")) {
    text += fmt::format(
        "\nThe blocks that the program holds, resident or not: {:.1f} kB = {:.1f} kB asked for and "
        "{:.1f} kB rounding.\n",
        ledger["blocks_held_bytes"].get<double>() / 1024,
        ledger["asked_bytes"].get<double>() / 1024, ledger["rounding_bytes"].get<double>() / 1024);
  }
  if (ledger.contains("rss_outside_bytes"))
    text += fmt::format("RSS from outside, when the ledger's own memory was gone: {:.1f} kB.\n",
                        ledger["rss_outside_bytes"].get<double>() / 1024);
  return text;
}

}  // namespace hakbench
