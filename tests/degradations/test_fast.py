"""The fast path gives the bytes of the reference implementation, whatever the thread settings."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.degradations.engine import sparse_sampling as sampling
from refbench.degradations.engine.degrade import (
    _is_classical,
    apply_plan,
    apply_plan_reference,
    degrade_image,
)
from refbench.degradations.engine.fast import enlarge_round
from refbench.degradations.operations import kernels
from refbench.degradations.operations.blurring import correlate
from refbench.degradations.operations.operation import round_levels
from refbench.degradations.operations.resampling import taps
from refbench.degradations.operations.resizing import resize
from refbench.degradations.recipes.classical import classical_steps
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.plan import make_plan
from refbench.degradations.recipes.recipe import Recipe

RGB = npt.NDArray[np.uint8]
CLASSICAL = ("refldm-train", "refldm-moderate", "refldm-severe", "codeformer", "severity-0.1")


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("size", [(256, 256), (131, 94), (97, 250)])
def test_equal_bytes(name: str, size: tuple[int, int], astronaut: RGB) -> None:
    hq = np.ascontiguousarray(astronaut[: size[0], 180 : 180 + size[1]])
    for key in map(str, range(6)):
        plan = make_plan(load_recipe(name), 1, key)
        assert _is_classical(plan.steps)
        np.testing.assert_array_equal(apply_plan(hq, plan), apply_plan_reference(hq, plan), err_msg=key)


@given(
    sigma=st.sampled_from([0.0, 0.3, 2.0, 7.5, 16.0]),
    by=st.floats(1, 3),
    noise=st.sampled_from([0.0, 0.4, 20.0]),
    quality=st.integers(20, 100),
    key=st.integers(0, 10**6),
)
@settings(max_examples=40)
def test_equal_bytes_at_the_edges_of_ranges(
    sigma: float, by: float, noise: float, quality: int, key: int
) -> None:
    hq = np.random.default_rng(key).integers(0, 256, (50, 64, 3), dtype=np.uint8)
    steps = classical_steps(
        sigma=(sigma, sigma), by=(by, by), noise=(noise, noise), quality=(quality, quality)
    )
    plan = make_plan(Recipe("edge", 1, steps), 0, str(key))
    np.testing.assert_array_equal(apply_plan(hq, plan), apply_plan_reference(hq, plan))


def test_the_three_ways_of_sampling_stay_within_the_rounding_margin() -> None:
    rng = np.random.default_rng(0)
    hard = np.where(rng.random((200, 220, 3)) < 0.5, 0, 255).astype(np.uint8)
    ways: set[str] = set()
    for count in (12, 60, 150):
        for kernel in (kernels.gaussian(41, 6.0, 6.0), kernels.gaussian(41, 9.0, 2.5, rotation=0.7)):
            rows, columns = taps(200, count, "bilinear"), taps(220, count, "bilinear")
            approximate = sampling.approximate_samples(hard, kernel, rows=rows, columns=columns)
            exact = resize(correlate(hard.astype(np.float64), kernel), (count, count), "bilinear")
            assert np.abs(approximate - exact).max() < sampling.ROUNDING_MARGIN / 1.5
            places = np.nonzero(np.ones((3, 3, 3)))
            chosen = sampling.exact_samples(hard, kernel, rows=rows, columns=columns, places=places)
            np.testing.assert_allclose(chosen, exact[places], atol=1e-10)
            ways.add(f"{count * count < sampling.FEW_SAMPLES}{kernel[20, 0] == kernel[0, 20]}")
    assert len(ways) == 4


def test_enlarging_rounds_exact_halves_to_even() -> None:
    levels = np.array([[[0] * 3, [1] * 3]], dtype=np.uint8).repeat(2, axis=0)
    exact = resize(levels.astype(np.float64), (4, 4), "bilinear")
    assert exact[0, :, 0].tolist() == [0.0, 0.25, 0.75, 1.0]
    np.testing.assert_array_equal(enlarge_round(levels, (4, 4)), round_levels(exact))
    wide = np.array([[[10] * 3, [13] * 3]], dtype=np.uint8)
    assert enlarge_round(wide, (1, 6))[0, :, 0].tolist() == [10, 10, 11, 12, 13, 13]


def test_a_doubt_that_is_too_small_would_be_noticed(monkeypatch: pytest.MonkeyPatch, astronaut: RGB) -> None:
    from refbench.degradations.engine import fast

    real = fast.approximate_samples
    monkeypatch.setattr(
        fast, "approximate_samples", lambda *given, **named: real(*given, **named) + np.float32(0.01)
    )
    plan = make_plan(load_recipe("severity-0.1"), 0, "a")
    assert (
        apply_plan(astronaut[:200, :200], plan) != apply_plan_reference(astronaut[:200, :200], plan)
    ).any()


PROGRAM = """
import hashlib, cv2, numpy as np
cv2.setNumThreads({threads})
from refbench.degradations import degrade_image, load_recipe
hq = np.random.default_rng(0).integers(0, 256, (192, 192, 3), dtype=np.uint8)
made = [degrade_image(hq, load_recipe("refldm-train"), 0, key=str(k)).pixels.tobytes() for k in range(8)]
print(hashlib.sha256(b"".join(made)).hexdigest())
"""


def test_bytes_do_not_depend_on_thread_settings() -> None:
    hashes = set()
    for threads in (1, 3):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, str(threads))
        program = [sys.executable, "-c", PROGRAM.format(threads=threads)]
        ran = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
        hashes.add(ran.stdout)
    assert len(hashes) == 1


def test_the_recipe_must_end_at_the_size_of_hq(astronaut: RGB) -> None:
    from refbench.errors import RefbenchError

    short = Recipe("short", 1, classical_steps(sigma=(0, 1), by=(2, 2), noise=(0, 1), quality=(90, 90))[:-1])
    with pytest.raises(RefbenchError, match="end it with the operation full_size"):
        degrade_image(astronaut[:64, :64], short, 0, key="a")
