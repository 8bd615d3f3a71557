// record_command.cc - `hakbench record`: run a program with the recorder preloaded, then write its traces.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "cli/commands.h"
#include "cli/locations.h"
#include "coordinator/child.h"
#include "model/error.h"
#include "trace/merge.h"
#include "trace/raw_events.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

// The raw files of one recording, in a folder beside the trace that is removed with them.
class RawFolder {
 public:
  explicit RawFolder(const fs::path &trace) : path_(fs::absolute(trace).string() + ".raw.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr)
      throw Error("cannot write beside " + trace.string() + ": " + strerror(errno) +
                  "; name another place with -o");
  }
  ~RawFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  RawFolder(const RawFolder &) = delete;
  RawFolder &operator=(const RawFolder &) = delete;

  std::string prefix() const { return path_ + "/process"; }

  struct File {
    std::string path;
    int pid;
    int image;  // counts the programs that the process executed
  };
  // By process and image; the command's own process first.
  std::vector<File> files(int command_pid) const {
    std::vector<File> files;
    for (const auto &entry : fs::directory_iterator(path_)) {
      const std::string name = entry.path().filename().string();  // process.PID.N.raw
      const size_t pid_at = name.find('.') + 1;
      const size_t image_at = name.find('.', pid_at) + 1;
      files.push_back({entry.path().string(), number_at(name, pid_at), number_at(name, image_at)});
    }
    std::sort(files.begin(), files.end(), [&](const File &a, const File &b) {
      return std::tuple(a.pid != command_pid, a.pid, a.image) <
             std::tuple(b.pid != command_pid, b.pid, b.image);
    });
    return files;
  }

 private:
  static int number_at(const std::string &text, size_t at) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + text.size(), value);
    return value;
  }

  std::string path_;
};

// app.trace, app.1234.trace, app.1234.1.trace
std::string trace_path(const std::string &output, const RawFolder::File &file, int command_pid) {
  if (file.pid == command_pid && file.image == 0) return output;
  const fs::path path = output;
  const std::string image = file.image == 0 ? "" : fmt::format(".{}", file.image);
  return (path.parent_path() / fmt::format("{}.{}{}{}", path.stem().string(), file.pid, image,
                                           path.extension().string()))
      .string();
}

[[noreturn]] void execute(const std::vector<std::string> &words, const std::string &library,
                          const std::string &prefix) {
  const char *others = getenv("LD_PRELOAD");
  const std::string preload = others == nullptr ? library : library + ":" + others;
  setenv("LD_PRELOAD", preload.c_str(), 1);
  setenv(trace::kPrefixVariable, prefix.c_str(), 1);
  execvp(words[0].c_str(), pointers(words).data());
  fmt::print(stderr, "hakbench: error: cannot execute {}: {}; name a program and its arguments\n",
             words[0], strerror(errno));
  _exit(127);
}

// Ctrl-C is the program's; what it recorded until then is kept.
class LeaveSignalsToProgram {
 public:
  LeaveSignalsToProgram() : interrupt_(signal(SIGINT, SIG_IGN)), quit_(signal(SIGQUIT, SIG_IGN)) {}
  ~LeaveSignalsToProgram() { restore(); }
  LeaveSignalsToProgram(const LeaveSignalsToProgram &) = delete;
  LeaveSignalsToProgram &operator=(const LeaveSignalsToProgram &) = delete;
  void restore() const {
    signal(SIGINT, interrupt_);
    signal(SIGQUIT, quit_);
  }

 private:
  void (*const interrupt_)(int);
  void (*const quit_)(int);
};

int run_recorded(const std::vector<std::string> &words, const std::string &prefix, pid_t *pid) {
  const std::string library = find_library("libhakbench-record.so");
  const LeaveSignalsToProgram signals;
  *pid = fork();
  if (*pid < 0) throw Error(std::string("cannot start a process: ") + strerror(errno));
  if (*pid == 0) {
    signals.restore();
    execute(words, library, prefix);
  }
  return wait_for_end(*pid);
}

int record(const std::vector<std::string> &words, const std::string &output) {
  const RawFolder raw(output);
  pid_t pid = 0;
  const int status = run_recorded(words, raw.prefix(), &pid);
  const std::vector<RawFolder::File> files = raw.files(pid);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && files.empty()) return 1;
  uint64_t recorded = 0;
  std::string incomplete;  // what to say of the first that was cut short
  for (const RawFolder::File &file : files) {
    const std::string path = trace_path(output, file, pid);
    const trace::MergeResult result = trace::merge_raw_file(file.path, path);
    if (result.stop_errno != 0 && incomplete.empty())
      incomplete = fmt::format("the recording in {} is incomplete: {}; mend that and record again",
                               path, strerror(result.stop_errno));
    if (result.ops == 0) continue;
    ++recorded;
    fmt::print("{}: {} calls of {}\n", path, result.ops, result.program);
  }
  if (!incomplete.empty()) throw Error(incomplete);
  if (recorded == 0)
    throw Error(words[0] +
                " made no call that could be recorded; a program that is linked statically, or "
                "that changes its user, cannot be");
  if (status != 0)
    fmt::print(stderr, "hakbench: warning: {} {}; what it did until then is recorded\n", words[0],
               how_it_ended(status));
  return 0;
}

}  // namespace

void add_record_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "record", "Record a program's calls of malloc and free as a trace, to replay");
  auto output = std::make_shared<std::string>();
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("-o,--output", *output, "The trace: app.trace")->required();
  command->add_option("CMD", *words, "Behind --: the program and its arguments")->required();
  command->footer(
      "Examples:\n"
      "  hakbench record -o app.trace -- python3 app.py\n"
      "  hakbench record -o server.trace -- redis-server --port 7777     (stop it with Ctrl-C)\n"
      "Each process has its own trace: app.trace is the command's, app.PID.trace that of a process "
      "it\n"
      "started, and app.PID.N.trace that of the N-th program that a process executed in its "
      "place.");
  command->callback([=] { *exit_code = record(*words, *output); });
}

}  // namespace hakbench
