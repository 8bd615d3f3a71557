#include "coordinator/proc_sampler.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <thread>

#include "coordinator/text_file.h"

namespace hakbench {
namespace {

std::string proc_path(pid_t pid, const std::string &name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::vector<pid_t> list_threads(pid_t pid) {
  std::vector<pid_t> threads;
  DIR *directory = opendir(proc_path(pid, "task").c_str());
  if (directory == nullptr) return threads;
  while (const dirent *entry = readdir(directory))
    if (entry->d_name[0] != '.') threads.push_back(static_cast<pid_t>(atoi(entry->d_name)));
  closedir(directory);
  std::sort(threads.begin(), threads.end());
  return threads;
}

std::string thread_path(pid_t pid, pid_t thread, const std::string &name) {
  return proc_path(pid, "task/" + std::to_string(thread) + "/" + name);
}

// The fields of a stat file after the command's name, which may itself hold blanks and parentheses;
// [0] is field 3 of proc(5), the state.
std::vector<std::string> stat_fields(const std::string &path) {
  const std::string text = read_text_file(path).value_or("");
  const size_t close_at = text.rfind(')');
  std::vector<std::string> fields;
  if (close_at == std::string::npos) return fields;
  std::istringstream rest(text.substr(close_at + 1));
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

void add(Integer *sum, Integer value) {
  if (!value) return;
  *sum = sum->value_or(0) + *value;
}

void add_thread(pid_t pid, pid_t thread, ProcCounters *out) {
  long long run_ns = 0;
  long long delay_ns = 0;
  const std::string schedstat = read_line_file(thread_path(pid, thread, "schedstat"));
  if (sscanf(schedstat.c_str(), "%lld %lld", &run_ns, &delay_ns) == 2) {
    add(&out->threads_cpu_time_ns, run_ns);
    add(&out->run_delay_ns, delay_ns);
  }
  const std::string status = read_text_file(thread_path(pid, thread, "status")).value_or("");
  add(&out->voluntary_switches, number_after(status, "voluntary_ctxt_switches:"));
  add(&out->involuntary_switches, number_after(status, "nonvoluntary_ctxt_switches:"));
}

Integer process_cpu_time_ns(pid_t pid) {
  clockid_t clock;
  timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return {};
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Field 8 of a "cpuN" line of /proc/stat: ticks that the hypervisor took.
Integer steal_ns(const std::vector<int> &cpus) {
  const std::string text = read_text_file("/proc/stat").value_or("");
  const int64_t tick_ns = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  Integer sum;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    int cpu = 0;
    long long steal = 0;
    if (sscanf(line.c_str(), "cpu%d %*s %*s %*s %*s %*s %*s %*s %lld", &cpu, &steal) != 2) continue;
    if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) add(&sum, steal * tick_ns);
  }
  return sum;
}

Integer psi_cpu_us() {
  const std::string text = read_text_file("/proc/pressure/cpu").value_or("");
  const size_t at = text.find("total=");
  if (at == std::string::npos) return {};
  return atoll(text.c_str() + at + 6);
}

bool all_asleep(pid_t pid) {
  for (const pid_t thread : list_threads(pid)) {
    const std::vector<std::string> fields = stat_fields(thread_path(pid, thread, "stat"));
    if (!fields.empty() && fields[0] != "S") return false;
  }
  return true;
}

}  // namespace

ProcCounters sample_counters(pid_t pid, const std::vector<int> &cpus) {
  ProcCounters counters;
  counters.threads = list_threads(pid);
  for (const pid_t thread : counters.threads) add_thread(pid, thread, &counters);
  const std::vector<std::string> stat = stat_fields(proc_path(pid, "stat"));
  if (stat.size() > 9) {
    counters.minor_faults = atoll(stat[7].c_str());
    counters.major_faults = atoll(stat[9].c_str());
  }
  counters.cpu_time_ns = process_cpu_time_ns(pid);
  counters.steal_ns = steal_ns(cpus);
  counters.psi_cpu_us = psi_cpu_us();
  return counters;
}

ProcMemory sample_memory(pid_t pid) {
  ProcMemory memory;
  const std::string rollup = read_text_file(proc_path(pid, "smaps_rollup")).value_or("");
  memory.rss_kb = number_after(rollup, "Rss:");
  memory.anon_huge_kb = number_after(rollup, "AnonHugePages:");
  const std::string status = read_text_file(proc_path(pid, "status")).value_or("");
  memory.peak_rss_kb = number_after(status, "VmHWM:");
  memory.vm_size_kb = number_after(status, "VmSize:");
  // Kernels without smaps_rollup: VmRSS is the same, but may lag by a few pages a thread.
  if (!memory.rss_kb) memory.rss_kb = number_after(status, "VmRSS:");
  // The same lag could put the high-water mark below the exact present value.
  if (memory.rss_kb && memory.peak_rss_kb)
    memory.peak_rss_kb = std::max(*memory.peak_rss_kb, *memory.rss_kb);
  return memory;
}

Integer own_rss_kb() {
  return number_after(read_text_file("/proc/self/smaps_rollup").value_or(""), "Rss:");
}

Real load_1min() {
  double load = 0;
  if (sscanf(read_line_file("/proc/loadavg").c_str(), "%lf", &load) != 1) return {};
  return load;
}

bool reset_peak_rss(pid_t pid) {
  const int fd = open(proc_path(pid, "clear_refs").c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, "5", 1) == 1;
  close(fd);
  return ok;
}

bool wait_until_asleep(pid_t pid, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!all_asleep(pid)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

}  // namespace hakbench
