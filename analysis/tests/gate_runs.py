"""A stand-in for hakbench: writes synthetic folders whose truth is known, as `ab` and `ab --resume` would."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from folders import make_folder, write_rows


class FakeHakbench:
    """Called like looks.run_hakbench. `ratio`: throughput of a / b. Remembers its calls."""

    def __init__(self, ratio=1.0, noise=0.004, launch_noise=0.003, seed=1, exit_code=0,
                 rss_kb=(900, 900, 500), syscalls=(0, 0, 0), names=None, quarantined=(), slow=None):
        self.ratio, self.noise, self.launch_noise, self.seed = ratio, noise, launch_noise, seed
        self.exit_code, self.rss_kb, self.syscalls, self.names = exit_code, rss_kb, syscalls, names
        self.quarantined, self.slow = quarantined, slow
        self.calls: list = []
        self.subjects: list = []

    def __call__(self, arguments):
        self.calls.append(list(arguments))
        if self.exit_code:
            return self.exit_code
        words = list(arguments)
        folder = Path(words[words.index("--resume" if "--resume" in words else "-o") + 1])
        if "--resume" not in words:
            self.subjects = [words[words.index(f"--{label}") + 1] for label in "abc" if f"--{label}" in words]
        launches = int(words[words.index("--launches") + 1])
        names = self.names or self.subjects
        ratios = (self.ratio, 1.0, 1.3)[:len(names)] if len(names) != 2 else (self.ratio, 1.0)
        make_folder(folder, names=names, ratios=ratios, launches=launches, blocks_per_launch=8,
                    noise=self.noise, launch_noise=self.launch_noise, seed=self.seed, rss_kb=self.rss_kb,
                    syscalls=self.syscalls, quarantined=self.quarantined)
        if self.slow:
            self._write_latency(folder, launches)
        return 0

    def _write_latency(self, folder: Path, launches: int) -> None:
        """`slow`: operations above 80 us in a million of each subject; the others take 40 ns and 32 ns."""
        rng = np.random.default_rng(self.seed)
        rows = [(9000 + launch, label, launch, "malloc", low, low + 1, count)
                for launch in range(launches) for label, per_mop, low in zip("ab", self.slow, (40, 32))
                for low, count in ((low, 10_000_000), (200_000, rng.poisson(10 * per_mop))) if count]
        write_rows(folder / "latency.csv",
                   ("seq", "subject", "launch", "op", "low_ns", "high_ns", "count"), rows)
