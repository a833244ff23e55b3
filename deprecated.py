"""Module names of version 0.1: each is found under its new name, with a DeprecationWarning, until 0.3.

`MOVED` is the table; `docs/migrating.md` is written for people. A name that is a package today hands out what
the module of that name held, see `forward`.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")
PACKAGE = __name__.rpartition(".")[0]

# Room of the old names, package of the new ones: names, each as ``old=new`` where the last part changed.
TABLE = """
builders builders.exchange: adopt=import_release card=data_card croissant exchange folders
    official=ffhq_ref parquet release shards=webdataset
builders builders.identities: approximate=faiss_search coarse=prefilter identify identities=clustering
    judge=clustering_metrics pairs=pair_search
builders builders.photos: bench=photo_cache intake=candidates keys phash photos report
builders builders.references: choose=assign references splits
builders builders.review: audit overview=summary page=html review sides=audit_inputs
builders builders.settings: gates=quality_filters options overrides provenance
builders records: manifest=reference_set
degradations degradations.engine: batched degrade fast parallel ragged=padded sampling=sparse_sampling
    scratch=buffers torch_jpeg
degradations degradations.lq: journal=resume_log official=import_lq pairs synthesise verify
degradations degradations.operations: blurring coding colours distributions kernels noises operation
    operations=registry pipelines=albumentations_op resampling resizing
degradations degradations.recipes: classical draws named=lookup plan recipe recipe_text=recipe_yaml
    recipes=bundled second_order severity steps
degradations degradations.reports: likeness=quick_quality page=recipes_doc preview
degradations degradations.training: augment dataset transforms
degradations records: lq=lq_set
faces faces.detectors: detect mtcnn mtcnn_networks retinaface scrfd
faces faces.recognisers: cache dlib_network onnx_network onnx_operators recognise
    recogniser_kinds=registry
leaderboard leaderboard.examples: example synthetic
leaderboard leaderboard.figures: figures plots
leaderboard leaderboard.integrity: copies flagging likeness=stored_again overlap
leaderboard leaderboard.pages: album_pages galleries model_pages pages=board_page pictures
leaderboard leaderboard.rendering: downloads how_page=methodology rendering reported site=site_folder
leaderboard leaderboard.sharing: codabench hub
leaderboard leaderboard.site: model_index publish
leaderboard leaderboard.statistics: comparison matrices preferences=bradley_terry ranking slices
    statistics
leaderboard leaderboard.store: flags records=checks settings store study_results
leaderboard leaderboard.study: polling=create study study_commands=commands votes
leaderboard leaderboard.submission: archives challenge faults kit sinks=safe_extract
    submission tars zips
leaderboard leaderboard.tables: board modes=reference_modes views=formatting
leaderboard image_files: pngs=png_check
leaderboard records: cards=card
metrics metrics.core: feature metric tensors
metrics metrics.distances: frechet kernel_distance=kid manifold=precision_recall statistics_file
metrics metrics.protocols: colour copying=copy_detection gain identity inception landmark masks=flpips
    no_reference perceptual=lpips pixel trunks=backbones
metrics metrics.scoring: chunks engine harness hq_vectors=hq_feature_cache meter pairing provenance
    reading=decoding recording set_statistics shards=distributed
metrics metrics: score=legacy_score
metrics records: modes=evaluation_modes protocol record
models models.checkpoints: brought=external bundled=registry checkpoints minis trained
models models.composite_context: composite_context=model composite_restorer=restorer
models models.diffusion: ddim diffusion=schedule dpm_solver tiles
models models.networks: attention autoencoder context discriminator identity=face_embedder
    identity_network losses recompute=gradient_checkpointing scaled_dot_product unet vision_tower
models models.refldm: refldm=model refldm_restorer=restorer
models models.restorers: baselines latent_restorer outside=user_restorers restore restorer sampling
models models.training: ema train train_config=config train_data=data train_log=log
    train_presets=presets train_settings=settings validation workers=distributed
models models.training.tasks: train_autoencoder=autoencoder train_diffusion=diffusion
    train_identity=identity train_task=task train_tasks=registry
models records: ledger=run_manifest
"""


def _read(table: str) -> dict[str, str]:
    moved = {}
    for line in table.replace("\n    ", " ").strip().splitlines():
        place, _, words = line.partition(": ")
        room, package = place.split()
        for word in words.split():
            old, _, new = word.partition("=")
            moved[f"{PACKAGE}.{room}.{old}"] = f"{PACKAGE}.{package}.{new or old}"
    return moved


MOVED: dict[str, str] = _read(TABLE)


class Room(ModuleType):
    """A package whose public names stay what they are when a module of 0.1 with such a name is imported.

    The import system would replace the function ``models.ddim`` by the module of that name in 0.1.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        old = isinstance(value, ModuleType) and f"{self.__name__}.{name}" in MOVED
        if not (old and name in getattr(self, "__all__", ())):
            super().__setattr__(name, value)


class OldNames(MetaPathFinder, Loader):
    """Finds modules of `MOVED` under their old names; the module itself is the one of the new name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The specification of an old name; None for every other name."""
        return spec_from_loader(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the new name."""
        warn(spec.name, MOVED[spec.name])
        room = sys.modules[spec.name.rpartition(".")[0]]
        if type(room) is ModuleType:
            room.__class__ = Room
        module = import_module(MOVED[spec.name])
        self._own = (module.__spec__, module.__loader__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back its own specification, which the import system has replaced."""
        module.__spec__, module.__loader__ = self._own


def warn(old: str, new: str) -> None:
    """Say that a name of 0.1 is used."""
    warnings.warn(f"{old} is called {new} now; the old name goes with 0.3", DeprecationWarning, stacklevel=3)


def install() -> None:
    """Let `import` find the names of 0.1; a second call changes nothing."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.append(OldNames())


def forward(package: str) -> Callable[[str], Any]:
    """``__getattr__`` of a package whose name was a module's in 0.1: what that module held, and a warning."""
    new = MOVED[package]

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(new), name)
        warn(f"{package}.{name}", f"{new}.{name}")
        return found

    return find


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """``__getattr__`` of a module: objects by their names in 0.1, given as old to new, and a warning."""

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", f"{module}.{names[name]}")
        return getattr(import_module(module), names[name])

    return find


def renamed_keywords(**names: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: the constructor takes keywords of 0.1, given as old to new, and warns."""

    def decorate(cls: type[T]) -> type[T]:
        construct = cls.__init__

        @wraps(construct)
        def translated(self: T, *positional: Any, **given: Any) -> None:
            for old in names.keys() & given.keys():
                warn(f"{cls.__name__}({old}=...)", f"{cls.__name__}({names[old]}=...)")
                given[names[old]] = given.pop(old)
            construct(self, *positional, **given)

        cls.__init__ = translated  # type: ignore[assignment,method-assign]
        return cls

    return decorate
