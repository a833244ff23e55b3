"""Options of a build and of an import: recogniser, quality filters, clustering, references, splits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import Field, model_validator

from ...files import sha256_file
from ...records.options import Options
from .overrides import Overrides
from .quality_filters import QualityFilters

Size = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0.0, le=1.0)]
PHOTO_MEGAPIXELS = 256.0
Distance = Annotated[float, Field(ge=0.0, le=2.0)]
Faces = Literal["all", "largest"]
Keys = Literal["paths", "hashes"]
PairSearch = Literal["exact", "faiss"]
Identities = Literal["average-linkage", "components", "folders"]
IdentityNames = Literal["numbers", "given"]
SplitsFrom = Literal["auto", "drawn", "folders"]
Order = Literal["farthest-point", "nearest"]
Start = Literal["nearest", "farthest", "medoid"]
SplitBy = Literal["identities", "images"]

OLD_IDENTITIES = {"guarded": "average-linkage"}
OUTSIDE_SETTINGS = {"name", "licence", "consent", "workers", "device"}


class BuildOptions(Options):
    """Every choice of `refbench.build`. ``workers`` and ``device`` aside, each of them may change the bytes.

    ``quality_filters`` holds the limits that a face must meet (`QualityFilters`), ``overrides`` the decisions
    made by eye (`Overrides`); a YAML file may name another file of overrides, relative to itself. The names
    of 0.1 are still read: ``gates`` for ``quality_filters``, ``guarded`` for ``average-linkage``.

    Raises:
        RefbenchError: every unknown option, with the most similar one, and every value out of its range.
    """

    WHAT = "build options"
    OLD_NAMES: ClassVar[Mapping[str, str]] = {"gates": "quality_filters"}

    aligned: bool = Field(
        default=False, description="The photos are FFHQ-aligned square crops already; no detector runs."
    )
    detector: str = Field(
        default="mtcnn",
        description="Face detector: mtcnn, another bundled name, or the path of an SCRFD detector (ONNX).",
    )
    recogniser: str = Field(
        default="mobilefacenet",
        description="Face recogniser: a bundled name, or the path of an ONNX or TorchScript file.",
    )
    crop: str | None = Field(
        default=None,
        description="Crop that a recogniser file of your own is fed, by name. Default: five-point-112-rgb.",
    )
    flip: bool = Field(default=False, description="Average the embeddings of a face and of its mirror image.")
    faces: Faces = Field(
        default="largest",
        description="Faces of a photo that enter the set: the largest (the report names the others), or all "
        "that pass the quality filters.",
    )
    max_megapixels: float = Field(
        default=PHOTO_MEGAPIXELS,
        gt=0.0,
        description="Largest photo that is read, in millions of pixels; each worker needs about 10 bytes of "
        "memory per pixel.",
    )
    keys: Keys = Field(
        default="paths",
        description="What images are named after: the paths of their photos, or the hashes of their content.",
    )
    image_size: int = Field(
        default=512, ge=64, le=1024, description="Side of the aligned square images, in pixels, 64 to 1024."
    )
    quality_filters: QualityFilters = Field(
        default=QualityFilters(), description="Limits that a face must meet to enter the set."
    )
    threshold: Distance | None = Field(
        default=None,
        description="Cosine distance, 0 to 2, under which two images show one person. Default: the "
        "recogniser's own.",
    )
    pair_search: PairSearch = Field(
        default="exact",
        description="Search for pairs of near embeddings: exact finds all of them; faiss (approximate, for "
        "more than about a million faces) most, and the report states its recall.",
    )
    identities: Identities = Field(
        default="average-linkage",
        description="How images are grouped into identities: average-linkage clustering within connected "
        "components, components alone (as FFHQ-Ref), or folders (a folder of photos per person).",
    )
    identity_names: IdentityNames = Field(
        default="numbers",
        description="Names of identities: numbers (p0000), which reveal nobody; or given, those of the "
        "folders or of the CSV of people.",
    )
    people: Path | None = Field(
        default=None,
        description="CSV with the columns photo, person and split (person or split may be left out), for "
        "people and splits that are known; photos that it does not name are left out.",
    )
    splits: SplitsFrom = Field(
        default="auto",
        description="Splits: auto takes the folders train, val and test where all photos lie in them, and "
        "draws else; drawn; or folders.",
    )
    min_distance: Distance | None = Field(
        default=None,
        description="Least cosine distance, 0 to 2, of a reference from its target in val and test, so that "
        "no near duplicate is a reference. Default: the recogniser's own.",
    )
    duplicate_distance: Distance = Field(
        default=0.0,
        description="Cosine distance, 0 to 2, under which the later one of two images of one person is left "
        "out as a near duplicate; 0 keeps all.",
    )
    order: Order = Field(
        default="farthest-point",
        description="Order of a reference list: farthest-point makes its first k the most diverse k; nearest "
        "goes by distance from the target.",
    )
    start: Start = Field(
        default="nearest",
        description="First reference in farthest-point order: the nearest to or farthest from the target, or "
        "the medoid of the references.",
    )
    max_references: int = Field(
        default=10,
        ge=0,
        description="Greatest length of a reference list; 0 for a blind set, whose images need none.",
    )
    val: Size = Field(
        default=0.1,
        description="Size of the val split: a whole number is a count, a fraction a share of what split_by "
        "counts, among those with references.",
    )
    test: Size = Field(
        default=0.2, description="Size of the test split: a count or a share, as for val; the rest is train."
    )
    split_by: SplitBy = Field(default="identities", description="What the sizes of val and test count.")
    min_references: int = Field(
        default=1, ge=1, description="Least number of references of every image of a val or test identity."
    )
    seed: int = Field(default=0, description="Seed of the draw of identities for val and test.")
    overrides: Overrides = Field(
        default=Overrides(),
        description="Decisions by eye: identities to merge or split, images to drop. In a YAML file also the "
        "path of a file of them.",
    )
    name: str | None = Field(default=None, description="Name of the set. Default: the name of its folder.")
    licence: str = Field(default="unknown", description="Licence of the photos, for the data card.")
    consent: str = Field(default="unknown", description="What the people shown agreed to, for the data card.")
    workers: int = Field(
        default=1, ge=1, description="Processes that look for faces; any number gives the same bytes."
    )
    device: str = Field(default="cpu", description="Where the networks run: cpu, cuda, mps or auto.")

    @model_validator(mode="before")
    @classmethod
    def _read_old_spellings(cls, values: Any) -> Any:
        """The names and values of 0.1, which ``set.json`` and YAML files of that version hold."""
        if not isinstance(values, Mapping):
            return values
        named = {cls.OLD_NAMES.get(name, name): value for name, value in values.items()}
        way = named.get("identities")
        if isinstance(way, str):
            named["identities"] = OLD_IDENTITIES.get(way, way)
        return named

    @property
    def largest_only(self) -> bool:
        """Whether only the largest face of a photo counts; a folder's name says who that one is."""
        return self.faces == "largest" or self.identities == "folders" or self.people is not None

    @classmethod
    def prepare(cls, values: dict[str, Any], folder: Path) -> dict[str, Any]:
        """The values of a file; the files that ``overrides`` and ``people`` name are below ``folder``."""
        if isinstance(values.get("people"), str):
            values = values | {"people": folder / values["people"]}
        if isinstance(values.get("overrides"), str):
            return values | {"overrides": Overrides.read(folder / values["overrides"])}
        return values

    def settings(self) -> dict[str, Any]:
        """What ``set.json`` keeps: every choice that decides the bytes of a build; of ``people`` the hash."""
        kept = self.model_dump(mode="json", exclude=OUTSIDE_SETTINGS)
        return kept | {"people": sha256_file(self.people) if self.people else None}


