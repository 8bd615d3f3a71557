#!/usr/bin/env python3
"""Percentiles over epochs; see --help. The work is in analysis/src/hakmem_analysis/tail.py."""
import sys

sys.dont_write_bytecode = True
import _analysis  # noqa: E402  (beside this file)

_analysis.run("tail", "epoch_tail_main")
