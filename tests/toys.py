"""Toy pictures, reference sets, submissions and stores for the tests: small, made up, the same every time.

Pictures are RGB uint8 (H, W, 3), sizes in pixels. Drawn faces with submissions and records of made-up models
come from `refbench.leaderboard.examples.example.write_example`; this module makes what is smaller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from refbench.files import sha256_file
from refbench.images import RGB, read_rgb, write_png
from refbench.leaderboard.store.store import Store
from refbench.records.lq_set import LqInfo, write_info
from refbench.records.record import Record
from refbench.records.reference_set import ReferenceSet, SetInfo, Target, content_hash

SIDE = 24
PHOTO_SIDE, PEOPLE, EACH = 128, 6, 3
"""Photos of patch faces (`write_patch_photos`): pixels a side, people, photos of each."""
POINTS = ((8.0, 9.0), (15.0, 9.0), (11.5, 13.0), (9.0, 16.0), (14.0, 16.0))


def noise(seed: int, height: int = SIDE, width: int = SIDE) -> RGB:
    """Coarse coloured squares with a little noise; both sides are multiples of four."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(30, 220, (4, 4, 3)).repeat(height // 4, 0).repeat(width // 4, 1)
    return np.clip(coarse + generator.normal(0, 8, coarse.shape), 0, 255).astype(np.uint8)


def patches(person: int, photo: int, side: int = 128) -> RGB:
    """Coloured patches per person, with finer grey patches per photo; see `save_patch_recogniser`."""
    coarse = np.random.default_rng(person).uniform(50, 200, (8, 8, 3))
    fine = np.random.default_rng([person, photo]).normal(0, 25, (24, 24))
    large, texture = (cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC) for p in (coarse, fine))
    return np.clip(large + texture[..., None], 0, 255).astype(np.uint8)


