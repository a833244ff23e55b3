"""Where a number comes from: versions, hashes of weights, device and arithmetic; never the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ...errors import RefbenchError
from ...files import sha256_file
from ...weights import weight_files
from ..core.metric import Metric, SetMetric
from ..distances import statistics_file

PACKAGES = ("refbench", "torch", "torchvision", "lpips", "numpy", "opencv-python-headless", "pillow")


def versions() -> dict[str, str]:
    """Versions of the packages that move numbers."""
    return {package: _version(package) for package in PACKAGES}


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def digests_of(metrics: Sequence[Metric]) -> dict[str, str]:
    """SHA-256 of every file that metrics need: weights and statistics.

    Raises:
        RefbenchError: some weights are absent; all of them are named, with the command that brings them.
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


def provenance(
    digests: Mapping[str, str], device: str, precision: str, *, batch_size: int | None
) -> dict[str, str]:
    """What a record says of how it was made."""
    packages = {f"package {name}": number for name, number in versions().items()}
    files = {f"weights {name}": digest for name, digest in digests.items()}
    batch = "each network's own" if batch_size is None else str(batch_size)
    return packages | files | {"device": device, "dtype": precision, "batch size": batch}
