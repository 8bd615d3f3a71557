#include "coordinator/host.h"

#include <sys/utsname.h>
#include <unistd.h>

#include "coordinator/cpus.h"
#include "coordinator/text_file.h"

namespace hakbench {
namespace {

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

}  // namespace hakbench
