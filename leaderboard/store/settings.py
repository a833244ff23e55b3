"""Settings of a board (``board.yaml`` in the store, optional): titles, contact, composite score, plots."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...errors import FaultListError, UnreadableTextError
from ...files import StrPath
from ...text_files import read_yaml
from ...validation import did_you_mean, listed_faults

SETTINGS_NAME = "board.yaml"


class BoardSettings(BaseModel):
    """Settings of a board.

    Attributes:
        title: of the page.
        subtitle: one sentence below it.
        url: address of the site, if it is known.
        contact: where submissions, corrections and requests for removal go.
        licence: of the pictures and numbers.
        titles: title of a benchmark by its id or by its recipe's name.
        composite: protocol ids whose Borda points make the composite score; empty for every protocol that
            compares single images with HQ.
        plots: pairs of protocol ids (x axis, y axis) that are plotted; empty for identity against perceptual
            quality.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = "Face restoration with references"
    subtitle: str = ""
    url: str = ""
    contact: str = ""
    licence: str = ""
    titles: dict[str, str] = {}
    composite: tuple[str, ...] = ()
    plots: tuple[tuple[str, str], ...] = ()


def check_protocols(settings: BoardSettings, root: Path, known: Collection[str]) -> None:
    """Check that the settings name protocols that there are.

    Args:
        settings: of the store.
        root: folder of the store.
        known: ids of all protocols, declared or in a record.

    Raises:
        FaultListError: every unknown id in ``composite`` and ``plots``, with the most similar known one.
    """
    named = [("composite", id) for id in settings.composite]
    named += [("plots", id) for pair in settings.plots for id in pair]
    faults = [
        f"{field}: no such protocol {id!r}{did_you_mean(id, known)}"
        for field, id in dict.fromkeys(named)
        if id not in known
    ]
    if faults:
        raise FaultListError(str(root / SETTINGS_NAME), faults, "see: refbench metrics list")


def read_settings(root: StrPath) -> BoardSettings:
    """Read ``board.yaml`` from a store; the defaults where there is none.

    Raises:
        FaultListError: every fault of the file at once.
    """
    root = Path(root)
    path = root / SETTINGS_NAME
    if not path.is_file():
        return BoardSettings()
    try:
        return BoardSettings.model_validate(read_yaml(path) or {})
    except ValidationError as error:
        faults = listed_faults(error.errors(), BoardSettings, "field")
        raise FaultListError(
            str(path), faults, f"the fields are {', '.join(BoardSettings.model_fields)}"
        ) from None
    except UnreadableTextError as error:
        raise FaultListError(str(path), [error.reason], "fix the file or remove it") from None
