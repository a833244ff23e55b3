"""Options of `degrade`: the keywords mirror the fields, and bad values are named all at once."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
from refbench.degradations.lq.options import DegradeKeywords, DegradeOptions
from refbench.errors import RefbenchError


def test_the_keywords_are_the_fields():
    fields = {name: field.annotation for name, field in DegradeOptions.model_fields.items()}
    assert get_type_hints(DegradeKeywords) == fields


def test_every_field_says_what_it_is():
    assert all(field.description for field in DegradeOptions.model_fields.values())


def test_all_faults_are_named_at_once():
    with pytest.raises(RefbenchError) as caught:
        DegradeOptions.merged(None, {"split": "tset", "workers": 0, "sed": 1})
    message = str(caught.value)
    assert "- split: " in message
    assert "'tset'" in message
    assert "- workers: " in message
    assert "sed: no such option; did you mean 'seed'?" in message


def test_a_file_gives_options_and_a_keyword_wins(tmp_path: Path):
    file = tmp_path / "degrade.yaml"
    file.write_text("split: all\nseed: 3\n")
    assert DegradeOptions.read(file, {"seed": 4}) == DegradeOptions(split="all", seed=4)
