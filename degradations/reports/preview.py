"""Preview of a recipe: a contact sheet by quantiles of severity, and statistics of the draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from ...deprecated import renamed
from ...errors import FaultListError, InvalidInputError, RefbenchError
from ...files import StrPath, paths_by_key
from ...images import RGB
from ...progress import progress, say
from ..engine.degrade import degrade_image
from ..engine.parallel import parallel_map
from ..lq.pairs import read_hq
from ..recipes.recipe import Recipe
from .quick_quality import psnr, ssim

QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]
SPREAD = ["min", "lower", "median", "upper", "max"]
TILE = 256
LINE = 16
TEXT_COLOUR, BACKGROUND = (32, 32, 32), (255, 255, 255)


@dataclass(frozen=True)
class Preview:
    """Result of `preview_recipe`.

    Attributes:
        sheet: contact sheet, RGB uint8 (H, W, 3): HQ above LQ by falling PSNR, with the drawn values.
        draws: one row per draw: ``key``, ``psnr`` (dB), ``ssim`` and every drawn value, by falling PSNR.
        statistics: a row per number (count, mean, min, quartiles, max) and per option (count, share).
    """

    sheet: RGB
    draws: pd.DataFrame
    statistics: pd.DataFrame


def preview_recipe(
    images: Mapping[str, StrPath], recipe: Recipe, seed: int = 0, *, samples: int = 100, workers: int = 1
) -> Preview:
    """Degrade images ``samples`` times and show the quantiles of severity, measured as PSNR.

    Where there are fewer images than samples, images are degraded again under the keys ``KEY#1``, ``KEY#2``
    and so on; the first draw of an image equals that of `synthesise_lq`.

    Args:
        images: HQ files by key.
        recipe: steps and the distributions of their parameters.
        seed: seed of the draws.
        samples: number of draws.
        workers: threads.

    Raises:
        RefbenchError: no images, or no samples.
        FaultListError: every image is unreadable, transparent or too small. Where others are usable, these
            are named on stderr and left out.
    """
    files = paths_by_key(images)
    if not files or samples < 1:
        raise RefbenchError(
            f"a preview takes one image and one sample or more; got {len(files)} and {samples}"
        )
    rows, unusable = _measure_all(files, recipe, seed, samples=samples, workers=workers)
    if unusable:
        for key, reason in sorted(unusable.items()):
            say(f"left out: {key}: {reason}")
        files = {key: path for key, path in files.items() if key not in unusable}
        if not files:
            raise FaultListError("preview", [f"{key}: {reason}" for key, reason in sorted(unusable.items())])
        rows, _ = _measure_all(files, recipe, seed, samples=samples, workers=workers)
    draws = pd.DataFrame(rows, columns=["key", "image", "psnr", "ssim", *recipe.drawn])
    draws = draws.sort_values(["psnr", "key"], ascending=[False, True], ignore_index=True)
    places = {round(quantile * (samples - 1)): quantile for quantile in QUANTILES}
    columns = [
        _column(draws.iloc[place], share, files, recipe=recipe, seed=seed) for place, share in places.items()
    ]
    title = f"{recipe.id}: {recipe.title}" if recipe.title else recipe.id
    sheet = np.concatenate([_heading(title, TILE * len(columns)), np.concatenate(columns, axis=1)])
    return Preview(sheet, draws.drop(columns="image"), summarise(draws.drop(columns=["key", "image"])))


def summarise(draws: pd.DataFrame) -> pd.DataFrame:
    """Statistics of draws: a row for each number and for each option of a choice; NaN is left out."""
    rows: list[dict[str, object]] = []
    for name in draws.columns:
        drawn = draws[name].dropna()
        if name.endswith((".branch", ".applied")) or not pd.api.types.is_numeric_dtype(drawn):
            for option, count in drawn.astype(str).value_counts().sort_index().items():
                rows.append({"name": name, "option": option, "count": count, "mean": count / len(drawn)})
        else:
            numbers = drawn.astype(float)
            finite = numbers[np.isfinite(numbers)]
            spread = dict(zip(SPREAD, finite.quantile(SHARES), strict=True))
            rows.append({"name": name, "option": "", "count": len(drawn), "mean": finite.mean(), **spread})
    return pd.DataFrame(rows, columns=["name", "option", "count", "mean", *SPREAD])


def _draws(images: Mapping[str, Path], samples: int) -> Iterable[tuple[str, str]]:
    keys = sorted(images)
    for number, image in enumerate(islice(cycle(keys), samples)):
        again = number // len(keys)
        yield image, f"{image}#{again}" if again else image


def _measure_all(
    images: Mapping[str, Path], recipe: Recipe, seed: int, *, samples: int, workers: int
) -> tuple[list[dict[str, object]], dict[str, str]]:
    """A row for every draw, and why images cannot be used."""
    measure = partial(_measure_one, images=images, recipe=recipe, seed=seed)
    rows: list[dict[str, object]] = []
    unusable: dict[str, str] = {}
    with progress(f"preview {recipe.name}", samples) as advance:
        for found in parallel_map(measure, _draws(images, samples), workers):
            if isinstance(found, tuple):
                unusable[found[0]] = found[1]
            else:
                rows.append(found)
            advance(1)
    return rows, unusable


def _measure_one(
    item: tuple[str, str], images: Mapping[str, Path], recipe: Recipe, *, seed: int
) -> dict[str, object] | tuple[str, str]:
    """The row of a draw, or the image and the reason why it cannot be used."""
    try:
        return _measure(item, images, recipe, seed=seed)
    except InvalidInputError as error:
        return item[0], str(error).replace("\n", " ")


def _measure(
    item: tuple[str, str], images: Mapping[str, Path], recipe: Recipe, *, seed: int
) -> dict[str, object]:
    image, key = item
    hq, _ = read_hq(image, images[image], {})
    degraded = degrade_image(hq, recipe, seed, key=key)
    distance = {"psnr": psnr(degraded.pixels, hq), "ssim": ssim(degraded.pixels, hq)}
    return {"key": key, "image": image, **distance, **degraded.record}


def _column(
    row: pd.Series[Any], share: float, images: Mapping[str, Path], *, recipe: Recipe, seed: int
) -> RGB:
    image, key = str(row["image"]), str(row["key"])
    hq, _ = read_hq(image, images[image], {})
    lq = degrade_image(hq, recipe, seed, key=key).pixels
    lines = [f"quantile {share:.2f}: {row['psnr']:.1f} dB, SSIM {row['ssim']:.2f}"]
    lines += [f"{name} {_brief(row[name])}" for name in recipe.drawn if not pd.isna(row[name])]
    return np.concatenate([_tile(hq), _tile(lq), _caption(lines, _line_count(recipe))])


def _line_count(recipe: Recipe) -> int:
    return min(len(recipe.drawn), 14) + 1


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _tile(pixels: RGB) -> RGB:
    height, width = pixels.shape[:2]
    scale = (TILE - 4) / max(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(
        pixels, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=method
    )
    tile = np.full((TILE, TILE, 3), BACKGROUND, dtype=np.uint8)
    top, left = (TILE - small.shape[0]) // 2, (TILE - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile


def _caption(text: list[str], count: int) -> RGB:
    return _text(text[:count], TILE, count * LINE + LINE // 2, size=11)


def _heading(title: str, width: int) -> RGB:
    return _text([title], width, 2 * LINE, size=15)


def _text(lines: list[str], width: int, height: int, *, size: int) -> RGB:
    picture = Image.new("RGB", (width, height), BACKGROUND)
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        ImageDraw.Draw(picture).text((6, 4 + number * LINE), line, TEXT_COLOUR, font)
    return np.array(picture, dtype=np.uint8)


__getattr__ = renamed(__name__, {"preview": "preview_recipe"})
