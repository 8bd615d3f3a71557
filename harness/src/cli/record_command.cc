// record_command.cc - `hakbench record`: run a program with the recorder preloaded, write traces.
//
// Invariants: a process's raw events are removed when its trace is complete, never before. Whatever
//             fails, or ends this command, `hakbench record --merge` goes on from what is left.
#include <errno.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include "cli/commands.h"
#include "cli/locations.h"
#include "coordinator/child.h"
#include "model/error.h"
#include "trace/merge.h"
#include "trace/raw_events.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

// A closed terminal or pipe must not cost a trace: what cannot be said there is left out.
void say(FILE *stream, const std::string &line) { fputs(line.c_str(), stream); }

// A trace replaces a file of its name, and nothing else.
void expect_file_name(const std::string &output) {
  std::error_code ignored;
  const fs::file_status status = fs::status(output, ignored);
  if (fs::is_directory(status))
    throw Error("-o " + output + " is a folder; name a file in it, such as " +
                (fs::path(output) / "app.trace").string());
  if (fs::exists(status) && !fs::is_regular_file(status))
    throw Error("-o " + output + " is no regular file; name another");
}

// The folder beside the trace for the raw files of one recording. It goes if none is left in it.
class RawFolder {
 public:
  explicit RawFolder(const fs::path &trace) : path_(absolute(trace) + ".raw.XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) fail(trace, strerror(errno));
  }
  ~RawFolder() { rmdir(path_.c_str()); }
  RawFolder(const RawFolder &) = delete;
  RawFolder &operator=(const RawFolder &) = delete;

  const std::string &path() const { return path_; }

 private:
  static std::string absolute(const fs::path &trace) {
    std::error_code code;
    const fs::path path = fs::absolute(trace, code);
    if (code) fail(trace, code.message());
    return path.string();
  }
  [[noreturn]] static void fail(const fs::path &trace, const std::string &why) {
    throw Error("cannot write beside " + trace.string() + ": " + why +
                "; name another place with -o");
  }

  std::string path_;
};

constexpr std::string_view kProcess = "process";

struct RawFile {
  std::string path;
  int command_pid;  // of the command that was recorded
  int pid;
  int image;  // counts the programs that the process executed
};

// FOLDER/process.COMMAND.PID.N.raw to its numbers; nothing if the name is another.
std::optional<RawFile> raw_file(const fs::path &path) {
  RawFile file = {path.string(), 0, 0, 0};
  const std::string name = path.filename().string();
  std::string_view rest = name;
  if (!rest.starts_with(kProcess)) return std::nullopt;
  rest.remove_prefix(kProcess.size());
  for (int *number : {&file.command_pid, &file.pid, &file.image}) {
    if (!rest.starts_with('.')) return std::nullopt;
    const auto parsed = std::from_chars(rest.data() + 1, rest.data() + rest.size(), *number);
    if (parsed.ec != std::errc()) return std::nullopt;
    rest.remove_prefix(static_cast<size_t>(parsed.ptr - rest.data()));
  }
  if (rest != trace::kRawSuffix) return std::nullopt;
  return file;
}

// By process and image; the command's own process first.
std::vector<RawFile> raw_files(const std::string &folder) {
  std::error_code code;
  const fs::directory_iterator entries(folder, code);
  if (code)
    throw Error("cannot read " + folder + ": " + code.message() +
                "; name the folder that `hakbench record` kept");
  std::vector<RawFile> files;
  for (const auto &entry : entries)
    if (std::optional<RawFile> file = raw_file(entry.path())) files.push_back(*std::move(file));
  std::sort(files.begin(), files.end(), [](const RawFile &a, const RawFile &b) {
    return std::tuple(a.pid != a.command_pid, a.pid, a.image) <
           std::tuple(b.pid != b.command_pid, b.pid, b.image);
  });
  return files;
}

