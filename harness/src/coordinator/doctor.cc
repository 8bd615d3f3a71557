#include "coordinator/doctor.h"

#include <fmt/format.h>

#include "coordinator/cpus.h"
#include "model/text.h"

namespace hakbench {
namespace {

// The kernel counts in ticks of usually 10 ms: one tick in a sample of 200 ms is chance.
constexpr double kBusyShare = 0.10;
constexpr double kStealShare = 0.05;
constexpr double kLoadOfOthers = 0.5;
constexpr int64_t kLittleMemoryKb = 1024 * 1024;
constexpr int64_t kSwapUsedKb = 100 * 1024;

enum class Effect { kNoise, kBias };

class Findings {
 public:
  void add(const char *check, bool ok, Effect effect, const std::string &state,
           const std::string &advice) {
    list.push_back({check, ok, !ok && effect == Effect::kBias, state, ok ? "" : advice});
  }
  std::vector<Finding> list;
};

// The only fact whose absence is told: "shares with none" is what a reader would take it for.
void judge_siblings(const MachineFacts &facts, Findings *out) {
  const std::string cpus = format_cpu_list(facts.cpus);
  if (!facts.siblings) {
    out->add("smt", false, Effect::kNoise,
             fmt::format("not known whether CPU {} shares its core", cpus),
             "Linux shows no sibling, but a hypervisor may hide them; what runs on one slows the "
             "subject");
    return;
  }
  out->add("smt", facts.siblings->empty(), Effect::kNoise,
           facts.siblings->empty() ? fmt::format("CPU {} shares its core with none", cpus)
                                   : fmt::format("CPU {} shares its core with CPU {}", cpus,
                                                 format_cpu_list(*facts.siblings)),
           "what runs there slows the subject; switch SMT off: echo off > "
           "/sys/devices/system/cpu/smt/control");
}

void judge_cpus(const MachineFacts &facts, Findings *out) {
  const std::string cpus = format_cpu_list(facts.cpus);
  out->add("cpus", facts.usable_cpus >= 2, Effect::kBias,
           fmt::format("{} of {} CPUs usable", facts.usable_cpus, facts.online_cpus),
           "coordinator and subject share one and disturb each other; allow this process two");
  out->add("pinning", facts.can_pin, Effect::kBias,
           facts.can_pin ? "subjects can be pinned to CPU " + cpus
                         : "subjects can't be pinned to CPU " + cpus,
           "they move between CPUs while they are timed; allow sched_setaffinity, or other CPUs");
  judge_siblings(facts, out);
  if (!facts.governors.empty())
    out->add("governor", facts.governors == std::vector<std::string>{"performance"}, Effect::kBias,
             "CPU governor is " + join(facts.governors),
             "the clock follows the load; set it: cpupower frequency-set -g performance");
  if (!facts.turbo.empty())
    out->add("turbo", facts.turbo == "off", Effect::kNoise, "turbo is " + facts.turbo,
             "the clock follows temperature and neighbours; switch it off for small differences");
}

void judge_clock(const MachineFacts &facts, Findings *out) {
  if (!facts.clocksource.empty())
    out->add("clocksource", facts.clocksource == "tsc", Effect::kBias,
             "clock source is " + facts.clocksource,
             "reading the time may be slow or a system call, which shows in latency and in short "
             "epochs; boot with clocksource=tsc, or use a machine with a stable TSC");
  out->add("hypervisor", !facts.hypervisor, Effect::kNoise,
           facts.hypervisor ? "this is a virtual machine" : "no hypervisor",
           "neighbours on the host come and go unseen; compare only within a run, and repeat it on "
           "another day");
}

void judge_load(const MachineFacts &facts, Findings *out) {
  const std::string cpus = format_cpu_list(facts.cpus);
  if (facts.busy_share)
    out->add("busy", *facts.busy_share <= kBusyShare, Effect::kBias,
             fmt::format("CPU {} is {:.0f} % busy now", cpus, *facts.busy_share * 100),
             "something else runs where the subjects are timed; find it with top and end it");
  if (facts.steal_share)
    out->add(
        "steal", *facts.steal_share <= kStealShare, Effect::kBias,
        fmt::format("the hypervisor takes {:.0f} % of CPU {} now", *facts.steal_share * 100, cpus),
        "the host is overcommitted; measure later, or elsewhere");
  if (facts.load_1min)
    out->add("load", *facts.load_1min <= kLoadOfOthers, Effect::kNoise,
             fmt::format("load average is {:.2f} over a minute", *facts.load_1min),
             "something runs, or just did; wait until it is quiet");
}

void judge_memory(const MachineFacts &facts, Findings *out) {
  if (!facts.thp.empty())
    out->add("thp", facts.thp != "always", Effect::kBias, "transparent huge pages: " + facts.thp,
             "RSS grows in steps of 2 MiB that the allocator did not ask for; echo madvise > "
             "/sys/kernel/mm/transparent_hugepage/enabled");
  const bool aslr = facts.aslr.value_or(2) != 0 && !facts.aslr_personality_off;
  if (facts.aslr)
    out->add("aslr", aslr, Effect::kBias,
             aslr ? "address-space layout is random" : "address-space layout is not random",
             "all launches see one layout, so luck with it looks like a difference; sysctl "
             "kernel.randomize_va_space=2, and no setarch -R");
  if (facts.memory_available_kb)
    out->add("memory", *facts.memory_available_kb >= kLittleMemoryKb, Effect::kBias,
             fmt::format("{} MiB of memory available", *facts.memory_available_kb / 1024),
             "the kernel reclaims pages while subjects are timed; free memory");
  if (facts.swap_used_kb)
    out->add(
        "swap", *facts.swap_used_kb <= kSwapUsedKb, Effect::kNoise,
        fmt::format("{} MiB swapped out", *facts.swap_used_kb / 1024),
        "memory was short; what is swapped out is missing in RSS; free memory, then swapoff -a "
        "&& swapon -a");
}

void judge_cgroup(const MachineFacts &facts, Findings *out) {
  if (facts.cpu_quota) {
    const auto needed = static_cast<double>(facts.cpus.size()) + 1;
    out->add(
        "cpu_quota", *facts.cpu_quota >= needed, Effect::kBias,
        fmt::format("the cgroup may use {:.2f} CPUs", *facts.cpu_quota),
        fmt::format("subjects are stopped in mid-epoch when it is used up; allow at least {:.0f}",
                    needed));
  } else {
    out->add("cpu_quota", true, Effect::kBias, "the cgroup has no CPU quota", "");
  }
  if (facts.memory_limit_kb)
    out->add("memory_limit", *facts.memory_limit_kb >= kLittleMemoryKb, Effect::kBias,
             fmt::format("the cgroup may use {} MiB of memory", *facts.memory_limit_kb / 1024),
             "near the limit the kernel reclaims pages or kills; raise it");
  else
    out->add("memory_limit", true, Effect::kBias, "the cgroup has no memory limit", "");
}

void judge_counters(const MachineFacts &facts, Findings *out) {
  const bool syscalls = facts.syscalls_reason.empty();
  out->add("syscalls", syscalls, Effect::kNoise,
           syscalls ? "system calls can be counted" : "system calls can't be counted",
           "the column syscalls stays empty: " + facts.syscalls_reason);
  const bool instructions = facts.instructions_reason.empty();
  out->add("instructions", instructions, Effect::kNoise,
           instructions ? "instructions can be counted" : "instructions can't be counted",
           "the column instructions stays empty: " + facts.instructions_reason);
  const bool events = facts.events_reason.empty();
  out->add(
      "kernel_events", events, Effect::kNoise,
      events ? "page faults and context switches can be recorded one by one"
             : "page faults and context switches can't be recorded one by one",
      "what slow operations coincide with stays empty in exemplars.csv: " + facts.events_reason);
}

}  // namespace

std::vector<Finding> judge_machine(const MachineFacts &facts) {
  Findings findings;
  judge_load(facts, &findings);
  judge_cpus(facts, &findings);
  judge_clock(facts, &findings);
  judge_memory(facts, &findings);
  judge_cgroup(facts, &findings);
  judge_counters(facts, &findings);
  return findings.list;
}

std::vector<std::string> bias_warnings(const std::vector<Finding> &findings) {
  std::vector<std::string> lines;
  for (const Finding &finding : findings)
    if (finding.biases) lines.push_back(finding.state);
  return lines;
}

}  // namespace hakbench
