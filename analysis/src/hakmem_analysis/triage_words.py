"""What a triage says: the finding in a sentence, and what to do about it.

Purpose     The words of a verdict, and the policy: which setting lowers the RSS, what it can reach, what it
            costs.
Owns        IDLE, IN_USE, PROCESS: who of the ledger's owners can be told to let go.
Boundary    Numbers in, sentences out; no file and no process.
"""
from __future__ import annotations

from . import text
from .triage_judge import BENCHMARK, BOTH, DESIGN, INCONCLUSIVE, NO, NONE, OPEN, Split
from .triage_steps import OBSERVED, Ledger, plugin_of

# Owners whose pages wait for use: a memory-lean profile can give them back.
IDLE = ("warm_empty_slabs", "never_used", "free_runs", "thread_caches", "depot_transfer")
# Owners that come with the live blocks, in any profile.
IN_USE = ("slack", "metadata", "owner_maps", "huge_blocks")
PROCESS = ("heaps", "other_anonymous", "other_files", "stacks", "ledger")
TITLES = {BENCHMARK: "BENCHMARK", DESIGN: "ALLOCATOR DESIGN", BOTH: "A SHARE OF EACH", NONE: "NEITHER",
          INCONCLUSIVE: "INCONCLUSIVE"}


def memory_interval(interval) -> str:
    """"980 kB (960 kB .. 1004 kB)"."""
    return f"{text.memory(interval.point)} ({text.memory(interval.lower)} .. {text.memory(interval.upper)})"


def share_words(part) -> str:
    if part.share is None:
        return text.MISSING
    lower, point, upper = (f"{100 * value:.0f}" for value in part.share)
    return f"{point} % ({lower} .. {upper})"


def headline(name: str, split: Split) -> str:
    """The verdict in one sentence."""
    peak, limit = text.memory(split.peak.point), text.memory(split.limit_kb)
    warm_up, design = memory_interval(split.benchmark.interval), memory_interval(split.design.interval)
    beyond = (f"the {text.memory(split.need_kb)} that the workload holds" if split.need_kb is not None
              else "nothing that is known")
    words = {
        BENCHMARK: f"the peak of {name}, {peak} above the process's own, falls by {warm_up} without "
                   f"warm-up; the allocator adds {design} to {beyond}",
        DESIGN: f"the peak of {name}, {peak} above the process's own, hardly falls without warm-up: by "
                f"{warm_up}; the allocator adds {design} to {beyond}",
        BOTH: f"of the peak of {name}, {peak} above the process's own, the warm-up makes {warm_up}, "
              f"{share_words(split.benchmark)} of the tax, and the allocator {design}, "
              f"{share_words(split.design)}",
        NONE: f"the peak of {name}, {peak} above the process's own, is hardly more than {beyond}: warm-up "
              f"and allocator each add less than {limit}",
        INCONCLUSIVE: f"the launches of {name} differ too much to tell whether "
                      f"{_undecided(split)} more than {limit}; give more with --launches"}
    return f"{TITLES[split.verdict]}: {words[split.verdict]}"


def _undecided(split: Split) -> str:
    parts = [f"{words} ({memory_interval(part.interval)})" for words, part in
             (("the warm-up", split.benchmark), ("the allocator", split.design)) if part.matters == OPEN]
    return " and ".join(parts) + (" add" if len(parts) > 1 else " adds")


def fixed_words(split: Split) -> str:
    """What step 1-B adds to the finding."""
    added, limit = split.fixed, split.limit_kb
    figures = f"Step 1-B: a warm-up of fixed length moves the peak by {memory_interval(added)}"
    if not added.lower > limit and not added.upper < limit:
        return f"{figures}; whether that matters is open."
    if split.benchmark.matters == OPEN:
        return f"{figures}."
    if (added.upper < limit) == (split.benchmark.matters == NO):
        return f"{figures}; it {'does not matter' if added.upper < limit else 'matters'}, as in step 1-A."
    return f"{figures}, unlike the benchmark's own: how long the warm-up is decides what it holds."


def sums(ledger: Ledger) -> dict:
    """kB of the ledger's owners: "live", "idle", "in_use", "process"."""
    groups = {"live": ("live_blocks",), "idle": IDLE, "in_use": IN_USE, "process": PROCESS}
    return {group: sum(owner["bytes"] for owner in ledger.owners if owner["name"] in names) / 1024
            for group, names in groups.items()}


def policy(name: str, split: Split, ledger: Ledger, workload: str) -> list:
    """What to do, a sentence each. `workload` is the arguments that repeat it."""
    advice = []
    if split.verdict in (BENCHMARK, BOTH):
        advice.append("The warm-up is in the figure: measure with --prefault 0 (HAKMEM_BENCH_PREFAULT=0), or "
                      "name the warm-up beside the figure. No setting of the allocator changes this part.")
    if split.verdict in (NONE, INCONCLUSIVE):
        return [*advice, "Nothing to change." if split.verdict == NONE else
                "Change nothing on this evidence; repeat with more launches."]
    if split.verdict == BENCHMARK:
        return advice
    if plugin_of(name) not in OBSERVED:
        return [*advice, f"What {name} keeps is for its own settings (--env NAME=VALUE) to lower; beside "
                         f"hakmem: hakbench ab --a hakmem --b {name}{workload}"]
    advice.append("Speed first accepts this RSS, and a warm pool with it: HAKMEM_PROFILE=mixed_speed_first "
                  "(MIXED_TINYV3_C7_SAFE). Balanced, the default, keeps no warm pool: mixed_balanced "
                  "(MIXED_TINYV3_C7_BALANCED).")
    advice.append("Memory-lean lowers it: HAKMEM_PROFILE=memory_lean_dontneed gives free memory back at once "
                  "and pays with system calls, page faults and so throughput; memory_lean_free only offers "
                  "it, and the figure falls when the kernel runs short. hakbench has profiles (--profile) of "
                  "the same names.")
    if ledger.content:
        kb = sums(ledger)
        advice.append(f"A lean profile can reach the {text.memory(kb['idle'])} that wait for use (warm, "
                      f"never used, free, cached); the {text.memory(kb['in_use'])} in pages that live blocks "
                      "share and in metadata stay.")
    advice.append(f"What it costs here: hakbench ab --a {plugin_of(name)}@memory_lean_dontneed --b {name}"
                  f"{workload}")
    return advice
