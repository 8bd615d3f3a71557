"""What a triage says: the finding in a sentence, and what to do about it.

Purpose     The words of a verdict, and the policy: which setting lowers the RSS, what it can reach, what it
            costs.
Owns        LEAN, IDLE, IN_USE, PROCESS, TOOL: who of the ledger's owners can be told to let go.
Boundary    Numbers in, sentences out; no file and no process.
"""
from __future__ import annotations

from . import text
from .triage_judge import (
    BENCHMARK, BOTH, DESIGN, INCONCLUSIVE, LEAST_LAUNCHES, NO, NONE, OPEN, Split)
from .triage_steps import OBSERVED, Ledger, plugin_of

# Owners whose pages a memory-lean profile gives back: slabs without a block, and runs of free pages.
LEAN = ("warm_empty_slabs", "free_runs")
# Owners that wait for use in slabs that hold live blocks too, so that no profile gives them back; but of a
# heap's depots memory_lean_dontneed keeps only so much.
IDLE = ("thread_caches", "depot_transfer", "never_used")
LEAN_DEPOT_KB = 256.0
# Owners that come with the live blocks, in any profile.
IN_USE = ("slack", "metadata", "owner_maps", "heaps", "huge_blocks")
PROCESS = ("other_anonymous", "other_files", "stacks")
TOOL = ("ledger",)  # in step 2 only
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
        INCONCLUSIVE: f"{_why_open(name, split)} to tell whether "
                      f"{_undecided(split)} more than {limit}; give more with --launches"}
    return f"{TITLES[split.verdict]}: {words[split.verdict]}"


def _why_open(name: str, split: Split) -> str:
    if split.launches < LEAST_LAUNCHES:
        one = split.launches == 1
        return f"{split.launches} launch{'' if one else 'es'} of {name} {'is' if one else 'are'} too few"
    return f"the launches of {name} differ too much"


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
    """kB of the ledger's owners: "live", "lean", "idle", "in_use", "process", "tool". Depots beyond what a
    lean profile keeps count as "lean", not as "idle"."""
    groups = {"live": ("live_blocks",), "lean": LEAN, "idle": IDLE, "in_use": IN_USE, "process": PROCESS,
              "tool": TOOL}
    kb = {owner["name"]: owner["bytes"] / 1024 for owner in ledger.owners}
    found = {group: sum(kb.get(name, 0.0) for name in names) for group, names in groups.items()}
    spare_kb = max(0.0, kb.get("depot_transfer", 0.0) - LEAN_DEPOT_KB)
    return {**found, "lean": found["lean"] + spare_kb, "idle": found["idle"] - spare_kb}


def lean_words(split: Split, ledger: Ledger) -> list:
    """Whether a memory-lean profile lowers the figure, by what the ledger says that it reaches."""
    how = ("HAKMEM_PROFILE=memory_lean_dontneed gives empty slabs and free pages back at once and pays with "
           "system calls, page faults and so throughput; memory_lean_free only offers them, and the figure "
           "falls when the kernel runs short. hakbench has profiles (--profile) of the same names.")
    if not ledger.content:
        return [f"Memory-lean may lower it: {how} Without step 2 it is open how much they reach."]
    kb = sums(ledger)
    stays = (f"the {text.memory(kb['idle'])} that wait for use among live blocks (cached, never used) and "
             f"the {text.memory(kb['in_use'])} in pages that live blocks share and in metadata stay.")
    if kb["lean"] <= split.limit_kb:
        return [f"A lean profile hardly lowers it here: it reaches {text.memory(kb['lean'])} (empty slabs, "
                f"free pages, large depots); {stays}"]
    return [f"Memory-lean lowers it: {how}",
            f"A lean profile can reach up to {text.memory(kb['lean'])} (empty slabs, free pages, large "
            f"depots), a warm pool among them unless HAKMEM_SS_WARM_POOL_KB asks for it by name; {stays}"]


def policy(name: str, split: Split, ledger: Ledger, workload: str, typed: str) -> list:
    """What to do, a sentence each. `workload` is the arguments that repeat it, `typed` the allocator as
    hakbench takes it."""
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
                         f"hakmem: hakbench ab --a hakmem --b {typed}{workload}"]
    advice.append("Speed first accepts this RSS, and a warm pool with it: HAKMEM_PROFILE=mixed_speed_first "
                  "(MIXED_TINYV3_C7_SAFE). Balanced, the default, keeps no warm pool: mixed_balanced "
                  "(MIXED_TINYV3_C7_BALANCED).")
    advice += lean_words(split, ledger)
    advice.append(f"To check: hakbench ab --a {plugin_of(name)}@memory_lean_dontneed --b {typed}"
                  f"{workload}")
    return advice
