"""Versioned ids are read and spelt in one place."""

from __future__ import annotations

import pytest
from refbench.errors import RefbenchError
from refbench.records.ids import VersionedId

pytestmark = pytest.mark.core


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [("refldm-moderate@1", "refldm-moderate", "1"), ("own", "own", ""), ("a@b@c", "a", "b@c")],
)
def test_an_id_is_parsed_and_spelt_again(text: str, name: str, version: str) -> None:
    assert VersionedId.parse(text) == VersionedId(name, version)
    assert str(VersionedId.parse(text)) == text


def test_an_id_whose_version_is_empty_is_its_name() -> None:
    assert str(VersionedId.parse("own@")) == "own"


@pytest.mark.parametrize("text", ["", "@1"])
def test_an_id_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(RefbenchError, match="wanted NAME or NAME@VERSION"):
        VersionedId.parse(text)


def test_a_name_that_would_be_read_differently_is_refused() -> None:
    with pytest.raises(RefbenchError, match="'a@b@1' is not an id"):
        VersionedId("a@b", "1")
