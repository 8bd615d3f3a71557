// micro_main.cc - hakbench-micro: the micro suite on one allocator after the other.
//
// Purpose: a process an allocator, a file an allocator, in Google Benchmark's own format, so that its
//   compare.py and whatever else reads it works.
// Boundary: options and processes; the benchmarks are micro_cases.cc's, the files suite_reporter.cc's.
// Exit codes: 0 done, 1 the tool or its input failed, 128 + N ended by signal N.
#include <benchmark/benchmark.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/locations.h"
#include "coordinator/child.h"
#include "coordinator/subject_process.h"
#include "micro_cases.h"
#include "model/error.h"
#include "output/result_folder.h"
#include "output/standard_output.h"
#include "subject/plugin_loader.h"
#include "suite_reporter.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

constexpr char kChildArgument[] = "--allocator-process";
// The least that Google Benchmark's option tells from nothing, as std::to_string writes it.
constexpr double kLeastTime = 0.000001;

struct Options {
  std::vector<std::string> allocators;
  std::string filter;
  std::string output;
  double min_time_s = 0.5;
  unsigned repetitions = 1;
  bool force = false;
};

[[noreturn]] void refuse_filter(const std::string &notes) {
  constexpr char kNoExpression[] = "Could not compile benchmark re: ";
  if (notes.rfind(kNoExpression, 0) == 0)
    throw Error("--filter is no regular expression: " +
                notes.substr(strlen(kNoExpression), notes.find('\n') - strlen(kNoExpression)) +
                "; write one such as malloc_free/size:64");
  throw Error("no benchmark matches --filter; names are like malloc_free/size:64");
}

// Child: argv is PROGRAM, kChildArgument, name, path, file, then Google Benchmark's own arguments.
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
  SuiteReporter reporter(argv[4]);
  int rest = argc - 4;
  argv[4] = argv[0];
  benchmark::Initialize(&rest, argv + 4);
  if (benchmark::RunSpecifiedBenchmarks(&reporter) == 0) refuse_filter(reporter.notes());
  reporter.finish();
  if (plugin.table->shutdown != nullptr) plugin.table->shutdown();
  return 0;
}

// SIGINT, SIGTERM and SIGHUP wait until they are handed on to the suite's process, whoever they were
// sent to. What is ignored stays so: the process was started with nohup, say.
class Signals {
 public:
  Signals() {
    sigemptyset(&ending_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction now = {};
      sigaction(number, nullptr, &now);
      if (now.sa_handler != SIG_IGN) sigaddset(&ending_, number);
    }
    waited_for_ = ending_;
    sigaddset(&waited_for_, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);  // ignored, it would take the child's status with it
    sigprocmask(SIG_BLOCK, &waited_for_, &before_);
  }

  void restore() const { sigprocmask(SIG_SETMASK, &before_, nullptr); }

  struct End {
    int status;  // of waitpid(2)
    int signal;  // that came meanwhile; 0 if none
  };
  End wait_for(pid_t child) const {
    End end = {0, 0};
    while (waitpid(child, &end.status, WNOHANG) == 0) {
      const int number = sigwaitinfo(&waited_for_, nullptr);
      if (sigismember(&ending_, number) != 1) continue;
      end.signal = number;
      kill(child, number);
    }
    // A Ctrl-C that ended the child first.
    const timespec at_once = {};
    if (const int number = sigtimedwait(&ending_, nullptr, &at_once); number > 0)
      end.signal = number;
    return end;
  }

 private:
  sigset_t ending_;
  sigset_t waited_for_;
  sigset_t before_;
};

Signals::End run_in_process(const PluginSpec &plugin, const Options &options,
                            const std::string &file, const Signals &signals) {
  std::vector<std::string> argv = {
      "hakbench micro",
      kChildArgument,
      plugin.name,
      plugin.path,
      file,
      "--benchmark_min_time=" + std::to_string(options.min_time_s),
      "--benchmark_repetitions=" + std::to_string(options.repetitions)};
  if (!options.filter.empty()) argv.push_back("--benchmark_filter=" + options.filter);
  std::vector<std::string> environment = subject_environment({});
  flush_standard_output();  // which also says in time that what is to be printed would be lost
  const pid_t child = fork();
  if (child < 0) throw Error(std::string("cannot start a process: ") + strerror(errno));
  if (child == 0) {
    signals.restore();
    signal(SIGXFSZ, SIG_IGN);  // no room for a file is an error, and not the end
    execve("/proc/self/exe", pointers(argv).data(), pointers(environment).data());
    _exit(127);
  }
  return signals.wait_for(child);
}

