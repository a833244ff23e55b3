"""Pages of pictures: the comparison page, the galleries, and the slider of the front page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ...records.evaluation_modes import ALL
from ..rendering.rendering import Page
from ..rendering.site_folder import Site
from ..tables.board import Board, Table
from ..tables.formatting import number, table_title
from .album_data import GROUPS, write_album_data
from .pictures import Album, PictureOptions, Source

SHOWN_ROWS = 6


@dataclass(frozen=True)
class Hero:
    """The slider of the front page."""

    left: str
    right: str
    left_label: str
    right_label: str
    references: tuple[str, ...]
    href: str
    width: int
    height: int


def hero(board: Board, albums: Mapping[str, Album], options: PictureOptions) -> Hero | None:
    """The slider of the front page: LQ and the best model, on the last benchmark that has pictures.

    Benchmarks with all references are preferred to those of other evaluation modes.
    """
    all_references_last = sorted(board.tables, key=lambda table: table.track.references == ALL)
    for table in reversed(all_references_last):
        album = albums.get(table.slug)
        if album is None or not album.keys:
            continue
        left, right = album.sources[0], _best_source(table, album)
        key = next((key for key in album.galleries.best if (right.name, key) in album.files), album.keys[0])
        if (left.name, key) not in album.files or (right.name, key) not in album.files:
            continue
        return Hero(
            album.files[left.name, key],
            album.files[right.name, key],
            left.label,
            right.label,
            tuple(album.reference_files[r] for r in album.references[key][:4]),
            _address(table, key, left, right=right),
            options.size,
            options.size,
        )
    return None


def _best_source(table: Table, album: Album) -> Source:
    """The best model that is neither a control nor a copy; HQ where there is none."""
    own = {row.name for row in table.rows if row.rank and not any(flag.is_copy for flag in row.flags)}
    return next((source for source in album.sources if source.name in own), album.sources[-1])


def _default_sides(album: Album) -> tuple[Source, Source]:
    models = [source for source in album.sources if source.kind == "model"]
    first = album.sources[0]
    return first, models[0] if models else album.sources[-1]


def _address(table: Table, key: str, left: Source, *, right: Source, up: str = "") -> str:
    wanted = urlencode({"image": key, "left": left.name, "right": right.name})
    return f"{up}compare/{quote(table.slug)}.html#{wanted}"


def disputed_strip(table: Table, album: Album | None) -> dict[str, Any] | None:
    """The images with the most disagreement among metrics, below a table; None without pictures."""
    if album is None:
        return None
    left, right = _default_sides(album)
    keys = (album.galleries.disputed or album.keys)[:12]
    pictures = [
        {"key": key, "src": album.thumbnails[key], "href": _address(table, key, left, right=right)}
        for key in keys
        if key in album.thumbnails
    ]
    return {
        "disputed": pictures,
        "gallery": f"gallery/{table.slug}.html",
        "compare": f"compare/{table.slug}.html",
    }


def album_pages(
    board: Board, albums: Mapping[str, Album], options: PictureOptions, *, site: Site
) -> list[Page]:
    """The comparison page and the galleries of every table with pictures; their data go to ``site``."""
    pages = []
    for table in board.tables:
        album = albums.get(table.slug)
        if album is None or not album.keys:
            continue
        title = table_title(table, board.settings, board.tables)
        write_album_data(table, album, site)
        left, right = _default_sides(album)
        key = album.keys[0]
        context = {
            "slug": table.slug,
            "title": title,
            "sources": album.sources,
            "left": left.name,
            "right": right.name,
            "first": {
                "left": "../" + album.files.get((left.name, key), ""),
                "right": "../" + album.files.get((right.name, key), ""),
                "left_label": left.label,
                "right_label": right.label,
                "key": key,
                "width": options.size,
                "height": options.size,
            },
            "others": _others(board, albums, table, kind="compare"),
            "orders": _orders(table, album),
        }
        pages.append(Page(f"compare/{table.slug}.html", "compare.html", context))
        gallery = {
            "slug": table.slug,
            "title": title,
            "groups": _gallery(table, album),
            "others": _others(board, albums, table, kind="gallery"),
        }
        pages.append(Page(f"gallery/{table.slug}.html", "gallery.html", gallery))
    return pages


def _others(board: Board, albums: Mapping[str, Album], table: Table, *, kind: str) -> list[dict[str, Any]]:
    if len(albums) < 2:
        return []
    return [
        {
            "title": table_title(other, board.settings, board.tables),
            "href": f"{other.slug}.html",
            "here": other is table,
        }
        for other in board.tables
        if other.slug in albums
    ]


def _orders(table: Table, album: Album) -> list[dict[str, str]]:
    orders = [
        {"value": kind, "label": text.lower()}
        for kind, (text, _) in GROUPS.items()
        if getattr(album.galleries, kind)
    ]
    for place, column in enumerate(c for c in table.columns if c.id in table.values and c.protocol):
        orders.append({"value": f"gap:{place}", "label": f"left beats right on {column.title}"})
    return orders


def _gallery(table: Table, album: Album) -> list[dict[str, Any]]:
    column = next((c for c in table.columns if c.id in table.composite), None)
    groups = []
    for kind, (label, definition) in GROUPS.items():
        keys = [key for key in getattr(album.galleries, kind) if key in album.thumbnails][:SHOWN_ROWS]
        rows = [{"key": key, "pictures": _gallery_row(table, album, key, column=column)} for key in keys]
        if rows:
            note = f" The number is {column.title}." if column else ""
            groups.append({"value": kind, "label": label, "definition": definition + note, "rows": rows})
    return groups


def _gallery_row(table: Table, album: Album, key: str, *, column: Any) -> list[dict[str, str]]:
    hq = album.sources[-1]
    place = table.keys.index(key)
    pictures = []
    for source in album.sources:
        if (source.name, key) not in album.files:
            continue
        score = ""
        if column is not None and source.name in table.row_numbers:
            value = float(table.values[column.id][place, table.row_numbers[source.name]])
            score = number(value, column.decimals) if value == value else ""
        pictures.append(
            {
                "src": "../" + album.files[source.name, key],
                "label": source.label,
                "score": score,
                "href": _address(table, key, source, right=hq, up="../"),
            }
        )
    return pictures
