"""The pages of pictures: the comparison page, the galleries, and the slider on the front page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlencode

from ...records.evaluation_modes import ALL
from ..rendering.rendering import Page, script_json
from ..rendering.site_folder import Site
from ..store.names import safe_name
from ..tables.board import Board, Table
from ..tables.formatting import number, table_title
from .pictures import Album, PictureOptions, Source

GROUPS = {
    "disputed": ("Most disputed", "Images where the metrics disagree most about which model did best."),
    "worst": ("Worst", "Images that the ranked models restored worst, over the metrics of the composite."),
    "best": ("Best", "Images that the ranked models restored best, over the metrics of the composite."),
}
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
    """LQ against the best model with pictures of its own, on the last (hardest) benchmark, if any.

    Benchmarks with all references come before those of other evaluation modes.
    """
    whole_first = sorted(board.tables, key=lambda table: table.benchmark.references == ALL)
    for table in reversed(whole_first):
        album = albums.get(table.slug)
        if album is None or not album.keys:
            continue
        left, right = album.sources[0], _showpiece(table, album)
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


def _showpiece(table: Table, album: Album) -> Source:
    """The best model that is no control and no copy; HQ where there is none."""
    own = {
        row.name for row in table.rows if row.rank and not any(f.kind.startswith("copy") for f in row.flags)
    }
    return next((source for source in album.sources if source.name in own), album.sources[-1])


def _default_sides(album: Album) -> tuple[Source, Source]:
    models = [source for source in album.sources if source.kind == "model"]
    first = album.sources[0]
    return first, models[0] if models else album.sources[-1]


def _address(table: Table, key: str, left: Source, *, right: Source, up: str = "") -> str:
    wanted = urlencode({"image": key, "left": left.name, "right": right.name})
    return f"{up}compare/{quote(table.slug)}.html#{wanted}"


def disputed_strip(table: Table, album: Album | None) -> dict[str, Any] | None:
    """The most disputed images as a strip below a table; None without pictures."""
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
        _write_data(table, album, site)
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


def _write_data(table: Table, album: Album, site: Site) -> None:
    """What the comparison page's script reads: one file for the album, one of scores per model."""
    columns = [c for c in table.columns if c.id in table.values and c.protocol]
    names = [safe_name(key) for key in album.keys]
    people = sorted({table.identity_of[key] for key in album.keys})
    shown = sorted(album.reference_files)
    spot = {key: i for i, key in enumerate(shown)}
    place = {key: i for i, key in enumerate(album.keys)}
    any_reference = next(iter(album.reference_files.values()), "")
    data = {
        "slug": table.slug,
        "total": len(table.keys),
        "keys": " ".join(album.keys),
        "files": "" if names == list(album.keys) else " ".join(names),
        "people": people,
        "person": [people.index(table.identity_of[key]) for key in album.keys],
        "references": [[spot[r] for r in album.references[key]] for key in album.keys],
        "referenceNames": [safe_name(key) for key in shown],
        "referenceFolder": f"../{PurePosixPath(any_reference).parent}/" if any_reference else "",
        "thumbnailFolder": f"../{PurePosixPath(album.thumbnails[album.keys[0]]).parent}/",
        "metrics": [
            {"title": c.title, "arrow": c.arrow, "up": c.protocol.higher_is_better, "decimals": c.decimals}
            for c in columns
            if c.protocol
        ],
        "groups": {kind: [place[k] for k in getattr(album.galleries, kind) if k in place] for kind in GROUPS},
        "sources": [_source(table, album, source) for source in album.sources],
    }
    site.text(f"compare/{table.slug}/album.js", f"window.refbenchAlbum = {script_json(data)};\n")
    rows = {key: i for i, key in enumerate(table.keys)}
    pick = [rows[key] for key in album.keys]
    for source in album.sources:
        if source.kind != "model":
            continue
        at = table.row_numbers[source.name]
        numbers = [
            [None if v != v else round(v * 10**c.decimals) for v in table.values[c.id][pick, at].tolist()]
            for c in columns
        ]
        target = f"(window.refbenchScores = window.refbenchScores || {{}})[{script_json(source.name)}]"
        site.text(f"compare/{table.slug}/{source.name}.js", f"{target} = {script_json(numbers)};\n")


def _source(table: Table, album: Album, source: Source) -> dict[str, Any]:
    files = [album.files.get((source.name, key), "") for key in album.keys]
    folder = next((str(PurePosixPath(file).parent) for file in files if file), "")
    entry: dict[str, Any] = {
        "name": source.name,
        "label": source.label,
        "kind": source.kind,
        "folder": f"../{folder}/",
    }
    if gaps := [i for i, file in enumerate(files) if not file]:
        entry["gaps"] = gaps
    if source.kind == "model":
        entry["scores"] = f"{source.name}.js"
    return entry
