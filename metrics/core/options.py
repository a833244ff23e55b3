"""Options of the verb `score`: protocols, split, evaluation mode, precision, caches, and where it runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from pydantic import BeforeValidator, Field

from ...devices import spell_precision
from ...records.evaluation_modes import ReferenceMode
from ...records.options import Options, Split

DEFAULT_PROTOCOLS = ("offline",)


def _as_list(value: object) -> object:
    """One id stands for a list of one, None for the default list."""
    if value is None:
        return DEFAULT_PROTOCOLS
    return (value,) if isinstance(value, str) else value


ProtocolIds = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
ScorePrecision = Annotated[Literal["float32", "bfloat16"], BeforeValidator(spell_precision)]


class ScoreKeywords(TypedDict, total=False):
    """The fields of `ScoreOptions` as keyword arguments."""

    protocols: Sequence[str] | str | None
    split: Split
    references: ReferenceMode | None
    device: str
    precision: Literal["float32", "bfloat16"]
    batch_size: int | None
    workers: int | None
    allow_missing: bool
    names: str
    cache: Path | None
    work: Path | None


class ScoreOptions(Options):
    """How submissions are scored.

    ``protocols``, ``split``, ``references`` and ``precision`` decide what is computed; the record names them.
    ``device`` and ``batch_size`` can change the last digits of a number; the record names them too.
    ``workers``, ``cache`` and ``work`` change no number.

    Attributes:
        protocols: protocol ids, ``package.module:NAME`` of metrics of one's own, or the lists ``default``
            (also ``offline``), ``paper`` and ``all`` (every one that this machine can compute).
        split: whose targets; ``all`` for every image with references.
        references: evaluation mode that the images were restored under: ``all``, a number of references, or
            ``wrong``; None for what each submission's card says.
        device: ``cpu``, ``cuda``, ``cuda:1``, or ``auto`` for the best available; ``mps`` lacks float64, so
            the CPU is used in its place.
        precision: ``float32``, or ``bfloat16`` inside large networks, which marks the ids with ``+bf16``.
        batch_size: images at a time for every network; None for each network's measured own.
        workers: threads, on a CPU one network each; None for one per core.
        allow_missing: score what is there; each missing image becomes a row without a value.
        names: how the restored images are named, such as ``{key}_00.png``; empty for ``KEY.png``, or for a
            guess where no image has the name of a key.
        cache: folder of embeddings of HQ images, named by content. None: in the store, or nowhere where there
            is no store.
        work: folder of finished chunks, from which a killed run resumes. None: in the store, or nowhere where
            there is no store.
    """

    WHAT = "score options"

    protocols: ProtocolIds = Field(
        default=DEFAULT_PROTOCOLS,
        description="Protocol id, package.module:NAME of a metric of your own, or a list: default (also "
        "offline; needs the weights of group demo), paper, or all that this machine can compute; may be "
        "repeated (default: default).",
    )
    split: Split = Field(
        default="test",
        description="Targets to score: train, val or test, or all for every image with references.",
    )
    references: ReferenceMode | None = Field(
        default=None,
        description="Evaluation mode that the images were restored under: all, a number of references, or "
        "wrong (default: what each card says).",
    )
    device: str = Field(default="auto", description="cpu, cuda, cuda:1, or auto for the best available.")
    precision: ScorePrecision = Field(
        default="float32",
        description="float32, or bfloat16 inside large networks: faster, less exact, and ids end in +bf16.",
    )
    batch_size: int | None = Field(
        default=None, ge=1, description="Images at a time for every network (default: each network's own)."
    )
    workers: int | None = Field(
        default=None, ge=1, description="Threads; no number depends on them (default: one per core)."
    )
    allow_missing: bool = Field(
        default=False, description="Score what is there; missing images have no value, and the entry no rank."
    )
    names: str = Field(
        default="",
        description="Names of the restored images, such as '{key}_00.png' (default: KEY.png, or a guess "
        "where no image has the name of a key, which is told).",
    )
    cache: Path | None = Field(
        default=None,
        description="Folder of embeddings of HQ images, for several stores to share (default: in the store).",
    )
    work: Path | None = Field(
        default=None,
        description="Folder of finished chunks, from which a killed run resumes (default: in the store).",
    )