class BuildKeywords(TypedDict, total=False):
    """The fields of `BuildOptions` as keywords of a function."""

    aligned: bool
    detector: str
    recogniser: str
    crop: str | None
    flip: bool
    faces: Faces
    max_megapixels: float
    keys: Keys
    image_size: int
    quality_filters: QualityFilters
    threshold: float | None
    pair_search: PairSearch
    identities: Identities
    identity_names: IdentityNames
    people: Path | None
    splits: SplitsFrom
    min_distance: float | None
    duplicate_distance: float
    order: Order
    start: Start
    max_references: int
    val: int | float
    test: int | float
    split_by: SplitBy
    min_references: int
    seed: int
    overrides: Overrides
    name: str | None
    licence: str
    consent: str
    workers: int
    device: str


class ImportOptions(Options):
    """Choices of an import of a published set (`builders.import_release`).

    Raises:
        RefbenchError: every unknown option, with the most similar one, and every value out of its range.
    """

    WHAT = "import options"

    published: str = Field(
        default="",
        description="Compare the counts with the published ones of ffhq-ref or celeba-test-ref.",
    )
    everything: bool = Field(
        default=False, description="Also import listed images that have no references and are none."
    )
    image_size: int = Field(
        default=512,
        ge=64,
        le=1024,
        description="Side of the images of the set, in pixels, 64 to 1024; others are resized.",
    )
    recogniser: str = Field(
        default="mobilefacenet",
        description="Face recogniser that measures the distances of references: a bundled name, or the path "
        "of an ONNX or TorchScript file.",
    )
    name: str | None = Field(default=None, description="Name of the set. Default: the name of its folder.")
    licence: str = Field(default="unknown", description="Licence of the photos, for the data card.")
    consent: str = Field(default="unknown", description="What the people shown agreed to, for the data card.")
    workers: int = Field(
        default=1, ge=1, description="Processes that read images; any number gives the same bytes."
    )
    device: str = Field(default="cpu", description="Where the recogniser runs: cpu, cuda, mps or auto.")


class ImportKeywords(TypedDict, total=False):
    """The fields of `ImportOptions` as keywords of a function."""

    published: str
    everything: bool
    image_size: int
    recogniser: str
    name: str | None
    licence: str
    consent: str
    workers: int
    device: str


def read_options(path: Path | None, given: Mapping[str, Any]) -> BuildOptions:
    """`BuildOptions.read`, by its name in 0.1."""
    return BuildOptions.read(path, given)
