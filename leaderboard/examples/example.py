"""Example data: drawn faces as a reference set, and synthetic models with submissions and records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ...files import StrPath, sha256_bytes, sha256_json, write_bytes
from ...images import RGB, encode_png
from ...records.card import write_card
from ...records.ids import VersionedId
from ...records.lq_set import LqInfo, write_info
from ...records.protocol import Protocol
from ...records.record import Record
from ...records.reference_set import ReferenceSet, SetInfo, Target, content_hash
from ..arrays import Floats
from ..store.names import entry_name
from ..store.store import Store
from ..submission.submission import submission_hash
from .synthetic import RECIPES, SyntheticImages, make_synthetic_records


@lru_cache(maxsize=4_096)
def draw_face(identity: int, pose: int, size: int = 128) -> RGB:
    """A drawn face, RGB uint8 (size, size, 3): looks by ``identity``, expression and light by ``pose``."""
    appearance, expression = np.random.default_rng([identity, 7]), np.random.default_rng([identity, pose, 8])
    skin = np.array([224, 178, 148]) * appearance.uniform(0.42, 1.08)
    hair = np.array([60, 42, 30]) * appearance.uniform(0.3, 3.0)
    big = 4 * size
    light = np.linspace(expression.uniform(0.8, 1.0), expression.uniform(0.9, 1.1), big)[None, :, None]
    canvas = np.full((big, big, 3), appearance.uniform(120, 215, 3))
    turn, width, tall = (
        expression.uniform(-0.05, 0.05),
        appearance.uniform(0.23, 0.28),
        appearance.uniform(0.32, 0.37),
    )

    def blob(
        x: float, y: float, rx: float, *, ry: float, colour: Sequence[float] | Floats, bend: float = 360.0
    ) -> None:
        centre, axes = (round(x * big), round(y * big)), (round(rx * big), round(ry * big))
        thick = -1 if bend == 360 else round(0.012 * big)
        cv2.ellipse(canvas, centre, axes, 0, 0, bend, [float(c) for c in colour], thick, cv2.LINE_AA)

    blob(0.5, 0.98, 0.34, ry=0.2, colour=appearance.uniform(30, 230, 3))
    blob(0.5, 0.8, 0.1, ry=0.14, colour=skin * 0.86)
    blob(0.5, 0.46, width + appearance.uniform(0.03, 0.07), ry=tall + 0.04, colour=hair)
    blob(0.5 + turn / 2, 0.54, width, ry=tall, colour=skin)
    spread, eye = appearance.uniform(0.1, 0.125), appearance.uniform(0.02, 0.028)
    iris = appearance.choice(np.array([[70, 110, 150], [80, 60, 40], [60, 110, 70]]))
    for side in (-1, 1):
        blob(0.5 + turn + side * spread, 0.5, 0.042, ry=eye, colour=(245, 245, 242))
        blob(0.5 + turn * 1.2 + side * spread, 0.5, 0.017, ry=0.017, colour=iris)
        blob(0.5 + turn + side * spread, 0.455, 0.05, ry=0.008, colour=hair * 0.8)
    blob(0.5 + turn * 1.4, 0.585, appearance.uniform(0.018, 0.03), ry=0.05, colour=skin * 0.88)
    blob(
        0.5 + turn,
        0.69,
        appearance.uniform(0.05, 0.075),
        ry=0.014 + 0.02 * expression.random(),
        colour=(178, 90, 92),
        bend=180.0,
    )
    face = np.clip(canvas * light + expression.normal(0, 2.0, canvas.shape), 0, 255).astype(np.uint8)
    drawn = np.asarray(cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    drawn.setflags(write=False)
    return drawn


def landmarks(size: int) -> tuple[tuple[float, float], ...]:
    """Eyes, nose and mouth corners of a drawn face, approximately, in pixels."""
    spots = ((0.39, 0.5), (0.61, 0.5), (0.5, 0.6), (0.43, 0.69), (0.57, 0.69))
    return tuple((x * size, y * size) for x, y in spots)


def write_example(
    root: StrPath,
    protocols: Mapping[str, Protocol],
    models: int = 5,
    *,
    identities: int = 12,
    size: int = 128,
    seed: int = 0,
) -> tuple[Store, ReferenceSet, list[Path]]:
    """Write a set of drawn faces, and submissions and records of synthetic models: all inputs of a site.

    The scores are synthetic and have nothing to do with the pictures.

    Args:
        root: new folder.
        protocols: of the records, by id.
        models: number of models.
        identities: number of people, with 3 to 5 images each.
        size: side of the images, in pixels.
        seed: of the scores.

    Returns:
        The store, the set, and the folders of the submissions.
    """
    root = Path(root)
    chosen = _write_set(root / "set", identities, size)
    test = chosen.select("test")
    people = SyntheticImages({t.key: t.identity for t in test}, chosen.info.content_hash, chosen.info.name)
    store = Store(root / "store")
    folders: list[Path] = []
    lq = {
        recipe: _write_lq(chosen, recipe, strength)
        for recipe, strength in zip(RECIPES, (0.03, 0.08), strict=True)
    }
    for record in make_synthetic_records(protocols, models, people, seed=seed):
        name = record.info.benchmark.recipe
        share = 0.9 - 0.7 * len(folders) / (2 * models)
        folder = root / "submissions" / VersionedId.parse(name).name / entry_name(record.info.card)
        digests = {}
        for target in test:
            mixed = cv2.addWeighted(
                draw_face(*_numbers(target.key), size), share, lq[name][target.key], 1 - share, 0
            )
            data = encode_png(np.asarray(mixed, dtype=np.uint8))
            write_bytes(folder / f"{target.key}.png", data)
            digests[target.key] = sha256_bytes(data)
        write_card(folder, record.info.card)
        hashed = record.info.model_copy(update={"submission_hash": submission_hash(digests, digests)})
        store.add(Record(hashed, record.scores))
        folders.append(folder)
    return store, chosen, folders


def _numbers(key: str) -> tuple[int, int]:
    identity, pose = key[1:].split("-")
    return int(identity), int(pose)


def _write_set(root: Path, identities: int, size: int) -> ReferenceSet:
    targets = []
    for identity in range(identities):
        count = 3 + identity % 3
        keys = [f"p{identity:04d}-{pose:05d}" for pose in range(count)]
        for pose, key in enumerate(keys):
            data = encode_png(draw_face(identity, pose, size))
            write_bytes(root / "images" / f"{key}.png", data)
            references = tuple(other for other in keys if other != key) if pose < 2 else ()
            targets.append(
                Target(
                    key=key,
                    identity=f"p{identity:04d}",
                    split="test",
                    hq=f"images/{key}.png",
                    hq_sha256=sha256_bytes(data),
                    width=size,
                    height=size,
                    references=references,
                    reference_distances=tuple(
                        round(0.2 + 0.05 * n + 0.01 * pose, 3) for n in range(len(references))
                    ),
                    landmarks=landmarks(size),
                    quality={"sharpness": float(50 + 17 * identity + 5 * pose)},
                )
            )
    info = SetInfo(
        name="drawn-faces",
        content_hash=content_hash(targets),
        image_size=size,
        settings={},
        versions={},
        counts={"images": len(targets), "identities": identities},
        licence="Apache-2.0",
        consent="nobody is shown: these faces are drawn",
    )
    made = ReferenceSet(root, info, tuple(targets))
    made.write()
    return made


def _write_lq(chosen: ReferenceSet, recipe: str, strength: float) -> dict[str, RGB]:
    folder = chosen.lq_folder(VersionedId.parse(recipe).name)
    made = {}
    for target in chosen.select("test"):
        hq = draw_face(*_numbers(target.key), target.width)
        soft = cv2.GaussianBlur(hq, (0, 0), strength * target.width)
        noise = np.random.default_rng(_numbers(target.key)).normal(0, 8, soft.shape)
        made[target.key] = np.clip(soft + noise, 0, 255).astype(np.uint8)
        write_bytes(folder / f"{target.key}.png", encode_png(made[target.key]))
    info = LqInfo(
        origin="imported",
        recipe=VersionedId.parse(recipe).name,
        recipe_id=recipe,
        fingerprint="",
        steps=None,
        seed=None,
        images=len(made),
        lq_hash=sha256_json(recipe),
        versions={},
    )
    write_info(folder, info)
    return made
