#include "coordinator/ledger.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <sstream>
#include <thread>

#include "coordinator/child.h"
#include "coordinator/interrupt.h"
#include "coordinator/proc_sampler.h"
#include "coordinator/subject_process.h"
#include "coordinator/text_file.h"
#include "model/error.h"

namespace hakbench {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::chrono::seconds kAnswerTimeout{30};
constexpr std::chrono::milliseconds kSleepTimeout{1000};
constexpr std::chrono::milliseconds kPoll{20};
// A slow allocator on a busy machine, for the timeout.
constexpr double kSecondsPerOp = 20e-6;
constexpr char kFileVariable[] = "HAKMEM_LEDGER_DUMP";
constexpr char kSignalVariable[] = "HAKMEM_LEDGER_SIGNAL";

json parse_ledger(const std::string &text, const std::string &whose) {
  json ledger = json::parse(text, nullptr, false);
  if (!ledger.is_object()) throw Error("the ledger of " + whose + " is no JSON; try again");
  if (ledger.contains("error"))
    throw Error("no ledger of " + whose + ": " + ledger["error"].get<std::string>());
  return ledger;
}

// --- a running program

// The environment that the process was started with.
std::optional<std::string> variable_of(pid_t pid, const std::string &name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/environ";
  const std::optional<std::string> text = read_text_file(path);
  if (!text)
    throw Error(path + " can't be read (" + strerror(errno) +
                "); give the number of a process of yours that runs");
  std::istringstream entries(*text);
  for (std::string entry; std::getline(entries, entry, '\0');)
    if (entry.rfind(name + "=", 0) == 0) return entry.substr(name.size() + 1);
  return std::nullopt;
}

bool handles(pid_t pid, int signal_number) {
  const std::string status =
      read_text_file("/proc/" + std::to_string(pid) + "/status").value_or("");
  const size_t at = status.find("\nSigCgt:");
  if (at == std::string::npos || signal_number < 1 || signal_number > 64) return false;
  const uint64_t caught = strtoull(status.c_str() + at + strlen("\nSigCgt:"), nullptr, 16);
  return (caught >> (signal_number - 1) & 1) != 0;
}

fs::path ledger_file(pid_t pid, std::string pattern) {
  const size_t mark = pattern.find("%p");
  if (mark != std::string::npos) pattern.replace(mark, 2, std::to_string(pid));
  return fs::path("/proc") / std::to_string(pid) / "cwd" / pattern;  // an absolute one stays so
}

// A file's identity and time; the process renames a new file into place.
std::optional<fs::file_time_type> time_of(const fs::path &path) {
  std::error_code code;
  const fs::file_time_type time = fs::last_write_time(path, code);
  return code ? std::nullopt : std::optional(time);
}

// --- a command

// A folder that is gone at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char *const place = getenv("TMPDIR");
    const fs::path parent = place == nullptr || *place == '\0' ? "/tmp" : place;
    std::string pattern = (parent / "hakbench-ledger-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error("cannot make a folder in " + parent.string() + ": " + strerror(errno) +
                  "; set TMPDIR to a place that can be written");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  const fs::path &path() const { return path_; }

 private:
  fs::path path_;
};

