"""The way into a tool: what holds before its modules are there.

Purpose     Ctrl-C ends a tool with 130 also in the first second, while pandas and matplotlib are loaded:
            an exception would come out of the midst of a library, as a traceback.
Boundary    tool() is what __main__.py and scripts/_analysis.py call. It loads as little as it can, since what
            is loaded before it is not covered. Runs with any Python 3: _analysis.py looks for a newer one.
"""
import _signal  # the module signal makes enums of it, in which Ctrl-C would not be covered yet
import importlib
import os


def _leave(number, _frame):
    os._exit(128 + number)


def leave_at_interrupt():
    """From here on Ctrl-C ends the process at once, unless it is ignored (a job in the background)."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _leave)


def raise_at_interrupt():
    """Ctrl-C raises KeyboardInterrupt again: from here on there is something to tidy up."""
    if _signal.getsignal(_signal.SIGINT) is _leave:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def tool(module, function, *arguments):
    """Runs hakmem_analysis.MODULE.FUNCTION(), which calls raise_at_interrupt(); returns its exit code."""
    leave_at_interrupt()
    code = getattr(importlib.import_module("hakmem_analysis." + module), function)(*arguments)
    leave_at_interrupt()
    return code
