"""Build a set again from its photos by what it says of itself, and compare the two to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import RefbenchError
from ..records.reference_set import ReferenceSet
from .build import build_set
from .photos.report import BuildReport
from .settings.options import BuildOptions
from .settings.provenance import package_versions, recogniser_of, weight_versions


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A set built again: where it is, and every difference from the first in one line each."""

    report: BuildReport
    differences: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every file came out the same to the byte."""
        return not self.differences

    def text(self) -> str:
        """For people."""
        if self.is_same:
            return f"{self.report.out}: rebuilt, every file is the same to the byte"
        lines = [f"{self.report.out}: rebuilt, but {len(self.differences)} things differ"]
        return "\n".join([*lines, *(f"  - {difference}" for difference in self.differences)])


def rebuild_set(
    root: Path, photos: Path, out: Path | None = None, *, workers: int = 1, device: str = "cpu"
) -> Rebuild:
    """Build the set at ``root`` again from ``photos`` into ``out`` and compare.

    ``root`` needs ``set.json`` and ``manifest.parquet`` alone, so a set may be passed on without its images
    and rebuilt by whoever has the photos. Other weights or package versions than the first build's are named
    among the differences, as they may explain the rest.

    Args:
        root: folder of the set.
        photos: folder of its photos.
        out: folder to build in; by default beside ``root``, with ``-rebuilt`` after its name.
        workers, device: as for a build.

    Raises:
        RefbenchError: not a set, or one that was not built from photos (an import), or missing weights.
    """
    first = ReferenceSet.read(root)
    if "threshold" not in first.info.settings:
        raise RefbenchError(f"{root} was taken in, not built from photos, so it cannot be rebuilt from them")
    options = BuildOptions.checked(
        first.info.settings,
        {
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
    other = [
        f"{name} was {first.info.versions.get(name, 'absent')[:16]}, is {versions.get(name, 'absent')[:16]}"
        for name in sorted({*versions, *first.info.versions})
        if versions.get(name) != first.info.versions.get(name)
    ]
    report = build_set(photos, out, options)
    return Rebuild(report, (*other, *differences(first, ReferenceSet.read(out))))


def differences(first: ReferenceSet, second: ReferenceSet) -> Iterator[str]:
    """Every difference between two sets, by their manifests."""
    old, new = ({target.key: target for target in found.targets} for found in (first, second))
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            yield f"{key}: is not in the rebuilt set (its photo: {old[key].source})"
        elif key not in old:
            yield f"{key}: is in the rebuilt set alone (its photo: {new[key].source})"
        elif old[key] != new[key]:
            parts = (
                part
                for part in type(old[key]).__slots__
                if getattr(old[key], part) != getattr(new[key], part)
            )
            yield f"{key}: {', '.join(parts)}"
    if first.info.counts != second.info.counts:
        yield f"counts: {first.info.counts} became {second.info.counts}"
    for name in sorted(first.info.files.keys() & second.info.files.keys()):
        if first.info.files[name] != second.info.files[name]:
            yield f"{name}: has other bytes"
