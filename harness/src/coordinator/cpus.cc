#include "coordinator/cpus.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "model/error.h"

namespace hakbench {
namespace {

bool parse_cpu(const std::string &text, int *out) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return code == std::errc() && end == text.data() + text.size() && *out >= 0 && *out < CPU_SETSIZE;
}

}  // namespace

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

std::vector<int> default_subject_cpus(const std::vector<int> &allowed, uint32_t threads) {
  if (threads == 1) return {allowed.back()};
  if (allowed.size() > threads) return {allowed.begin() + 1, allowed.begin() + 1 + threads};
  return allowed;
}

int coordinator_seat(const std::vector<int> &allowed, const std::vector<int> &subjects) {
  const auto is_free = [&](int cpu) {
    return std::find(subjects.begin(), subjects.end(), cpu) == subjects.end();
  };
  const auto seat = std::find_if(allowed.begin(), allowed.end(), is_free);
  return seat == allowed.end() ? allowed.front() : *seat;
}

bool parse_cpu_list(const std::string &text, std::vector<int> *out) {
  out->clear();
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const size_t dash = part.find('-');
    int first = 0;
    int last = 0;
    if (!parse_cpu(part.substr(0, dash), &first)) return false;
    last = first;
    if (dash != std::string::npos && !parse_cpu(part.substr(dash + 1), &last)) return false;
    if (last < first) return false;
    for (int cpu = first; cpu <= last; ++cpu) out->push_back(cpu);
  }
  return !out->empty();
}

std::string format_cpu_list(const std::vector<int> &cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(cpus[i]);
    if (end - i > 1) text += '-' + std::to_string(cpus[end - 1]);
    i = end;
  }
  return text;
}

std::vector<int> subject_cpus(const std::string &text, const std::vector<int> &allowed,
                              uint32_t threads) {
  std::vector<int> cpus = default_subject_cpus(allowed, threads);
  if (!text.empty() && !parse_cpu_list(text, &cpus))
    throw Error("--cpus " + text + " is no list of CPUs; write for example 1 or 1,3-4");
  for (const int cpu : cpus)
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
      throw Error("CPU " + std::to_string(cpu) + " is not among those this process may use (" +
                  format_cpu_list(allowed) + "); choose others with --cpus");
  return cpus;
}

void pin_process(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace hakbench
