"""The choices of a build."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from ...records.options import Options
from .overrides import Overrides
from .quality_filters import Gates

Size = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0.0, le=1.0)]
Distance = Annotated[float, Field(ge=0.0, le=2.0)]

ELSEWHERE = {"name", "licence", "consent", "workers", "device"}


class BuildOptions(Options):
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

    WHAT = "build options"

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

    @classmethod
    def prepare(cls, values: dict[str, Any], folder: Path) -> dict[str, Any]:
        """The values of a file; ``overrides`` may name a YAML file of them, relative to ``folder``."""
        if isinstance(values.get("overrides"), str):
            return values | {"overrides": Overrides.read(folder / values["overrides"])}
        return values

    def settings(self) -> dict[str, Any]:
        """What ``set.json`` keeps: every choice that decides which bytes come out."""
        return self.model_dump(mode="json", exclude=ELSEWHERE)


def read_options(path: Path | None, given: Mapping[str, Any]) -> BuildOptions:
    """`BuildOptions.read`, by its name in 0.1."""
    return BuildOptions.read(path, given)
