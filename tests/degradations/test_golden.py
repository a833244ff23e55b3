"""The ReF-LDM chain against vectors of the authors' code: kernels, results, the fast path."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from refbench.degradations.engine import fast
from refbench.degradations.operations.blurring import blur_kernel, correlate
from refbench.degradations.operations.coding import encode_decode
from refbench.degradations.operations.noises import add_noise
from refbench.degradations.operations.operation import as_pixels, round_levels
from refbench.degradations.operations.resizing import downscaled, resize

pytestmark = pytest.mark.core

Levels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Case:
    name: str
    hq: Levels
    drawn: dict[str, Any]
    kernel: npt.NDArray[np.float64]
    normal: npt.NDArray[np.float32]
    lq: Levels

    @property
    def size(self) -> tuple[int, int]:
        return downscaled(self.hq.shape[:2], {"by": self.drawn["scale"]}, self.hq.shape[:2])

    def own_kernel(self) -> npt.NDArray[np.float64]:
        return blur_kernel(
            {
                "kernel": "isotropic" if self.drawn["isotropic"] else "anisotropic",
                "size": 41,
                "sigma_x": self.drawn["sigma_x"],
                "sigma_y": self.drawn["sigma_y"],
                "rotation": math.degrees(self.drawn["rotation"]),
            }
        )

    def exact_result(self) -> npt.NDArray[np.float64]:
        """Levels before the last rounding, BGR."""
        pixels = correlate(as_pixels(self.hq[..., ::-1]), self.own_kernel())
        noise = self.normal.astype(np.float64) * self.drawn["noise_sigma"]
        noisy = add_noise(resize(pixels, self.size, "bilinear"), noise)
        decoded = encode_decode(round_levels(noisy), "jpeg", self.drawn["jpeg_quality"])
        return resize(as_pixels(decoded), self.hq.shape[:2], "bilinear")


HALF = 4 * float(np.spacing(np.float32(255.0)))
"""How far from an exact half float32 can round the other way: 6e-5 of a level.

Levels up to 255 lie 1.5e-5 apart in float32. A bilinear mixture of four levels takes four products and three
sums, each off by half of that at most: 3.5 spacings.
"""


@pytest.fixture(scope="module")
def cases(golden_dirs: list[Path]) -> list[Case]:
    return [case for folder in golden_dirs for case in read_cases(folder)]


def read_cases(folder: Path) -> Iterator[Case]:
    if not (folder / "degradation.npz").is_file():
        return
    drawn = json.loads((folder / "degradation.json").read_text("utf-8"))
    with np.load(folder / "degradation.npz") as arrays:
        for i, own in enumerate(drawn):
            named = (arrays[f"{name}_{i}"] for name in ("kernel", "noise_bgr", "lq"))
            yield Case(f"{folder.name} {i}", arrays["hq"], own, *named)


def test_there_are_cases(cases: list[Case]) -> None:
    assert len(cases) >= 8


def test_sizes(cases: list[Case]) -> None:
    for case in cases:
        assert case.size == case.normal.shape[:2], case.name


def test_kernels(cases: list[Case]) -> None:
    for case in cases:
        np.testing.assert_allclose(case.own_kernel(), case.kernel, rtol=0, atol=1e-7, err_msg=case.name)


def test_results_differ_from_the_authors_at_exact_halves_only(cases: list[Case]) -> None:
    for case in cases:
        exact = case.exact_result()[..., ::-1]
        difference = np.abs(round_levels(exact).astype(int) - case.lq)
        assert difference.mean() <= 0.5, case.name
        if difference.max() <= 1:
            halves = np.abs(exact - np.floor(exact) - 0.5) <= HALF
            assert not (difference > 0)[~halves].any(), case.name


def test_the_fast_path_gives_the_same_bytes(cases: list[Case]) -> None:
    for case in cases:
        bgr = np.ascontiguousarray(case.hq[..., ::-1])
        small = fast.blur_shrink_round(
            bgr, case.own_kernel(), case.size, normal=case.normal, sigma=case.drawn["noise_sigma"]
        )
        decoded = encode_decode(small, "jpeg", case.drawn["jpeg_quality"])
        result = fast.enlarge_round(decoded, case.hq.shape[:2])
        np.testing.assert_array_equal(result, round_levels(case.exact_result()), err_msg=case.name)