void remove_file(const std::string &path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

// app.trace, app.1234.trace, app.1234.1.trace
std::string trace_path(const std::string &output, const RawFile &file) {
  if (file.pid == file.command_pid && file.image == 0) return output;
  const fs::path path = output;
  const std::string image = file.image == 0 ? "" : fmt::format(".{}", file.image);
  return (path.parent_path() / fmt::format("{}.{}{}{}", path.stem().string(), file.pid, image,
                                           path.extension().string()))
      .string();
}

struct Trace {
  std::string path;
  uint64_t ops = 0;
  std::string program;
};

struct Merged {
  size_t files = 0;
  size_t traces = 0;
  Trace largest;
  Trace own;               // of what the command's own process executed last
  std::string incomplete;  // what to say of the first that was cut short
  bool told_of_operators = false;
  std::string failure;  // and of the first that could not be merged
};

// What was recorded until then is a trace like any other: the program's first calls.
std::string how_it_stopped(const RawFile &file, const std::string &path,
                           const trace::MergeResult &result) {
  const std::string kept = result.ops > 0
                               ? fmt::format("{} holds its first {} calls", path, result.ops)
                               : "it has no trace";
  return fmt::format("the recording of {} (process {}) stopped: {}; {}; mend that and record again",
                     result.program, file.pid, strerror(result.stop_errno), kept);
}

void merge_file(const RawFile &file, const std::string &output, Merged *merged) {
  const std::string path = trace_path(output, file);
  const trace::MergeResult result = trace::merge_raw_file(file.path, path);
  if (result.without_header)
    say(stderr, fmt::format("hakbench: warning: process {} recorded nothing: its raw file ends "
                            "within the header; it is left out\n",
                            file.pid));
  if (result.own_operators && !std::exchange(merged->told_of_operators, true))
    say(stderr,
        fmt::format("hakbench: warning: {} (process {}) ran on an allocator with operators new and "
                    "delete of its own; what C++ code asked of them is in no trace; record it "
                    "on the C library's malloc\n",
                    result.program, file.pid));
  if (result.stop_errno != 0 && merged->incomplete.empty())
    merged->incomplete = how_it_stopped(file, path, result);
  if (result.ops > 0) {
    ++merged->traces;
    say(stdout, fmt::format("{}: {} calls of {}\n", path, result.ops, result.program));
    const Trace trace = {path, result.ops, result.program};
    if (trace.ops > merged->largest.ops) merged->largest = trace;
    if (file.pid == file.command_pid) merged->own = trace;
  }
  remove_file(file.path);
}

// Each file by itself: what is wrong with one costs no other its trace.
Merged merge_folder(const std::string &folder, const std::string &output) {
  Merged merged;
  for (const RawFile &file : raw_files(folder)) {
    ++merged.files;
    std::string failure;
    try {
      merge_file(file, output, &merged);
    } catch (const std::bad_alloc &) {
      failure = "there is too little memory to put the events of " + file.path + " in order";
    } catch (const std::exception &error) {
      failure = error.what();
    }
    if (merged.failure.empty()) merged.failure = failure;
  }
  // The program may be called by a wrapper, whose own trace has the name that was asked for.
  if (merged.traces > 1)
    say(stdout, fmt::format("the largest of {} traces is {}: {} calls of {}\n", merged.traces,
                            merged.largest.path, merged.largest.ops, merged.largest.program));
  // Or in a wrapper's place, where a helper of the wrapper's may have called more often.
  if (merged.own.path != merged.largest.path && !merged.own.path.empty())
    say(stdout, fmt::format("the command's own, in the end, is {}: {} calls of {}\n",
                            merged.own.path, merged.own.ops, merged.own.program));
  if (!merged.failure.empty() || merged.files == 0) return merged;
  // Processes that outlive the command may have begun others meanwhile.
  for (const RawFile &file : raw_files(folder)) remove_file(file.path);
  rmdir(folder.c_str());
  return merged;
}

void expect_complete(const Merged &merged, const std::string &folder, const std::string &output) {
  if (!merged.failure.empty())
    throw Error(fmt::format("{}; what is not written yet is kept: hakbench record --merge {} -o {}",
                            merged.failure, folder, output));
  if (!merged.incomplete.empty()) throw Error(merged.incomplete);
}

[[noreturn]] void execute(const std::vector<std::string> &words, const std::string &preload,
                          const std::string &folder) {
  setenv("LD_PRELOAD", preload.c_str(), 1);
  const std::string prefix = fmt::format("{}/{}.{}", folder, kProcess, getpid());
  setenv(trace::kPrefixVariable, prefix.c_str(), 1);
  execvp(words[0].c_str(), pointers(words).data());
  fmt::print(stderr, "hakbench: error: cannot execute {}: {}; name a program and its arguments\n",
             words[0], strerror(errno));
  _exit(127);
}

volatile sig_atomic_t g_program = 0;  // its process, until it has ended

void hand_on(int signal_number) {
  const int code = errno;
  const pid_t program = g_program;
  if (program != 0) kill(program, signal_number);
  errno = code;
}

void say_how_to_stop(int) {
  constexpr char kLine[] =
      "hakbench: the traces are being written; Ctrl-C again ends that, "
      "and `hakbench record --merge` goes on from what is left\n";
  const int code = errno;
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kLine, sizeof kLine - 1);
  errno = code;
}

// What signals do while there is a program to wait for and while its traces are written, until this
// process ends. A signal that was ignored stays so: the process was started with nohup, say.
class Signals {
 public:
  // Ctrl-C and Ctrl-\ reach the program from the terminal. SIGTERM and SIGHUP may have come to this
  // process alone; they wait until there is a program to hand them on to.
  Signals() {
    sigset_t handed_on;
    sigemptyset(&handed_on);
    for (const int number : {SIGTERM, SIGHUP}) sigaddset(&handed_on, number);
    sigprocmask(SIG_BLOCK, &handed_on, &mask_before_);
    for (const int number : {SIGTERM, SIGHUP}) take(number, hand_on);
    for (const int number : {SIGINT, SIGQUIT, SIGPIPE, SIGXFSZ}) take(number, SIG_IGN);
  }

