"""Rebuild a reference set from its photos by the options in its ``set.json``, and compare the two sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import RefbenchError
from ..files import StrPath, sha256_file
from ..names import normal
from ..records.reference_set import ReferenceSet
from .build import build_set
from .photos.photo_cache import PACKAGE
from .photos.report import REPORTS, BuildReport
from .settings.options import BuildOptions
from .settings.provenance import package_versions, recogniser_of, weight_versions


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Result of a rebuild.

    Attributes:
        report: of the second build; ``report.out`` is its folder.
        differences: one line per difference from the first set, versions of packages and weights included.
    """

    report: BuildReport
    differences: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether both sets are equal, byte for byte."""
        return not self.differences

    def text(self) -> str:
        """Summary and differences, one per line."""
        if self.is_same:
            return f"{self.report.out}: rebuilt, every file is identical"
        lines = [f"{self.report.out}: rebuilt, with {len(self.differences)} differences"]
        return "\n".join([*lines, *(f"  - {difference}" for difference in self.differences)])


def rebuild_set(
    root: StrPath,
    photos: StrPath,
    out: StrPath | None = None,
    *,
    people: StrPath | None = None,
    workers: int = 1,
    device: str = "cpu",
) -> RebuildReport:
    """Rebuild the set at ``root`` from ``photos`` into ``out`` and compare the two.

    Only ``set.json`` and ``manifest.parquet`` of the first set are needed, so a set can be published without
    its images and be rebuilt by anyone who has the photos. Weights and packages of another version than those
    of the first build are listed among the differences, because they may explain the others. The reports
    (``report.json``, ``report.txt``) are compared only where both sets were built by one version of refbench,
    since their wording may change.

    Args:
        root: folder of the set; it is only read.
        photos: folder of the photos it was built from; it is only read.
        out: folder to build in; by default beside ``root``, named like it with ``-rebuilt`` appended.
        people: the CSV of people, where the set was built with one.
        workers: processes that look for faces.
        device: where the networks run: ``cpu``, ``cuda``, ``mps`` or ``auto``.

    Raises:
        RefbenchError: not a set, a set that was imported instead of built, missing weights, or an ``out``
            that is the set itself or cannot be built in.
    """
    root = Path(root)
    photos = Path(photos)
    out = None if out is None else Path(out)
    first = ReferenceSet.read(root)
    if "threshold" not in first.info.settings:
        raise RefbenchError(f"{root} was imported, not built from photos, so it cannot be rebuilt from them")
    stated = first.info.settings.get("people")
    given = None if people is None else Path(people)
    if stated != (sha256_file(given) if given else None):
        asked = f"the CSV of people of SHA-256 {stated[:16]}... (--people)" if stated else "no CSV of people"
        raise RefbenchError(f"{root} was built with {asked}; give the same")
    options = BuildOptions.checked(
        {"splits": "drawn", **first.info.settings},
        {
            "people": given,
            "name": first.info.name,
            "licence": first.info.licence,
            "consent": first.info.consent,
            "workers": workers,
            "device": device,
        },
    )
    out = out or root.resolve().with_name(f"{root.resolve().name}-rebuilt")
    if out.resolve() == root.resolve():
        raise RefbenchError(f"{out} is the set itself; rebuild it into another folder")
    versions = weight_versions(options, recogniser_of(options)) | package_versions()
    changed_versions = [
        f"{name} was {first.info.versions.get(name, 'absent')[:16]}, is {versions.get(name, 'absent')[:16]}"
        for name in sorted({*versions, *first.info.versions})
        if versions.get(name) != first.info.versions.get(name)
    ]
    report = build_set(photos, out, options)
    return RebuildReport(report, (*changed_versions, *differences(first, ReferenceSet.read(out))))


def differences(first: ReferenceSet, second: ReferenceSet) -> Iterator[str]:
    """Differences between two sets in their manifests, counts and files, each in one line."""
    old, new = ({target.key: target for target in found.targets} for found in (first, second))
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            yield f"{key}: is not in the rebuilt set (its photo: {old[key].source})"
        elif key not in old:
            yield f"{key}: is only in the rebuilt set (its photo: {new[key].source})"
        elif old[key] != new[key]:
            parts = [
                part
                for part in type(old[key]).__slots__
                if getattr(old[key], part) != getattr(new[key], part)
                and (part != "source" or normal(old[key].source) != normal(new[key].source))
            ]
            if parts:
                yield f"{key}: {', '.join(parts)}"
    if first.info.counts != second.info.counts:
        yield f"counts: {first.info.counts} became {second.info.counts}"
    same_wording = first.info.versions.get(PACKAGE) == second.info.versions.get(PACKAGE)
    skipped = () if same_wording else REPORTS
    for name in sorted(first.info.files.keys() & second.info.files.keys()):
        if name not in skipped and first.info.files[name] != second.info.files[name]:
            yield f"{name}: differs"
