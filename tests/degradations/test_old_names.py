"""Functions that the docs of 0.1 named are found under their old names, with a warning."""

from __future__ import annotations

import importlib

import pytest

NAMES = [
    ("refbench.degradations.engine.degrade", "degrade", "degrade_image"),
    ("refbench.degradations.engine.degrade", "carry_out", "apply_plan"),
    ("refbench.degradations.engine.degrade", "carry_out_plainly", "apply_plan_reference"),
    ("refbench.degradations.lq.synthesise", "synthesise", "synthesise_lq"),
    ("refbench.degradations.lq.verify", "verify", "verify_lq_folder"),
    ("refbench.degradations.recipes.severity", "severity", "severity_recipe"),
    ("refbench.degradations.reports.preview", "preview", "preview_recipe"),
    ("refbench.faces.align", "similarity", "similarity_transform"),
    ("refbench.faces.detectors.detect", "own_detector", "custom_detector"),
    ("refbench.faces.quality", "measure", "measure_face"),
    ("refbench.faces.recognisers.recognise", "own_recogniser", "custom_recogniser"),
    ("refbench.faces.recognisers.registry", "own_recogniser", "custom_recogniser"),
]


@pytest.mark.parametrize(("module", "old", "new"), NAMES)
def test_an_old_name_is_the_new_function(module: str, old: str, new: str) -> None:
    found = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{new} now"):
        assert getattr(found, old) is getattr(found, new)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = importlib.import_module("refbench.degradations.engine.degrade").nothing