def cartoon(person: int, photo: int, side: int = SIDE) -> RGB:
    """A cartoon: each person has colours and a shape, each photo its own place."""
    drawn = np.random.default_rng(person)
    background, skin = drawn.integers(0, 256, (2, 3))
    picture = np.full((SIDE, SIDE, 3), background, np.uint8)
    centre = (SIDE // 2 + photo - 1, SIDE // 2)
    cv2.ellipse(picture, centre, (6 + person % 3, 9), 0, 0, 360, tuple(map(int, skin)), -1)
    for x in (-2, 2):
        cv2.circle(picture, (centre[0] + x, centre[1] - 2), 0, (20, 20, 20), -1)
    return np.asarray(cv2.resize(picture, (side, side)), np.uint8)


def bridged_groups() -> npt.NDArray[np.float32]:
    """Unit vectors (9, 32): two tight groups of four, and one half-way between that is near one of each."""
    rows = np.zeros((9, 32))
    rows[:4, 0] = rows[4:8, 1] = 1.0
    rows[8, :2] = 1.0
    rows += 0.05 * np.random.default_rng(0).standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def save_patch_recogniser(folder: Path) -> Path:
    """A recogniser file (TorchScript) that takes the mean colours of an 8 x 8 grid for a face."""
    path = folder / "patches.pt"
    torch.jit.script(torch.nn.Sequential(torch.nn.AvgPool2d(14), torch.nn.Flatten())).save(str(path))
    return path


def write_patch_photos(root: Path) -> Path:
    """``EACH`` photos of ``PEOPLE`` people in folders ``person0`` ..., and one of another in ``once``."""
    for person in range(PEOPLE):
        for photo in range(EACH):
            write_png(root / f"person{person}" / f"{photo}.png", patches(person, photo, PHOTO_SIDE))
    write_png(root / "once" / "0.png", patches(99, 0, PHOTO_SIDE))
    return root


def write_images(folder: Path, pictures: Mapping[str, RGB]) -> dict[str, Path]:
    """Write ``KEY.png`` files into ``folder``; returns the path of each key."""
    paths = {key: folder / f"{key}.png" for key in pictures}
    for key, path in paths.items():
        write_png(path, np.ascontiguousarray(pictures[key]))
    return paths


def bare_target(key: str, **parts: Any) -> Target:
    """A target of 8 x 8 pixels that stands alone and has no file; ``parts`` replace its fields."""
    plain = Target(key, "p0", "test", f"images/{key}.png", key, 8, 8, (), (), ())
    return replace(plain, **parts)


@dataclass(frozen=True)
class Shot:
    """One image of a toy set; ``references`` None means all other shots of the same identity."""

    key: str
    identity: str
    pixels: RGB
    split: str = "test"
    references: tuple[str, ...] | None = None


def write_set(root: Path, shots: Iterable[Shot], name: str = "toy", *, distance: float = 0.2) -> ReferenceSet:
    """Write a reference set of these images, every reference at one cosine distance."""
    shots = tuple(shots)
    paths = write_images(root / "images", {shot.key: shot.pixels for shot in shots})
    targets = []
    for shot in shots:
        others = (s.key for s in shots if s.identity == shot.identity and s is not shot)
        references = tuple(others) if shot.references is None else shot.references
        targets.append(
            bare_target(
                shot.key,
                identity=shot.identity,
                split=shot.split,
                hq_sha256=sha256_file(paths[shot.key]),
                width=shot.pixels.shape[1],
                height=shot.pixels.shape[0],
                references=references,
                reference_distances=(distance,) * len(references),
                landmarks=POINTS,
            )
        )
    info = SetInfo(
        name=name,
        content_hash=content_hash(targets),
        image_size=shots[0].pixels.shape[0],
        settings={},
        versions={},
        counts={},
    )
    made = ReferenceSet(root, info, tuple(targets))
    made.write()
    return made


def write_lq_info(folder: Path, images: int) -> None:
    """``lq.json`` of LQ images that were made elsewhere; its hash is made up."""
    info = LqInfo(
        origin="imported",
        recipe=folder.name,
        recipe_id=f"{folder.name}@1",
        fingerprint="",
        steps=None,
        seed=None,
        images=images,
        lq_hash="0" * 64,
        versions={},
    )
    write_info(folder, info)


def write_noise_set(root: Path) -> ReferenceSet:
    """Five people with three images each, six of another size, one without references; LQ: ``dim``."""
    shots = []
    for person in range(5):
        for number in range(3):
            pixels = noise(person * 10 + number, SIDE, SIDE + 8 * (person > 2))
            alone = () if (person, number) == (4, 2) else None
            shots.append(Shot(f"p{person}_{number}", f"p{person:04d}", pixels, references=alone))
    brighter = {shot.key: np.clip(shot.pixels.astype(int) + 20, 0, 255).astype(np.uint8) for shot in shots}
    write_images(root / "lq" / "dim", brighter)
    write_lq_info(root / "lq" / "dim", images=len(shots))
    return write_set(root, shots)


def write_cartoon_set(root: Path, splits: Iterable[str], side: int = SIDE) -> ReferenceSet:
    """Two cartoons of one person for each split named."""
    shots = (
        Shot(f"p{person}_{number}", f"p{person}", cartoon(person, number, side), split)
        for person, split in enumerate(splits)
        for number in range(2)
    )
    return write_set(root, shots, "cartoons", distance=0.1)


def noisy_copies(chosen: ReferenceSet, folder: Path, seed: int = 0) -> dict[str, Path]:
    """A submission's images: every test target with references, with noise of 12 levels."""
    generator = np.random.default_rng(seed)
    images = {}
    for one in chosen.select("test"):
        pixels = read_rgb(chosen.hq_path(one.key)).astype(int)
        images[one.key] = np.clip(pixels + generator.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
    return write_images(folder, images)


def with_card(record: Record, **card: Any) -> Record:
    """The record with other fields on its card."""
    changed = record.info.card.model_copy(update=card)
    return replace(record, info=record.info.model_copy(update={"card": changed}))


def store_of(root: Path, records: Iterable[Record]) -> Store:
    """A store that holds these records."""
    made = Store(root)
    for record in records:
        made.add(record)
    return made


def files_of(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """The bytes of every file below ``folder``, by its path relative to it with forward slashes."""
    paths = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
