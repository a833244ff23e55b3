"""Stored feature statistics of an image set (mean and covariance), for Fréchet distances such as FID.

The file is an .npz of `frechet.Moments` with the name of the feature, the digests of its weights and a
description of the images. Protocols name it by its file name in the statistics folder.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from ...errors import RefbenchError
from ...files import StrPath, sha256_file, write_bytes
from ...records.protocol import ProtocolId
from ...weights import weight_files
from ..core.metric import SetMetric, Vectors
from .frechet import Moments, frechet_distance, gather

NEGATIVE_VARIANCE = 1e-5
"""Share of the greatest variance down to which rounding can bring the least one below zero."""
FFHQ = "ffhq70k-512-inception-clean"
"""FFHQ trainval70k at 512 pixels in clean-fid's clean mode, as ReF-LDM's evaluation uses it."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and covariance of a feature over a set of images.

    Attributes:
        feature: name of the feature, for instance ``inception-clean``.
        weights: digests of its weights by name; empty where unknown (imported files).
        source: description of the images.
        moments: count (0 where unknown), mean and covariance.
    """

    feature: str
    weights: Mapping[str, str]
    source: str
    moments: Moments

    def write(self, path: StrPath) -> None:
        """Write the file; equal statistics give equal bytes."""
        path = Path(path)
        facts = {
            "feature": self.feature,
            "weights": dict(sorted(self.weights.items())),
            "source": self.source,
            "images": self.moments.count,
            "schema_version": 1,
        }
        buffer = io.BytesIO()
        text = np.array(json.dumps(facts, sort_keys=True))
        np.savez(buffer, mean=self.moments.mean, covariance=self.moments.covariance, facts=text)
        write_bytes(path, buffer.getvalue())

    @classmethod
    def read(cls, path: StrPath) -> Statistics:
        """Read a file that `write` wrote.

        Raises:
            RefbenchError: absent, or not such a file.
        """
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                facts = json.loads(str(stored["facts"]))
                moments = Moments(int(facts["images"]), stored["mean"], stored["covariance"])
            return cls(facts["feature"], facts["weights"], facts["source"], moments)
        except FileNotFoundError:
            raise RefbenchError(f"there are no statistics {path}") from None
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            fix = "make it with: refbench metrics stats"
            raise RefbenchError(f"{path} is not a statistics file ({error}); {fix}") from None


def import_clean_fid(path: StrPath, feature: str, source: str, *, dimensions: int = 0) -> Statistics:
    """Statistics from an .npz with ``mu`` and ``sigma``, as clean-fid and pytorch-fid write it.

    Args:
        path: the file.
        feature: name of the feature that was measured.
        source: description of the images.
        dimensions: length of the feature's vectors; 0 where it is not known.

    Raises:
        RefbenchError: not such a file, of another length than the feature, not finite, not symmetric,
            of shapes that do not fit, or no covariance (a variance below zero beyond rounding).
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            mean = np.asarray(stored["mu"], dtype=np.float64)
            covariance = np.asarray(stored["sigma"], dtype=np.float64)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise RefbenchError(f"{path} is not an .npz with mu and sigma: {error}") from None
    if mean.ndim != 1 or covariance.shape != (len(mean), len(mean)):
        raise RefbenchError(f"{path}: mu {mean.shape} and sigma {covariance.shape} do not fit")
    require_dimensions(path, feature, len(mean), wanted=dimensions)
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise RefbenchError(f"{path}: NaN or infinity among the statistics")
    if not np.allclose(covariance, covariance.T, rtol=1e-5, atol=1e-8):
        raise RefbenchError(f"{path}: sigma is not symmetric")
    covariance = (covariance + covariance.T) / 2
    variances = np.linalg.eigvalsh(covariance)
    if len(variances) == 0 or variances[0] < -NEGATIVE_VARIANCE * np.abs(variances).max():
        least = f"{variances[0]:g} (greatest: {variances[-1]:g})" if len(variances) else "absent"
        raise RefbenchError(
            f"{path}: sigma is no covariance; its least variance along an axis is {least}; wanted 0 or more"
        )
    return Statistics(feature, {}, source, Moments(0, mean, covariance))


