"""Model cards: what a restorer says of itself, and the card of a submission (``submission.yaml``).

Both share the fields of `ModelCard`. `read_card` and `parse_card` read the YAML of a submission, which may
come from anybody: its size is limited, YAML aliases are refused, and every fault is reported at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import FaultListError, UnreadableTextError
from ..files import StrPath, write_text
from ..text_files import decode_text, parse_yaml
from ..validation import did_you_mean

CARD_NAME = "submission.yaml"
PLACEHOLDER = "My model"
"""The model of a card that nobody has filled in yet."""
MAX_CARD_BYTES = 65_536
UNSAID = frozenset({"", "~", "null", "none", "unknown", "n/a"})


class ModelCard(BaseModel):
    """Facts about a model that a restorer's card and a submission's card share; each field's ``description``.

    Unknown facts are None or ``unknown``. A ``control`` is a yardstick and no model (the first reference
    copied, say): boards show it and never rank it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1, description="name of the model, as the board shows it (needed)")
    version: str = Field(
        default="1",
        description="change it when the outputs change; a published record is never overwritten",
    )
    references_used: int | None = Field(
        default=None, ge=0, description="most reference images used for one face; 0 for none"
    )
    parameters: int | None = Field(
        default=None, ge=0, description="number of parameters, for instance 54000000"
    )
    licence: str = Field(default="unknown", description="of code and weights, for instance Apache-2.0")
    training_data: str = Field(default="unknown", description="data sets it was trained on, or unknown")
    paper: str = Field(default="", description="title, arXiv:... or https://...")
    notes: str = Field(default="", description="anything a reader should know")
    control: bool = Field(
        default=False,
        description="true for a yardstick that is no model; it is shown and never ranked",
    )


class RestorerCard(ModelCard):
    """What a restorer says of itself; it becomes part of the card of a submission (`Card.of_restorer`).

    ``references_used`` is the most references that the restorer looks at, and it is given no more; None is no
    limit. ``notes`` names every setting that decides the output besides the weights: two restorers that
    differ have different cards.
    """


class Card(ModelCard):
    """What a team says of its submission (``submission.yaml``).

    ``references`` is the evaluation mode that the images were restored under, see `evaluation_modes`.
    """

    ORDER: ClassVar[tuple[str, ...]] = (
        *("model", "version", "team", "url", "paper", "code", "licence", "parameters", "references_used"),
        *("references", "training_data", "hardware", "seconds_per_image", "peak_memory_mib", "control"),
        "notes",
    )
    """The fields in the order of the file."""

    team: str = Field(default="unknown", description="who made it")
    url: str = Field(default="", description="page of the model, https://...")
    code: str = Field(default="", description="where the code is, https://...")
    references: str = Field(
        default="all",
        pattern=r"^(all|wrong|\d+)$",
        description="all; or what --references was while restoring: a number, or wrong",
    )
    hardware: str = Field(default="unknown", description="what the time below was measured on")
    seconds_per_image: float | None = Field(default=None, gt=0, description="for one image, loading left out")
    peak_memory_mib: float | None = Field(default=None, gt=0, description="peak memory of the device, in MiB")

    @classmethod
    def of_restorer(
        cls,
        card: RestorerCard,
        references: int | str,
        *,
        hardware: str = "unknown",
        seconds_per_image: float | None = None,
        peak_memory_mib: float | None = None,
    ) -> Card:
        """The card of a submission that a restorer made.

        Args:
            card: what the restorer says of itself.
            references: evaluation mode: ``all``, ``wrong``, or the most references that were given.
            hardware: what the time was measured on.
            seconds_per_image: without loading; None if not measured.
            peak_memory_mib: in MiB; None if not measured.
        """
        limits = [card.references_used, int(references) if str(references).isdecimal() else None]
        used = min((limit for limit in limits if limit is not None), default=None)
        measured = {
            "references": str(references),
            "references_used": used,
            "hardware": hardware,
            "seconds_per_image": seconds_per_image,
            "peak_memory_mib": peak_memory_mib,
        }
        return cls.model_validate(card.model_dump() | measured)


def read_card(path: StrPath) -> Card:
    """Read and check a card.

    Raises:
        FaultListError: every fault of the card at once.
    """
    path = Path(path)
    fix = f"start from a fresh one: refbench submission new {path.parent}"
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_CARD_BYTES + 1)
    except OSError as error:
        raise FaultListError(path.name, [f"cannot be read: {error.strerror}"], fix) from None
    if len(data) > MAX_CARD_BYTES:
        raise FaultListError(
            path.name, [f"more than {MAX_CARD_BYTES // 1024} KiB; a card is a page of text"], fix
        )
    return parse_card(data, path.name, fix)


def parse_card(data: bytes, name: str = CARD_NAME, fix: str = "") -> Card:
    """Check the bytes of a card.

    Raises:
        FaultListError: every fault of the card at once.
    """
    try:
        content = parse_yaml(decode_text(data, name), name, plain_text=True)
    except UnreadableTextError as error:
        raise FaultListError(name, [error.reason], fix) from None
    if not isinstance(content, dict):
        raise FaultListError(name, ["not a card: wanted lines like 'model: My model'"], fix)
    said = {key: value for key, value in content.items() if not _is_unsaid(key, value)}
    try:
        return Card.model_validate(said)
    except ValidationError as error:
        raise FaultListError(name, [_fault(detail) for detail in error.errors()], fix) from None


def _is_unsaid(key: Any, value: Any) -> bool:
    return (
        isinstance(key, str) and key != "model" and isinstance(value, str) and value.strip().lower() in UNSAID
    )


def _fault(detail: Any) -> str:
    field = ".".join(str(part)[:40] for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        hint = did_you_mean(field, Card.ORDER)
        return f"{field!r} is not a field of the card{hint}; the fields are {', '.join(Card.ORDER)}"
    if detail["type"] == "missing":
        return f"{field} is missing: {_help(field)}"
    got = repr(detail.get("input"))
    got = got if len(got) <= 60 else f"{got[:57]}..."
    return f"{field}: {detail['msg'][0].lower()}{detail['msg'][1:]}; got {got}; wanted: {_help(field)}"


def _help(field: str) -> str:
    known = Card.model_fields.get(field)
    return (known.description or "") if known else ""


def write_card(path: StrPath, card: Card) -> Path:
    """Write ``card`` into the folder ``path``, or to a file named ``*.yaml``; returns the file."""
    path = Path(path)
    file = path if path.suffix in {".yaml", ".yml"} else path / CARD_NAME
    write_text(file, card_text(card))
    return file


def card_text(card: Card, explained: bool = False) -> str:
    """The card as YAML in the order of its fields; ``explained`` adds a comment to each."""
    lines = []
    for name in Card.ORDER:
        value = getattr(card, name)
        if explained:
            lines.append(f"# {_help(name)}")
        said = {name: "unknown" if value is None else value}
        readable = str(value).isprintable()
        lines.append(yaml.safe_dump(said, allow_unicode=readable, width=100_000).rstrip("\n"))
    return "\n".join(lines) + "\n"
