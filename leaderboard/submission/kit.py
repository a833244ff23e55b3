"""Kits for participants and containers: LQ images, references under neutral names, and a card to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import InvalidInputError, RefbenchError
from ...files import StrPath, canonical_json, write_bytes
from ...folder_lock import begin, finish, locks
from ...progress import say
from ...records.card import CARD_NAME, PLACEHOLDER, Card, card_text
from ...records.reference_set import ReferenceSet, Target
from ...records.selection import require_lq
from ..rendering.assets import asset

LISTED = "references.json"
CONTAINER = ("Dockerfile", "requirements.txt", "restore_all.py", "run.sh")


def kit_targets(
    reference_set: ReferenceSet, recipe: str, split: str, *, show_targets: bool = False
) -> Sequence[Target]:
    """The targets of a split that participants restore.

    Where targets are references of each other, a kit would contain HQ images that are scored.

    Raises:
        InvalidInputError: targets are references of others, unless ``show_targets`` allows it.
        RefbenchError: the split has no image with references, or LQ images are absent.
    """
    targets = reference_set.select(split)
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no image with references in the split {split!r}")
    require_lq(reference_set, recipe, targets)
    leaks = {t.key for t in targets} & {key for t in targets for key in t.references}
    count = f"{len(leaks)} of {len(targets)} targets are references of others"
    if leaks and not show_targets:
        raise InvalidInputError(
            f"{count}, so the kit would contain HQ images that are scored. Make a set where it does not:"
            f" refbench challenge {reference_set.root} --out CHALLENGE; or allow it with "
            "--show-targets"
        )
    if leaks:
        say(f"warning: {count}, so the kit contains their HQ images")
    return targets


def kit_files(
    reference_set: ReferenceSet, recipe: str, targets: Sequence[Target]
) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of a kit: ``lq/``, ``references/``, ``references.json``, the card.

    ``references.json`` lists, for each key, the paths of its references in order of preference.
    """
    names = {key: f"r{i:06d}" for i, key in enumerate(sorted({k for t in targets for k in t.references}))}
    for target in targets:
        yield f"lq/{target.key}.png", reference_set.lq_path(recipe, target.key).read_bytes()
    for key, name in names.items():
        yield f"references/{name}.png", reference_set.hq_path(key).read_bytes()
    listed = {target.key: [f"references/{names[key]}.png" for key in target.references] for target in targets}
    yield LISTED, canonical_json(listed).encode()
    yield CARD_NAME, card_text(Card(model=PLACEHOLDER), explained=True).encode()


@locks("out")
def write_kit(
    reference_set: ReferenceSet, recipe: str, out: StrPath, *, split: str = "test", show_targets: bool = False
) -> Path:
    """Write the kit of a set, for participants or for a container; returns its folder.

    Args:
        reference_set: with LQ images of the recipe.
        recipe: name of the recipe.
        out: new or empty folder.
        split: whose targets are restored.
        show_targets: allow targets that are references of others, whose HQ images the kit then contains.

    Raises:
        InvalidInputError: ``out`` holds files, or targets are references of others (`kit_targets`).
        RefbenchError: the split has no image with references, or LQ images are absent.
    """
    out = Path(out)
    what = ["kit", reference_set.info.content_hash, recipe, split, show_targets]
    if not begin(out, canonical_json(what)):
        raise InvalidInputError(f"{out} holds files; a kit goes into a new or empty folder")
    targets = kit_targets(reference_set, recipe, split, show_targets=show_targets)
    for address, content in kit_files(reference_set, recipe, targets):
        write_bytes(out / address, content)
    finish(out)
    return out


@locks("out")
def write_container(out: StrPath, model: str) -> Path:
    """Write the files of a container image for a model and the script that runs it isolated.

    ``restore_all.py`` reads a kit; until it is edited it returns the LQ images. ``run.sh`` runs the image
    without network, with its inputs read-only.

    Args:
        out: new or empty folder.
        model: name of the model, for the card.

    Raises:
        InvalidInputError: ``out`` holds files.
    """
    out = Path(out)
    if not begin(out, canonical_json(["container", model])):
        raise InvalidInputError(f"{out} holds files; a container's files go into a new or empty folder")
    for name in CONTAINER:
        write_bytes(out / name, asset(f"container_{name}"))
    write_bytes(out / CARD_NAME, card_text(Card(model=model), explained=True).encode())
    finish(out)
    return out
