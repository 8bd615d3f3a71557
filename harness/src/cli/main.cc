// main.cc - the command `hakbench`.
//
// The hidden subject argument is looked at first: a subject shares this binary but none of this code.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <charconv>

#include "cli/commands.h"
#include "cli/locations.h"
#include "coordinator/interrupt.h"
#include "output/standard_output.h"
#include "subject/subject_main.h"

namespace hakbench {
namespace {

constexpr char kFooter[] = R"(
Examples:
  hakbench list                                      what can be measured
  hakbench ab --a hakmem --b mimalloc --profile quick
                                                     which is faster, and how sure is that?
  hakbench ab --a hakmem --b old=/tmp/libhakmem.so   two builds of the same allocator
  hakbench run -a jemalloc --ws 8192 --duration 30s  one allocator, epoch by epoch
  hakbench soak -a hakmem --duration 60m             does its memory drift?
  hakbench ledger -a hakmem_observe                  who holds the resident memory?
  hakbench record -o app.trace -- python3 app.py     a program's calls of malloc, to replay
  hakbench check hakmem                              does the plugin keep its contract?
  hakbench doctor                                    does this machine measure well?

Tools, each with --help; `hakbench NAME` runs hakbench-NAME, as git does:
  app         real programs under each allocator
  baseline    a measurement stored, for a gate to compare with
  compare     result folders side by side
  experiment  GO or NO-GO for a change
  export      a result folder in another tool's format
  gate        fails if a candidate is worse than a reference
  history     where a ratio changed over many folders
  icount      instructions an operation, by callgrind
  micro       one kind of call, by Google Benchmark
  plan        launches and minutes that a margin takes
  report      the report of a result folder, again
  scorecard   an allocator against its targets
  selftest    proves the verdicts on this machine
  traceplot   the picture of a trace, again
  triage      why peak RSS is what it is

Exit codes: 0 pass, 1 the tool or its input failed, 2 a gate failed, 3 inconclusive
(where you asked to fail on it), 128 + N ended by signal N: 130 after Ctrl-C.)";

int fail(const std::string &line) {
  fprintf(stderr, "hakbench: error: %s\n", line.c_str());
  return 1;
}

bool is_built_in(const CLI::App &app, const std::string &name) {
  return !app.get_subcommands([&](const CLI::App *c) { return c->get_name() == name; }).empty();
}

// What every option's value is held to before it is read: a number of operations or epochs that is
// negative or too large is refused, and so is a value that is empty, as of an unset shell variable.
void check_values(CLI::App *app) {
  const CLI::Validator present(
      [](std::string &value) { return value.empty() ? "the value is empty" : ""; }, "");
  const CLI::Validator whole(
      [](std::string &value) -> std::string {
        uint64_t number = 0;
        const char *end = value.data() + value.size();
        const auto [at, code] = std::from_chars(value.data(), end, number);
        if (code == std::errc() && at == end) return "";
        return value + " is not a whole number of 0 or more" +
               (code == std::errc::result_out_of_range ? " that 64 bits can hold" : "");
      },
      "");
  for (CLI::App *command : app->get_subcommands({})) {
    check_values(command);
    for (CLI::Option *option : command->get_options()) {
      if (option->get_items_expected_max() == 0 || option->get_positional()) continue;
      option->check(present);
      if (option->get_type_name().rfind("UINT", 0) == 0) option->check(whole);
    }
  }
}

// Result files must not get the numbers of standard streams that were closed, and with them messages.
void open_standard_streams() {
  for (int fd = 0; fd <= STDERR_FILENO; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) _exit(1);
}

int run(int argc, char **argv) {
  int exit_code = 0;
  CLI::App app("Honest benchmarks of memory allocators.", "hakbench");
  app.set_version_flag("--version", "hakbench " HAKBENCH_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  add_ab_command(&app, &exit_code);
  add_run_command(&app, &exit_code);
  add_soak_command(&app, &exit_code);
  add_record_command(&app, &exit_code);
  add_replay_command(&app, &exit_code);
  add_trace_command(&app, &exit_code);
  add_loop_command(&app, &exit_code);
  add_ledger_command(&app, &exit_code);
  add_check_command(&app, &exit_code);
  add_doctor_command(&app, &exit_code);
  add_list_command(&app, &exit_code);
  check_values(&app);
  app.footer(kFooter);  // last: commands would inherit it

  if (argc > 1 && argv[1][0] != '-' && !is_built_in(app, argv[1])) {
    exec_tool(argv[1], argv + 1);
    return fail("unknown command '" + std::string(argv[1]) + "', and no program hakbench-" +
                argv[1] + " in " + executable_folder() + " or $PATH; see hakbench --help");
  }
  if (argc == 2 && argv[1][0] == '-' && app.get_option_no_throw(argv[1]) == nullptr)
    return fail("unknown option '" + std::string(argv[1]) + "'; see hakbench --help");
  if (argc == 1) {
    printf("%s", app.help().c_str());
    return fail("a command is needed; for example: hakbench ab --a hakmem --b mimalloc");
  }
  try {
    app.parse(argc, argv);
    return exit_code;
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    const auto chosen = app.get_subcommands();
    return fail(std::string(error.what()) + "; see hakbench " +
                (chosen.empty() ? "" : chosen[0]->get_name() + " ") + "--help");
  }
}

}  // namespace
}  // namespace hakbench

int main(int argc, char **argv) {
  hakbench::open_standard_streams();
  signal(SIGCHLD, SIG_DFL);  // ignored, it would take the status of children with it
  if (argc == 3 && strcmp(argv[1], hakbench::kSubjectArgument) == 0)
    return hakbench::subject_main(argv[2]);
  try {
    const int exit_code = hakbench::run(argc, argv);
    hakbench::flush_standard_output();
    return exit_code;
  } catch (const hakbench::Interrupted &interrupted) {
    return 128 + interrupted.signal;
  } catch (const std::exception &error) {
    return hakbench::fail(error.what());
  }
}
