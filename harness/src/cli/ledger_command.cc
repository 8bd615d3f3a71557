// ledger_command.cc - `hakbench ledger`: who holds the resident memory of a process.
//
// Boundary:   options and output; coordinator/ledger.h gets the ledger.
#include <fmt/format.h>

#include <fstream>

#include "cli/commands.h"
#include "cli/locations.h"
#include "cli/measure_options.h"
#include "coordinator/interrupt.h"
#include "coordinator/ledger.h"
#include "model/error.h"
#include "output/ledger_table.h"

namespace hakbench {
namespace {

constexpr uint64_t kUsualOps = 2'000'000;
constexpr char kPreloadLibrary[] = "libhakmem-observe.so";

struct LedgerOptions {
  MeasureOptions measure;
  LedgerRequest request;
  std::vector<std::string> command;
  std::string format = "text";
};

void write_file(const std::string &path, const std::string &text) {
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw Error(path + " can't be written; choose another -o FILE");
}

// The JSON of one process is an object, that of a command a list of them.
void show(const LedgerOptions &options, const nlohmann::json &ledgers) {
  if (!options.measure.output.empty()) write_file(options.measure.output, ledgers.dump(2) + "\n");
  if (options.format == "json") {
    fmt::print("{}\n", ledgers.dump(2));
    return;
  }
  if (!ledgers.is_array()) {
    fmt::print("{}", ledger_table(ledgers));
    return;
  }
  for (size_t i = 0; i < ledgers.size(); ++i)
    fmt::print("{}{}", i == 0 ? "" : "\n", ledger_table(ledgers[i]));
}

void ledger_of(const LedgerOptions &options) {
  const MeasureOptions &measure = options.measure;
  const bool workload = !measure.allocators.at("a").empty();
  if (workload + (options.request.pid != 0) + !options.command.empty() != 1)
    throw Error("give one of: -a ALLOCATOR, --pid PID, or -- COMMAND; see hakbench ledger --help");
  install_interrupt_handlers();
  if (options.request.pid != 0) return show(options, ledger_of_process(options.request));
  if (workload) {
    RunConfig config = merge_options(measure).config;
    if (!config.ops) config.ops = kUsualOps;
    return show(options, ledger_of_workload(config));
  }
  const CommandLedgers result = ledgers_of_command(options.command, find_library(kPreloadLibrary));
  const std::string &name = options.command.front();
  if (!result.ledgers.empty()) show(options, result.ledgers);
  if (!result.failure.empty()) throw Error("the command " + name + " " + result.failure);
  if (result.ledgers.empty())
    throw Error("no process of " + name +
                " left a ledger; it must be linked dynamically and end by exit()");
}

}  // namespace

void add_ledger_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "ledger", "Say who holds each resident page, and check the sum against the kernel");
  auto options = std::make_shared<LedgerOptions>();
  MeasureOptions &measure = options->measure;
  command->add_option("-a,--allocator", measure.allocators["a"],
                      "Run a workload on this plugin first: hakmem_observe keeps a ledger");
  command->add_option("--pid", options->request.pid,
                      "Ask a running program, started with libhakmem-observe.so preloaded,\n"
                      "HAKMEM_LEDGER_SIGNAL=12 and HAKMEM_LEDGER_DUMP=FILE");
  command->add_option("--signal", options->request.signal_number,
                      "With --pid: its signal, if it has overwritten its environment (redis)");
  command->add_option("--file", options->request.file,
                      "With --pid: the file it writes, likewise; %p is its number");
  command->add_option("COMMAND", options->command,
                      "Behind --: run it with libhakmem-observe.so preloaded; the ledger of each\n"
                      "process at its end");
  command->add_option("-p,--profile", measure.profile,
                      "Settings from a profile: its name or its file");
  add_workload_options(command, &measure);
  command->add_option("--ops,--cycles", measure.ops,
                      fmt::format("Operations, over all workers (default {})", kUsualOps));
  command->add_option("--prefault", measure.prefault,
                      "Operations before them, from another seed (default\n"
                      "$HAKMEM_BENCH_PREFAULT, else a tenth)");
  command->add_option("--env", measure.env, "NAME=VALUE for the subject");
  add_format_option(command, &options->format);
  command->add_option("-o,--output", measure.output, "Write the JSON to this file too");
  command->footer(
      "Examples:\n"
      "  hakbench ledger -a hakmem_observe --ws 400\n"
      "  hakbench ledger -a hakmem_observe -w larson --threads 2 --format json\n"
      "  hakbench ledger -- sort /etc/services\n"
      "  HAKMEM_LEDGER_SIGNAL=12 HAKMEM_LEDGER_DUMP=ledger.json \\\n"
      "    LD_PRELOAD=build/release/lib/libhakmem-observe.so redis-server &\n"
      "  hakbench ledger --pid $! --signal 12 --file ledger.json");
  command->callback([=] {
    ledger_of(*options);
    *exit_code = 0;
  });
}

}  // namespace hakbench
