"""The choices of a build."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import RefbenchError
from .overrides import Overrides
from .quality_filters import Gates

Size = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0.0, le=1.0)]
Distance = Annotated[float, Field(ge=0.0, le=2.0)]

ELSEWHERE = {"name", "licence", "consent", "workers", "device"}


class BuildOptions(BaseModel):
    """Every choice of a build. All but ``workers`` and ``device`` decide which bytes come out.

    Attributes:
        detector, recogniser: by name, or the path of one's own file: an SCRFD detector (ONNX), a recogniser
            (ONNX or TorchScript).
        crop: what a recogniser of one's own is fed, by name; None takes ``five-point-112-rgb``.
        flip: average the embeddings of a face and its mirror image.
        aligned: the photos are FFHQ-aligned squares already; no detector runs.
        faces: every face of a photo that passes the gates, or its largest alone.
        keys: images are named after the paths of their photos, or, where those hold names of people, after
            the hash of their content.
        image_size: side of the aligned images, in pixels.
        threshold: cosine distance under which two images show one person; None takes the recogniser's own.
        pair_search: ``exact`` finds every pair; ``faiss`` most of them, for more than about a million faces,
            and the report says what share.
        identities: ``components`` joins images through every pair under the threshold, as FFHQ-Ref does;
            ``guarded`` splits a component again where its halves are on average farther apart than the
            threshold; ``folders`` takes the folder of a photo for the name of its person.
        min_distance: a reference of a val or test image is at least this far from it (near duplicates help
            nobody); None takes the recogniser's own. Train references have no least distance.
        duplicate_distance: of two images of one person nearer than this, only the first is kept.
        order: of a reference list; ``farthest-point`` makes its first k the most diverse k.
        start: the first element of farthest-point order.
        max_references: longest list.
        val, test: size of a split; a whole number is a count, a fraction a share of the images or
            identities that have references. Everything else is train.
        split_by: what ``val`` and ``test`` count.
        min_references: every image of a val or test identity has at least this many.
        seed: of the draw of identities for val and test.
        overrides: merges and splits of identities, and pictures to leave out, decided by eye.
        name: of the set; None takes the folder's.
        licence, consent: of the photos, for the data card.
        workers: processes that look for faces.
        device: of the networks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    aligned: bool = False
    detector: str = "mtcnn"
    recogniser: str = "mobilefacenet"
    crop: str | None = None
    flip: bool = False
    faces: Literal["all", "largest"] = "all"
    keys: Literal["paths", "hashes"] = "paths"
    image_size: int = Field(default=512, ge=64, le=1024)
    gates: Gates = Gates()
    threshold: Distance | None = None
    pair_search: Literal["exact", "faiss"] = "exact"
    identities: Literal["guarded", "components", "folders"] = "guarded"
    min_distance: Distance | None = None
    duplicate_distance: Distance = 0.0
    order: Literal["farthest-point", "nearest"] = "farthest-point"
    start: Literal["nearest", "farthest", "medoid"] = "nearest"
    max_references: int = Field(default=10, ge=1)
    val: Size = 0.1
    test: Size = 0.2
    split_by: Literal["identities", "images"] = "identities"
    min_references: int = Field(default=1, ge=1)
    seed: int = 0
    overrides: Overrides = Overrides()

    name: str | None = None
    licence: str = "unknown"
    consent: str = "unknown"
    workers: int = Field(default=1, ge=1)
    device: str = "cpu"

    @property
    def largest_alone(self) -> bool:
        """Whether only the largest face of a photo counts; a folder's name says who that one is."""
        return self.faces == "largest" or self.identities == "folders"

    def settings(self) -> dict[str, Any]:
        """What ``set.json`` keeps: every choice that decides which bytes come out."""
        return self.model_dump(mode="json", exclude=ELSEWHERE)


def read_options(path: Path | None, given: Mapping[str, Any]) -> BuildOptions:
    """The options of a YAML file (None for the defaults) with those ``given`` by name in their place.

    Instead of ``overrides``, the file may name a YAML file of them, relative to its own folder.

    Raises:
        RefbenchError: no such file, or not a mapping of names to values; every unknown name and every
            value that is out of its range, at once.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RefbenchError(f"{path} cannot be read as build options: {error}") from None
        if not isinstance(loaded, dict):
            raise RefbenchError(f"{path} must hold build options as NAME: VALUE lines")
        values = loaded
        if isinstance(values.get("overrides"), str):
            values["overrides"] = Overrides.read(path.parent / values["overrides"])
    try:
        return BuildOptions.model_validate(values | dict(given))
    except ValidationError as error:
        faults = dict.fromkeys(
            _told(fault["loc"], fault["type"], fault["msg"], given=fault["input"]) for fault in error.errors()
        )
        listed = "\n  - ".join(["build options:", *faults])
        raise RefbenchError(f"{listed}\nthe options are: {', '.join(BuildOptions.model_fields)}") from None


def _told(place: tuple[int | str, ...], kind: str, words: str, *, given: Any) -> str:
    """A fault of pydantic's in our words; the branches of a union are no places."""
    name = ".".join(str(part) for part in place if not str(part).startswith("constrained")) or "options"
    if kind != "extra_forbidden":
        return f"{name}: {words}; got {given!r}"
    fields = (*BuildOptions.model_fields, *(f"gates.{gate}" for gate in Gates.model_fields))
    close = get_close_matches(name, fields, n=1)
    return f"{name}: no such option" + (f"; did you mean {close[0]!r}?" if close else "")
