"""The cards of restorers and of submissions share their fields; the file keeps its format."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from refbench.errors import FaultListError
from refbench.records.card import Card, ModelCard, RestorerCard, card_text, parse_card, read_card

OLD = Path(__file__).parents[1] / "fixtures" / "v0_1" / "submission" / "submission.yaml"


def test_the_card_of_0_1_is_written_with_the_same_bytes() -> None:
    card = read_card(OLD).model_copy(update={"training_data": "none"})
    assert card_text(card) == OLD.read_text("utf-8")


def test_the_order_of_the_file_names_every_field_once() -> None:
    assert sorted(Card.ORDER) == sorted(Card.model_fields)


def test_every_field_is_described_in_a_fresh_card() -> None:
    lines = card_text(Card(model="M"), explained=True).splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    assert len(comments) == len(Card.model_fields)
    assert all(field.description for field in Card.model_fields.values())
    assert "# of code and weights, for instance Apache-2.0" in comments


def test_faults_name_the_fields_and_what_was_wanted() -> None:
    with pytest.raises(FaultListError) as caught:
        parse_card(b"modle: M\nparameters: many\n")
    text = str(caught.value)
    assert "'modle' is not a field of the card; did you mean 'model'?; the fields are model, vers" in text
    assert "model is missing: name of the model, as the board shows it (needed)" in text
    assert "wanted: number of parameters, for instance 54000000" in text


@pytest.mark.parametrize(
    ("limit", "mode", "used"),
    [(None, "all", None), (5, "all", 5), (5, 2, 2), (1, "3", 1), (None, 2, 2), (5, "wrong", 5)],
)
def test_a_submission_s_card_of_a_restorer(limit: int | None, mode: int | str, used: int | None) -> None:
    facts = RestorerCard(
        model="M", version="2", references_used=limit, licence="MIT", notes="n", control=True
    )
    card = Card.of_restorer(facts, mode, hardware="cpu", seconds_per_image=0.5, peak_memory_mib=9.0)
    shared = {name: getattr(card, name) for name in ModelCard.model_fields if name != "references_used"}
    assert shared == facts.model_dump(exclude={"references_used"})
    assert (card.references, card.references_used) == (str(mode), used)
    assert (card.hardware, card.seconds_per_image, card.peak_memory_mib) == ("cpu", 0.5, 9.0)


def test_a_restorer_s_card_is_checked() -> None:
    with pytest.raises(ValidationError, match="parameters"):
        RestorerCard(model="M", parameters=-1)
    with pytest.raises(ValidationError, match="team"):
        RestorerCard.model_validate({"model": "M", "team": "T"})


def test_text_stays_text() -> None:
    card = Card(model="M", notes="1.0", version="2")
    assert yaml.safe_load(card_text(card))["version"] == "2"
    assert parse_card(card_text(card).encode()) == card
