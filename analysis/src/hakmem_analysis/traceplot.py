"""hakbench traceplot: the pictures of a trace.

Purpose     Read the info.json that `hakbench trace info -o DIR` wrote, and draw trace.png beside it: live
            bytes over the trace, sizes, lifetimes, the threads' shares.
Boundary    main() is the tool; load() checks the file; draw() makes the picture. Headless, no network.
Invariants  Counts are drawn as they were counted: a bucket's bar is its blocks. Nothing is smoothed.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend comes first)
from matplotlib.ticker import FuncFormatter  # noqa: E402

from . import cli, text, wholefile  # noqa: E402
from .errors import InputError  # noqa: E402

PROG = "hakbench traceplot"
FORMAT = "hakbench-trace-info/1"
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#767676"  # of the Okabe-Ito set
MAX_THREADS = 12


def load(folder: Path) -> dict:
    """The folder's info.json. Raises InputError."""
    path = folder / "info.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); write it with: "
                         f"hakbench trace info FILE -o {folder}") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        raise InputError(f"{path} is no {FORMAT}; write it with: hakbench trace info FILE -o {folder}")
    return info


def short(value: float) -> str:
    """1536 -> "1.54k"; decimal, for axes that count."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


def bytes_words(count: int) -> str:
    """Bytes as people read them: "300 bytes", "12 kB" (of 1024 bytes), "22.3 MB" (of 1024 kB)."""
    return f"{count} bytes" if count < 1024 else text.memory(count / 1024)


def _unit(largest: int) -> tuple:
    """(name, bytes) of the unit that an axis up to `largest` bytes has; bytes_words() changes at the same."""
    if largest < 1024:
        return "bytes", 1
    return ("kB", 1024) if largest < 10_000 * 1024 else ("MB of 1024 kB", 1 << 20)


def bucket_name(low: int) -> str:
    """The lower edge of a power-of-two bucket, in binary units: 4096 -> "4Ki"."""
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if low >= factor:
            return f"{low // factor}{unit}"
    return str(low)


def _draw_live(axis, info: dict) -> None:
    points = [{"ops": 0, "live_bytes": 0}] + info["live"]
    peak = info["peak_live_bytes"]
    unit, size = _unit(peak)
    axis.plot([point["ops"] for point in points], [point["live_bytes"] / size for point in points],
              color=BLUE, linewidth=1.2)
    axis.axhline(peak / size, color=GREY, linewidth=0.8, linestyle="--")
    axis.set_title(f"Live bytes (peak {bytes_words(peak)})")
    axis.set_xlabel("calls, all threads")
    axis.set_ylabel(unit)
    axis.set_xlim(0, info["ops"])
    axis.set_ylim(0, 1.08 * max(1, peak) / size)
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _draw_buckets(axis, buckets: list, title: str, label: str) -> None:
    axis.set_title(title)
    axis.set_xlabel(label)
    axis.set_ylabel("blocks")
    if not buckets:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center", color=GREY)
        return
    known = {bucket["low"]: bucket["blocks"] for bucket in buckets}
    lows = [0] if 0 in known else []
    low = max(1, min(low for low in known if low > 0 or len(known) == 1))
    while low <= max(known):
        lows.append(low)
        low *= 2
    axis.bar(range(len(lows)), [known.get(low, 0) for low in lows], color=BLUE, width=0.85)
    step = 1 + len(lows) // 12
    axis.set_xticks(range(0, len(lows), step), [bucket_name(low) for low in lows[::step]])
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def _draw_threads(axis, threads: list) -> None:
    busiest = sorted(range(len(threads)), key=lambda i: -(threads[i]["births"] + threads[i]["frees"]))
    shown = sorted(busiest[:MAX_THREADS])
    rows = range(len(shown))
    births = [threads[i]["births"] for i in shown]
    local = [threads[i]["frees"] - threads[i]["remote_frees"] for i in shown]
    remote = [threads[i]["remote_frees"] for i in shown]
    axis.barh([row - 0.2 for row in rows], births, height=0.36, color=BLUE, label="born")
    axis.barh([row + 0.2 for row in rows], local, height=0.36, color=GREY, label="freed, own")
    axis.barh([row + 0.2 for row in rows], remote, left=local, height=0.36, color=ORANGE,
              label="freed, another's")
    axis.set_yticks(list(rows), [str(i) for i in shown])
    axis.set_ylim(max(len(shown), 3) - 0.5, -0.5)
    hidden = len(threads) - len(shown)
    axis.set_title(f"Threads ({len(threads)}{f', the busiest {len(shown)} shown' if hidden else ''})", pad=22)
    axis.set_xlabel("blocks")
    axis.set_ylabel("thread")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=3, frameon=False, borderaxespad=0.1,
                columnspacing=1.2, handletextpad=0.4)


def draw(info: dict, path: Path) -> None:
    """Writes the PNG. Raises OSError if the path cannot be written."""
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
             "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlesize": 10.5}
    with plt.rc_context(style):
        figure, axes = plt.subplot_mosaic([["live", "live"], ["sizes", "threads"], ["ops", "bytes"]],
                                          figsize=(10, 9), layout="constrained")
        figure.suptitle(text.drawn(f"{info['file']}: {info['ops']:,} calls of {info['program']}"),
                        fontsize=11, x=0.01, ha="left")
        _draw_live(axes["live"], info)
        _draw_buckets(axes["sizes"], info["sizes_bytes"], "Sizes at birth",
                      "bytes, from ... up to twice that")
        _draw_threads(axes["threads"], info["threads"])
        _draw_buckets(axes["ops"], info["lifetimes_ops"], "Lifetimes in calls",
                      "calls of all threads, from ... up to twice that")
        _draw_buckets(axes["bytes"], info["lifetimes_bytes"], "Lifetimes in bytes",
                      "bytes asked for meanwhile, from ... up to twice that")
        wholefile.write_picture(path, figure, "name another folder with -o")
        plt.close(figure)


def run(argv=None) -> int:
    parser = cli.make_parser(PROG, "Draw what `hakbench trace info FILE -o DIR` wrote.",
                             "Example: hakbench traceplot out/redis")
    parser.add_argument("folder", metavar="DIR", help="the folder with info.json; trace.png goes there")
    folder = Path(parser.parse_args(argv).folder)
    info = load(folder)
    picture = folder / "trace.png"
    draw(info, picture)
    print(picture)
    return cli.EXIT_PASS


def main(argv=None) -> int:
    return cli.run_tool(PROG, run, argv)


if __name__ == "__main__":
    sys.exit(main())
