// loop_command.cc - `hakbench loop`: a workload in this very process.
//
// Boundary:   options and one line of output; the loop is subject/loop.h's.
// Invariants: no subject, no counters, no files: a tool that watches this process sees the workload
//             and little else.
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/commands.h"
#include "cli/measure_options.h"
#include "coordinator/child.h"
#include "coordinator/subject_process.h"
#include "model/error.h"
#include "subject/loop.h"

namespace hakbench {
namespace {

// Executes this very command line again with a subject's environment, in which allocators with static
// TLS can be loaded. Returns if it has that already. Not done unless it is needed, because a tool that
// watches this process may not follow. The path is looked up: under valgrind, /proc/self/exe as such is
// valgrind.
void execute_again_as_subject(const std::vector<std::string> &argv) {
  const char *tunables = getenv("GLIBC_TUNABLES");
  if (tunables != nullptr && std::string(tunables).find("optional_static_tls") != std::string::npos)
    return;
  std::error_code code;
  const std::string path = std::filesystem::read_symlink("/proc/self/exe", code).string();
  std::vector<std::string> environment = subject_environment({});
  execve(path.c_str(), pointers(argv).data(), pointers(environment).data());
}

int loop(const MeasureOptions &options, bool check, const std::vector<std::string> &argv) {
  const RunConfig config = merge_options(options).config;
  const SubjectConfig &subject = config.subjects.front();
  LoadedPlugin plugin;
  std::string error;
  if (!load_plugin(subject.plugin, &plugin, &error)) {
    execute_again_as_subject(argv);
    throw Error(error);
  }
  if (!init_plugin(plugin, subject.init_json, &error))
    throw Error("allocator " + subject.plugin.name + ": " + error);
  const uint32_t threads = config.workload.threads;
  LoopWork work;
  work.ops_per_worker = std::max<uint64_t>(1, *config.ops / threads);
  work.prefault_per_worker = config.prefault_ops.value_or(0) / threads;
  work.check = check;
  uint64_t failed_allocs = 0;
  if (!run_loop(plugin, config.workload, work, &failed_allocs, &error))
    throw Error("allocator " + subject.plugin.name + ": " + error);
  fmt::print("hakbench loop {}: {}, prefault={}, ops={}, failed_allocs={}{}\n", subject.plugin.name,
             workload_text(config.workload), work.prefault_per_worker * threads,
             work.ops_per_worker * threads, failed_allocs, check ? ", check: ok" : "");
  return 0;
}

}  // namespace

void add_loop_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "loop", "Only run a workload, in this very process: for callgrind, perf record, gdb");
  auto options = std::make_shared<MeasureOptions>();
  command
      ->add_option("-a,--allocator", options->allocators["a"],
                   "A plugin's name, NAME=/path.so or /path.so")
      ->required();
  add_workload_options(command, options.get());
  command->add_option("--ops,--cycles", options->ops, "Operations, over all workers")->required();
  command->add_option("--prefault", options->prefault,
                      "Operations before them, from another seed (default\n"
                      "$HAKMEM_BENCH_PREFAULT, else none)");
  auto check = std::make_shared<bool>(false);
  command->add_flag("--check", *check,
                    "Look at every block: overlaps, alignment, zeroes, content kept, live bytes\n"
                    "(slow); it is for one workload what `hakbench check` is for the plugin");
  command->footer(
      "Examples:\n"
      "  hakbench loop -a hakmem -w mstress --threads 4 --ops 100000 --check\n"
      "  valgrind --tool=callgrind --toggle-collect=hakbench_timed_loop \\\n"
      "    hakbench loop -a hakmem --ops 100000\n"
      "  perf record hakbench loop -a mimalloc --ws 8192 --ops 100000000\n"
      "An allocator that needs room for static TLS (jemalloc) makes the command execute itself "
      "once\n"
      "more with GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536: set that yourself, or tell "
      "the\n"
      "tool to follow (valgrind --trace-children=yes).");
  command->callback([=] { *exit_code = loop(*options, *check, command_line()); });
}

}  // namespace hakbench
