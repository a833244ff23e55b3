"""Options of publishing: what they accept, and what they say of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from refbench.errors import RefbenchError
from refbench.leaderboard.site.options import PublishKeywords, PublishOptions


def test_options_file_and_given_names_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "publish.yaml"
    file.write_text("reference_sets: a-set\nsubmissions: [one, two.zip]\npush: owner/board\n", "utf-8")
    options = PublishOptions.read(file, {"push": "owner/other", "private": True})
    assert options.reference_sets == (Path("a-set"),)
    assert options.submissions == (Path("one"), Path("two.zip"))
    assert (options.push, options.private) == ("owner/other", True)


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(RefbenchError) as caught:
        PublishOptions.merged(None, {"push": "no-owner", "privat": True})
    assert "push: a repository on the Hub is named owner/name; got 'no-owner'" in str(caught.value)
    assert "privat: no such option; did you mean 'private'?" in str(caught.value)


def test_keywords_and_fields_agree_and_every_field_has_help() -> None:
    assert set(PublishKeywords.__annotations__) == set(PublishOptions.model_fields)
    assert all(field.description for field in PublishOptions.model_fields.values())
