"""hakbench plan: how many launches a margin takes on this machine.

Purpose     From the spread of a run's launches to the launches and minutes that a margin takes.
Boundary    A result folder of `ab` or `gate` in, a table out; measures nothing.
"""
from __future__ import annotations

import json
import math

import numpy as np

from . import cli, text
from .errors import InputError
from .gate_settings import GateSettings
from .load import load_result
from .metrics import log_ratio
from .power import launches_needed, shift_resolved

PROG = "hakbench plan"
MARGINS = (0.005, 0.01, 0.02, 0.03, 0.05)


def plan(result, candidate: str, looks: int, margins=MARGINS) -> dict:
    """Spread over launches, what the run tells from no change, and what each margin takes: so many launches
    that no change passes and a loss of twice the margin fails, each with 95 % power. Raises InputError."""
    if result.reference is None or candidate == result.reference:
        raise InputError(f"{result.folder}: holds one subject; plan from a run of hakbench ab or gate")
    ratios = log_ratio(result, candidate, result.reference)
    if len(ratios) < 3:
        raise InputError(f"{result.folder}: launches free of noise: {len(ratios)}; 3 show a spread")
    spread = float(np.std(ratios, ddof=1))
    # Not the whole span: a resumed run holds the time in which nothing was measured.
    starts_s = result.epochs.groupby("launch")["wall_time_s"].min()
    seconds = float(np.median(np.diff(starts_s)))
    rows = []
    for margin in margins:
        launches = launches_needed(spread, -math.log(1 - margin), looks=looks)
        rows.append({"margin": margin, "launches": launches, "minutes": launches * seconds / 60})
    resolved = shift_resolved(spread, len(ratios), looks=looks)
    return {"format": "hakbench-plan/1", "folder": str(result.folder), "launches": len(ratios),
            "looks": looks, "spread_of_launches": spread, "seconds_a_launch": seconds,
            "resolves": 1 - math.exp(-resolved), "plan": rows}


def for_people(answer: dict) -> str:
    rows = [["margin", "launches of each", "minutes"]]
    rows += [[text.percent(row["margin"], 1), str(row["launches"]), f"{row['minutes']:.1f}"]
             for row in answer["plan"]]
    return "\n".join([
        f"{answer['launches']} launches differ by {text.percent(answer['spread_of_launches'])} (standard "
        f"deviation of the log ratio), {answer['seconds_a_launch']:.1f} s each.",
        f"This run tells a loss of {text.percent(answer['resolves'])} from none in 95 of 100 cases.", "",
        text.text_table(rows), "",
        "With so many launches no change passes the margin, and a loss of twice the margin fails it, each in "
        f"95 of 100 gates ({text.counted(answer['looks'], 'planned look')}, 95 % confidence in all). Noise "
        "of another hour is another spread."])


def _run(argv) -> int:
    parser = cli.make_parser(
        PROG, "Says how many launches, and minutes, a margin takes on this machine.",
        "examples:\n  hakbench ab --a hakmem --b hakmem --profile ci_gate -o out/noise --no-report\n"
        "  hakbench plan out/noise\n\nexit codes: 0 planned, 1 the folder cannot be used")
    parser.add_argument("folder", metavar="DIR", help="folder of a run of ab or gate, A/A for example")
    parser.add_argument("--candidate", default="a", metavar="LABEL", help="subject to plan for (default a)")
    parser.add_argument("--margin", action="append", metavar="SHARE",
                        help="margin to plan for, 1.5%% for example; repeatable (default 0.5 to 5 %%)")
    parser.add_argument("--looks", type=int, choices=(1, 2, 3), default=len(GateSettings().looks),
                        help="planned looks (default %(default)s, as the gate's)")
    cli.add_format(parser)
    options = parser.parse_args(argv)
    result = load_result(options.folder)
    if options.candidate not in result.subjects:
        raise InputError(f"{options.folder}: no subject '{options.candidate}'; there are: "
                         f"{', '.join(result.subjects)}")
    margins = [cli.share("--margin", text) for text in options.margin or ()]
    if 0 in margins:
        raise InputError("--margin 0 takes for ever; give one above 0")
    answer = plan(result, options.candidate, options.looks, margins or MARGINS)
    print(json.dumps(answer, indent=2) if options.format == "json" else for_people(answer))
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, _run, argv)
