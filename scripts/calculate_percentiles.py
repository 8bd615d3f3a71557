#!/usr/bin/env python3
"""Percentiles of a column of any CSV; see --help. The work is in analysis/src/hakmem_analysis/tail.py."""
import sys

sys.dont_write_bytecode = True
import _analysis  # noqa: E402  (beside this file)

_analysis.run("tail", "percentiles_main")
