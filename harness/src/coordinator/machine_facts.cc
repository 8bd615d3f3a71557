#include "coordinator/machine_facts.h"

#include <sched.h>
#include <sys/personality.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <thread>

#include "coordinator/cpus.h"
#include "coordinator/event_rings.h"
#include "coordinator/kernel_counter.h"
#include "coordinator/proc_sampler.h"
#include "coordinator/text_file.h"

namespace hakbench {
namespace {

namespace fs = std::filesystem;

std::string cpu_file(int cpu, const std::string &name) {
  return read_line_file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/" + name);
}

// Ticks of some CPUs since the machine booted.
struct CpuTicks {
  long long busy = 0;
  long long idle = 0;
  long long steal = 0;
};

CpuTicks read_ticks(const std::vector<int> &cpus) {
  CpuTicks ticks;
  std::istringstream lines(read_text_file("/proc/stat").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    int cpu = 0;
    long long t[8] = {};  // user nice system idle iowait irq softirq steal
    if (sscanf(line.c_str(), "cpu%d %lld %lld %lld %lld %lld %lld %lld %lld", &cpu, &t[0], &t[1],
               &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 9 ||
        std::find(cpus.begin(), cpus.end(), cpu) == cpus.end())
      continue;
    ticks.busy += t[0] + t[1] + t[2] + t[5] + t[6];
    ticks.idle += t[3] + t[4];
    ticks.steal += t[7];
  }
  return ticks;
}

void watch_cpus(std::chrono::milliseconds sample, MachineFacts *facts) {
  const CpuTicks before = read_ticks(facts->cpus);
  std::this_thread::sleep_for(sample);
  const CpuTicks after = read_ticks(facts->cpus);
  const auto busy = static_cast<double>(after.busy - before.busy);
  const auto steal = static_cast<double>(after.steal - before.steal);
  const double all = busy + steal + static_cast<double>(after.idle - before.idle);
  if (all <= 0) return;
  facts->busy_share = busy / all;
  facts->steal_share = steal / all;
}

std::string turbo_state() {
  const std::string off = read_line_file("/sys/devices/system/cpu/intel_pstate/no_turbo");
  if (!off.empty()) return off == "1" ? "off" : "on";
  const std::string on = read_line_file("/sys/devices/system/cpu/cpufreq/boost");
  return on.empty() ? "" : on == "1" ? "on" : "off";
}

std::optional<std::vector<int>> siblings_of(const std::vector<int> &cpus, bool hypervisor) {
  std::set<int> siblings;
  bool readable = true;
  bool shown = false;  // at all, if only among `cpus`
  for (const int cpu : cpus) {
    std::vector<int> shared;
    readable &= parse_cpu_list(cpu_file(cpu, "topology/thread_siblings_list"), &shared);
    shown |= shared.size() > 1;
    for (const int sibling : shared)
      if (std::find(cpus.begin(), cpus.end(), sibling) == cpus.end()) siblings.insert(sibling);
  }
  if (siblings.empty() && (!readable || (hypervisor && !shown))) return {};
  return std::vector<int>(siblings.begin(), siblings.end());
}

bool may_sit_on(const std::vector<int> &cpus) {
  cpu_set_t before;
  CPU_ZERO(&before);
  if (sched_getaffinity(0, sizeof before, &before) != 0) return false;
  cpu_set_t wanted;
  CPU_ZERO(&wanted);
  for (const int cpu : cpus) CPU_SET(cpu, &wanted);
  const bool ok = sched_setaffinity(0, sizeof wanted, &wanted) == 0;
  sched_setaffinity(0, sizeof before, &before);
  return ok;
}

// "always [madvise] never" to "madvise".
std::string chosen(const std::string &choices) {
  const size_t open = choices.find('[');
  const size_t close = choices.find(']');
  if (open == std::string::npos || close == std::string::npos) return "";
  return choices.substr(open + 1, close - open - 1);
}

// The folders of this process's cgroup and of those around it, for one v1 controller or (an empty name)
// v2. A container often sees only the outermost.
std::vector<std::string> cgroup_folders(const std::string &controller) {
  const std::string mount = controller.empty() ? "/sys/fs/cgroup" : "/sys/fs/cgroup/" + controller;
  std::vector<std::string> folders;
  std::istringstream lines(read_text_file("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (names.find("," + controller + ",") == std::string::npos) continue;
    for (fs::path at = line.substr(second + 1); at.has_relative_path(); at = at.parent_path())
      folders.push_back(mount + at.string());
  }
  folders.push_back(mount);
  return folders;
}

void take_smaller(double value, Real *smallest) {
  if (value > 0 && (!*smallest || value < **smallest)) *smallest = value;
}

Real cpu_quota() {
  Real quota;
  double time = 0;
  double period = 0;
  for (const std::string &folder : cgroup_folders(""))
    if (sscanf(read_line_file(folder + "/cpu.max").c_str(), "%lf %lf", &time, &period) == 2)
      take_smaller(time / period, &quota);
  for (const std::string &folder : cgroup_folders("cpu")) {
    period = atof(read_line_file(folder + "/cpu.cfs_period_us").c_str());
    time = atof(read_line_file(folder + "/cpu.cfs_quota_us").c_str());
    if (period > 0) take_smaller(time / period, &quota);  // -1: no quota
  }
  return quota;
}

// Limits above the machine's memory are how version 1 says that there is none.
Integer memory_limit_kb(Integer memory_kb) {
  Real limit;
  for (const std::string &folder : cgroup_folders(""))
    take_smaller(atof(read_line_file(folder + "/memory.max").c_str()) / 1024, &limit);
  for (const std::string &folder : cgroup_folders("memory"))
    take_smaller(atof(read_line_file(folder + "/memory.limit_in_bytes").c_str()) / 1024, &limit);
  if (!limit || (memory_kb && *limit >= static_cast<double>(*memory_kb))) return {};
  return static_cast<int64_t>(*limit);
}

}  // namespace

MachineFacts collect_machine_facts(const std::vector<int> &cpus, std::chrono::milliseconds sample) {
  MachineFacts facts;
  facts.cpus = cpus;
  watch_cpus(sample, &facts);
  facts.usable_cpus = static_cast<int>(allowed_cpus().size());
  facts.online_cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  facts.can_pin = may_sit_on(cpus);
  std::set<std::string> governors;
  for (const int cpu : cpus) governors.insert(cpu_file(cpu, "cpufreq/scaling_governor"));
  governors.erase("");
  facts.governors.assign(governors.begin(), governors.end());
  facts.turbo = turbo_state();
  facts.clocksource =
      read_line_file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  facts.hypervisor =
      read_text_file("/proc/cpuinfo").value_or("").find(" hypervisor") != std::string::npos;
  facts.siblings = siblings_of(cpus, facts.hypervisor);
  facts.load_1min = load_1min();
  facts.thp = chosen(read_line_file("/sys/kernel/mm/transparent_hugepage/enabled"));
  facts.aslr = number_after(read_text_file("/proc/sys/kernel/randomize_va_space").value_or(""), "");
  const int personality_now = personality(0xffffffff);
  facts.aslr_personality_off = personality_now != -1 && (personality_now & ADDR_NO_RANDOMIZE) != 0;
  const std::string memory = read_text_file("/proc/meminfo").value_or("");
  facts.memory_kb = number_after(memory, "MemTotal:");
  facts.memory_available_kb = number_after(memory, "MemAvailable:");
  const Integer swap_kb = number_after(memory, "SwapTotal:");
  const Integer swap_free_kb = number_after(memory, "SwapFree:");
  if (swap_kb && swap_free_kb) facts.swap_used_kb = *swap_kb - *swap_free_kb;
  facts.cpu_quota = cpu_quota();
  facts.memory_limit_kb = memory_limit_kb(facts.memory_kb);
  facts.syscalls_reason = syscall_source().reason;
  facts.instructions_reason = instruction_source().reason;
  facts.events_reason = event_source().reason;
  return facts;
}

}  // namespace hakbench
