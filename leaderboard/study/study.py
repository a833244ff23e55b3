"""User studies: blinded pairwise comparisons on a static page, balanced over models, with checks.

A study is a folder: ``index.html``, and ``pictures/`` under neutral names. Beside the folder is
``STUDY.key.json`` for the organiser, with the model of every picture. The page sends nothing; each
participant saves a file of votes and sends it to the organiser.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, names_of, sha256_json, write_json
from ...folder_lock import locks
from ...progress import progress
from ...records.reference_set import ReferenceSet
from ..pages.pictures import PictureOptions, encode
from ..rendering.rendering import Page, render, script_json, trusted_markup
from ..rendering.site_folder import Site
from ..store.settings import BoardSettings
from ..submission.submission import Submission

QUESTION = "Which restored picture looks more like the person in the references, and more like a real photo?"
CHECK_SHARE = 0.1


class Trial(BaseModel):
    """One question: an image restored by two models, or an attention check.

    Attributes:
        id: of the trial.
        key: of the image.
        first, second: names of the models; in a check ``hq`` and ``lq``, of which ``hq`` is the right answer.
        check: whether it is an attention check.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    key: str
    first: str
    second: str
    check: bool = False


class StudyKey(BaseModel):
    """The key of a study (``NAME.key.json``), kept by the organiser: the models of every trial.

    Attributes:
        study: id, a hash of everything else.
        benchmark: id of the track of the images; in keys of version 0.1 that of the benchmark.
        question: asked above each pair.
        seed: of images, pairs and sides.
        models: names of the submissions.
        trials: the questions, checks last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    study: str
    benchmark: str
    question: str
    seed: int
    models: tuple[str, ...]
    trials: tuple[Trial, ...]

    @classmethod
    def read(cls, path: StrPath) -> StudyKey:
        """Read a key.

        Raises:
            RefbenchError: not a key of a study.
        """
        path = Path(path)
        try:
            return cls.model_validate_json(path.read_text("utf-8"))
        except (OSError, ValidationError, ValueError) as error:
            raise RefbenchError(f"{path} is not the key of a study: {error}") from None


def plan_study(
    models: Sequence[str] | str,
    keys: Sequence[str] | str,
    items: int,
    *,
    benchmark: str,
    seed: int,
    question: str = QUESTION,
) -> StudyKey:
    """Choose images and pairs: every pair of models equally often (up to one), sides balanced.

    Args:
        models: names of the submissions, at least two.
        keys: images that all of them restored.
        items: questions per participant, checks not counted.
        benchmark: id of the benchmark that the images are of.
        seed: decides images, pairs and sides; each participant's order is drawn in the browser.
        question: asked above each pair.

    Raises:
        InvalidInputError: fewer than two models, no image, or fewer items than pairs of models.
    """
    models = names_of(models)
    keys = names_of(keys)
    pairs = list(itertools.combinations(sorted(models), 2))
    if len(set(models)) != len(models) or not pairs:
        raise InvalidInputError(
            f"a study compares at least two different models; got {', '.join(models) or 'none'}"
        )
    if not keys:
        raise InvalidInputError("there is no image that all of these models restored")
    if items < len(pairs):
        raise InvalidInputError(
            f"{len(models)} models make {len(pairs)} pairs; {items} items do not cover them"
        )
    generator = np.random.default_rng(seed)
    order = [pairs[i % len(pairs)] for i in range(items)]
    images: list[str] = []
    while len(images) < items:
        images += [sorted(keys)[i] for i in generator.permutation(len(keys))]
    turn = dict.fromkeys(pairs, 0)
    start = {pair: int(generator.integers(2)) for pair in pairs}
    trials = []
    for number, (pair, key) in enumerate(zip(order, images, strict=False)):
        is_swapped = (turn[pair] + start[pair]) % 2
        turn[pair] += 1
        first, second = pair[::-1] if is_swapped else pair
        trials.append(Trial(id=_name(seed, number, key), key=key, first=first, second=second))
    checks = max(1, round(CHECK_SHARE * items))
    for number, i in enumerate(generator.permutation(len(keys))[:checks]):
        key = sorted(keys)[i]
        sides = ("hq", "lq") if number % 2 else ("lq", "hq")
        trials.append(
            Trial(id=_name(seed, items + number, key), key=key, first=sides[0], second=sides[1], check=True)
        )
    study = sha256_json([benchmark, sorted(models), [trial.model_dump() for trial in trials], seed])[:12]
    return StudyKey(
        study=study,
        benchmark=benchmark,
        question=question,
        seed=seed,
        models=tuple(sorted(models)),
        trials=tuple(trials),
    )


def _name(seed: int, number: int, key: str) -> str:
    return sha256_json(["trial", seed, number, key])[:10]


@locks("out")
def write_study(
    key: StudyKey,
    out: StrPath,
    reference_set: ReferenceSet,
    *,
    recipe: str,
    submissions: Mapping[str, Submission],
    options: PictureOptions | None = None,
) -> Path:
    """Write the page and its pictures into ``out``, and the key beside it; returns the page.

    Pictures are named by trial and side, so their names do not reveal the model.

    Args:
        key: of the study.
        out: new or empty folder, or one of an earlier study.
        reference_set: of the images.
        recipe: name of the recipe that was restored.
        submissions: by the names of the models.
        options: of the pictures; None for 512 pixels at quality 92.

    Raises:
        InvalidInputError: ``out`` holds other files, or an image of a trial is missing.
    """
    out = Path(out)
    shown = options or PictureOptions(quality=92)
    site = Site.open(out)
    making: dict[str, Path] = {}
    trials: list[dict[str, Any]] = []
    for trial in key.trials:
        sides = [
            _path(trial.key, side, reference_set, recipe=recipe, submissions=submissions)
            for side in (trial.first, trial.second)
        ]
        names = [f"pictures/{trial.id}-{letter}.webp" for letter in "ab"]
        making |= dict(zip(names, sides, strict=True))
        lq = f"pictures/{sha256_json(['lq', key.seed, trial.key])[:10]}.webp"
        making[lq] = reference_set.lq_path(recipe, trial.key)
        references = [
            (f"pictures/{sha256_json(['reference', key.seed, r])[:10]}.webp", reference_set.hq_path(r))
            for r in reference_set[trial.key].references[:5]
        ]
        making |= dict(references)
        pictures = {"a": names[0], "b": names[1], "lq": lq, "references": [name for name, _ in references]}
        trials.append({"id": trial.id, **pictures})
    missing = sorted(str(path) for path in making.values() if not path.is_file())
    if missing:
        raise InvalidInputError(f"{len(missing)} pictures of the study are missing, first {missing[0]}")
    with progress("pictures of the study", len(making)) as advance:
        for name, path in sorted(making.items()):
            site.data(name, encode(path, shown.size, shown))
            advance(1)
    data = trusted_markup(script_json({"study": key.study, "trials": trials}))
    context = {"question": key.question, "count": len(trials), "data": data}
    site.text(
        "index.html", render(Page("index.html", "study.html", context), BoardSettings(title="A study"), [])
    )
    for name in ("site.css", "geist.woff2", "newsreader.woff2", "icon.svg", "fonts.txt", "study.js"):
        site.asset(name)
    write_json(key_path(out), key.model_dump(mode="json"))
    site.finish()
    return out / "index.html"


def key_path(out: Path) -> Path:
    """The path of the key of the study in ``out``: beside the folder, never inside."""
    return out.with_name(f"{out.name}.key.json")


def _path(
    key: str, side: str, reference_set: ReferenceSet, *, recipe: str, submissions: Mapping[str, Submission]
) -> Path:
    if side == "hq":
        return reference_set.hq_path(key)
    if side == "lq":
        return reference_set.lq_path(recipe, key)
    return submissions[side].images.get(key, Path("/nonexistent"))
