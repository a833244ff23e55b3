"""Formatting of numbers, cells, titles and captions for the pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...validation import did_you_mean
from ..store.settings import BoardSettings
from .board import Board, Cell, Column, Row, Table
from .reference_modes import mode_title

COMPOSITE_TITLE = "Borda"


@dataclass(frozen=True, slots=True)
class FormattedCell:
    """A cell as the page shows it.

    Attributes:
        text: the number.
        exact: the number with thirteen digits, for sorting.
        place: rank, best and worst possible rank, separated by spaces.
        interval: its bounds.
        group: letters.
        bar: style of the interval bar.
        classes: of the table cell.
        reason: shown as a tooltip.
    """

    text: str
    exact: str = ""
    place: str = ""
    interval: str = ""
    group: str = ""
    bar: str = ""
    classes: str = ""
    reason: str = ""

    @property
    def packed(self) -> str:
        """What changes with the mean, as the page's script reads it."""
        fields = (self.text, self.exact, self.place, self.interval, self.group, self.bar, self.classes)
        return "|".join(fields)


def number(value: float | None, decimals: int) -> str:
    """A value with that many decimals and a typographic minus sign; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:.{decimals}f}"
    return f"−{text[1:]}" if text.startswith("-") and float(text) != 0 else text.lstrip("-")


def seconds(value: float) -> str:
    """A duration in seconds, as milliseconds or seconds."""
    return f"{value * 1000:.0f} ms" if value < 0.1 else f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def plural(value: int, word: str, words: str = "") -> str:
    """``1 image``, ``2 images``."""
    return f"{value:,} {word if value == 1 else words or word + 's'}"


def letters(group: str) -> str:
    """``abcd`` as ``a–d``: runs of three or more letters are shortened."""
    if not re.fullmatch(r"[a-z]+", group):
        return group
    runs: list[str] = []
    for letter in group:
        if runs and ord(runs[-1][-1]) + 1 == ord(letter):
            runs[-1] += letter
        else:
            runs.append(letter)
    return "".join(run if len(run) < 3 else f"{run[0]}–{run[-1]}" for run in runs)


def interval_text(low: float | None, high: float | None, decimals: int) -> str:
    """The bounds of an interval; empty where there is none."""
    if low is None or high is None:
        return ""
    ends = number(low, decimals), number(high, decimals)
    return (" to " if any(end.startswith("−") for end in ends) else "–").join(ends)


def format_cells(table: Table) -> list[list[FormattedCell]]:
    """The formatted cells of all rows; the bars of a column share a scale."""
    by_column = [
        _format_column(
            column,
            [row.cells[i] for row in table.rows],
            is_lone=table.scored_rows[i] < 2 and len(table.rows) > 1,
        )
        for i, column in enumerate(table.columns)
    ]
    return [list(views) for views in zip(*by_column, strict=True)] if by_column else [[] for _ in table.rows]


def _format_column(column: Column, cells: Sequence[Cell], *, is_lone: bool) -> list[FormattedCell]:
    """The formatted cells of a column; the number of a lone row is not marked as the best."""
    ends = [end for cell in cells for end in (cell.low, cell.high, cell.value) if end is not None]
    least, most = (min(ends), max(ends)) if ends else (0.0, 1.0)
    return [_format_cell(column, cell, least, most=most, is_lone=is_lone) for cell in cells]


def _format_cell(column: Column, cell: Cell, least: float, *, most: float, is_lone: bool) -> FormattedCell:
    if cell.value is None:
        return FormattedCell("", classes="none", reason=cell.reason or "not scored")
    bar = ""
    if cell.low is not None and cell.high is not None:
        span = (most - least) or 1.0
        left, right = (100 * (end - least) / span for end in (cell.low, cell.high))
        bar = f"--l:{left:.1f};--h:{right:.1f}"
    is_best = cell.rank == 1 and not is_lone
    is_top = is_best or (not is_lone and cell.best == 1 and cell.group != "" and "a" in cell.group)
    classes = ("top first" if is_best else "top") if cell.rank and is_top else "" if cell.rank else "out"
    return FormattedCell(
        text=number(cell.value, column.decimals),
        exact=f"{cell.value:.13g}",
        place=f"{cell.rank} {cell.best} {cell.worst}",
        interval=interval_text(cell.low, cell.high, column.decimals),
        group=letters(cell.group),
        bar=bar,
        classes=classes,
        reason=cell.reason,
    )


def about(row: Row) -> str:
    """The line under a model's name: team, number of references, seconds per image."""
    card = row.card
    parts = [card.team] if card.team != "unknown" else []
    if card.references_used is not None:
        parts.append(
            "no references" if card.references_used == 0 else plural(card.references_used, "reference")
        )
    if card.seconds_per_image:
        parts.append(f"{seconds(card.seconds_per_image)}")
    return " · ".join(parts)


