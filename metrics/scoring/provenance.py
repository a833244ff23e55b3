"""Provenance of scores: versions, hashes of weights, device and precision; never the time of day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ...errors import RefbenchError
from ...files import sha256_file
from ...source_state import source_state
from ...version import __version__
from ...weights import weight_files
from ..core.feature import Feature
from ..core.metric import Metric, SetMetric
from ..distances import statistics_file

PACKAGES = ("torch", "torchvision", "lpips", "numpy", "opencv-python-headless", "pillow")


def versions() -> dict[str, str]:
    """Versions of the packages that scores depend on, by name."""
    return {"refbench": __version__} | {package: _version(package) for package in PACKAGES}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def digests_of(metrics: Sequence[Metric]) -> dict[str, str]:
    """SHA-256 of every file that metrics need, by name: weights and statistics.

    Raises:
        RefbenchError: some weights are absent; all of them are named, with the command that fetches them.
    """
    names = sorted({name for metric in metrics for name in metric.protocol.weights})
    absent = [name for name in names if weight_files.find(name) is None]
    if absent:
        command = f"refbench weights fetch {' '.join(absent)}"
        wanting = sorted(m.protocol.id for m in metrics if set(m.protocol.weights) & set(absent))
        raise RefbenchError(
            f"{', '.join(wanting)}: weights are absent: {', '.join(absent)}; get them with\n    {command}"
        )
    found = {name: weight_files.digest(name) for name in names}
    wanted = {m.statistics for m in metrics if isinstance(m, SetMetric) and m.statistics}
    found |= {f"statistics {name}": sha256_file(statistics_file.path_of(name)) for name in sorted(wanted)}
    return found


def digests_of_files(features: Iterable[Feature]) -> dict[str, str]:
    """SHA-256 of the files that loaded extractors read beyond the weights table, by file name."""
    files = {path for feature in features for path in feature.files() if path.is_file()}
    return {path.name: sha256_file(path) for path in sorted(files)}


def provenance(
    digests: Mapping[str, str], device: str, precision: str, *, batch_size: int | None
) -> dict[str, str]:
    """What a record says of how its scores were computed."""
    packages = {f"package {name}": number for name, number in versions().items()}
    files = {f"weights {name}": digest for name, digest in digests.items()}
    batch = "each network's own" if batch_size is None else str(batch_size)
    return packages | source_state() | files | {"device": device, "dtype": precision, "batch size": batch}
