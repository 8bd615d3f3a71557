"""The way into a tool: what holds before its modules are there.

Purpose     Ctrl-C ends a tool with 130 also in the first second, while pandas and matplotlib are loaded:
            an exception would come out of the midst of a library, as a traceback. SIGTERM and SIGHUP end
            it then as any program, and later when it has ended what it started, which would run on.
Boundary    tool() is what __main__.py and scripts/_analysis.py call. It loads as little as it can, since what
            is loaded before it is not covered. Runs with any Python 3: _analysis.py looks for a newer one.
"""
import _signal  # the module signal makes enums of it, in which Ctrl-C would not be covered yet
import importlib
import os


ENDING = (_signal.SIGTERM, _signal.SIGHUP)
_own_process = False  # since leave_at_interrupt(); a test's is pytest's


class Ended(BaseException):
    """SIGTERM or SIGHUP came; `number` is the signal's."""

    def __init__(self, number):
        super().__init__(number)
        self.number = number


def _leave(number, _frame):
    os._exit(128 + number)


def _end(number, _frame):
    for each in ENDING:  # `timeout` sends its signal twice: the second must not cut the tidying short
        _signal.signal(each, _signal.SIG_IGN)
    raise Ended(number)


def leave_at_interrupt():
    """From here on Ctrl-C ends the process at once, unless it is ignored (a job in the background)."""
    global _own_process
    _own_process = True
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _leave)
    for number in ENDING:
        if _signal.getsignal(number) is _end:
            _signal.signal(number, _signal.SIG_DFL)


def raise_at_interrupt():
    """Ctrl-C raises KeyboardInterrupt again: from here on there is something to tidy up. So do SIGTERM and
    SIGHUP raise Ended, unless they are ignored (nohup)."""
    if _signal.getsignal(_signal.SIGINT) is _leave:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    for number in ENDING:
        if _own_process and _signal.getsignal(number) == _signal.SIG_DFL:
            _signal.signal(number, _end)


def tool(module, function, *arguments):
    """Runs hakmem_analysis.MODULE.FUNCTION(), which calls raise_at_interrupt(); returns its exit code."""
    leave_at_interrupt()
    code = getattr(importlib.import_module("hakmem_analysis." + module), function)(*arguments)
    leave_at_interrupt()
    return code
