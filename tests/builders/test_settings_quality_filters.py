"""Quality filters: the reason of a rejection."""

from __future__ import annotations

import pytest
from refbench.builders.settings.quality_filters import QualityFilters, rejection_reason


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"score": 0.5}, "score 0.5 is under 0.9"),
        ({"eye_distance": 5.25}, "eye_distance 5.25 is under 24"),
        ({"yaw": -80.0}, "yaw -80 is over 75"),
        ({"outside": 0.9, "score": 1.0}, "outside 0.9 is over 0.5"),
        ({"score": 0.99, "yaw": 10.0, "scale": 1.0}, ""),
        ({}, ""),
    ],
)
def test_a_rejection_names_the_limit_and_both_numbers(quality: dict[str, float], words: str) -> None:
    assert rejection_reason(quality, QualityFilters(min_score=0.9)) == words