def lacking_note(row: Row) -> str:
    """Why a row has no points of the composite though it is ranked; empty for one that has."""
    named = ", ".join(row.lacking)
    return f"not scored on {named}; {COMPOSITE_TITLE} points need all of their metrics" if named else ""


def search_text(row: Row) -> str:
    """The text that the filter of the page searches."""
    card = row.card
    words = [row.label, card.team, card.licence, card.training_data, *(flag.kind for flag in row.flags)]
    return re.sub(r"[^\w.]+|_", " ", f" {' '.join(words)}".lower())


def table_title(table: Table, settings: BoardSettings, all_tables: Sequence[Table]) -> str:
    """A track's title, unlike that of any other: from the settings, else its recipe and evaluation mode.

    The set is named where there are several. Tracks that are alike in all of this are told apart by their
    splits, or by the first digits of the hashes of their sets or LQ images.
    """
    track = table.track
    for name in (track.id, *table.earlier):
        if name in settings.titles:
            return settings.titles[name]
    title = _plain_title(table, settings, all_tables)
    alike = [other.track for other in all_tables if _plain_title(other, settings, all_tables) == title]
    if len({other.split for other in alike}) > 1:
        title = f"{title}, {'all splits' if track.split == 'all' else f'{track.split} split'}"
        alike = [other for other in alike if other.split == track.split]
    for what, field in (("set", "set_hash"), ("LQ", "lq_hash")):
        if len({getattr(other, field) for other in alike}) > 1:
            title = f"{title}, {what} {getattr(track, field)[:8]}"
            alike = [other for other in alike if getattr(other, field) == getattr(track, field)]
    return title if len(alike) < 2 else f"{title} ({track.id.rpartition('-')[2]})"


def unknown_titles(board: Board) -> list[str]:
    """One line for each title in the settings that is of no track and no recipe of the board."""
    known = {name for table in board.tables for name in (table.recipe, table.track.id, *table.earlier)}
    return [
        f"titles: no track or recipe is called {name!r}{did_you_mean(name, known)}"
        for name in board.settings.titles
        if name not in known
    ]


def _plain_title(table: Table, settings: BoardSettings, all_tables: Sequence[Table]) -> str:
    """Recipe and evaluation mode, with the set's name where there are several sets."""
    track = table.track
    recipe = re.sub(r"^refldm-", "", table.recipe).replace("-", " ").replace("_", " ")
    title = settings.titles.get(table.recipe) or recipe[:1].upper() + recipe[1:]
    if len({other.track.name for other in all_tables}) > 1:
        title = f"{track.name}, {settings.titles.get(table.recipe) or recipe}"
    mode = mode_title(track.references)
    return f"{title}, {mode}" if mode else title


def table_facts(table: Table) -> str:
    """One line on the track: images, people, set, split, recipe."""
    track = table.track
    facts = [
        plural(track.images, "image"),
        plural(table.identities, "person", "people"),
        f"set {track.name}, {track.split} split",
        f"recipe {track.recipe}",
    ]
    return " · ".join(facts)


def composite_definition(table: Table) -> str:
    """The definition of the composite, in one sentence."""
    titles = {column.id: column.title for column in table.columns}
    named = ", ".join(titles[name] for name in table.composite)
    return f"the share of the other ranked models that a model beats, in percent, averaged over {named}."
