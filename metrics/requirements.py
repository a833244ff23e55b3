"""What metrics need of a machine and of a reference set, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import RefbenchError, UnreadableImageError
from ..extras import EXTRAS, is_installed
from ..image_files.decoding import size_in_header
from ..records.reference_set import ReferenceSet, Target
from ..weights import weight_files
from .core.feature import Feature
from .core.metric import GainMetric, Metric, NoReferenceMetric, ReferenceMetric, SetMetric, size_fault
from .distances.statistics_file import folder as statistics_folder
from .distances.statistics_file import load_named, path_of, require_dimensions

MASKS = "masks"


def missing(metric: Metric) -> list[str]:
    """What a metric needs and this machine lacks: weights and statistics by name, and ``package NAME``."""
    absent = [name for name in metric.protocol.weights if weight_files.state(name) == "missing"]
    if isinstance(metric, SetMetric) and metric.statistics:
        here = (statistics_folder() / f"{metric.statistics}.npz").is_file()
        if not here and weight_files.state(metric.statistics) == "missing":
            absent.append(metric.statistics)
    return absent + [f"package {name}" for name in metric.feature.packages if not is_installed(name)]


def needs(metric: Metric) -> tuple[str, ...]:
    """What a metric needs beside restored images, in words: HQ, references, masks, landmarks, sizes."""
    feature, found = metric.feature, []
    if not isinstance(metric, NoReferenceMetric) and not (
        isinstance(metric, SetMetric) and metric.statistics
    ):
        found.append("HQ")
    if isinstance(metric, GainMetric):
        found.append("LQ")
    if isinstance(metric, ReferenceMetric):
        found.append("references")
    if feature.needs_masks:
        found.append("a set with masks")
    if feature.needs_landmarks:
        found.append("landmarks")
    if feature.needs_square:
        found.append("square images")
    side = _least_side(metric)
    if side > 1:
        found.append(f"sides of {side} pixels")
    return tuple(found)


def _least_side(metric: Metric) -> int:
    base = metric.base if isinstance(metric, GainMetric) else metric
    return max(base.feature.min_side, getattr(base, "min_side", 1))


def check_requirements(
    metrics: Sequence[Metric], reference_set: ReferenceSet | None = None, targets: Sequence[Target] = ()
) -> None:
    """Check that everything that metrics need is there: packages, weights, statistics, masks of the targets.

    Without a reference set, what metrics need of one is not checked.

    Raises:
        RefbenchError: what is absent or does not fit, all of it at once, with the commands that fix it.
    """
    faults = [*_weight_faults(metrics), *_package_faults(metrics)]
    for metric in metrics:
        if isinstance(metric, SetMetric) and metric.statistics:
            faults += _statistics_faults(metric)
    masked = [metric.protocol.id for metric in metrics if metric.feature.needs_masks]
    if masked and reference_set is not None:
        faults += [f"{', '.join(masked)}: {fault}" for fault in mask_faults(reference_set, targets)]
    if faults:
        fix = "Fix this, or leave the protocols out; what each needs: refbench metrics list"
        raise RefbenchError(
            "\n".join(["not everything that the protocols need is there:", *_lines(faults), fix])
        )


def _lines(faults: Iterable[str]) -> Iterable[str]:
    return (f"  - {fault}" for fault in faults)


def _weight_faults(metrics: Sequence[Metric]) -> list[str]:
    absent = sorted({n for m in metrics for n in m.protocol.weights if weight_files.find(n) is None})
    if not absent:
        return []
    wanting = sorted(m.protocol.id for m in metrics if set(m.protocol.weights) & set(absent))
    command = f"refbench weights fetch {' '.join(absent)}"
    return [f"{', '.join(wanting)}: weights are absent: {', '.join(absent)}; get them with: {command}"]


def _package_faults(metrics: Sequence[Metric]) -> list[str]:
    faults = []
    for name in sorted({name for metric in metrics for name in metric.feature.packages}):
        if not is_installed(name):
            ids = ", ".join(sorted(m.protocol.id for m in metrics if name in m.feature.packages))
            extra = f": pip install 'refbench[{EXTRAS[name]}]'" if name in EXTRAS else ""
            faults.append(f"{ids}: the package {name} is not installed{extra}")
    return faults


def _statistics_faults(metric: SetMetric) -> list[str]:
    try:
        found = load_named(metric.statistics)
        path = path_of(metric.statistics)
        require_dimensions(path, metric.feature.name, len(found.moments.mean), wanted=metric.dimensions)
    except RefbenchError as error:
        return [f"{metric.protocol.id}: {error}"]
    return []


def mask_faults(reference_set: ReferenceSet, targets: Sequence[Target]) -> list[str]:
    """What is wrong with the face masks of targets: absent ones, and those of another size than HQ."""
    folder = reference_set.root / MASKS
    if not folder.is_dir():
        return [f"the set has no face masks; put them at {folder}/KEY.png, white on the face"]
    absent, wrong = [], []
    for target in targets:
        path = folder / f"{target.key}.png"
        try:
            size = size_in_header(path.read_bytes(), path)
        except (OSError, UnreadableImageError):
            absent.append(target.key)
            continue
        if size != (target.width, target.height):
            wrong.append(
                f"{path} is {size[0]}x{size[1]}; wanted {target.width}x{target.height}, as its HQ image"
            )
    some = f"{', '.join(absent[:5])}{' ...' if len(absent) > 5 else ''}"
    lost = [f"{len(absent)} of {len(targets)} face masks in {folder} are absent or no images: {some}"]
    return (lost if absent else []) + wrong


def unscored_notes(metrics: Iterable[Metric], targets: Sequence[Target]) -> list[str]:
    """How many targets will have no value in which metrics, and why, as far as the set tells."""
    notes = []
    for metric in metrics:
        reasons: dict[str, int] = {}
        for target in targets:
            if reason := unscored_reason(metric, target):
                reasons[reason] = reasons.get(reason, 0) + 1
        notes += [
            f"{metric.protocol.id}: {count} of {len(targets)} images will have no value: {reason}"
            for reason, count in reasons.items()
        ]
    return notes


def unscored_reason(metric: Metric, target: Target) -> str:
    """Why a target can have no value in a metric, as far as the set tells; empty where it can."""
    if fault := size_fault(metric, target.width, target.height):
        return fault
    if isinstance(metric, ReferenceMetric) and not target.references:
        return "it has no references"
    return "the set has no landmarks of it" if _lacks_landmarks(metric.feature, target) else ""


def _lacks_landmarks(feature: Feature, target: Target) -> bool:
    return feature.needs_landmarks and len(target.landmarks) != 5
