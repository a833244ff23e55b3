"""Records in, a static site out: it opens from disk, asks no server, and is the same for the same inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..builders.manifest import ReferenceSet
from ..files import sha256_file
from ..metrics.protocol import Protocol
from ..progress import progress, say
from .album_pages import album_pages, hero
from .board import Board, make_board
from .downloads import LABELS, export
from .galleries import choose_galleries
from .pages import board_page, how_page, model_pages
from .pictures import Album, PictureOptions, encode, fingerprint, match_sets, plan_album
from .rendering import Page, asset_files, render
from .reported import read_reported, reported_page
from .settings import read_settings
from .site import Site
from .slices import slice_table, slicings
from .store import Store
from .submission import Submission, read_submission, submission_hash


def publish_site(
    store: Store | Path,
    out: Path,
    reference_sets: Sequence[ReferenceSet | Path] = (),
    submissions: Sequence[Submission | Path] = (),
    *,
    protocols: Mapping[str, Protocol] | None = None,
    pictures: PictureOptions | None = None,
    seed: int = 0,
) -> Path:
    """Write the site of a store of records into ``out``; returns its ``index.html``.

    Args:
        store: of records.
        out: a new or empty folder, or one that was published into before.
        reference_sets: bring pictures (LQ, HQ, references) for the benchmarks made of them.
        submissions: folders or archives of restored images; each is matched to its record by the hash of
            its images, and one that fits no record is named and left out.
        protocols: declarations by id; None for the catalogue.
        pictures: how many and how large.
        seed: of the intervals and tests.

    Raises:
        FaultyInput: ``out`` holds files that are not a site.
        FaultList: a submission or ``board.yaml`` is faulty.
        RefbenchError: the store or a set cannot be read.
    """
    store = store if isinstance(store, Store) else Store(store)
    options = pictures or PictureOptions()
    sets = [
        found if isinstance(found, ReferenceSet) else ReferenceSet.read(found) for found in reference_sets
    ]
    given = [found if isinstance(found, Submission) else read_submission(found) for found in submissions]
    stored = store.stored()
    board = make_board(stored, declared(protocols), read_settings(store.root), seed)
    site = Site.open(out)
    albums = _plan(board, sets, given, options)
    _make_pictures(site, albums, options)
    by_hash = match_sets(board.tables, sets)
    sliced = {
        table.slug: [slice_table(table, slicing, seed) for slicing in slicings(table, by_hash[table.slug])]
        for table in board.tables
        if table.slug in by_hash
    }
    reported = read_reported(store.root)
    pages: list[Page] = [
        board_page(board, albums, hero(board, albums, options), sliced, reported),
        how_page(board),
        reported_page(board, reported),
        *model_pages(board, sliced),
        *album_pages(board, albums, options, site),
    ]
    navigation = _navigation(board, albums)
    for page in pages:
        site.text(page.address, render(page, board.settings, navigation))
    for table in board.tables:
        for suffix in LABELS:
            site.text(f"downloads/{table.slug}.{suffix}", export(table, suffix))
    for entry in stored:
        for name in ("record.json", "scores.parquet"):
            address = f"records/{entry.folder.parent.name}/{entry.name}/{name}"
            site.data(address, (entry.folder / name).read_bytes())
    for name, content in asset_files():
        site.data(f"assets/{name}", content)
    site.finish()
    return out / "index.html"


def declared(protocols: Mapping[str, Protocol] | None) -> Mapping[str, Protocol]:
    """``protocols``, or for None those of the catalogue."""
    if protocols is not None:
        return protocols
    from ..metrics.catalogue import PROTOCOLS

    return PROTOCOLS


def _navigation(board: Board, albums: Mapping[str, Album]) -> list[dict[str, str]]:
    first = next((table.slug for table in board.tables if table.slug in albums), None)
    pictures = (
        [("Pictures", f"compare/{first}.html"), ("Galleries", f"gallery/{first}.html")] if first else []
    )
    pages = [("Board", "index.html"), *pictures, ("Papers", "reported.html"), ("How", "how.html")]
    return [{"label": label, "href": href} for label, href in pages]


def _plan(
    board: Board, sets: Sequence[ReferenceSet], given: Sequence[Submission], options: PictureOptions
) -> dict[str, Album]:
    """The album of every table that has pictures, each submission matched to its record."""
    matched = match_sets(board.tables, sets)
    digests = [{key: sha256_file(path) for key, path in found.images.items()} for found in given]
    used: set[int] = set()
    albums = {}
    for table in board.tables:
        hashes = [submission_hash(found, table.keys) for found in digests]
        of_row = {}
        for row in (*table.rows, *table.superseded):
            fitting = [i for i, found in enumerate(hashes) if found == row.record.info.submission_hash]
            used.update(fitting)
            if fitting:
                of_row[row.name] = given[fitting[0]]
        album = plan_album(table, choose_galleries(table), matched.get(table.slug), of_row, options)
        if album is not None:
            albums[table.slug] = album
    for i, found in enumerate(given):
        if i not in used:
            say(f"{found.root}: fits no record in the store, so its pictures are left out")
    return albums


def _make_pictures(site: Site, albums: Mapping[str, Album], options: PictureOptions) -> None:
    making = {address: what for album in albums.values() for address, what in album.making.items()}
    present = {address: what for address, what in sorted(making.items()) if what[0].is_file()}
    if not present:
        return

    def make(address: str) -> None:
        path, size = present[address]
        site.keep_or_make(address, fingerprint(path, size, options), lambda: encode(path, size, options))

    with progress("pictures", len(present)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(make, present):
            advance(1)
