"""The sentences of a report.

Purpose     Say what a run shows, and no more: the headline, the notes on noise, where it came from.
Boundary    Result, summaries and comparisons in; plain text out.
Invariants  An interval that contains 1 is never called a difference, and then the sentence says what the
            run would have resolved.
"""
from __future__ import annotations

import shlex
from pathlib import Path

from . import text
from .comparison import Comparison
from .describe import Summary, finite
from .load import Result

HOST_SETTINGS = ("cpus_online", "cpus_allowed", "governor", "thp_enabled", "load_average")


def conditions(result: Result) -> str:
    """The workload in words: "random_mixed, ws=400, 1 thread"; the working set before other parameters."""
    workload = result.manifest.get("workload") or {}
    params = workload.get("params") or {}
    parts = [workload.get("name") or "unnamed workload"]
    if workload.get("file"):
        parts.append(Path(workload["file"]).name)
    parts += [f"{key}={params[key]}" for key in sorted(params, key=lambda key: (key != "ws", key))]
    threads = workload.get("threads")
    if threads:
        parts.append(f"{threads} thread" + ("" if threads == 1 else "s"))
    return ", ".join(parts)


def same_library(result: Result, row: Comparison) -> bool:
    """True when both sides are the same file with the same build settings: an A/A run."""
    sides = [result.subject(label) for label in (row.reference_subject, row.candidate_subject)]
    hashes = [side.get("sha256") for side in sides]
    settings = [(side.get("allocator"), side.get("env"), side.get("init")) for side in sides]
    return hashes[0] == hashes[1] and bool(hashes[0]) and settings[0] == settings[1]


def headline(result: Result, row: Comparison) -> str:
    """One or two sentences on a throughput comparison."""
    where = conditions(result)
    if row.ratio is None:
        return (f"No ratio of {row.candidate} to {row.reference} on {where}: "
                f"{row.note or 'nothing to compare'}.")
    if row.noisy:
        return (f"Too noisy to judge {row.candidate} against {row.reference} on {where}: {row.note}. Over "
                f"all blocks the ratio is {text.ratio(row.ratio)} ({text.interval(row.lower, row.upper)}), "
                "for orientation only.")
    if row.lower is None:
        return (f"{row.candidate} ran at {text.ratio(row.ratio)}x {row.reference} on {where}, without an "
                f"interval: {row.note}.")
    bounds = f"{100 * row.confidence:.3g} % interval {text.ratio(row.lower)}..{text.ratio(row.upper)}"
    if row.verdict == "inconclusive":
        what = f"ratio {text.ratio(row.ratio)}, {bounds}"
        if row.confidence < row.requested_confidence:
            return (f"Too little was measured to compare {row.candidate} with {row.reference} on {where}: "
                    f"{what}.")
        return (f"No difference shown between {row.candidate} and {row.reference} on {where}: {what}, "
                f"which contains 1; this run would have caught a loss of {text.percent(row.resolves, 1)} "
                "or more.")
    word = "faster" if row.verdict == "better" else "slower"
    sentence = f"{row.candidate} is {text.ratio(row.ratio)}x {row.reference} ({bounds}) on {where}: {word}."
    if same_library(result, row):
        sentence += (" Both are the same library, so this is a false alarm of the machine or the method: "
                     "do not trust this run.")
    return sentence


def single_headline(result: Result, summary: Summary) -> str:
    """The sentence for a run of one subject."""
    return (f"{summary.name} ran at {text.rate(summary.ops_per_s)} ({text.nanoseconds(summary.ns_per_op)} "
            f"an op) on {conditions(result)}; CV {text.percent(summary.cv)}, peak RSS "
            f"{text.memory(summary.rss_peak_kb)} above the process's own.")


def noise_limits(result: Result) -> dict:
    """The declared limits of the noise ledger, as the merged profile has them."""
    return ((result.manifest.get("profile") or {}).get("run") or {}).get("noise") or {}


