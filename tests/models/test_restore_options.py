"""Options of restore: checked, and the same in YAML, from strings of a command line, and as keywords."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
from refbench.errors import RefbenchError
from refbench.models.restorers.options import RestoreKeywords, RestoreOptions


def test_every_field_is_a_keyword_and_has_help() -> None:
    keywords = get_type_hints(RestoreKeywords, include_extras=True)
    fields = get_type_hints(RestoreOptions, include_extras=True)
    assert keywords == {name: fields[name] for name in RestoreOptions.model_fields}
    assert all(field.description for field in RestoreOptions.model_fields.values())


def test_numbers_of_references_come_as_numbers_and_as_text(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("references: 3\nbatch_size: 8\n")
    assert RestoreOptions.read(path, {"seed": 5}) == RestoreOptions(references=3, batch_size=8, seed=5)
    assert RestoreOptions.merged(None, {"references": "2"}).references == 2
    assert RestoreOptions.merged(None, {"references": "wrong"}).references == "wrong"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"references": "none"}, "references: Input should be 'all' or 'wrong'"),
        ({"references": -1}, "references: .*greater than or equal to 0"),
        ({"batch_size": 0}, "batch_size: Input should be greater than or equal to 1; got 0"),
        ({"batchsize": 2}, "batchsize: no such option; did you mean 'batch_size'"),
    ],
)
def test_faults_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(RefbenchError, match=said):
        RestoreOptions.merged(None, given)
