"""Matching of submissions to records by hash, and the flags of copies and training overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from ...errors import InvalidInputError
from ...records.ids import VersionedId
from ...records.reference_set import ReferenceSet
from ...records.selection import lq_of_hash
from ..store.flags import Flag, add_flags
from ..store.store import Store, StoredRecord
from ..store.stored import join_records
from ..submission.submission import Submission, submission_hash, with_keys
from ..tables.reference_modes import sets_by_mode
from .copies import find_copies
from .overlap import find_training_overlap


def match_submissions(
    stored: Sequence[StoredRecord], submissions: Sequence[Submission]
) -> tuple[dict[Path, Submission], list[Submission]]:
    """Match submissions to records by the hash of their images.

    Returns:
        The submission of each record by the record's folder, and the submissions that match no record.
    """
    key_sets = {tuple(sorted(entry.record.scores["key"].astype(str).unique())) for entry in stored}
    submissions = [_with_keys(found, key_sets) for found in submissions]
    digests = [found.digests for found in submissions]
    hashes: dict[tuple[str, ...], list[str]] = {}
    matched: dict[Path, Submission] = {}
    used: set[int] = set()
    for entry in stored:
        keys = tuple(sorted(entry.record.scores["key"].astype(str).unique()))
        if keys not in hashes:
            hashes[keys] = [submission_hash(found, keys) for found in digests]
        fitting = [i for i, found in enumerate(hashes[keys]) if found == entry.record.info.submission_hash]
        named = [i for i in fitting if submissions[i].card.model == entry.record.info.card.model] or fitting
        used.update(fitting)
        if named:
            matched[entry.folder] = submissions[named[0]]
    return matched, [found for i, found in enumerate(submissions) if i not in used]


def _with_keys(submission: Submission, key_sets: Iterable[Collection[str]]) -> Submission:
    """The submission with its images by the keys of the records, where other tools named them."""
    for keys in key_sets:
        named, note = with_keys(submission, keys)
        if note:
            return named
    return submission


def flag_records(
    store: Store, reference_set: ReferenceSet, submissions: Sequence[Submission]
) -> list[tuple[Path, tuple[Flag, ...]]]:
    """Find the flags of submissions on the benchmarks of a set and write them beside their records.

    Args:
        store: of the records.
        reference_set: that the benchmarks are made of, with its LQ images.
        submissions: the restored images of the records.

    Returns:
        Folder and flags of each record, in order; a record without findings has an empty tuple.

    Raises:
        InvalidInputError: a submission matches no record of the set, or a record has other flags already.
    """
    stored = store.stored()
    seen = {
        found.info.content_hash: found
        for found in sets_by_mode([reference_set], [s.record.info.benchmark for s in stored])
    }
    of_set = [s for s in stored if s.record.info.benchmark.set_hash in seen]
    matched, unmatched = match_submissions(of_set, submissions)
    if unmatched:
        names = ", ".join(str(found.root) for found in unmatched)
        raise InvalidInputError(f"{names}: matches no record in {store.root}; score it first: refbench score")
    found: dict[Path, tuple[Flag, ...]] = {}
    for digest, view in seen.items():
        mine = [s for s in of_set if s.record.info.benchmark.set_hash == digest]
        found |= find_flags(mine, matched, view, kept=copies_folder(store))
    done = []
    for folder, flags in sorted(found.items()):
        add_flags(folder, flags)
        done.append((folder, flags))
    return done


def copies_folder(store: Store) -> Path:
    """Where comparisons for copies are kept: in the store, in the folder of work that git leaves out."""
    return store.root / ".work" / "copies"


def find_flags(
    stored: Sequence[StoredRecord],
    matched: Mapping[Path, Submission],
    reference_set: ReferenceSet,
    *,
    kept: Path | None = None,
) -> dict[Path, tuple[Flag, ...]]:
    """The flags of every record that has a submission, by the record's folder.

    Args:
        stored: records on that set.
        matched: the submission of each record by the record's folder.
        reference_set: as the evaluation mode of the records sees it.
        kept: folder where comparisons are kept, see `find_copies`; None for nowhere.
    """
    groups: dict[str, list[StoredRecord]] = defaultdict(list)
    for entry in join_records(entry for entry in stored if entry.folder in matched):
        groups[entry.track].append(entry)
    flags: dict[Path, tuple[Flag, ...]] = {}
    for group in groups.values():
        benchmark = group[0].record.info.benchmark
        recipe = VersionedId.parse(benchmark.recipe).name
        images = {entry.name: matched[entry.folder].images for entry in group}
        keys = set().union(*(entry.record.scores["key"] for entry in group))
        lq = lq_of_hash(reference_set, recipe, keys, lq_hash=benchmark.lq_hash)
        digests = {entry.name: matched[entry.folder].digests for entry in group}
        copies = find_copies(reference_set, lq, images, kept=kept, digests=digests)
        for entry in group:
            overlap = find_training_overlap(matched[entry.folder], reference_set, benchmark.split)
            flags |= dict.fromkeys(entry.folders, (*copies[entry.name], *overlap))
    return flags
