"""Draws: frozen values, ranges, independence."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
from refbench.degradations.operations.distributions import Choice, Distribution, Fixed, Uniform
from refbench.degradations.recipes.bundled import OLD_VERSIONS, RECIPES
from refbench.degradations.recipes.draws import Draw
from refbench.degradations.recipes.lookup import load_recipe
from refbench.degradations.recipes.plan import make_plan
from refbench.degradations.recipes.recipe import Recipe
from refbench.degradations.recipes.steps import Branch, Node, OneOf, Step
from scipy import stats

pytestmark = pytest.mark.core

FINGERPRINTS = {
    "refldm-train@1": "e517dd47ec89",
    "refldm-moderate@1": "fad2e588e903",
    "refldm-severe@1": "e7986428bb0b",
    "refldm-train-128@1": "33019d39403b",
    "refldm-moderate-128@1": "d0f4893b64f1",
    "refldm-severe-128@1": "ee05cb1b1d87",
    "gfpgan-v1@1": "0bf20b047566",
    "codeformer@1": "1bc0337a3abe",
    "realesrgan-2nd-order@1": "2f48cb9d0cf6",
    "realesrgan-2nd-order@2": "c2991d652f42",
    "severity-0@1": "96ed108917a7",
    "severity-0.7@1": "b3fa301e262e",
}
KEYS = [f"{number:05}" for number in range(1500)]


def test_draws_are_frozen() -> None:
    draw = Draw("refldm-severe@1", 0, "00001")
    digest = hashlib.sha256(b'["refldm-severe@1",0,"00001","blur.sigma_x"]').digest()
    assert draw.unit("blur.sigma_x") == (int.from_bytes(digest[:8], "big") >> 11) / 2**53
    assert draw.unit("blur.sigma_x") == 0.5549357766532409
    normal = draw.generator("gaussian_noise").standard_normal(4, dtype=np.float32)
    expected = np.array(
        [1.0101271867752075, -0.02758544124662876, 0.13611865043640137, -1.4056808948516846], dtype=np.float32
    )
    np.testing.assert_array_equal(normal, expected)


def test_recipes_are_frozen() -> None:
    prints = {recipe.id: recipe.fingerprint[:12] for recipe in (*RECIPES.values(), *OLD_VERSIONS.values())}
    prints |= {
        recipe.id: recipe.fingerprint[:12] for recipe in map(load_recipe, ("severity-0", "severity-0.7"))
    }
    assert prints == FINGERPRINTS, "a changed recipe needs a new version, and then a new line here"


def test_a_draw_depends_on_recipe_seed_and_key_and_nothing_else() -> None:
    severe, moderate = load_recipe("refldm-severe"), load_recipe("refldm-moderate")
    one = make_plan(severe, 3, "a").record
    make_plan(moderate, 3, "b")
    assert make_plan(severe, 3, "a").record == one
    assert make_plan(severe, 4, "a").record != one
    assert make_plan(severe, 3, "b").record != one
    again = Recipe("refldm-severe", 2, severe.steps)
    assert make_plan(again, 3, "a").record["downscale.by"] != one["downscale.by"]


@pytest.mark.parametrize("name", RECIPES)
def test_drawn_numbers_follow_their_stated_distributions(name: str) -> None:
    recipe = RECIPES[name]
    records = [make_plan(recipe, 7, key).record for key in KEYS]
    stated = dict(distributions(recipe.steps))
    assert set().union(*records) <= set(recipe.drawn)
    checked = 0
    for column, distribution in stated.items():
        drawn = [record[column] for record in records if column in record]
        if len(drawn) < 40 or isinstance(distribution, Fixed):
            continue
        checked += 1
        if isinstance(distribution, Uniform):
            low, high = distribution.low, distribution.high
            assert low <= min(drawn) <= max(drawn) <= high
            if low < high:
                assert stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue > 1e-4, column
        else:
            assert chi_squared(drawn, distribution) > 1e-4, column
    assert checked >= 5


def test_branches_and_probabilities_are_met() -> None:
    steps = (
        OneOf((Branch(3, (Step("grey"),)), Branch(1))),
        Step("colour_shift", {"red": Uniform(0, 1)}, probability=0.2),
    )
    records = [make_plan(Recipe("chance", 1, steps), 0, key).record for key in KEYS]
    assert np.mean([record["one_of.branch"] == 0 for record in records]) == pytest.approx(0.75, abs=0.04)
    assert np.mean([record["colour_shift.applied"] for record in records]) == pytest.approx(0.2, abs=0.04)
    assert all(("colour_shift.red" in record) == record["colour_shift.applied"] for record in records)


def test_numbers_of_one_image_are_independent() -> None:
    records = [make_plan(load_recipe("refldm-train"), 0, key).record for key in KEYS]
    names = ("blur.sigma_x", "downscale.by", "gaussian_noise.sigma", "jpeg.quality")
    matrix = np.corrcoef([[float(record[name]) for record in records] for name in names])
    assert np.abs(matrix - np.eye(4)).max() < 0.1


def test_noise_is_standard_normal() -> None:
    values = Draw("x@1", 0, "k").generator("gaussian_noise").standard_normal(20_000, dtype=np.float32)
    assert stats.kstest(values, "norm").pvalue > 1e-4


def test_levels_of_the_sweep_share_their_draws() -> None:
    mild, strong = (make_plan(load_recipe(f"severity-{level}"), 0, "a") for level in (0.6, 0.9))
    assert mild.record["blur.rotation"] == strong.record["blur.rotation"]
    assert float(mild.record["downscale.by"]) < float(strong.record["downscale.by"])
    assert mild.draw.generator("gaussian_noise").random() == strong.draw.generator("gaussian_noise").random()


def distributions(steps: tuple[Node, ...]) -> list[tuple[str, Distribution]]:
    found: list[tuple[str, Distribution]] = []
    for node in steps:
        if isinstance(node, Step):
            found += [(f"{node.label}.{name}", value) for name, value in node.parameters.items()]
        else:
            weights = tuple(branch.weight for branch in node.branches)
            found.append((f"{node.label}.branch", Choice(tuple(range(len(weights))), weights)))
            for branch in node.branches:
                found += distributions(branch.steps)
    return found


def chi_squared(drawn: list[object], choice: Choice) -> float:
    weights = np.array(choice.weights or (1.0,) * len(choice.options))
    expected = weights / weights.sum() * len(drawn)
    common = expected >= 5
    observed = np.array([drawn.count(option) for option in choice.options])
    if common.sum() < 2:
        return 1.0
    scale = observed[common].sum() / expected[common].sum()
    return float(stats.chisquare(observed[common], expected[common] * scale).pvalue)


def test_labels_name_repeated_steps() -> None:
    labels = load_recipe("realesrgan-2nd-order@1").labels
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[a-z_]+(-\d+)?", label) for label in labels)
