"""python -m hakmem_analysis TOOL [arguments]: what the launchers bin/hakbench-TOOL run."""
import sys

from . import start

TOOLS = ("app", "baseline", "compare", "experiment", "export", "gate", "history", "icount", "plan",
         "report", "scorecard", "selftest", "traceplot", "triage")
MODULES = {"compare": "compare_folders"}  # where the module's name is not the tool's


def main() -> int:
    tool = sys.argv[1] if len(sys.argv) > 1 else ""
    if tool not in TOOLS:
        sys.stderr.write(f"hakmem_analysis: error: no tool '{tool}'; there are: {', '.join(TOOLS)}\n")
        return 1
    return start.tool(MODULES.get(tool, tool), "main", sys.argv[2:])


sys.exit(main())
