// doctor_command.cc - `hakbench doctor`: what of this machine makes measurements doubtful.
//
// Boundary:   prints; coordinator/machine_facts.h looks, and coordinator/doctor.h judges.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "coordinator/cpus.h"
#include "coordinator/doctor.h"

namespace hakbench {
namespace {

constexpr std::chrono::milliseconds kSample{500};

void print_text(const std::vector<Finding> &findings) {
  size_t width = 0;
  for (const Finding &finding : findings) width = std::max(width, finding.state.size());
  for (const Finding &finding : findings) {
    if (finding.ok) {
      fmt::print("ok    {}\n", finding.state);
    } else {
      fmt::print("warn  {:{}}  {}\n", finding.state, width, finding.advice);
    }
  }
}

void print_json(const std::vector<Finding> &findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding &finding : findings)
    list.push_back({{"check", finding.check},
                    {"status", finding.ok ? "ok" : "warn"},
                    {"biases", finding.biases},
                    {"state", finding.state},
                    {"advice", finding.advice}});
  fmt::print("{}\n", nlohmann::json{{"findings", list}}.dump(2));
}

int doctor(const std::string &cpus_text, const std::string &format) {
  const std::vector<int> cpus = subject_cpus(cpus_text, allowed_cpus(), 1);
  const std::vector<Finding> findings = judge_machine(collect_machine_facts(cpus, kSample));
  if (format == "json") {
    print_json(findings);
  } else {
    print_text(findings);
  }
  return 0;
}

}  // namespace

void add_doctor_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "doctor", "Show what of this machine makes measurements doubtful, and the mend");
  auto cpus = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  command->add_option("--cpus", *cpus, "CPUs of the subjects, as 1 or 1,3-4 (default the last)");
  add_format_option(command, format.get());
  command->footer("It informs: the exit code is 0, whatever it finds.");
  command->callback([=] { *exit_code = doctor(*cpus, *format); });
}

}  // namespace hakbench
