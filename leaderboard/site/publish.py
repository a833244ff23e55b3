"""Publishing: a static site from the records of a store; equal inputs give equal bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path

from ...files import StrPath
from ...folder_lock import locks
from ...progress import progress, say
from ...records.protocol import Protocol
from ...records.record import RECORD_NAME, SCORES_NAME
from ...records.reference_set import ReferenceSet
from ..estimands import MeanOver, other_mean
from ..integrity.flagging import copies_folder, find_flags, match_submissions
from ..pages.album_pages import album_pages, hero
from ..pages.board_page import board_page, means_script
from ..pages.galleries import choose_galleries
from ..pages.model_pages import model_pages
from ..pages.pictures import Album, PictureOptions, encode, fingerprint, match_sets, plan_album
from ..pages.redirects import redirect_pages
from ..rendering.assets import ASSETS
from ..rendering.downloads import LABELS, export_table, pairs_csv
from ..rendering.methodology import methodology_page
from ..rendering.rendering import Page, render
from ..rendering.reported import read_reported, reported_page
from ..rendering.site_folder import Site
from ..statistics.ranking import make_board
from ..statistics.slices import find_slicings, slice_table
from ..store.flags import FLAGS_NAME, Flag, read_flags
from ..store.settings import SETTINGS_NAME, check_protocols, read_settings
from ..store.store import Store, StoredRecord
from ..store.stored import join_records
from ..store.study_results import read_results
from ..submission.submission import Submission, read_submission, submission_paths
from ..tables.board import Board
from ..tables.formatting import unknown_titles
from ..tables.reference_modes import sets_by_mode
from .model_index import model_card


@locks("out")
def publish_site(
    store: Store | StrPath,
    out: StrPath,
    reference_sets: Sequence[ReferenceSet | StrPath] | ReferenceSet | StrPath = (),
    *,
    submissions: Sequence[Submission | StrPath] | Submission | StrPath = (),
    protocols: Mapping[str, Protocol] | None = None,
    pictures: PictureOptions | None = None,
    over: MeanOver = "images",
) -> Path:
    """Write the site of a store of records into ``out`` and return its ``index.html``.

    Args:
        store: of records, or its folder.
        out: a new or empty folder, or one that was published into before.
        reference_sets: of the benchmarks, or their folders; they give the pictures (LQ, HQ, references).
        submissions: folders or archives of restored images, or folders of such; each is matched to its record
            by the hash of its images; one that matches no record is reported on stderr and left out.
        protocols: declarations by id; None for the catalogue.
        pictures: how many and how large.
        over: what means, intervals, tests and ranks are taken over: images, or people with equal weights; the
            front page can be switched to the other.

    Raises:
        InvalidInputError: ``out`` holds files that are not a site.
        FaultListError: a submission or ``board.yaml`` is faulty.
        RefbenchError: the store or a set cannot be read.
    """
    store = store if isinstance(store, Store) else Store(Path(store))
    out = Path(out)
    options = pictures or PictureOptions()
    named = [reference_sets] if isinstance(reference_sets, ReferenceSet | str | PathLike) else reference_sets
    sets = [found if isinstance(found, ReferenceSet) else ReferenceSet.read(found) for found in named]
    images = [submissions] if isinstance(submissions, Submission | str | PathLike) else submissions
    given: list[Submission] = []
    for each in images:
        given += [each] if isinstance(each, Submission) else map(read_submission, submission_paths(each))
    stored = store.stored()
    sets = sets_by_mode(sets, [entry.record.info.benchmark for entry in stored])
    settings = read_settings(store.root)
    declared = declared_protocols(protocols, stored)
    in_records = {id for entry in stored for id in entry.record.info.benchmark.protocols}
    check_protocols(settings, store.root, {*declared, *in_records})
    site = Site.open(out)
    matched, unmatched = match_submissions(stored, given)
    for found in unmatched:
        say(f"{found.root}: matches no record in the store, so its pictures are left out")
    flags = _flags(stored, matched, sets, kept=copies_folder(store))
    board, other = (
        make_board(stored, declared, settings, flags=flags, moved=store.moved(), over=mean)
        for mean in (over, other_mean(over))
    )
    for note in unknown_titles(board):
        say(f"{store.root / SETTINGS_NAME}: {note}")
    by_slug = match_sets(board.tables, sets)
    albums = _plan(board, stored, matched, by_slug=by_slug, options=options)
    _make_pictures(site, albums, options)
    sliced = {
        table.slug: [slice_table(table, slicing) for slicing in find_slicings(table, by_slug[table.slug])]
        for table in board.tables
        if table.slug in by_slug
    }
    reported = read_reported(store.root)
    pages: list[Page] = [
        board_page(
            board,
            albums,
            hero(board, albums, options),
            other=other,
            sliced=sliced,
            reported=reported,
            studies=read_results(store.root),
        ),
        methodology_page(board),
        reported_page(board, reported),
        *model_pages(board, sliced, records=_record_addresses(stored), other=other),
        *redirect_pages(board, albums.keys()),
        *album_pages(board, albums, options, site=site),
    ]
    navigation = _navigation(board, albums)
    for page in pages:
        site.text(page.address, render(page, board.settings, navigation))
    _write_downloads(site, board, stored)
    there = {table.slug: table for table in other.tables}
    for table in board.tables:
        site.text(f"means/{table.slug}.js", means_script(table, there[table.slug]))
    for table in other.tables:
        for suffix in LABELS:
            site.text(f"downloads/{table.slug}-{table.over}.{suffix}", export_table(table, suffix))
        site.text(f"downloads/{table.slug}-{table.over}-pairs.csv", pairs_csv(table))
    for name in ASSETS:
        site.asset(name)
    site.finish()
    return out / "index.html"


def _write_downloads(site: Site, board: Board, stored: Sequence[StoredRecord]) -> None:
    """Tables, model-card metadata and the records themselves."""
    for table in board.tables:
        for address in (table.slug, *table.earlier):
            for suffix in LABELS:
                site.text(f"downloads/{address}.{suffix}", export_table(table, suffix))
            site.text(f"downloads/{address}-pairs.csv", pairs_csv(table))
    for name in board.cards:
        site.text(f"downloads/model-index/{name}.md", model_card(board, name))
    for entry in stored:
        for name in (RECORD_NAME, SCORES_NAME):
            address = f"records/{entry.folder.parent.name}/{entry.folder.name}/{name}"
            site.data(address, (entry.folder / name).read_bytes())


def _record_addresses(stored: Sequence[StoredRecord]) -> dict[tuple[str, str], list[str]]:
    """Where the records of each submission are below ``records/``, by track and name."""
    return {
        (entry.track, entry.name): [f"{folder.parent.name}/{folder.name}" for folder in entry.folders]
        for entry in join_records(stored)
    }


def declared_protocols(
    protocols: Mapping[str, Protocol] | None, stored: Iterable[StoredRecord]
) -> Mapping[str, Protocol]:
    """``protocols``, or for None those of the catalogue and those that these records name or declare."""
    if protocols is not None:
        return protocols
    from ...metrics.catalogue import protocols_of_records

    return protocols_of_records(entry.record for entry in stored)


def _navigation(board: Board, albums: Mapping[str, Album]) -> list[dict[str, str]]:
    first = next((table.slug for table in board.tables if table.slug in albums), None)
    pictures = (
        [("Pictures", f"compare/{first}.html"), ("Galleries", f"gallery/{first}.html")] if first else []
    )
    pages = [("Board", "index.html"), *pictures, ("Papers", "reported.html"), ("How", "how.html")]
    return [{"label": label, "href": href} for label, href in pages]


def _flags(
    stored: Sequence[StoredRecord],
    matched: Mapping[Path, Submission],
    sets: Sequence[ReferenceSet],
    *,
    kept: Path,
) -> dict[Path, tuple[Flag, ...]]:
    """The flags of ``flags.json``; for records without that file, those found in the submissions."""
    flags = {entry.folder: read_flags(entry.folder) for entry in stored}
    fresh = [entry for entry in stored if not (entry.folder / FLAGS_NAME).is_file()]
    for reference_set in sets:
        of_set = [e for e in fresh if e.record.info.benchmark.set_hash == reference_set.info.content_hash]
        flags |= find_flags(of_set, matched, reference_set, kept=kept)
    return flags


def _plan(
    board: Board,
    stored: Sequence[StoredRecord],
    matched: Mapping[Path, Submission],
    *,
    by_slug: Mapping[str, ReferenceSet],
    options: PictureOptions,
) -> dict[str, Album]:
    """The album of every table that has a reference set, by the table's slug."""
    albums = {}
    for table in board.tables:
        mine = {
            e.name: matched[e.folder]
            for e in join_records(stored)
            if e.track == table.slug and e.folder in matched
        }
        album = plan_album(
            table, choose_galleries(table), by_slug.get(table.slug), submissions=mine, options=options
        )
        if album is not None:
            albums[table.slug] = album
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
