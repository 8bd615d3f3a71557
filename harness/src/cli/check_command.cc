// check_command.cc - `hakbench check`: does a plugin keep its contract?
//
// Boundary:   prints; the checks are subject/plugin_check.h's and run in a process of their own.
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/locations.h"
#include "coordinator/cpus.h"
#include "coordinator/interrupt.h"
#include "coordinator/session.h"
#include "model/error.h"

namespace hakbench {
namespace {

int check(const std::string &name) {
  SubjectConfig subject;
  subject.label = "a";
  std::string error;
  if (!resolve_plugin(name, plugin_folder(), &subject.plugin, &error)) throw Error(error);
  install_interrupt_handlers();
  const std::vector<CheckLine> lines = check_in_subject(subject, allowed_cpus()).lines;
  size_t width = 5;
  for (const CheckLine &line : lines) width = std::max(width, line.name.size());
  int failed = 0;
  for (const CheckLine &line : lines) {
    fmt::print("{:{}}  {:6}  {}\n", line.name, width, line.ok ? "ok" : "FAILED", line.detail);
    if (!line.ok) ++failed;
  }
  fmt::print("{}: {}\n", subject.plugin.path,
             failed == 0 ? fmt::format("all {} checks passed", lines.size())
                         : fmt::format("{} of {} checks FAILED", failed, lines.size()));
  return failed == 0 ? 0 : 1;
}

}  // namespace

void add_check_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "check", "Prove that a plugin keeps the allocator's contract and calls the library it names");
  auto name = std::make_shared<std::string>();
  command->add_option("NAME", *name, "A plugin's name, NAME=/path.so or /path.so")->required();
  command->footer(
      "Examples:\n"
      "  hakbench check hakmem\n"
      "  hakbench check je=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2\n"
      "Exit codes: 0 all checks passed, 1 one failed.");
  command->callback([=] { *exit_code = check(*name); });
}

}  // namespace hakbench