def require_dimensions(path: Path, feature: str, found: int, *, wanted: int) -> None:
    """Check the length of the mean in a statistics file; ``wanted`` is 0 where it is not known.

    Raises:
        RefbenchError: another length.
    """
    if wanted and found != wanted:
        raise RefbenchError(
            f"{path} holds statistics of {found} dimensions; the feature {feature} has {wanted}: "
            "was another layer or network measured?"
        )


def folder() -> Path:
    """The folder of stored statistics: ``statistics`` in the weights folder."""
    return Path(weight_files.folder()) / "statistics"


def place_for(name: str, *, replace: bool = False) -> Path:
    """The file that new statistics of a name go to.

    Raises:
        RefbenchError: a name that cannot be that of a file, or one that is taken, unless ``replace``.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise RefbenchError(f"{name!r} cannot name statistics; wanted letters, digits, dots, - and _")
    path = folder() / f"{name}.npz"
    if path.exists() and not replace:
        raise RefbenchError(
            f"there are statistics named {name!r} already ({path}); choose another name, or say --replace"
        )
    return path


def path_of(name: str) -> Path:
    """The file of a name: in the statistics folder, or of that name in the weights table.

    Raises:
        RefbenchError: there is none; the message gives the commands that fetch or import it.
    """
    path = folder() / f"{name}.npz"
    if path.is_file():
        return path
    if name in weight_files.TABLE and (found := weight_files.find(name)) is not None:
        return Path(found)
    fetch = f"refbench weights fetch {name}, or " if name in weight_files.TABLE else ""
    fix = f"{fetch}refbench metrics stats --import FILE.npz --name {name}"
    raise RefbenchError(f"the statistics {name!r} are not in {folder()}; get them with: {fix}")


def load_named(name: str) -> Statistics:
    """The statistics of a name; an .npz of clean-fid or pytorch-fid is imported as it is read.

    Raises:
        RefbenchError: there are none of that name, or the file is damaged.
    """
    path = path_of(name)
    if path.parent == folder():
        return Statistics.read(path)
    return import_clean_fid(path, name, str(path.name))


def frechet_to_statistics(name: str, dimensions: int) -> Callable[[Vectors, Vectors], float]:
    """The Fréchet distance of a stream of (n, D) batches to named statistics; the other stream is ignored."""

    def compare(restored: Vectors, _: Vectors) -> float:
        return frechet_distance(gather(restored, dimensions), load_named(name).moments)

    return compare


def against_statistics(metric: SetMetric, name: str) -> SetMetric:
    """The Fréchet distance ``metric`` taken to stored statistics; eight digits of their hash are in its id.

    ``name`` is that of the statistics, and may end in these digits, as in the ids of records.

    Raises:
        RefbenchError: no statistics of that name or hash, of another feature, or another kind of metric.
    """
    of = metric.protocol
    if not metric.is_frechet:
        raise RefbenchError(f"{of.id} needs the images themselves; statistics serve Fréchet distances only")
    wanted = name[-8:] if name[-9:-8] == "-" and not (folder() / f"{name}.npz").is_file() else ""
    stored = name.removesuffix(f"-{wanted}") if wanted else name
    digest = sha256_file(path_of(stored))[:8]
    if wanted not in ("", digest):
        raise RefbenchError(f"{of.id}@{name}: the statistics stored as {stored!r} have the hash {digest}")
    found = load_named(stored)
    if found.feature != metric.feature.name:
        got = f"{path_of(stored)} holds statistics of {found.feature}"
        raise RefbenchError(f"{got}; {of.id} is computed from {metric.feature.name}")
    require_dimensions(
        path_of(stored), metric.feature.name, len(found.moments.mean), wanted=metric.dimensions
    )
    protocol = replace(
        of,
        id=str(replace(ProtocolId.parse(of.id), qualifier=f"{stored}-{digest}")),
        title=f"{of.title} to {stored}",
        definition=f"{of.definition} Instead of HQ: {found.source}, {found.moments.count or '?'} images.",
    )
    compare = frechet_to_statistics(stored, len(found.moments.mean))
    return replace(metric, protocol=protocol, compare=compare, statistics=stored)
