// The judgement over made-up machines, and the collecting on this one.
#include "coordinator/doctor.h"

#include <gtest/gtest.h>

#include "coordinator/cpus.h"
#include "run_fixture.h"

namespace hakbench {
namespace {

// A quiet machine of one's own.
MachineFacts good() {
  MachineFacts facts;
  facts.cpus = {3};
  facts.usable_cpus = 4;
  facts.online_cpus = 4;
  facts.siblings.emplace();
  facts.governors = {"performance"};
  facts.turbo = "off";
  facts.clocksource = "tsc";
  facts.busy_share = 0.0;
  facts.steal_share = 0.0;
  facts.load_1min = 0.1;
  facts.thp = "madvise";
  facts.aslr = 2;
  facts.memory_kb = 16 << 20;
  facts.memory_available_kb = 15 << 20;
  facts.swap_used_kb = 0;
  return facts;
}

std::vector<std::string> warned(const MachineFacts &facts) {
  std::vector<std::string> checks;
  for (const Finding &finding : judge_machine(facts)) {
    EXPECT_FALSE(finding.state.empty()) << finding.check;
    EXPECT_NE(finding.ok, !finding.advice.empty()) << finding.check;
    EXPECT_FALSE(finding.ok && finding.biases) << finding.check;
    if (!finding.ok) checks.push_back(finding.check);
  }
  return checks;
}

using Checks = std::vector<std::string>;

TEST(Doctor, GoodMachineHasNoWarning) {
  EXPECT_EQ(warned(good()), Checks{});
  EXPECT_EQ(bias_warnings(judge_machine(good())), Checks{});
  EXPECT_GE(judge_machine(good()).size(), 16u);
}

struct Fault {
  const char *check;
  bool biases;
  void (*plant)(MachineFacts *facts);
};

constexpr Fault kFaults[] = {
    {"cpus", true, [](MachineFacts *f) { f->usable_cpus = 1; }},
    {"pinning", true, [](MachineFacts *f) { f->can_pin = false; }},
    {"smt", false, [](MachineFacts *f) { f->siblings = {2}; }},
    {"smt", false, [](MachineFacts *f) { f->siblings.reset(); }},
    {"governor", true,
     [](MachineFacts *f) {
       f->governors = {"performance", "powersave"};
     }},
    {"turbo", false, [](MachineFacts *f) { f->turbo = "on"; }},
    {"clocksource", true, [](MachineFacts *f) { f->clocksource = "hpet"; }},
    {"hypervisor", false, [](MachineFacts *f) { f->hypervisor = true; }},
    {"busy", true, [](MachineFacts *f) { f->busy_share = 0.11; }},
    {"steal", true, [](MachineFacts *f) { f->steal_share = 0.06; }},
    {"load", false, [](MachineFacts *f) { f->load_1min = 0.6; }},
    {"thp", true, [](MachineFacts *f) { f->thp = "always"; }},
    {"aslr", true, [](MachineFacts *f) { f->aslr = 0; }},
    {"aslr", true, [](MachineFacts *f) { f->aslr_personality_off = true; }},
    {"memory", true, [](MachineFacts *f) { f->memory_available_kb = 1 << 19; }},
    {"swap", false, [](MachineFacts *f) { f->swap_used_kb = 200 << 10; }},
    {"cpu_quota", true, [](MachineFacts *f) { f->cpu_quota = 1.5; }},
    {"memory_limit", true, [](MachineFacts *f) { f->memory_limit_kb = 1 << 19; }},
    {"syscalls", false, [](MachineFacts *f) { f->syscalls_reason = "not root"; }},
    {"instructions", false, [](MachineFacts *f) { f->instructions_reason = "no PMU"; }},
    {"kernel_events", false, [](MachineFacts *f) { f->events_reason = "not root"; }},
};

TEST(Doctor, EachFaultIsOneWarningOfItsOwn) {
  for (const Fault &fault : kFaults) {
    MachineFacts facts = good();
    fault.plant(&facts);
    EXPECT_EQ(warned(facts), Checks{fault.check});
    EXPECT_EQ(bias_warnings(judge_machine(facts)).size(), fault.biases ? 1u : 0u) << fault.check;
  }
}

TEST(Doctor, EnoughIsEnough) {
  MachineFacts facts = good();
  facts.cpu_quota = 2;  // a subject and the coordinator
  facts.memory_limit_kb = 4 << 20;
  facts.busy_share = 0.05;  // a tick in a short sample
  facts.steal_share = 0.05;
  EXPECT_EQ(warned(facts), Checks{});
}

TEST(Doctor, WhatIsUnknownIsNotJudged) {
  MachineFacts unknown;
  unknown.cpus = {0};
  unknown.usable_cpus = 2;
  EXPECT_EQ(warned(unknown), Checks{"smt"}) << "that siblings are not known is said";
  for (const Finding &finding : judge_machine(unknown))
    for (const char *check : {"governor", "turbo", "clocksource", "busy", "steal", "load", "thp",
                              "aslr", "memory", "swap"})
      EXPECT_NE(finding.check, check);
}

TEST(Doctor, FactsOfThisMachineAreSane) {
  const std::vector<int> cpus = {allowed_cpus().back()};
  const auto start = std::chrono::steady_clock::now();
  const MachineFacts facts = collect_machine_facts(cpus, std::chrono::milliseconds(50));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  EXPECT_EQ(facts.cpus, cpus);
  EXPECT_EQ(facts.usable_cpus, static_cast<int>(allowed_cpus().size()))
      << "the pinning that was tried is undone";
  EXPECT_GE(facts.online_cpus, 1);
  EXPECT_TRUE(facts.can_pin);
  ASSERT_TRUE(facts.memory_kb && facts.memory_available_kb && facts.aslr && facts.load_1min);
  EXPECT_GT(*facts.memory_kb, *facts.memory_available_kb);
  EXPECT_LE(*facts.aslr, 2);
  EXPECT_FALSE(facts.hypervisor && facts.siblings && facts.siblings->empty())
      << "a virtual machine can't know that there are none";
  if (facts.busy_share) {
    EXPECT_GE(*facts.busy_share, 0);
    EXPECT_LE(*facts.busy_share + *facts.steal_share, 1.0001);
  }
  EXPECT_FALSE(collect_machine_facts({1023}, std::chrono::milliseconds(0)).can_pin);
}

using DoctorRun = RunTest;

TEST_F(DoctorRun, CpusOfOthersAreRefusedAsByARun) {
  const std::vector<int> allowed = allowed_cpus();
  const std::string first = std::to_string(allowed.front());
  for (const std::string &cpus : {std::string("1023"), first + ",1023"})
    expect_refused({"doctor", "--cpus", cpus},
                   "CPU 1023 is not among those this process may use (" + format_cpu_list(allowed) +
                       "); choose others with --cpus");
  expect_refused({"doctor", "--cpus", "one"}, "--cpus one is no list of CPUs");
  const Outcome outcome = run({"doctor", "--cpus", first, "--format", "json"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.error;
  EXPECT_TRUE(json::parse(outcome.out).contains("findings"));
}

}  // namespace
}  // namespace hakbench
