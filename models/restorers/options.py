"""Options of `refbench.restore`: which model preset, whose images, how many references, where it runs."""

from __future__ import annotations

from typing import TypedDict

from pydantic import Field

from ...records.evaluation_modes import ReferenceMode
from ...records.options import Options


class RestoreOptions(Options):
    """How the LQ images of a reference set are restored. ``batch_size`` changes no image.

    Attributes:
        name, version: of the model in the submission card; None for those that the restorer states.
        preset: sampling preset of the model; None for its default.
        split: whose images: ``train``, ``val``, ``test``, or ``all`` for every image with references.
        references: evaluation mode: ``all`` that the model takes, a number for at most that many, or
            ``wrong`` for those of another person.
        seed: each image's own seed is derived from (seed, key).
        batch_size: images restored together.
        names: how the images are named where the model is a folder of them, such as ``{key}_00.png``;
            empty for ``KEY.png``, or for a guess where no image has the name of a key.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto`` for the best one available.
        record_times: write seconds and peak memory per image into the submission card.
    """

    WHAT = "restore options"

    name: str | None = Field(
        default=None,
        min_length=1,
        description="Name of the model in the submission card. Default: the restorer's own.",
    )
    version: str | None = Field(
        default=None,
        min_length=1,
        description="Version in the submission card. Default: the model's, with preset and settings.",
    )
    preset: str | None = Field(
        default=None,
        description="Preset of the model, optionally with settings: demo,steps=20. Default: the model's own.",
    )
    split: str = Field(
        default="test", description="Split to restore, or all for every image with references."
    )
    references: ReferenceMode = Field(
        default="all",
        description="Evaluation mode: all, at most a number per image (0 for none), or wrong: those of "
        "another person.",
    )
    seed: int = Field(default=0, description="Seed; each image's own is derived from it and the image's key.")
    batch_size: int = Field(
        default=4, ge=1, description="Images restored together; any number gives the same images."
    )
    names: str = Field(
        default="",
        description="Names of the images where the model is a folder of them, such as '{key}_00.png' "
        "(default: KEY.png, or a guess, which is told).",
    )
    device: str = Field(default="auto", description="cpu, cuda, cuda:1, mps, or auto for the best available.")
    record_times: bool = Field(
        default=True,
        description="Write seconds and peak memory (MiB) per image into the submission card; without, equal "
        "inputs give equal bytes.",
    )


class RestoreKeywords(TypedDict, total=False):
    """The fields of `RestoreOptions` as keywords of a function."""

    name: str | None
    version: str | None
    preset: str | None
    split: str
    references: ReferenceMode
    seed: int
    batch_size: int
    names: str
    device: str
    record_times: bool