  // For the program, before it is executed.
  void restore() const {
    for (const auto &[number, action] : before_) sigaction(number, &action, nullptr);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  void hand_on_to(pid_t program) const {
    g_program = program;
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  // SIGTERM and SIGHUP have nobody to go to any more, and do nothing: `timeout` sends each twice,
  // so a second one is no request to stop. A second Ctrl-C is.
  void begin_merging() const {
    if (before_.count(SIGINT) == 0) return;
    set(SIGINT, say_how_to_stop, SA_RESTART | SA_RESETHAND);
  }

 private:
  void take(int number, void (*handler)(int)) {
    struct sigaction before = {};
    sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) return;
    before_.emplace(number, before);
    set(number, handler, SA_RESTART);
  }

  static void set(int number, void (*handler)(int), int flags) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(number, &action, nullptr);
  }

  sigset_t mask_before_ = {};
  std::map<int, struct sigaction> before_;
};

// Returns the status of waitpid(2).
int run_recorded(const std::vector<std::string> &words, const std::string &preload,
                 const std::string &folder, const Signals &signals) {
  const pid_t pid = fork();
  if (pid < 0) throw Error(std::string("cannot start a process: ") + strerror(errno));
  if (pid == 0) {
    signals.restore();
    execute(words, preload, folder);
  }
  signals.hand_on_to(pid);
  // Its number stays its own (WNOWAIT) until no signal is handed on to it any more.
  siginfo_t ended = {};
  while (waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  g_program = 0;
  return wait_for_end(pid);
}

int record(const std::vector<std::string> &words, const std::string &output) {
  expect_file_name(output);
  const std::string preload = preload_with(find_library("libhakbench-record.so"));
  const Signals signals;
  const RawFolder raw(output);
  const int status = run_recorded(words, preload, raw.path(), signals);
  signals.begin_merging();
  const Merged merged = merge_folder(raw.path(), output);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127 && merged.files == 0) return 1;
  expect_complete(merged, raw.path(), output);
  if (merged.traces == 0)
    throw Error(words[0] +
                " made no call that could be recorded; a program that is linked statically, or "
                "that changes its user, cannot be");
  if (status != 0)
    say(stderr, fmt::format("hakbench: warning: {} {}; what it did until then is recorded\n",
                            words[0], how_it_ended(status)));
  return 0;
}

// What a recording could not write, or was ended before.
int merge_kept(const std::string &folder, const std::string &output) {
  expect_file_name(output);
  const Merged merged = merge_folder(folder, output);
  if (merged.files == 0)
    throw Error(folder + " holds no raw events; name the folder that `hakbench record` kept");
  expect_complete(merged, folder, output);
  if (merged.traces == 0) throw Error("no call was recorded in " + folder + "; record again");
  return 0;
}

}  // namespace

void add_record_command(CLI::App *app, int *exit_code) {
  CLI::App *command = app->add_subcommand(
      "record", "Record a program's calls of malloc and free as a trace, to replay");
  auto output = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("-o,--output", *output, "The trace: app.trace")->required();
  command->add_option("--merge", *folder,
                      "Run nothing: write the traces of the raw events that a recording kept here");
  command->add_option("CMD", *words, "Behind --: the program and its arguments");
  command->footer(
      "Examples:\n"
      "  hakbench record -o app.trace -- python3 app.py\n"
      "  hakbench record -o server.trace -- redis-server --port 7777     (stop it with Ctrl-C)\n"
      "  timeout 60 hakbench record -o app.trace -- python3 app.py\n"
      "  hakbench record --merge app.trace.raw.k3XyZ9 -o app.trace\n"
      "Each process has its own trace: app.trace is the command's, app.PID.trace that of a\n"
      "process it started, and app.PID.N.trace that of the N-th program it executed in its\n"
      "place. The last lines say which is the largest, and if it is another, which is that of the\n"
      "program that the command's process executed last: where the command is a wrapper (pyenv's\n"
      "python3), app.trace is the wrapper's, and one of these the program's.\n"
      "SIGTERM and SIGHUP are handed on to the command; when it has ended, the traces are "
      "written.\n"
      "Meanwhile the first Ctrl-C is answered, the second ends hakbench. Recorded calls that are\n"
      "in no trace then, or find no room in one, are kept in app.trace.raw.XXXXXX, for --merge. A\n"
      "disk that is full while the program runs ends the recording: the traces hold the calls\n"
      "until then.\n"
      "Exit code 0: the traces are written whole, however the command ended.");
  command->callback([=] {
    if (folder->empty() == words->empty())
      throw Error(
          "name either a program behind -- or a folder with --merge; see hakbench record "
          "--help");
    *exit_code = folder->empty() ? record(*words, *output) : merge_kept(*folder, *output);
  });
}

}  // namespace hakbench
