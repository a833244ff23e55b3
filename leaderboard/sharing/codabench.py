"""Competition bundles for Codabench: pages, public data, private data and the scoring program in one zip."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from ...errors import InvalidInputError
from ...files import StrPath, canonical_json, paths_by_key, write_bytes
from ...images import encode_png
from ...records.card import CARD_NAME
from ...records.protocol import Protocol
from ...records.reference_set import ReferenceSet, Target
from ...records.selection import lq_of
from ..rendering.assets import asset
from ..submission.kit import kit_files, kit_targets

EPOCH = (1980, 1, 1, 0, 0, 0)
LOGO_BARS = ((512, 960, 64, 1.0), (352, 448, 160, 0.55), (208, 288, 272, 0.35), (96, 144, 384, 0.2))
STORED = frozenset({".png", ".zip", ".parquet"})


@dataclass(frozen=True)
class Challenge:
    """The facts of a challenge.

    Attributes:
        title: of the challenge.
        start, end: ISO dates, first and last day (UTC); no end for one that stays open.
        image: container image with refbench installed, in which submissions are scored.
        per_day: submissions per participant and day.
        contact: of the organisers.
    """

    title: str
    start: str
    end: str = ""
    image: str = "refbench/refbench:latest"
    per_day: int = 5
    contact: str = ""


def write_codabench_bundle(
    reference_set: ReferenceSet,
    recipe: str,
    out: StrPath,
    *,
    challenge: Challenge,
    protocols: Sequence[Protocol],
    split: str = "test",
    weights: Mapping[str, StrPath] | None = None,
    show_targets: bool = False,
) -> Path:
    """Write a competition bundle for Codabench and return its path; equal inputs give equal bytes.

    Participants get LQ images, references and a card to fill in. The scoring program gets the HQ images and
    the weights, and needs no network.

    Args:
        reference_set: with LQ images of the recipe.
        recipe: name of the recipe that participants restore.
        out: folder, or a file named ``*.zip``.
        challenge: title, dates and contact.
        protocols: of the results.
        split: whose targets are restored.
        weights: files that the protocols need, by name.
        show_targets: allow targets that are references of others, see `kit_targets`.

    Raises:
        InvalidInputError: a date is not one, no protocol is named, or targets are references of others and
            ``show_targets`` does not allow it.
        RefbenchError: the set has no LQ images of the recipe, or no images in the split.
    """
    out = Path(out)
    weights = None if weights is None else paths_by_key(weights)
    _check(challenge, protocols)
    targets = kit_targets(reference_set, recipe, split, show_targets=show_targets)
    recipe = reference_set.lq_folder(recipe).name
    settings = {"recipe": recipe, "split": split, "protocols": [protocol.scored_as for protocol in protocols]}
    files = {
        "competition.yaml": _yaml(_competition(challenge, protocols)),
        "overview.md": _overview(challenge, recipe, len(targets)),
        "evaluation.md": _evaluation(protocols),
        "terms.md": _terms(reference_set),
        "logo.png": _logo(),
        "scoring_program.zip": deterministic_zip(_program(settings)),
        "reference_data.zip": deterministic_zip(
            _private(reference_set, recipe, targets, weights=weights or {})
        ),
        "public_data.zip": deterministic_zip(kit_files(reference_set, recipe, targets)),
    }
    path = out if out.suffix == ".zip" else out / "competition.zip"
    write_bytes(path, deterministic_zip(files.items()))
    return path


def deterministic_zip(files: Iterable[tuple[str, bytes]]) -> bytes:
    """A zip without timestamps: equal files give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in sorted(files):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr = 0o644 << 16
            packed = Path(name).suffix not in STORED
            info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return buffer.getvalue()


def column_key(protocol_id: str) -> str:
    """The key of a protocol in ``scores.json`` and in the columns of the platform: letters, digits, ``_``."""
    return re.sub(r"[^a-z0-9]+", "_", protocol_id.lower()).strip("_")


def _check(challenge: Challenge, protocols: Sequence[Protocol]) -> None:
    for name in ("start", "end"):
        said = getattr(challenge, name)
        if said or name == "start":
            try:
                datetime.date.fromisoformat(said)
            except ValueError:
                raise InvalidInputError(f"the {name} is a date like 2030-01-31; got {said!r}") from None
    if not protocols:
        raise InvalidInputError("name at least one protocol; see: refbench metrics list")


