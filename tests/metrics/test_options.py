"""Options of score: checked, and the same in YAML, as strings of a command line, and as keywords."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
from refbench.errors import RefbenchError
from refbench.metrics.core.options import ScoreKeywords, ScoreOptions


def test_every_field_is_a_keyword_and_has_help() -> None:
    assert list(get_type_hints(ScoreKeywords)) == list(ScoreOptions.model_fields)
    assert all(field.description for field in ScoreOptions.model_fields.values())


def test_yaml_keywords_and_old_spellings_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("protocols: paper\nprecision: bf16\nreferences: 3\ncache: hq\n")
    wanted = ScoreOptions(protocols=("paper",), precision="bfloat16", references=3, cache=Path("hq"))
    assert ScoreOptions.read(path, {}) == wanted
    assert ScoreOptions.read(path, {"references": "2"}).references == 2
    assert ScoreOptions.merged(None, {"protocols": None}).protocols == ("offline",)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": "mixed"}, "precision: Input should be 'float32' or 'bfloat16'; got 'mixed'"),
        ({"references": -1}, "references: .*greater than or equal to 0"),
        ({"allowmissing": True}, "allowmissing: no such option; did you mean 'allow_missing'"),
    ],
)
def test_faults_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(RefbenchError, match=said):
        ScoreOptions.merged(None, given)