// "results of hakmem so far: 12, in DIR/hakmem.json.part", of a suite that was not finished. Without a
// result nothing is said, and the file goes.
std::string what_is_kept(const std::string &allocator, const std::string &file) {
  const std::string part = part_of(file);
  std::ifstream stream(part);
  const auto content = nlohmann::json::parse(stream, nullptr, false);
  const auto results = content.is_object() ? content.find("benchmarks") : content.end();
  if (results != content.end() && !results->empty())
    return "results of " + allocator + " so far: " + std::to_string(results->size()) + ", in " +
           part;
  std::error_code ignored;
  fs::remove(part, ignored);
  return "";
}

// 0, or the exit code.
int measure(const PluginSpec &plugin, const Options &options, const std::string &file,
            const Signals &signals) {
  const Signals::End end = run_in_process(plugin, options, file, signals);
  if (end.status == 0 && end.signal == 0) return 0;
  const std::string kept = end.status == 0 ? "" : what_is_kept(plugin.name, file);
  if (end.signal != 0) {
    fprintf(stderr, "hakbench: interrupted%s\n", kept.empty() ? "" : ("; " + kept).c_str());
    return 128 + end.signal;
  }
  if (WIFSIGNALED(end.status))
    throw Error("allocator " + plugin.name + ": its process " + how_it_ended(end.status) +
                (kept.empty() ? "" : "; " + kept));
  // The process has said why it failed.
  if (!kept.empty()) fprintf(stderr, "hakbench: %s\n", kept.c_str());
  return 1;
}

// An earlier suite's results, or those of one that was not finished.
void expect_no_file(const std::string &folder, const std::string &file) {
  for (const std::string &path : {file, part_of(file)}) {
    std::error_code ignored;
    if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) continue;
    throw Error("the folder " + folder + " already holds " + fs::path(path).filename().string() +
                "; name another with -o, or overwrite it with --force");
  }
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
  const auto file_of = [&](const PluginSpec &plugin) {
    return folder + "/" + plugin.name + ".json";
  };
  make_folder(folder);
  for (const PluginSpec &plugin : plugins)
    if (!options.force) expect_no_file(folder, file_of(plugin));
  const Signals signals;
  std::string files;
  for (const PluginSpec &plugin : plugins) {
    printf("== %s\n", plugin.name.c_str());
    const int exit_code = measure(plugin, options, file_of(plugin), signals);
    if (exit_code != 0) {
      if (!files.empty()) printf("written:%s\n", files.c_str());
      return exit_code;
    }
    files += " " + file_of(plugin);
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
                 "Least time of a benchmark, in seconds (default 0.5)");
  app.add_option("--repetitions,--benchmark_repetitions", options.repetitions,
                 "Repetitions of each (default 1)")
      ->check(CLI::Range(1, 1000).description(""));
  app.add_option("-o,--output", options.output,
                 "Folder for the files NAME.json (default out/TIME-micro)");
  app.add_flag("--force", options.force, "Overwrite what the folder holds of these allocators");
  app.footer(
      "Examples:\n"
      "  hakbench micro -a hakmem -a mimalloc\n"
      "  hakbench micro -a hakmem --filter 'malloc_free/size:64$' --repetitions 10\n"
      "The allocators run one after the other, so drift of the machine is in their difference:\n"
      "verdicts come from `hakbench ab` and `gate`. A file is NAME.json.part until it is whole;\n"
      "what is interrupted leaves its results there.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    throw Error(std::string(error.what()) + "; see hakbench micro --help");
  }
  if (!std::isfinite(options.min_time_s) || options.min_time_s < kLeastTime)
    throw Error("--min-time must be a number of seconds above zero, at least 0.000001");
  return run_all(options);
}

}  // namespace
}  // namespace hakbench

int main(int argc, char **argv) {
  try {
    const bool is_child = argc > 3 && strcmp(argv[1], hakbench::kChildArgument) == 0;
    const int exit_code =
        is_child ? hakbench::run_suite(argc, argv) : hakbench::parse_and_run(argc, argv);
    if (exit_code == 0) hakbench::flush_standard_output();  // else the reason has been told
    return exit_code;
  } catch (const std::exception &error) {
    fprintf(stderr, "hakbench: error: %s\n", error.what());
    return 1;
  }
}
