"""Redirect pages: addresses of version 0.1, which had a page per list of protocols, lead to the tracks."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

from ..rendering.rendering import Page
from ..tables.board import Board
from ..tables.formatting import table_title


def redirect_pages(board: Board, with_pictures: Collection[str]) -> list[Page]:
    """A page at each old address of the comparison pages and galleries.

    Args:
        board: its tables.
        with_pictures: slugs of the tables that have these pages.
    """
    pages = []
    taken = {table.slug for table in board.tables}
    for table in board.tables:
        title = table_title(table, board.settings, board.tables)
        for old in table.earlier:
            if table.slug in with_pictures and old not in taken:
                context = {"title": title, "target": f"{quote(table.slug)}.html"}
                pages += [
                    Page(f"{kind}/{old}.html", "redirect.html", context) for kind in ("compare", "gallery")
                ]
    return pages
