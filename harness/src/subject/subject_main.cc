#include "subject/subject_main.h"

#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "allocator_plugin.h"
#include "subject/control_block.h"
#include "subject/futex.h"
#include "subject/latency_probe.h"
#include "subject/plugin_check.h"
#include "subject/plugin_loader.h"
#include "workload/workload.h"

namespace hakbench {
namespace {

// Bounds the wait for the other workers at an epoch's start: with more workers than CPUs they can't
// all be on a CPU at once, and yielding would be a system call.
constexpr int kMaxBarrierSpins = 20000;
constexpr int kPopulateRead = 22;  // MADV_POPULATE_READ, which older headers do not have

struct Subject {
  ControlBlock *control = nullptr;
  LoadedPlugin plugin;
  const allocator_plugin *timed = nullptr;  // NULL unless spec.times_ops
  std::unique_ptr<Workload> workload;       // NULL: workload_error says why
  std::string workload_error;
  bool set_up = false;  // worker 0 has set the workload up with the plugin
};

uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

template <size_t N>
void set_text(char (&to)[N], const char *from) {
  snprintf(to, N, "%s", from == nullptr ? "" : from);
}

void fail(Subject *s, const std::string &why) {
  set_text(s->control->text, why.c_str());
  s->control->failed = true;
}

void pin_to_cpu(const SubjectSpec &spec, uint32_t worker) {
  if (spec.cpu_count == 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(spec.cpus[worker % spec.cpu_count], &set);
  sched_setaffinity(0, sizeof set, &set);  // best effort: the CPU may have gone off line
}

bool load(Subject *s) {
  const SubjectSpec &spec = s->control->spec;
  std::string error;
  if (!load_plugin({spec.plugin_name, spec.plugin_path}, &s->plugin, &error)) {
    fail(s, error);
    return false;
  }
  const allocator_plugin *table = s->plugin.table;
  PluginFacts &facts = s->control->facts;
  set_text(facts.library_path, s->plugin.library_path.c_str());
  set_text(facts.sha256, s->plugin.sha256.c_str());
  set_text(facts.build_id, s->plugin.build_id.c_str());
  set_text(facts.link_kind, s->plugin.link_kind.c_str());
  facts.generic = s->plugin.generic;
  if (!init_plugin(s->plugin, spec.init_json, &error)) {
    fail(s, error);
    return false;
  }
  // Only now: a control knows what it wraps, and has what that offers, once it has its settings.
  if (spec.times_ops) s->timed = &wrap_timed(*table);
  set_text(facts.name, table->name);
  set_text(facts.version, table->version);
  set_text(facts.build_config, table->build_config);
  return true;
}

void check(Subject *s) {
  if (!load(s)) return;
  size_t used = 0;
  char *text = s->control->text;
  const auto note = [&](const char *name) { set_text(s->control->check_name, name); };
  for (const CheckResult &result : check_plugin(s->plugin, note)) {
    const int length =
        snprintf(text + used, sizeof s->control->text - used, "%s\t%s\t%s\n", result.name.c_str(),
                 result.ok ? "ok" : "FAILED", result.detail.c_str());
    used += static_cast<size_t>(length);
    if (used >= sizeof s->control->text) break;
  }
}

struct WorkerStart {
  Subject *subject;
  uint32_t worker;
};

void serve(Subject *s, uint32_t worker, uint32_t served);

void *worker_main(void *argument) {
  const WorkerStart start = *static_cast<WorkerStart *>(argument);
  delete static_cast<WorkerStart *>(argument);
  Subject *s = start.subject;
  pin_to_cpu(s->control->spec, start.worker);
  name_timed_worker(start.worker);
  if (s->plugin.table->thread_begin != nullptr) s->plugin.table->thread_begin();
  // Started by kLoad, so the first thing to do is this worker's part of it.
  if (!s->workload->set_up(*s->plugin.table, start.worker)) fail(s, "no memory for the workload");
  serve(s, start.worker, s->control->go.load(std::memory_order_acquire));
  return nullptr;
}

WorkloadConfig workload_config(const SubjectSpec &spec) {
  WorkloadConfig config;
  config.name = spec.workload;
  config.threads = spec.threads;
  config.seed = spec.seed;
  config.file = spec.workload_file;
  for (uint32_t i = 0; i < spec.param_count; ++i)
    config.params[spec.params[i].key] = spec.params[i].value;
  return config;
}

// Done before the coordinator samples the baseline, so that the workload's own memory is part of it and
// not of what is counted as the allocator's. An error is reported when the plugin is loaded.
void make_own_workload(Subject *s) {
  s->workload = make_workload(workload_config(s->control->spec), &s->workload_error);
}

// Worker 0's part of kLoad; the workers it starts do theirs in worker_main.
void load_and_start_workers(Subject *s) {
  if (!load(s)) return;
  if (s->workload == nullptr) {
    fail(s, s->workload_error);
    return;
  }
  const SubjectSpec &spec = s->control->spec;
  if (std::string error; !allocator_offers(workload_config(spec), *s->plugin.table, &error)) {
    fail(s, error);
    return;
  }
  for (uint32_t i = 1; i < spec.threads; ++i) {
    pthread_t thread;
    if (const int code = pthread_create(&thread, nullptr, worker_main, new WorkerStart{s, i})) {
      fail(s, std::string("cannot start worker thread: ") + strerror(code));
      return;
    }
    pthread_detach(thread);
  }
  if (s->plugin.table->thread_begin != nullptr) s->plugin.table->thread_begin();
  s->set_up = s->workload->set_up(*s->plugin.table, 0);
  if (!s->set_up) fail(s, "no memory for the workload");
}

// Workers are woken one after the other; the timed part starts when all are on their CPUs.
void start_together(ControlBlock *control) {
  control->arrived.fetch_add(1, std::memory_order_acq_rel);
  for (int i = 0; i < kMaxBarrierSpins; ++i) {
    if (control->arrived.load(std::memory_order_acquire) >= control->spec.threads) return;
    cpu_relax();
  }
}

void run_epoch(Subject *s, uint32_t worker, const allocator_plugin &table) {
  ControlBlock *control = s->control;
  WorkerResult &result = control->workers[worker];
  const uint64_t ops = control->ops;
  start_together(control);
  const uint64_t start_ns = now_ns();
  const uint64_t failed = s->workload->run(table, worker, ops);
  const uint64_t end_ns = now_ns();
  result = {start_ns, end_ns, failed};
}

// Worker 0 also measures how long a tick of the clock is, and where it lies on the kernel's clocks.
void run_timed_epoch(Subject *s, uint32_t worker) {
  if (worker != 0) return run_epoch(s, worker, *s->timed);
  s->control->latency.start = read_clock_pair();
  run_epoch(s, worker, *s->timed);
  s->control->latency.end = read_clock_pair();
}

[[noreturn]] void exit_subject(Subject *s, uint32_t worker) {
  const allocator_plugin &table = *s->plugin.table;
  s->workload->tear_down(table, worker);
  if (table.thread_end != nullptr) table.thread_end();
  if (s->control->remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    if (table.shutdown != nullptr) table.shutdown();
    _exit(0);
  }
  for (;;) pause();  // the last worker ends the process
}

// The text's pages are made resident before the ledger is taken, so that they are in it.
void take_ledger(Subject *s) {
  ControlBlock *control = s->control;
  const auto ledger_json = whole_table(*s->plugin.table).ledger_json;
  if (ledger_json == nullptr) return fail(s, "it keeps no ledger");
  memset(control->text, 0, sizeof control->text);
  if (ledger_json(control->text, sizeof control->text) >= sizeof control->text)
    fail(s, "its ledger is too long for the control block");
}

void execute(Subject *s, uint32_t worker) {
  switch (s->control->command) {
    case CommandKind::kPrefault:
      s->control->workers[worker].failed_allocs =
          s->workload->prefault(*s->plugin.table, worker, s->control->ops);
      break;
    case CommandKind::kRun:
      run_epoch(s, worker, *s->plugin.table);
      break;
    case CommandKind::kTimedRun:
      run_timed_epoch(s, worker);
      break;
    case CommandKind::kLatency:
      if (worker == 0) collect_latency(&s->control->latency.record);
      break;
    case CommandKind::kTearDown:
      s->workload->tear_down(*s->plugin.table, worker);
      break;
    case CommandKind::kSetUp:
      if (!s->workload->set_up(*s->plugin.table, worker)) fail(s, "no memory for the workload");
      break;
    case CommandKind::kLiveBytes:
      if (worker == 0) s->control->live_bytes = s->workload->live_bytes();
      break;
    case CommandKind::kCheck:
      check(s);
      break;
    case CommandKind::kLoad:
      load_and_start_workers(s);
      break;
    case CommandKind::kExit:
      if (!s->set_up) _exit(0);
      exit_subject(s, worker);
    case CommandKind::kLedger:
      if (worker == 0) take_ledger(s);
      break;
  }
}

// The pages of the harness and its libraries, which all processes share, become resident one by one as
// their code is first run, much of it with the plugin. All of them now, before the baseline: so what
// comes later is not counted as the allocator's. Kernels before 5.14 leave it as it is.
void make_own_code_resident() {
  const auto populate = [](dl_phdr_info *object, size_t, void *) {
    const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
      const ElfW(Phdr) &segment = object->dlpi_phdr[i];
      if (segment.p_type != PT_LOAD) continue;
      const uintptr_t begin = object->dlpi_addr + segment.p_vaddr;
      const uintptr_t first = begin & ~(page_bytes - 1);
      madvise(reinterpret_cast<void *>(first), begin + segment.p_filesz - first, kPopulateRead);
    }
    return 0;
  };
  dl_iterate_phdr(populate, nullptr);
}

// Done before the baseline too: the histograms must not count as the allocator's memory.
void prepare_timing(Subject *s) {
  ControlBlock *control = s->control;
  if (!control->spec.times_ops) return;
  if (!prepare_latency_probe(control->spec.threads)) {
    s->workload = nullptr;
    s->workload_error = "no memory for the histograms of service times; use fewer threads";
    return;
  }
  memset(&control->latency.record, 0, sizeof control->latency.record);  // makes it resident too
  name_timed_worker(0);
  set_text(control->latency.clock, latency_clock());
}

// The last worker to finish publishes the answers (release) to the coordinator. A failure is published
// at once: the workers it would wait for may not exist.
void finish(ControlBlock *control, uint32_t command) {
  const bool last = control->remaining.fetch_sub(1, std::memory_order_acq_rel) == 1;
  if (!last && !control->failed) return;
  control->done.store(command, std::memory_order_release);
  futex_wake_all(&control->done);
}

// Finishes command number `served`, then sleeps and serves for ever.
void serve(Subject *s, uint32_t worker, uint32_t served) {
  ControlBlock *control = s->control;
  for (;;) {
    finish(control, served);
    uint32_t next;
    while ((next = control->go.load(std::memory_order_acquire)) == served)
      futex_wait(&control->go, served, nullptr);
    served = next;
    execute(s, worker);
  }
}

}  // namespace

int subject_main(const char *control_fd_text) {
  signal(SIGINT, SIG_IGN);
  void *memory = mmap(nullptr, sizeof(ControlBlock), PROT_READ | PROT_WRITE, MAP_SHARED,
                      atoi(control_fd_text), 0);
  if (memory == MAP_FAILED) return 1;
  static Subject subject;
  subject.control = static_cast<ControlBlock *>(memory);
  pin_to_cpu(subject.control->spec, 0);
  make_own_workload(&subject);
  prepare_timing(&subject);
  make_own_code_resident();
  // Command 1 is "be there"; the coordinator issued it before the start and then takes the baseline.
  serve(&subject, 0, 1);
  return 0;
}

}  // namespace hakbench