def _competition(challenge: Challenge, protocols: Sequence[Protocol]) -> dict[str, Any]:
    """``competition.yaml``, version 2 (docs.codabench.org, "YAML Structure"); times are UTC."""
    phase: dict[str, Any] = {
        "index": 0,
        "name": "Challenge",
        "description": "Restore the LQ images and upload them.",
        "start": f"{challenge.start} 00:00:00",
        "tasks": [0],
        "public_data": "public_data.zip",
        "max_submissions_per_day": challenge.per_day,
        "execution_time_limit": 3600,
    }
    if challenge.end:
        phase["end"] = f"{challenge.end} 23:59:59"
    return {
        "version": 2,
        "title": challenge.title,
        "description": "Face restoration with references",
        "image": "logo.png",
        "terms": "terms.md",
        "docker_image": challenge.image,
        "registration_auto_approve": True,
        "enable_detailed_results": False,
        "pages": [{"title": name.title(), "file": f"{name}.md"} for name in ("overview", "evaluation")],
        "tasks": [
            {
                "index": 0,
                "name": "Restoration",
                "description": "LQ images and references in, restored images out",
                "scoring_program": "scoring_program.zip",
                "reference_data": "reference_data.zip",
            }
        ],
        "phases": [phase],
        "leaderboards": [
            {
                "title": "Results",
                "key": "results",
                "submission_rule": "Force_Last",
                "columns": [_column(protocol, index) for index, protocol in enumerate(protocols)],
            }
        ],
    }


def _column(protocol: Protocol, index: int) -> dict[str, Any]:
    return {
        "title": protocol.title,
        "key": column_key(protocol.id),
        "index": index,
        "sorting": "desc" if protocol.higher_is_better else "asc",
        "precision": protocol.decimals,
    }


def _yaml(content: Mapping[str, Any]) -> bytes:
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True).encode("utf-8")


def _overview(challenge: Challenge, recipe: str, images: int) -> bytes:
    contact = f"\n\nQuestions: {challenge.contact}" if challenge.contact else ""
    return (
        f"# {challenge.title}\n\nThe public data holds {images} degraded faces (`lq/KEY.png`, recipe "
        f"`{recipe}`), other photos of the same people (`references/`), and `references.json`, which lists "
        "the references of each image.\n\nUpload one zip with a restored 8-bit RGB PNG per key, "
        f"named `KEY.png` and of the size of its LQ image, and the card `{CARD_NAME}` filled in. "
        f"`refbench submission check FILE.zip` reports every fault before you upload.{contact}\n"
    ).encode()


def _evaluation(protocols: Sequence[Protocol]) -> bytes:
    parts = [
        f"## {p.title}\n\n`{p.id}`, {'higher' if p.higher_is_better else 'lower'} is better. {p.definition}\n"
        for p in protocols
    ]
    end = "\nA submission that lacks an image is refused with the list of what is missing.\n"
    return ("# Evaluation\n\n" + "\n".join(parts) + end).encode()


def _terms(reference_set: ReferenceSet) -> bytes:
    info = reference_set.info
    return (
        f"# Terms\n\nLicence of the images: {info.licence}.\n\nConsent of the people shown: {info.consent}."
        "\n\nState in your card which references and which training data you used; say `unknown` where you "
        "do not know.\n"
    ).encode()


def _logo() -> bytes:
    canvas = np.full((1024, 1024, 3), 255, dtype=np.uint8)
    for left, right, top, strength in LOGO_BARS:
        colour = [255 - strength * (255 - c) for c in (31, 79, 216)]
        cv2.rectangle(canvas, (left, top), (right, 1024 - top), colour, -1)
    return encode_png(
        np.asarray(cv2.resize(canvas, (256, 256), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    )


def _program(settings: Mapping[str, Any]) -> list[tuple[str, bytes]]:
    script = asset("codabench_score.py")
    command = {"command": "python3 /app/program/score.py /app/input /app/output"}
    return [
        ("metadata.yaml", _yaml(command)),
        ("score.py", script),
        ("settings.json", canonical_json(settings).encode()),
    ]


def _private(
    reference_set: ReferenceSet, recipe: str, targets: Sequence[Target], *, weights: Mapping[str, Path]
) -> Iterable[tuple[str, bytes]]:
    for name in ("set.json", "manifest.parquet"):
        yield f"set/{name}", (reference_set.root / name).read_bytes()
    keys = {key for target in targets for key in (target.key, *target.references)}
    for key in sorted(keys):
        yield f"set/{reference_set[key].hq}", reference_set.hq_path(key).read_bytes()
    lq = lq_of(reference_set, recipe, [target.key for target in targets])
    told = lq.model_copy(update={"schema_version": 1})  # its hash is that of these images
    yield f"set/lq/{recipe}/lq.json", canonical_json(told.model_dump(mode="json")).encode()
    for name, path in sorted({path.name: path for path in weights.values()}.items()):
        yield f"weights/{name}", path.read_bytes()