def noise_notes(result: Result, summaries: list, comparisons: list) -> list:
    """What was quarantined, and what that means for the figures; empty for a quiet run."""
    items = []
    throughput = [row for row in comparisons if row.metric == "throughput"]
    for row in throughput:
        if row.quarantined_blocks and not row.noisy:
            total, one = row.blocks + row.quarantined_blocks, row.quarantined_blocks == 1
            items.append(f"{row.candidate} / {row.reference}: {row.quarantined_blocks} of {total} blocks "
                         f"{'was' if one else 'were'} over the noise limit and {'is' if one else 'are'} left "
                         f"out of the ratio; with {'it' if one else 'them'} it would be "
                         f"{text.ratio(row.ratio_with_quarantined)}")
    for summary in summaries:
        if summary.quarantined_epochs and not throughput:
            one = summary.quarantined_epochs == 1
            items.append(f"{summary.name}: {text.counted(summary.quarantined_epochs, 'epoch')} "
                         f"{'was' if one else 'were'} over the noise limit" + (
                             ", all there are: the figures are for orientation only"
                             if summary.epochs == summary.quarantined_epochs else
                             f" and {'is' if one else 'are'} left out; CV with {'it' if one else 'them'} "
                             f"{text.percent(summary.cv_with_quarantined)}"))
    return items


def control_notes(result: Result) -> list:
    """One line a control: its figures are a test of the verdicts, not of an allocator."""
    items = []
    for entry in result.manifest["subjects"]:
        if not (entry.get("build_config") or "").startswith("control"):
            continue
        settings = ", ".join(f"{key}={value}" for key, value in (entry.get("init") or {}).items())
        items.append(f"{result.display_name(entry['label'])} is a control ({settings or 'no fault set'}): a "
                     "planted fault, no allocator to choose")
    return items


def pause_notes(result: Result) -> list:
    """What is not on the time axis."""
    items = []
    for pause in result.pauses:
        what = pause.what or f"the run was resumed with launch {pause.before_launch}"
        items.append(f"{what} after {text.duration(pause.at_s)} of measuring: "
                     f"{text.duration(pause.seconds)} that are in no slope and no picture")
    return items


def notes(result: Result, summaries: list, comparisons: list) -> list:
    """What a reader must know to trust the figures or not: damage, noise, few data, launches."""
    items = result.warnings + pause_notes(result) + control_notes(result)
    items += noise_notes(result, summaries, comparisons)
    if not noise_limits(result):
        items.append("no noise limit was declared (profile: run.noise), so no epoch could be quarantined")
    elif not any(summary.quarantined_epochs for summary in summaries):
        items.append("no epoch was over the noise limit")
    for row in comparisons:
        if row.metric == "throughput" and row.note:
            items.append(f"{row.candidate} / {row.reference}: {row.note}")
        if row.metric == "ns_above_floor" and (row.confidence or 1) < row.requested_confidence:
            items.append(f"{row.candidate} / {row.reference}, ns above floor: {row.note}")
        if row.metric == "throughput" and same_library(result, row):
            items.append(f"{row.candidate} / {row.reference}: the same library on both sides (A/A); the "
                         "truth is 1")
    if not any(finite(summary.syscalls_per_op) for summary in summaries):
        reason = (result.manifest.get("syscalls") or {}).get("reason")
        items.append("system calls were not counted" + (f": {reason}" if reason else ""))
    return items


def provenance(result: Result) -> list:
    """Facts to judge and repeat the run by, as (name, value)."""
    manifest = result.manifest
    host = manifest.get("host") or {}
    git = manifest.get("git") or {}
    workload = manifest.get("workload") or {}
    names = [str(host[key]) for key in ("hostname", "cpu_model", "kernel") if host.get(key)]
    settings = [f"{key.replace('_', ' ')} {host[key]}" for key in HOST_SETTINGS if host.get(key) is not None]
    facts = [("host", ", ".join(names)), ("machine", ", ".join(settings))]
    for entry in manifest["subjects"]:
        facts.append((result.display_name(entry["label"]), ", ".join(filter(None, (
            entry.get("version"), entry.get("link_kind"), entry.get("library_path") or entry.get("path"),
            f"sha256 {entry['sha256'][:16]}" if entry.get("sha256") else None,
            f"build-id {entry['build_id'][:16]}" if entry.get("build_id") else None)))))
    facts.append(("source", ", ".join(filter(None, (
        git.get("commit"), "with local changes" if git.get("dirty") else None)))))
    for name, value in (("workload seed", workload.get("seed")),
                        ("schedule seed", manifest.get("schedule_seed")),
                        ("ops an epoch", manifest.get("ops_per_epoch")),
                        ("op stream", manifest.get("op_stream_hash"))):
        facts.append((name, "" if value is None else str(value)))
    return [(name, value) for name, value in facts if value]


def command(result: Result) -> str:
    """The command line to repeat the run, quoted for a shell; "" if the manifest does not tell."""
    argv = result.manifest.get("argv")
    return " ".join(map(shlex.quote, map(str, argv))) if isinstance(argv, list) else ""
