"""Which LQ images a submission was restored from: known by its ``restore.json``, else guessed by likeness."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from ...errors import InvalidInputError, RefbenchError
from ...files import sha256_file, sha256_json
from ...images import luma, read_rgb
from ...progress import say
from ...records.evaluation_modes import ALL, WRONG, with_references
from ...records.lq_set import INFO
from ...records.reference_set import ReferenceSet, Target
from ...records.run_manifest import RUN_MANIFEST, RunManifest
from ..arrays import Floats
from ..submission.submission import Submission

SAMPLE = 16
"""Images that the likeness is judged on, at most."""
SHARE = 0.75
MARGIN = 0.1
NOISE = 0.1
"""Variance, in squared levels, that is added to every residual, so that equal LQ images can be told apart."""
SIDE = 32


def check_lq_origin(
    reference_set: ReferenceSet, recipe: str, submission: Submission, *, mode: str, split: str
) -> None:
    """Check that a submission was restored from the LQ images of the recipe that it is scored under.

    ``restore.json`` in the submission holds a hash of the inputs of every image. Where it names LQ images of
    the set, the answer is known. Else the residuals (image less HQ) of the outputs are compared with those of
    every recipe's LQ images, and where another recipe fits better a warning is printed.

    Args:
        reference_set: the set, with its LQ images.
        recipe: name of the recipe to score under.
        submission: the restored images.
        mode: evaluation mode, which decides what references were given.
        split: whose targets are scored.

    Raises:
        InvalidInputError: images are known to be restored from LQ images of another recipe of the set.
    """
    recipe = reference_set.lq_folder(recipe).name
    targets = [t for t in reference_set.select(split) if t.key in submission.images]
    others = [name for name in _recipes(reference_set) if name != reference_set.lq_folder(recipe).name]
    manifest = None
    with suppress(RefbenchError):
        manifest = RunManifest.read(submission.root)
    unknown = [target.key for target in targets]
    if manifest is not None:
        names = [recipe, *others]
        origins = _origins(reference_set, names, manifest, targets=targets, mode=mode, split=split)
        foreign = Counter(found for found in origins.values() if found != recipe)
        if foreign:
            parts = ", ".join(f"{count} from {name}" for name, count in sorted(foreign.items()))
            first = foreign.most_common(1)[0][0]
            raise InvalidInputError(
                f"{submission.root}: {sum(foreign.values())} of {len(targets)} images were restored from LQ "
                f"images of another recipe than {recipe!r}: {parts} ({RUN_MANIFEST} holds the hashes of the "
                f"inputs). Score them with --recipe {first}, or restore the LQ images of {recipe!r}"
            )
        unknown = [key for key in unknown if key not in origins]
    if not unknown or not others:
        return
    guess = guess_recipe(reference_set, [recipe, *others], submission.images, targets=targets)
    if guess != recipe and guess:
        say(
            f"warning: {submission.root}: the images look restored from LQ images of {guess!r}, and are "
            f"scored under {recipe!r}; if so, score them with --recipe {guess}"
        )
    elif manifest is not None:
        say(
            f"warning: {submission.root}: {RUN_MANIFEST} names inputs of {len(unknown)} images that this set "
            "does not hold; were LQ images or references made anew since?"
        )


def _recipes(reference_set: ReferenceSet) -> list[str]:
    """Names of the recipes whose LQ images the set holds."""
    return sorted(path.parent.name for path in (reference_set.root / "lq").glob(f"*/{INFO}"))


def _origins(
    reference_set: ReferenceSet,
    recipes: Sequence[str],
    manifest: RunManifest,
    *,
    targets: Sequence[Target],
    mode: str,
    split: str,
) -> dict[str, str]:
    """The recipe of the LQ image that each output was restored from, by key, where it is known."""
    views = [*_views(reference_set, mode, split)]
    found: dict[str, str] = {}
    for recipe in recipes:
        for target in targets:
            path = reference_set.lq_path(recipe, target.key)
            wanted = manifest.inputs.get(target.key)
            if target.key in found or wanted is None or not path.is_file():
                continue
            lq = sha256_file(path)
            if any(wanted == digest for digest in _digests(views, target.key, lq, manifest=manifest)):
                found[target.key] = recipe
    return found


def _views(reference_set: ReferenceSet, mode: str, split: str) -> Iterator[ReferenceSet]:
    """The set under the evaluation mode that is scored, then under the others that a run can have had."""
    most = max((len(target.references) for target in reference_set.select(split)), default=0)
    for name in dict.fromkeys([mode, ALL, *map(str, range(most)), WRONG]):
        with suppress(RefbenchError):
            yield with_references(reference_set, name, split)


def _digests(views: Sequence[ReferenceSet], key: str, lq: str, *, manifest: RunManifest) -> Iterator[str]:
    """Hashes of the inputs of a key as `restore` writes them, one for each list of references."""
    seen: set[tuple[str, ...]] = set()
    for view in views:
        references = view[key].references[: manifest.restorer.references_used]
        if references not in seen:
            seen.add(references)
            yield sha256_json([lq, *(view[other].hq_sha256 for other in references)])


def guess_recipe(
    reference_set: ReferenceSet,
    recipes: Sequence[str],
    images: Mapping[str, Path],
    *,
    targets: Sequence[Target],
) -> str:
    """The recipe whose LQ images the outputs were probably restored from; empty where that is not clear.

    A restored image keeps a part of the errors of its own LQ image. Of up to 16 images, the residual (image
    less HQ, luma at half the size) is correlated with the residual of each recipe's LQ image, those of the
    other recipes held constant (partial correlation). A recipe is named that fits best for three quarters of
    the images, by a mean margin of .1.
    """
    usable = [t for t in targets if t.has_hq and min(t.width, t.height) >= SIDE]
    chosen = usable[:: max(1, -(-len(usable) // SAMPLE))]
    rows = []
    for target in chosen:
        paths = [images[target.key], *(reference_set.lq_path(name, target.key) for name in recipes)]
        with suppress(RefbenchError, OSError):
            rows.append(partial_correlations(_half(reference_set.hq_path(target.key)), [*map(_half, paths)]))
    if not rows:
        return ""
    table = np.stack(rows)
    winner = int(np.bincount(table.argmax(axis=1)).argmax())
    rest = np.delete(table, winner, axis=1)
    margin = table[:, winner] - (rest.max(axis=1) if rest.shape[1] else 0.0)
    clear = (table.argmax(axis=1) == winner).mean() >= SHARE and margin.mean() >= MARGIN
    return recipes[winner] if clear else ""


def partial_correlations(hq: Floats, planes: Sequence[Floats]) -> Floats:
    """Partial correlations of the residual of the first plane with those of the others, (planes - 1,)."""
    residuals = np.stack([(plane - hq).ravel() for plane in planes])
    residuals -= residuals.mean(axis=1, keepdims=True)
    covariance = residuals @ residuals.T / residuals.shape[1] + NOISE * np.eye(len(planes))
    precision = np.linalg.inv(covariance)
    scale = np.sqrt(np.diag(precision))
    found: Floats = -precision[0, 1:] / (scale[0] * scale[1:])
    return found


def _half(path: Path) -> Floats:
    """Luma (H / 2, W / 2) float64, 0 to 255, by area averaging."""
    plane = luma(read_rgb(path)).astype(np.float64)
    size = (max(1, plane.shape[1] // 2), max(1, plane.shape[0] // 2))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
