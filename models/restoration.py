"""LQ images of a reference set -> submission: a restorer is run, and the card of its images is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..devices import pick_device
from ..errors import InvalidInputError
from ..folder_lock import locks
from ..images import read_rgb
from ..progress import say
from ..records.card import CARD_NAME, Card, read_card, write_card
from ..records.evaluation_modes import with_references
from ..records.reference_set import ReferenceSet
from ..records.run_manifest import Job
from ..records.selection import require_lq, targets_of
from .checkpoints.registry import load_restorer
from .restorers.options import RestoreOptions
from .restorers.restore import RestoreReport, card_of, restore_images
from .restorers.restorer import AnyRestorer, FileRestorer
from .restorers.user_restorers import FolderRestorer


@locks("out")
def restore_set(
    reference_set: Path,
    recipe: str,
    model: str,
    *,
    out: Path,
    options: RestoreOptions | None = None,
    admit: Callable[[Card], None] | None = None,
) -> RestoreReport:
    """Run a restorer over the LQ images of a set and write a submission.

    Args:
        reference_set: folder of the set.
        recipe: name of the recipe whose LQ images are restored.
        model: a bundled name, ``package.module:Class``, ``file.onnx``, a folder of images, or a command.
        out: folder of the submission: ``KEY.png`` and the card.
        options: everything else; None for the defaults.
        admit: called with the card before the first image is restored; it raises where that would be in vain.

    Raises:
        RefbenchError: LQ images are absent, the model cannot be loaded, ``out`` holds another run.
    """
    options = options or RestoreOptions()
    chosen = ReferenceSet.read(reference_set)
    targets = targets_of(chosen, options.split)
    require_lq(chosen, recipe, targets)
    seen = with_references(chosen, str(options.references), options.split)
    jobs = [
        Job(
            target.key,
            chosen.lq_path(recipe, target.key),
            seen.reference_paths(target.key),
            size=(target.width, target.height),
        )
        for target in targets
    ]
    device = pick_device(options.device)
    restorer = load_restorer(model, options.preset, device)
    if isinstance(restorer, FolderRestorer):
        restorer = restorer.named(options.names, [job.key for job in jobs])
    elif options.names:
        raise InvalidInputError(f"names are of a folder of finished images; {model} is none")
    said = {"model": options.name, "version": options.version}
    named = {field: value for field, value in said.items() if value is not None}
    card = Card.of_restorer(card_of(restorer).model_copy(update=named), options.references)
    if note := _about_small_lq(jobs, restorer):
        say(note)
        card = card.model_copy(update={"notes": "; ".join(filter(None, (card.notes, note)))})
    if admit is not None:
        admit(card)
    report = restore_images(
        jobs,
        restorer,
        out,
        seed=options.seed,
        batch_size=options.batch_size,
        record_times=options.record_times,
    )
    if report.restored or not (out / CARD_NAME).exists():
        measured = {
            "hardware": "unknown" if report.seconds_per_image is None else device,
            "seconds_per_image": report.seconds_per_image,
            "peak_memory_mib": report.peak_memory_mib,
        }
        write_card(out / CARD_NAME, card.model_copy(update=measured))
    elif named:
        write_card(out / CARD_NAME, read_card(out / CARD_NAME).model_copy(update=named))
    return report


def _about_small_lq(jobs: Sequence[Job], restorer: AnyRestorer) -> str:
    """Who enlarges LQ images that are smaller than HQ, judged by the first one; empty where nobody must."""
    pixels = read_rgb(jobs[0].lq)
    size = (pixels.shape[1], pixels.shape[0])
    width, height = jobs[0].size or size
    if (width, height) == size or isinstance(restorer, FolderRestorer):
        return ""
    small = f"LQ images of {size[0]}x{size[1]} pixels"
    if isinstance(restorer, FileRestorer):
        return f"{small}, which the model enlarges to {width}x{height}"
    return f"{small}, enlarged to {width}x{height} (bicubic) before the model"
