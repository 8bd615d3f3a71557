#!/usr/bin/env python3
"""Is a soak steady? RSS drift and more; see --help. The work is in analysis/src/hakmem_analysis/soak.py."""
import sys

sys.dont_write_bytecode = True
import _analysis  # noqa: E402  (beside this file)

_analysis.run("soak", "main")
