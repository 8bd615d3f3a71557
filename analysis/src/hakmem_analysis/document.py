"""A page of headings, paragraphs, lists, tables and pictures, written as Markdown or HTML.

Purpose     Make report.md and report.html from one list of parts, so that they cannot disagree.
Boundary    Plain text in; the writers escape. HTML is self-contained: pictures are embedded.
"""
from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence


@dataclass(frozen=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str
    strong: bool = False


@dataclass(frozen=True)
class Bullets:
    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """The first column is a name, the others are numbers, set flush right."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Picture:
    path: Path
    alt: str


def _escape_markdown(text: str) -> str:
    for mark in ("\\", "|", "*", "_", "`", "<"):
        text = text.replace(mark, "\\" + mark)
    return text


def to_markdown(parts: Sequence) -> str:
    """The parts as Markdown (GitHub's tables); pictures are linked by their file name."""
    text = _escape_markdown
    blocks = []
    for part in parts:
        if isinstance(part, Heading):
            blocks.append("#" * part.level + " " + text(part.text))
        elif isinstance(part, Paragraph):
            blocks.append(f"**{text(part.text)}**" if part.strong else text(part.text))
        elif isinstance(part, Bullets):
            blocks.append("\n".join(f"- {text(item)}" for item in part.items))
        elif isinstance(part, Code):
            blocks.append(f"```\n{part.text}\n```")
        elif isinstance(part, Picture):
            blocks.append(f"![{text(part.alt)}]({part.path.name})")
        else:
            rule = ["---"] + ["---:"] * (len(part.header) - 1)
            lines = [[text(cell) for cell in row] for row in (part.header, *part.rows)]
            lines.insert(1, rule)
            blocks.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(blocks) + "\n"


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #8886; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: #fff; }
pre { overflow-x: auto; padding: .5rem; background: #8882; }
"""


def to_html(parts: Sequence, title: str) -> str:
    """The parts as one HTML page without outside references: it can be mailed as it is."""
    text = html.escape
    out = []
    for part in parts:
        if isinstance(part, Heading):
            out.append(f"<h{part.level}>{text(part.text)}</h{part.level}>")
        elif isinstance(part, Paragraph):
            words = f"<strong>{text(part.text)}</strong>" if part.strong else text(part.text)
            out.append(f"<p>{words}</p>")
        elif isinstance(part, Bullets):
            out.append("<ul>" + "".join(f"<li>{text(item)}</li>" for item in part.items) + "</ul>")
        elif isinstance(part, Code):
            out.append(f"<pre>{text(part.text)}</pre>")
        elif isinstance(part, Picture):
            data = base64.b64encode(part.path.read_bytes()).decode("ascii")
            out.append(f'<img alt="{text(part.alt)}" src="data:image/png;base64,{data}">')
        else:
            head = "".join(f"<th>{text(cell)}</th>" for cell in part.header)
            rows = "".join("<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>\n"
                           for row in part.rows)
            out.append(f"<table>\n<tr>{head}</tr>\n{rows}</table>")
    return (f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width">\n<title>{text(title)}</title>\n'
            f"<style>{_STYLE}</style>\n" + "\n".join(out) + "\n</html>\n")