// How the command ended; empty: well.
std::string run_to_end(const std::vector<std::string> &command,
                       const std::map<std::string, std::string> &environment) {
  const pid_t child = fork();
  if (child < 0) throw Error(std::string("cannot start a process: ") + strerror(errno));
  if (child == 0) {
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    for (const auto &[name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execvp(command[0].c_str(), pointers(command).data());
    _exit(127);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    try {
      throw_if_interrupted();
    } catch (const Interrupted &interrupted) {
      // Ctrl-C has reached it already, from the terminal.
      if (interrupted.signal != SIGINT) kill(child, interrupted.signal);
    }
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return "can't be started; is it installed?";
  return how_it_ended(status);
}

}  // namespace

json ledger_of_workload(const RunConfig &config) {
  const SubjectConfig &subject = config.subjects.front();
  const uint32_t threads = config.workload.threads;
  const uint64_t ops = std::max<uint64_t>(1, *config.ops / threads);
  const uint64_t prefault = config.prefault_ops.value_or(*config.ops / 10) / threads;
  const auto timeout =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(
          config.grace_s + static_cast<double>(ops + prefault) * kSecondsPerOp));
  try {
    SubjectProcess process(subject, config.workload, config.cpus);
    process.execute(CommandKind::kLoad, 0, timeout);
    if (prefault > 0) process.execute(CommandKind::kPrefault, prefault, timeout);
    process.execute(CommandKind::kRun, ops, timeout);
    process.execute(CommandKind::kLiveBytes, 0, timeout);
    const uint64_t asked = process.control().live_bytes;
    wait_until_asleep(process.pid(), kSleepTimeout);
    process.execute(CommandKind::kLedger, 0, timeout);
    json ledger = parse_ledger(process.control().text, subject.plugin.name);
    const Integer outside_kb = sample_memory(process.pid()).rss_kb;
    process.shut_down();
    ledger["allocator"] = subject.plugin.name;
    ledger["workload"] = {{"name", config.workload.name},
                          {"params", config.workload.params},
                          {"threads", threads},
                          {"seed", config.workload.seed}};
    ledger["prefault_ops"] = prefault * threads;
    ledger["ops"] = ops * threads;
    ledger["asked_bytes"] = asked;
    if (ledger.contains("blocks_held_bytes"))
      ledger["rounding_bytes"] = ledger["blocks_held_bytes"].get<uint64_t>() - asked;
    if (outside_kb) ledger["rss_outside_bytes"] = *outside_kb * 1024;
    return ledger;
  } catch (const SubjectFailure &failure) {
    const bool has_none = std::string(failure.what()) == "it keeps no ledger";
    throw Error("allocator " + subject.plugin.name + ": " + failure.what() +
                (has_none ? "; only hakmem's observe build does: -a hakmem_observe" : ""));
  }
}

json ledger_of_process(LedgerRequest request) {
  const pid_t pid = request.pid;
  const std::string whose = "process " + std::to_string(pid);
  if (request.file.empty()) request.file = variable_of(pid, kFileVariable).value_or("");
  if (request.signal_number == 0)
    request.signal_number = atoi(variable_of(pid, kSignalVariable).value_or("").c_str());
  if (request.file.empty() || request.signal_number == 0)
    throw Error(
        whose + " has no " + kFileVariable + " and " + kSignalVariable +
        " in its environment; start it with both and libhakmem-observe.so in LD_PRELOAD, or "
        "if it overwrites its environment give --file and --signal too");
  const int signal_number = request.signal_number;
  if (!handles(pid, signal_number))
    throw Error(whose + " does not handle signal " + std::to_string(signal_number) +
                "; start it with libhakmem-observe.so in LD_PRELOAD, or choose another signal");
  const fs::path file = ledger_file(pid, request.file);
  const auto before = time_of(file);
  if (kill(pid, signal_number) != 0)
    throw Error(whose + " can't be signalled: " + strerror(errno) + "; it must be yours");
  const auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
  while (time_of(file) == before) {
    throw_if_interrupted();
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(whose + " wrote no " + request.file + " within " +
                  std::to_string(kAnswerTimeout.count()) +
                  " s; look at its standard error for the reason");
    std::this_thread::sleep_for(kPoll);
  }
  return parse_ledger(read_text_file(file).value_or(""), whose);
}

CommandLedgers ledgers_of_command(const std::vector<std::string> &command,
                                  const std::string &library) {
  const std::string preload = preload_with(library);
  const TemporaryFolder folder;
  CommandLedgers result;
  result.failure = run_to_end(
      command, {{"LD_PRELOAD", preload}, {kFileVariable, (folder.path() / "%p.json").string()}});
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const auto &entry : fs::directory_iterator(folder.path()))
    files.emplace_back(entry.last_write_time(), entry.path());
  std::sort(files.begin(), files.end());
  for (const auto &[time, path] : files)
    result.ledgers.push_back(
        parse_ledger(read_text_file(path).value_or(""), "process " + path.stem().string()));
  return result;
}

}  // namespace hakbench
