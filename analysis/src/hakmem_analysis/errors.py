"""The one error that people see.

Purpose     Tell bad input from a bug: an InputError ends a tool with one line and exit code 1.
Invariants  The message is one line: it names the thing (file, line, column) and the mend.
"""


class InputError(Exception):
    """Input that cannot be used; str(error) is one complete line for a person."""
