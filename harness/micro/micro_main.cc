// micro_main.cc - hakbench-micro: the micro suite on one allocator after the other.
//
// Purpose: a process an allocator, a file an allocator, in Google Benchmark's own format, so that its
//   compare.py and whatever else reads it works.
// Boundary: options and processes; the benchmarks are micro_cases.cc's.
// Exit codes: 0 done, 1 the tool or its input failed.
#include <benchmark/benchmark.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "cli/locations.h"
#include "coordinator/child.h"
#include "coordinator/subject_process.h"
#include "micro_cases.h"
#include "model/error.h"
#include "output/result_folder.h"
#include "subject/plugin_loader.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

constexpr char kChildArgument[] = "--allocator-process";

struct Options {
  std::vector<std::string> allocators;
  std::string filter;
  std::string output;
  double min_time_s = 0.5;
  unsigned repetitions = 1;
};

// Child: argv is PROGRAM, kChildArgument, name, path, then Google Benchmark's own arguments.
int run_suite(int argc, char **argv) {
  static LoadedPlugin plugin;  // never unloaded
  std::string error;
  if (!load_plugin({argv[2], argv[3]}, &plugin, &error) || !init_plugin(plugin, "{}", &error))
    throw Error("allocator " + std::string(argv[2]) + ": " + error);
  if (plugin.table->thread_begin != nullptr) plugin.table->thread_begin();
  register_micro_cases(*plugin.table);
  benchmark::AddCustomContext("allocator", argv[2]);
  benchmark::AddCustomContext("allocator_version", plugin.table->version);
  benchmark::AddCustomContext("allocator_library", plugin.library_path);
  benchmark::AddCustomContext("allocator_sha256", plugin.sha256);
  int rest = argc - 3;
  argv[3] = argv[0];
  benchmark::Initialize(&rest, argv + 3);
  if (benchmark::RunSpecifiedBenchmarks() == 0)
    throw Error("no benchmark matches --filter; names are like malloc_free/size:64");
  if (plugin.table->shutdown != nullptr) plugin.table->shutdown();
  return 0;
}

// False if it failed; the child has said why.
bool run_in_process(const PluginSpec &plugin, const Options &options, const std::string &file) {
  std::vector<std::string> argv = {
      "hakbench micro",
      kChildArgument,
      plugin.name,
      plugin.path,
      "--benchmark_out=" + file,
      "--benchmark_out_format=json",
      "--benchmark_min_time=" + std::to_string(options.min_time_s),
      "--benchmark_repetitions=" + std::to_string(options.repetitions)};
  if (!options.filter.empty()) argv.push_back("--benchmark_filter=" + options.filter);
  std::vector<std::string> environment = subject_environment({});
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) throw Error(std::string("cannot start a process: ") + strerror(errno));
  if (child == 0) {
    execve("/proc/self/exe", pointers(argv).data(), pointers(environment).data());
    _exit(127);
  }
  const int status = wait_for_end(child);
  if (WIFSIGNALED(status))
    throw Error("allocator " + plugin.name + ": its process " + how_it_ended(status));
  return WEXITSTATUS(status) == 0;
}

int run_all(const Options &options) {
  std::vector<PluginSpec> plugins;
  for (const std::string &text : options.allocators) {
    std::string error;
    plugins.emplace_back();
    if (!resolve_plugin(text, plugin_folder(), &plugins.back(), &error)) throw Error(error);
    for (size_t i = 0; i + 1 < plugins.size(); ++i)
      if (plugins[i].name == plugins.back().name)
        throw Error("two allocators are named " + plugins[i].name + "; write NAME=" + text);
  }
  const std::string folder =
      options.output.empty() ? "out/" + time_stamped_name("micro") : options.output;
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) throw Error("cannot make the folder " + folder + ": " + code.message());
  std::string files;
  for (const PluginSpec &plugin : plugins) {
    const std::string file = folder + "/" + plugin.name + ".json";
    printf("== %s\n", plugin.name.c_str());
    if (!run_in_process(plugin, options, file)) {
      fs::remove(file, code);  // an empty or broken file would be read as a result
      return 1;
    }
    files += " " + file;
  }
  printf("written:%s\n", files.c_str());
  if (plugins.size() == 2) printf("compare: compare.py benchmarks%s\n", files.c_str());
  return 0;
}

int parse_and_run(int argc, char **argv) {
  Options options;
  CLI::App app("The micro suite: what one kind of call costs, with Google Benchmark.",
               "hakbench micro");
  app.add_option("-a,--allocator", options.allocators,
                 "A plugin's name, NAME=/path.so or /path.so; give it again for another one")
      ->required();
  app.add_option("--filter,--benchmark_filter", options.filter,
                 "Only benchmarks whose name matches this regular expression; -RE leaves them out");
  app.add_option("--min-time,--benchmark_min_time", options.min_time_s,
                 "Least time a benchmark, seconds")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--repetitions,--benchmark_repetitions", options.repetitions, "Repetitions")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("-o,--output", options.output,
                 "Folder for the files NAME.json (default out/TIME-micro)");
  app.footer(
      "Examples:\n"
      "  hakbench micro -a hakmem -a mimalloc\n"
      "  hakbench micro -a hakmem --filter 'malloc_free/size:64$' --repetitions 10\n"
      "The allocators run one after the other, so drift of the machine is in their difference: "
      "verdicts\n"
      "come from `hakbench ab` and `gate`.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw Error(std::string(error.what()) + "; see hakbench micro --help");
  }
  return run_all(options);
}

}  // namespace
}  // namespace hakbench

int main(int argc, char **argv) {
  try {
    if (argc > 3 && strcmp(argv[1], hakbench::kChildArgument) == 0)
      return hakbench::run_suite(argc, argv);
    return hakbench::parse_and_run(argc, argv);
  } catch (const std::exception &error) {
    fprintf(stderr, "hakbench: error: %s\n", error.what());
    return 1;
  }
}
