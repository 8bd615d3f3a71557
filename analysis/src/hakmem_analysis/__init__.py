"""hakmem_analysis: every statistic, verdict and report over hakbench result folders.

Purpose     C++ measures, Python decides: percentiles, CV, intervals, slopes and verdicts are
            computed here and nowhere else.
Layers      errors, schema -> csvlines -> csvnarrow -> csvfile -> load -> stats, trend, verdicts (pure) ->
            describe, compare, drift -> document, plot, report, tail (people's end) -> __main__;
            streams, start -> cli, which every tool has.
Boundary    Input: a result folder (manifest.json, epochs.csv, events.csv) or any CSV. Output:
            verdict.json, report.md, report.html, report.png, and text on stdout.
Invariants  Missing stays NaN and is printed as "-", never as 0. A result is a function of the
            folder alone: every random draw has a fixed seed.
"""
