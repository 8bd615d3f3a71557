"""What all tools share at the command line.

Purpose     One way to parse, to fail and to leave: exit codes 0 pass, 1 the tool or its input failed,
            2 a gate failed, 3 inconclusive (only where asked).
Boundary    run_tool() wraps a tool's main; make_parser() its arguments; json_text() makes its
            JSON.
"""
from __future__ import annotations

import argparse
import json
import math
import os
import sys
from pathlib import Path
from typing import Callable, Optional, Sequence

from . import start, streams
from .errors import InputError

EXIT_PASS, EXIT_ERROR, EXIT_GATE_FAILED, EXIT_INCONCLUSIVE = 0, 1, 2, 3


class _Parser(argparse.ArgumentParser):
    """argparse ends wrong usage with 2, which here means a failed gate: it is 1, in one line. An empty value,
    which a script leaves where a variable is not set, is wrong usage too unless it is the default."""

    def _get_value(self, action, arg_string):
        if arg_string == "" != action.default:
            raise argparse.ArgumentError(action, "has an empty value; give one, or leave it out")
        return super()._get_value(action, arg_string)

    def error(self, message: str):
        sys.stderr.write(f"{self.prog}: error: {message}; see {self.prog} --help\n")
        sys.exit(EXIT_ERROR)


def make_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    return _Parser(prog=prog, description=description, epilog=epilog, allow_abbrev=False,
                   formatter_class=argparse.RawDescriptionHelpFormatter)


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text",
                        help="text for people (default) or json for machines, on standard output")


def parse_with_rest(parser: argparse.ArgumentParser, argv: Optional[Sequence[str]]) -> tuple:
    """(options, words behind "--"): what a tool hands on to another command."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--" not in words:
        return parser.parse_args(words), []
    place = words.index("--")
    return parser.parse_args(words[:place]), words[place + 1:]


def file_to_write(text: str) -> str:
    """The type of an option that names a file which is written when all is measured: what can be known
    before is said before. Raises argparse.ArgumentTypeError."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write {path.name} into; make "
                                         "it, or name another file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} may not be written; name another file")
    return text


def share(option: str, text: str) -> float:
    """A share as people write it, "0.5%" or "0.005". Raises InputError."""
    try:
        value = float(text.rstrip(" %")) / (100 if text.rstrip().endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise InputError(f"{option} {text} is no share; write 0.5% or 0.005")
    return value


def finite_only(value):
    """Plain data with None for each number that is not finite: JSON has neither NaN nor infinity."""
    if isinstance(value, dict):
        return {key: finite_only(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_only(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def json_text(content) -> str:
    """What --format json prints."""
    return json.dumps(finite_only(content), indent=2, allow_nan=False)


def run_tool(prog: str, main: Callable[[Optional[Sequence[str]]], int],
             argv: Optional[Sequence[str]] = None) -> int:
    """Runs a tool's main and turns what people can mend into one line on stderr and exit code 1, also that
    standard output is full. A reader that went away (| head -1) is no news, but it makes no pass: the code
    is main's, or 1 where main was cut short."""
    code = EXIT_ERROR
    with streams.guarded():
        try:
            try:
                start.raise_at_interrupt()
                code = main(argv)
            except InputError as error:
                sys.stderr.write(f"{prog}: error: {error}\n")
            except KeyboardInterrupt:
                code = 130
            except start.Ended as ended:
                code = 128 + ended.number
            except SystemExit as leave:  # argparse: --help and wrong usage
                code = leave.code
                raise
            finally:
                sys.stdout.flush()
        except streams.OutputLost as lost:
            if not isinstance(lost.error, BrokenPipeError):
                sys.stderr.write(f"{prog}: error: cannot write to standard output: {lost}; make room, or "
                                 "send it elsewhere\n")
                code = EXIT_ERROR
        return code
