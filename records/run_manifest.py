"""What a folder of restored images was made from, so that a run is continued and never mixed with another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import FaultListError, RefbenchError
from ..files import sha256_file, sha256_json, write_json

LEDGER = "restore.json"


@dataclass(frozen=True, slots=True)
class RestorerCard:
    """Facts about a restorer that go into its submission card.

    ``references_used`` is the most references it looks at, and it is given no more; None is no limit.
    ``parameters`` is None where it is unknown. ``notes`` names every setting that decides the output
    besides the weights: two restorers that differ have different cards. A ``control`` is a yardstick
    and no model: boards show it and never rank it.
    """

    model: str
    version: str
    references_used: int | None
    parameters: int | None
    licence: str
    training_data: str
    paper: str = ""
    notes: str = ""
    control: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One face to restore: its key, its LQ image, and its references in order of preference."""

    key: str
    lq: Path
    references: tuple[Path, ...] = ()


class Ledger(BaseModel):
    """What ``restore.json`` says: restorer, seed, a hash of every image's inputs, and the failures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    restorer: dict[str, str | int | None]
    seed: int
    inputs: dict[str, str]
    failures: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Ledger | None:
        """Read the ledger of a folder; None where there is none.

        Raises:
            RefbenchError: it is damaged, or of another schema version.
        """
        try:
            return cls.model_validate(json.loads((folder / LEDGER).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError) as error:
            raise RefbenchError(f"{folder / LEDGER} cannot be read: {error}; name another folder") from None

    def write(self, folder: Path) -> None:
        """Write the ledger."""
        write_json(folder / LEDGER, self.model_dump(mode="json"))


def open_ledger(jobs: Sequence[Job], card: RestorerCard, seed: int, *, out: Path) -> Ledger:
    """Write down what is going to be in ``out``, after a check that it holds nothing else.

    Raises:
        RefbenchError: ``out`` holds images of another restorer, seed or inputs.
        FaultListError: inputs that are absent.
    """
    inputs = _digests(jobs)
    fresh = Ledger(restorer=asdict(card), seed=seed, inputs=inputs, failures={})
    present = {path.stem for path in out.glob("*.png")} if out.is_dir() else set()
    earlier = Ledger.read(out)
    if present and earlier is None:
        raise RefbenchError(f"{out} holds images of which nothing is known; name another folder or empty it")
    if present and earlier is not None:
        changed = [name for name in ("restorer", "seed") if getattr(earlier, name) != getattr(fresh, name)]
        if any(earlier.inputs.get(key, inputs[key]) != inputs[key] for key in present & inputs.keys()):
            changed.append("inputs")
        if changed:
            what = " and ".join(changed)
            raise RefbenchError(
                f"{out} holds images made with another {what}; name another folder or empty it"
            )
        unlisted = sorted(key for key in present if key not in earlier.inputs)
        if unlisted:
            raise RefbenchError(
                f"{out} holds images that no run made: {', '.join(unlisted[:5])}; remove them"
            )
        inputs = {key: earlier.inputs[key] for key in present} | inputs
    ledger = fresh.model_copy(update={"inputs": inputs})
    ledger.write(out)
    return ledger


def close_ledger(ledger: Ledger, failures: Mapping[str, str], out: Path) -> None:
    """Write the ledger with the failures of the run."""
    ledger.model_copy(update={"failures": dict(failures)}).write(out)


def _digests(jobs: Sequence[Job]) -> dict[str, str]:
    faults: list[str] = []
    digests: dict[str, str] = {}
    for job in jobs:
        try:
            digests[job.key] = sha256_json([sha256_file(path) for path in (job.lq, *job.references)])
        except OSError as error:
            faults.append(f"{job.key}: {error.filename}: {error.strerror}")
    if faults:
        raise FaultListError("images to restore", faults, "LQ images are made with: refbench degrade SET")
    return digests
