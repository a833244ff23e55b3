"""Parts of a page that opens from disk: one self-contained HTML file with tables and plots, no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #14181d; --soft: #59636f; --rule: #dce1e7;
  --faint: #eef1f4; --accent: #1f4fd8; --warn: #8a4b00; }
@media (prefers-color-scheme: dark) { :root { --paper: #101317; --ink: #e8ebef; --soft: #9aa5b1;
  --rule: #2b323b; --faint: #1b2027; --accent: #8fb0ff; --warn: #f0b765; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: clamp(1.2rem, 4vw, 3.5rem); background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  font-variant-numeric: tabular-nums; }
h1, h2, h3 { font-weight: 550; line-height: 1.15; letter-spacing: -.015em; text-wrap: balance; }
h1 { font-size: clamp(1.8rem, 1.2rem + 2.5vw, 2.8rem); margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .8rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { max-width: 68ch; color: var(--soft); margin: .3rem 0 1rem; text-wrap: pretty; }
code { font-size: .88em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: right; padding: .32rem 1.1rem .32rem 0; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { font-weight: 500; color: var(--soft); }
th:first-child, td:first-child, .words th, .words td { text-align: left; }
.words td { white-space: normal; }
.plots { display: grid; gap: 1.6rem 2.4rem;
  grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; }
figcaption { font-size: .88rem; color: var(--soft); margin-bottom: .3rem; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 11px; }
svg rect { fill: var(--accent); }
svg line { stroke: var(--rule); }
svg line.mark { stroke: var(--warn); stroke-dasharray: 4 3; }
.people { display: grid; gap: 1.6rem; }
.faces { display: flex; flex-wrap: wrap; gap: .6rem; }
.faces figure { width: 7.4rem; }
.faces img, .edges img { display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: cover;
  background: var(--faint); }
.faces figcaption, .edges figcaption { font-size: .72rem; line-height: 1.3; overflow-wrap: anywhere;
  margin-top: .25rem; }
.edges { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.4rem; }
.edges figure > div { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem; }
"""
WIDTH, HEIGHT, FOOT = 480, 150, 18
WIDEST_BAR = 44.0


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """A whole HTML page; ``parts`` are HTML, ``title`` and ``lead`` plain text."""
    head = f"<meta name=viewport content='width=device-width, initial-scale=1'><title>{escape(title)}</title>"
    body = f"<h1>{escape(title)}</h1><p>{escape(lead)}</p>" + "".join(parts)
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{head}<style>{STYLE}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def section(title: str, *parts: str, note: str = "") -> str:
    """A heading, a plain remark, and HTML parts."""
    remark = f"<p>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{remark}{''.join(parts)}</section>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], words: bool = False) -> str:
    """A table; the first column names the row, the others hold numbers or, with ``words``, words."""
    head = "".join(f"<th scope=col>{escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(number(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    style = " class=words" if words else ""
    return (
        f"<div class=scroll><table{style}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def number(value: object) -> str:
    """A value as people read it: thousands apart, four significant digits, a dash for what is missing."""
    if value is None or (isinstance(value, float) and value != value):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def plots(*figures: str) -> str:
    """Plots side by side as far as there is room."""
    return f"<div class=plots>{''.join(figures)}</div>"


def bars(caption: str, counts: Iterable[tuple[str, int]], mark: tuple[float, str] | None = None) -> str:
    """A bar chart of counts by label, in their order.

    ``mark`` draws a line at a share (0 to 1) of the width, with a label.
    """
    shown = list(counts)
    top = max([1, *(value for _, value in shown)])
    step = min(WIDTH / max(len(shown), 1), WIDEST_BAR)
    drawn = []
    every = max(1, -(-len(shown) // 9))
    for place, (label, value) in enumerate(shown):
        height = HEIGHT * value / top
        drawn.append(
            f"<rect x='{place * step + 0.5:.1f}' y='{HEIGHT - height:.1f}' width='{max(step - 1, 1):.1f}' "
            f"height='{height:.1f}'><title>{escape(label)}: {value:,}</title></rect>"
        )
        if place % every == 0:
            drawn.append(
                f"<text x='{(place + 0.5) * step:.1f}' y='{HEIGHT + 14}' text-anchor='middle'>"
                f"{escape(label)}</text>"
            )
    if mark is not None:
        at = mark[0] * WIDTH
        drawn.append(f"<line class=mark x1='{at:.1f}' x2='{at:.1f}' y1='0' y2='{HEIGHT}'/>")
        side, shift = ("end", -4) if mark[0] > 0.5 else ("start", 4)
        drawn.append(f"<text x='{at + shift:.1f}' y='10' text-anchor='{side}'>{escape(mark[1])}</text>")
    drawn.append(f"<line x1='0' x2='{WIDTH}' y1='{HEIGHT}' y2='{HEIGHT}'/>")
    return (
        f"<figure><figcaption>{escape(caption)}; the tallest bar is {top:,}</figcaption>"
        f"<svg viewBox='0 0 {WIDTH} {HEIGHT + FOOT}' role='img' aria-label='{escape(caption)}'>"
        f"{''.join(drawn)}</svg></figure>"
    )
