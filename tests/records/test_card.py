"""The card of a submission: written for people, read from untrusted files, every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.errors import FaultListError
from refbench.records.card import Card, card_text, parse_card, read_card, write_card

pytestmark = pytest.mark.core


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    card = Card(
        model="Résumé: #1 'x'\n",
        version="1.0",
        team="yes",
        parameters=54_000_000,
        references_used=0,
        seconds_per_image=0.25,
        notes="- a\n- b: c",
    )
    assert read_card(write_card(tmp_path, card)) == card
    assert parse_card(card_text(card, explained=True).encode()) == card


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1), st.text(), st.none() | st.integers(0, 10**15))
def test_any_card_survives_its_text(model: str, notes: str, parameters: int | None) -> None:
    try:
        card = Card(model=model, notes=notes, parameters=parameters)
        data = card_text(card).encode()
    except (UnicodeEncodeError, yaml.YAMLError):
        return
    read = parse_card(data)
    assert (read.model, read.parameters) == (model, parameters)
    assert read.notes == notes or notes.strip().lower() in {"", "unknown", "none", "null", "n/a", "~"}


def test_unknown_is_said_and_versions_stay_text() -> None:
    card = parse_card(b"model: M\nversion: 1.10\nparameters: unknown\nreferences_used:\nteam: null\n")
    assert (card.version, card.parameters, card.references_used, card.team) == ("1.10", None, None, "unknown")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not a card"),
        (b"- a\n- b\n", "not a card"),
        (b"model: [1, 2]\n", "model"),
        (b"model: M\nreferences_used: -1\nparameters: many\ncolour: blue\n", "references_used"),
        (b"model: M\ncolour: blue\n", "'colour' is not a field"),
        (b"model: M\nparameter: 3\n", "did you mean 'parameters'"),
        (b"\xff\xfe\x00", "UTF-16.* damaged"),
        (b"model: M\xfcller\n", "not UTF-8"),
        (b"model: A\nmodel: B\n", "'model' stands twice, in lines 1 and 2"),
        (b"a: &x [1]\nb: [*x, *x]\n", "aliases"),
        (b"a: {b: [c\n", "not valid YAML"),
        (b"model: M\nparameters: " + b"9" * 5000, "parameters"),
        (b"[" * 5000, "not"),
        (b"model: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    ],
)
def test_faulty_cards_are_reported(text: bytes, words: str) -> None:
    with pytest.raises(FaultListError, match=words):
        parse_card(text)


def test_every_fault_of_a_card_comes_at_once_and_a_card_is_a_page(tmp_path: Path) -> None:
    with pytest.raises(FaultListError) as caught:
        parse_card(b"references_used: -1\nparameters: many\ncolour: blue\n")
    assert len(caught.value.faults) == 4
    (tmp_path / "submission.yaml").write_bytes(b"#" * 100_000)
    with pytest.raises(FaultListError, match="64 KiB"):
        read_card(tmp_path / "submission.yaml")
