"""People and splits that are given: by folders of people, by the folders train, val and test, or by a CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ...errors import FaultListError
from ...names import NOT_PORTABLE, is_portable, kept
from ...records.reference_set import SPLITS
from ..photos.candidates import Candidate
from ..photos.report import ReportLine
from ..settings.options import BuildOptions
from ..settings.people import People
from .clustering import Labels, identity_names


def has_split_folders(sources: Sequence[str]) -> bool:
    """Whether all photos lie in folders called train, val and test."""
    return bool(sources) and all("/" in source and source.partition("/")[0] in SPLITS for source in sources)


def labelled(
    chosen: Sequence[Candidate], options: BuildOptions, people: People | None, *, lines: list[ReportLine]
) -> list[Candidate]:
    """The candidates with the person and the split that are given for them.

    Args:
        chosen: candidates in order of key.
        options: ``identities`` and ``splits`` say what folders mean.
        people: of the CSV, which comes before folders; photos that it does not name are left out.
        lines: of the report.

    Raises:
        FaultListError: persons by folder, and photos that lie in none; a person in several split folders;
            none of the photos is in the CSV.
    """
    if people is not None:
        return _of_csv(chosen, people, lines)
    by_split = options.splits == "folders" or (
        options.splits == "auto" and has_split_folders([candidate.source for candidate in chosen])
    )
    found: list[Candidate] = []
    faults: list[str] = []
    splits: dict[str, str] = {}
    for candidate in chosen:
        parts = PurePosixPath(candidate.source).parent.parts
        split = parts[0] if by_split and parts and parts[0] in SPLITS else ""
        if by_split and not split:
            faults.append(f"{candidate.source} lies in none of the folders {', '.join(SPLITS)}")
        person = "/".join(parts[1:] if split else parts) if options.identities == "folders" else ""
        if options.identities == "folders" and not person:
            faults.append(f"{candidate.source} lies in no folder of a person")
        elif person and splits.setdefault(person, split) != split:
            faults.append(f"{candidate.source}: {person} is in {splits[person]} too, and may be in one")
        found.append(replace(candidate, person=person, split=split))
    if faults:
        fix = "put the photos of every person into a folder, and each person into one split"
        raise FaultListError("identities and splits by folder", faults, fix)
    return found


def _of_csv(chosen: Sequence[Candidate], people: People, lines: list[ReportLine]) -> list[Candidate]:
    found: list[Candidate] = []
    named: dict[str, str] = {}
    faults: list[str] = []
    for candidate in chosen:
        name = people.name_of(candidate.source)
        if name is None:
            lines.append(ReportLine(candidate.source, "is not in the CSV of people", True, candidate.key))
            continue
        if named.setdefault(name, candidate.source) != candidate.source:
            faults.append(f"{name} may be {named[name]} or {candidate.source}; write the whole path")
        label = people.labels[name]
        found.append(replace(candidate, person=label.person, split=label.split))
    if faults:
        raise FaultListError("the CSV of people", faults)
    if not found:
        some = ", ".join(candidate.source for candidate in chosen[:3])
        raise FaultListError("the CSV of people", [f"it names none of the photos ({some} ...)"])
    return found


def given_names(chosen: Sequence[Candidate], labels: Labels) -> list[str]:
    """Names of identities, (N,): the given person's, made fit for a folder, and different for every identity.

    An identity without a given person is numbered.
    """
    names: dict[int, str] = {}
    taken: set[str] = set()
    for candidate, label, number in zip(chosen, labels.tolist(), identity_names(labels), strict=True):
        if label not in names:
            plain = NOT_PORTABLE.sub("_", kept(candidate.person).replace("/", "_"))[:100] or number
            name, count = plain if is_portable(plain) else f"{plain.rstrip('. ')}_", 1
            while name.lower() in taken:
                count += 1
                name = f"{plain}~{count}"
            taken.add(name.lower())
            names[label] = name
    return [names[label] for label in labels.tolist()]
