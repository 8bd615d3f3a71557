#include "coordinator/host.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coordinator/cpus.h"
#include "coordinator/text_file.h"

extern char **environ;

namespace hakbench {
namespace {

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(" \t\n") + 1);
  return text;
}

// The command's standard output, or nothing if it failed.
std::optional<std::string> capture(const std::vector<std::string> &command) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char *> argv;
  for (const std::string &word : command) argv.push_back(const_cast<char *>(word.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int code = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(fds[1]);
  std::string text;
  char chunk[4096];
  ssize_t length = 0;
  while (code == 0 && (length = read(fds[0], chunk, sizeof chunk)) > 0)
    text.append(chunk, static_cast<size_t>(length));
  close(fds[0]);
  int status = 1;
  if (code != 0 || waitpid(child, &status, 0) != child || status != 0) return std::nullopt;
  return trimmed(text);
}

void put(nlohmann::json *facts, const char *name, const std::string &value) {
  if (!value.empty()) (*facts)[name] = value;
}

std::string cpu_model() {
  const std::string text = read_text_file("/proc/cpuinfo").value_or("");
  const size_t key = text.find("model name");
  if (key == std::string::npos) return "";
  const size_t colon = text.find(": ", key);
  return text.substr(colon + 2, text.find('\n', colon) - colon - 2);
}

// The first of the files that exists: cgroup v2, then v1.
std::string first_line(const std::vector<std::string> &paths) {
  for (const std::string &path : paths)
    if (std::string line = read_line_file(path); !line.empty()) return line;
  return "";
}

nlohmann::json cgroup_facts() {
  nlohmann::json facts = nlohmann::json::object();
  put(&facts, "memory_limit",
      first_line({"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
  put(&facts, "cpu_quota",
      first_line({"/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"}));
  return facts;
}

}  // namespace

nlohmann::json host_facts() {
  nlohmann::json facts;
  utsname name = {};
  uname(&name);
  facts["hostname"] = name.nodename;
  facts["kernel"] = std::string(name.sysname) + " " + name.release;
  facts["machine"] = name.machine;
  put(&facts, "cpu_model", cpu_model());
  facts["cpus_online"] = sysconf(_SC_NPROCESSORS_ONLN);
  facts["cpus_allowed"] = format_cpu_list(allowed_cpus());
  facts["memory_kb"] = sysconf(_SC_PHYS_PAGES) * (sysconf(_SC_PAGESIZE) / 1024);
  facts["page_bytes"] = sysconf(_SC_PAGESIZE);
  put(&facts, "thp_enabled", read_line_file("/sys/kernel/mm/transparent_hugepage/enabled"));
  put(&facts, "thp_defrag", read_line_file("/sys/kernel/mm/transparent_hugepage/defrag"));
  put(&facts, "governor", read_line_file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  put(&facts, "smt", read_line_file("/sys/devices/system/cpu/smt/control"));
  put(&facts, "clocksource",
      read_line_file("/sys/devices/system/clocksource/clocksource0/current_clocksource"));
  put(&facts, "overcommit_memory", read_line_file("/proc/sys/vm/overcommit_memory"));
  put(&facts, "randomize_va_space", read_line_file("/proc/sys/kernel/randomize_va_space"));
  put(&facts, "load_average", read_line_file("/proc/loadavg"));
  facts["cgroup"] = cgroup_facts();
  return facts;
}

nlohmann::json git_facts(const std::string &folder) {
  nlohmann::json facts = nlohmann::json::object();
  const auto commit = capture({"git", "-C", folder, "rev-parse", "HEAD"});
  if (!commit) return facts;
  facts["commit"] = *commit;
  if (const auto branch = capture({"git", "-C", folder, "rev-parse", "--abbrev-ref", "HEAD"}))
    facts["branch"] = *branch;
  if (const auto changes = capture({"git", "-C", folder, "status", "--porcelain"}))
    facts["dirty"] = !changes->empty();
  return facts;
}

}  // namespace hakbench
