"""A page of headings, paragraphs, lists, tables and pictures, written as Markdown or HTML.

Purpose     Make report.md and report.html from one list of parts, so that they cannot disagree.
Boundary    Plain text in; the writers escape. HTML is self-contained: pictures are embedded. A Drawing is
            SVG made by our own code, for HTML only: Markdown has its table.
"""
from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence, Union


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
class Cell:
    """A cell that is more than its text: where it links to, and the number that it is sorted by."""

    text: str
    link: str = ""
    sort: Optional[float] = None


@dataclass(frozen=True)
class Table:
    """The first `names` columns are words, the others are numbers, set flush right. `foot`: rows that belong
    to no order, such as means."""

    header: Sequence[str]
    rows: Sequence[Sequence[Union[str, Cell]]]
    foot: Sequence[Sequence[Union[str, Cell]]] = ()
    names: int = 1


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Picture:
    path: Path
    alt: str


@dataclass(frozen=True)
class Drawing:
    """A complete <svg> element with a <title> of its own."""

    svg: str


def _escape_markdown(text: str) -> str:
    for mark in ("\\", "|", "*", "_", "`", "<"):
        text = text.replace(mark, "\\" + mark)
    return text


def _cell_markdown(cell: Union[str, Cell]) -> str:
    if isinstance(cell, str):
        return _escape_markdown(cell)
    words = _escape_markdown(cell.text)
    return f"[{words}]({cell.link})" if cell.link else words


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
        elif isinstance(part, Drawing):
            continue
        elif isinstance(part, Picture):
            blocks.append(f"![{text(part.alt)}]({part.path.name})")
        else:
            rule = ["---"] * part.names + ["---:"] * (len(part.header) - part.names)
            lines = [[_cell_markdown(cell) for cell in row] for row in (part.header, *part.rows, *part.foot)]
            lines.insert(1, rule)
            blocks.append("\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(blocks) + "\n"


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
p, ul { max-width: 60rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid #8886; text-align: right; white-space: nowrap; }
th:first-child, td:first-child, .words { text-align: left; }
td.words { white-space: normal; min-width: min(18rem, 40vw); }
tfoot td { font-weight: 600; }
img { max-width: 100%; background: #fff; }
svg { width: 100%; max-width: 44rem; height: auto; display: block; margin: 1rem 0; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid; }
th[aria-sort=ascending] button::after { content: " \\25b2"; }
th[aria-sort=descending] button::after { content: " \\25bc"; }
pre { overflow-x: auto; padding: .5rem; background: #8882; }
"""


# Headers become buttons that sort their column: by data-sort where a cell has it, else by its text. Cells
# without a value stay last. Without scripts the page reads the same, in its first order.
_SORT_SCRIPT = """
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    const key = row => {
      const cell = row.cells[column];
      const text = cell.textContent.trim(), number = parseFloat(cell.dataset.sort ?? text);
      return Number.isNaN(number) ? text : number;
    };
    const missing = value => value === "" || value === "-";
    button.addEventListener("click", () => {
      const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...[...body.rows].sort((one, two) => {
        const [a, b] = [key(one), key(two)];
        if (missing(a) || missing(b)) return missing(a) - missing(b);
        const numbers = typeof a === "number" && typeof b === "number";
        return sign * (numbers ? a - b : String(a).localeCompare(String(b)));
      }));
    });
  });
}
"""


def _cell_html(cell: Union[str, Cell], attributes: str = "") -> str:
    if isinstance(cell, str):
        return f"<td{attributes}>{html.escape(cell)}</td>"
    words = html.escape(cell.text)
    if cell.link:
        words = f'<a href="{html.escape(cell.link)}">{words}</a>'
    if cell.sort is not None:
        attributes += f' data-sort="{cell.sort:.9g}"'
    return f"<td{attributes}>{words}</td>"


def _table_html(table: Table) -> str:
    kinds = ["", *[' class="words"'] * (table.names - 1), *[""] * (len(table.header) - table.names)]

    def lines(rows) -> str:
        return "".join("<tr>" + "".join(map(_cell_html, row, kinds)) + "</tr>\n" for row in rows)

    head = "".join(f"<th{kind}>{html.escape(cell)}</th>" for cell, kind in zip(table.header, kinds))
    foot = f"<tfoot>\n{lines(table.foot)}</tfoot>" if table.foot else ""
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines(table.rows)}</tbody>{foot}</table>"


def to_html(parts: Sequence, title: str, sortable: bool = False) -> str:
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
        elif isinstance(part, Drawing):
            out.append(part.svg)
        elif isinstance(part, Picture):
            data = base64.b64encode(part.path.read_bytes()).decode("ascii")
            out.append(f'<img alt="{text(part.alt)}" src="data:image/png;base64,{data}">')
        else:
            out.append(_table_html(part))
    if sortable:
        out.append(f"<script>{_SORT_SCRIPT}</script>")
    return (f'<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width">\n<title>{text(title)}</title>\n'
            f"<style>{_STYLE}</style>\n" + "\n".join(out) + "\n</html>\n")
