"""The run manifest (``restore.json``): what a folder of restored images was made from.

With it a run is resumed where it stopped, and images of two runs are never mixed in one folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import FaultListError, RefbenchError
from ..files import StrPath, paths_of, sha256_file, sha256_json, write_json
from .card import RestorerCard

RUN_MANIFEST = "restore.json"


@dataclass(frozen=True, slots=True)
class Job:
    """One face to restore: its key, its LQ image, and its references in order of preference.

    ``size`` is the (width, height) of the restored image in pixels; None for that of the LQ image, which may
    be smaller.
    """

    key: str
    lq: Path
    references: tuple[Path, ...] = ()
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Take all files as paths."""
        object.__setattr__(self, "lq", Path(self.lq))
        object.__setattr__(self, "references", tuple(paths_of(self.references)))


class RunManifest(BaseModel):
    """What ``restore.json`` says.

    Attributes:
        restorer: the card of the restorer.
        seed: base of the images' seeds.
        inputs: SHA-256 over the hashes of the LQ image and the references, by key.
        failures: reason by key of the images that could not be restored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    restorer: RestorerCard
    seed: int
    inputs: dict[str, str]
    failures: dict[str, str]

    @classmethod
    def read(cls, folder: StrPath) -> RunManifest | None:
        """Read the run manifest of a folder; None where there is none.

        Raises:
            RefbenchError: it is damaged, or of another schema version.
        """
        folder = Path(folder)
        try:
            return cls.model_validate_json((folder / RUN_MANIFEST).read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError) as error:
            raise RefbenchError(
                f"{folder / RUN_MANIFEST} cannot be read: {error}; name another folder"
            ) from None

    def write(self, folder: StrPath) -> None:
        """Write ``restore.json``, atomically."""
        folder = Path(folder)
        write_json(folder / RUN_MANIFEST, self.model_dump(mode="json"))


def open_run(jobs: Sequence[Job], card: RestorerCard, seed: int, *, out: StrPath) -> RunManifest:
    """Write the run manifest of a run into ``out``, after a check that it holds no images of another run.

    Raises:
        RefbenchError: ``out`` holds images of another restorer, seed or inputs.
        FaultListError: inputs that are absent.
    """
    out = Path(out)
    inputs = _digests(jobs)
    fresh = RunManifest(restorer=card, seed=seed, inputs=inputs, failures={})
    present = {path.stem for path in out.glob("*.png")} if out.is_dir() else set()
    earlier = RunManifest.read(out)
    if present and earlier is None:
        raise RefbenchError(f"{out} holds images without a restore.json; name another folder or empty it")
    if present and earlier is not None:
        changed = ["seed"] if earlier.seed != seed else []
        changed += [] if _is_same(earlier.restorer, card) else ["restorer"]
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
                f"{out} holds images that restore.json does not list: {', '.join(unlisted[:5])}; remove them"
            )
        inputs = {key: earlier.inputs[key] for key in present} | inputs
    manifest = fresh.model_copy(update={"inputs": inputs})
    manifest.write(out)
    return manifest


def _is_same(earlier: RestorerCard, card: RestorerCard) -> bool:
    """Whether two cards are of one restorer; 0.1 gave commands, ONNX files and presets no versions."""
    unversioned: dict[str, str] = {}
    if earlier.version == "1" and earlier.notes.startswith(("command: ", "ONNX, ")):
        unversioned = {"model": "", "version": ""}
    elif card.version.startswith(f"{earlier.version}+"):
        unversioned = {"version": ""}
    return earlier.model_copy(update=unversioned) == card.model_copy(update=unversioned)


def close_run(manifest: RunManifest, failures: Mapping[str, str], out: StrPath) -> None:
    """Write the run manifest with the failures of the run."""
    out = Path(out)
    manifest.model_copy(update={"failures": dict(failures)}).write(out)


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
