"""Standard streams as a tool finds them: full, closed, or without a letter that a name has.

Purpose     Whatever standard output and error are, a tool ends with its own exit code, and without a
            traceback.
Boundary    guarded() is a context that cli.run_tool() enters. Within it, standard output that takes no more
            raises OutputLost, whatever the tool does with OSErrors of its files; messages that standard
            error does not take are lost without one.
Invariants  A stream that failed leads to /dev/null from then on: what Python still holds of the text does
            not fail again when it exits. The same for one that was closed: no file gets its number, and with
            it messages.
"""
import codecs
import contextlib
import os
import sys

STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))  # by number
ERRORS = "hakmem.bytes"


class OutputLost(Exception):
    """Standard output takes no more; `error` is the OSError."""

    def __init__(self, error: OSError):
        super().__init__(error.strerror)
        self.error = error


def _in_bytes(error):
    """What takes the place of a letter that an encoding lacks: bytes of a file's name that were no text are
    themselves, others are written as in Python, like \\xfc."""
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xdc00]), error.start + 1
    return letter.encode("ascii", "backslashreplace").decode(), error.start + 1


codecs.register_error(ERRORS, _in_bytes)


class _Guarded:
    """A text stream; `failed` gets the OSError of one that takes no more."""

    def __init__(self, stream, failed):
        self._stream, self._failed = stream, failed
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ERRORS)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        self._attempt(self._stream.write, text)
        return len(text)

    def writelines(self, lines):
        self._attempt(self._stream.writelines, lines)

    def flush(self):
        self._attempt(self._stream.flush)

    def _attempt(self, call, *arguments):
        try:
            call(*arguments)
        except OSError as error:
            with open(os.devnull, "wb") as null:
                os.dup2(null.fileno(), self._stream.fileno())
            self._failed(error)


def _lost(error):
    raise OutputLost(error) from None


def _open_closed() -> None:
    for number, (_, flags) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:  # then this is the lowest number that is free
            os.open(os.devnull, flags)
            os.set_inheritable(number, True)


@contextlib.contextmanager
def guarded():
    """Standard output and error as the header says; afterwards they are what they were."""
    _open_closed()
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as null:
        sys.stdout = _Guarded(before[0] or null, _lost)
        sys.stderr = _Guarded(before[1] or null, lambda error: None)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
