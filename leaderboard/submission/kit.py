"""What a restorer may see and no more: LQ images, references under names that say nothing, and a card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import InvalidInputError, RefbenchError
from ...files import canonical_json, write_bytes
from ...progress import say
from ...records.card import CARD_NAME, Card, card_text
from ...records.reference_set import ReferenceSet, Target
from ..rendering.assets import asset

LISTED = "references.json"
CONTAINER = ("Dockerfile", "requirements.txt", "restore_all.py", "run.sh")


def kit_targets(
    reference_set: ReferenceSet, recipe: str, split: str, *, show_targets: bool = False
) -> tuple[Target, ...]:
    """The targets of a split that participants restore.

    Where targets guide each other, everyone who has the kit has the HQ images that are scored.

    Raises:
        InvalidInputError: targets are references of others, unless ``show_targets`` allows it.
        RefbenchError: the split has no image with references, or LQ images are absent.
    """
    targets = reference_set.select(split)
    if not targets:
        raise RefbenchError(f"{reference_set.root}: no image with references in the split {split!r}")
    lacking = [t.key for t in targets if not reference_set.lq_path(recipe, t.key).is_file()]
    if lacking:
        fix = f"make them with: refbench degrade {reference_set.root} --recipe {recipe}"
        raise RefbenchError(f"{reference_set.root}: {len(lacking)} LQ images of {recipe!r} are absent; {fix}")
    leaks = {t.key for t in targets} & {key for t in targets for key in t.references}
    count = f"{len(leaks)} of {len(targets)} targets are references of others"
    if leaks and not show_targets:
        raise InvalidInputError(
            f"{count}: whoever has the kit would have HQ images that are scored. Make a set without that:"
            f" refbench submission challenge {reference_set.root} --out CHALLENGE; or allow it with "
            "--show-targets for a model that cannot remember"
        )
    if leaks:
        say(f"beware: {count}, so whoever has the kit sees their HQ images")
    return targets


def kit_files(
    reference_set: ReferenceSet, recipe: str, targets: Sequence[Target]
) -> Iterator[tuple[str, bytes]]:
    """Address and content of every file: ``lq/KEY.png``, ``references/``, ``references.json`` and the card.

    ``references.json`` lists, for each key, the references that may guide it, in order of preference.
    """
    names = {key: f"r{i:06d}" for i, key in enumerate(sorted({k for t in targets for k in t.references}))}
    for target in targets:
        yield f"lq/{target.key}.png", reference_set.lq_path(recipe, target.key).read_bytes()
    for key, name in names.items():
        yield f"references/{name}.png", reference_set.hq_path(key).read_bytes()
    listed = {target.key: [f"references/{names[key]}.png" for key in target.references] for target in targets}
    yield LISTED, canonical_json(listed).encode()
    yield CARD_NAME, card_text(Card(model="My model"), explained=True).encode()


def write_kit(
    reference_set: ReferenceSet, recipe: str, out: Path, *, split: str = "test", show_targets: bool = False
) -> Path:
    """Write the kit of a set into the new or empty folder ``out``: for participants, or for a container.

    Raises:
        InvalidInputError: ``out`` holds files, or targets are references of others (`kit_targets`).
        RefbenchError: the split has no image with references, or LQ images are absent.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInputError(f"{out} holds files; a kit goes into a new or empty folder")
    targets = kit_targets(reference_set, recipe, split, show_targets=show_targets)
    for address, content in kit_files(reference_set, recipe, targets):
        write_bytes(out / address, content)
    return out


def write_container(out: Path, model: str) -> Path:
    """Write what makes an image of a model into the new or empty folder ``out``, and what runs it walled in.

    ``restore_all.py`` reads a kit and works as it stands: it gives back the LQ images.

    Raises:
        InvalidInputError: ``out`` holds files.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInputError(f"{out} holds files; a container's files go into a new or empty folder")
    for name in CONTAINER:
        write_bytes(out / name, asset(f"container_{name}"))
    write_bytes(out / CARD_NAME, card_text(Card(model=model), explained=True).encode())
    return out
