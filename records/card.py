"""The card of a submission (``submission.yaml``), read from strangers and written for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import FaultListError
from ..files import write_text

CARD_NAME = "submission.yaml"
MAX_CARD_BYTES = 65_536
UNSAID = frozenset({"", "~", "null", "none", "unknown", "n/a"})
HELP = {
    "model": "name of the model, as the board shows it (needed)",
    "version": "change it when the outputs change; a published record is never overwritten",
    "team": "who made it",
    "url": "page of the model, https://...",
    "paper": "title, arXiv:... or https://...",
    "code": "where the code is, https://...",
    "licence": "of code and weights, for instance Apache-2.0",
    "parameters": "number of parameters, for instance 54000000",
    "references_used": "most reference images used for one face; 0 for none",
    "references": "all; or what --references was while restoring: a number, or wrong",
    "training_data": "data sets it was trained on, or unknown",
    "hardware": "what the time below was measured on",
    "seconds_per_image": "for one image, loading left out",
    "peak_memory_mib": "peak memory of the device, in MiB",
    "control": "true for a yardstick that is no model; it is shown and never ranked",
    "notes": "anything a reader should know",
}


class Card(BaseModel):
    """What a team says of its submission (``submission.yaml``). Unknown things are said to be unknown.

    ``references`` is the evaluation mode that the images were restored under (`metrics.modes`). A ``control``
    is not a model but a yardstick (the reference copied, say): shown for scale, never ranked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    version: str = "1"
    team: str = "unknown"
    url: str = ""
    paper: str = ""
    code: str = ""
    licence: str = "unknown"
    parameters: int | None = Field(default=None, ge=0)
    references_used: int | None = Field(default=None, ge=0)
    references: str = Field(default="all", pattern=r"^(all|wrong|\d+)$")
    training_data: str = "unknown"
    hardware: str = "unknown"
    seconds_per_image: float | None = Field(default=None, gt=0)
    peak_memory_mib: float | None = Field(default=None, gt=0)
    control: bool = False
    notes: str = ""


class _StrictLoader(yaml.BaseLoader):
    """Plain YAML with every scalar as text; aliases, which can make a small file huge, are refused."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = cast("Any", self).peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)


def read_card(path: Path) -> Card:
    """Read and check a card.

    Raises:
        FaultListError: every fault of the card at once.
    """
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
        content = yaml.load(data.decode("utf-8-sig"), _StrictLoader)
    except UnicodeDecodeError:
        raise FaultListError(name, ["not UTF-8 text"], fix) from None
    except yaml.YAMLError as error:
        raise FaultListError(name, [f"not valid YAML: {_where(error)}"], fix) from None
    except (RecursionError, ValueError):
        raise FaultListError(name, ["not a card: nested far too deep, or not valid YAML"], fix) from None
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


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    return f"{problem}, line {mark.line + 1}" if mark else str(problem)


def _fault(detail: Any) -> str:
    field = ".".join(str(part)[:40] for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{field!r} is not a field of the card; the fields are {', '.join(Card.model_fields)}"
    if detail["type"] == "missing":
        return f"{field} is missing: {HELP.get(field, '')}"
    got = repr(detail.get("input"))
    got = got if len(got) <= 60 else f"{got[:57]}..."
    return f"{field}: {detail['msg'][0].lower()}{detail['msg'][1:]}; got {got}; wanted: {HELP.get(field, '')}"


def write_card(path: Path, card: Card) -> Path:
    """Write ``card`` into the folder ``path``, or to a file named ``*.yaml``; returns the file."""
    file = path if path.suffix in {".yaml", ".yml"} else path / CARD_NAME
    write_text(file, card_text(card))
    return file


def card_text(card: Card, explained: bool = False) -> str:
    """The card as YAML in the order of its fields; ``explained`` adds a comment to each."""
    lines = []
    for name, value in card.model_dump().items():
        if explained:
            lines.append(f"# {HELP[name]}")
        said = {name: "unknown" if value is None else value}
        readable = str(value).isprintable()
        lines.append(yaml.safe_dump(said, allow_unicode=readable, width=100_000).rstrip("\n"))
    return "\n".join(lines) + "\n"
