"""Reference sets that benchmarks make: of pictures in memory, or of the bundled sample people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from refbench.degradations.lq.synthesise import synthesise_lq
from refbench.degradations.recipes.lookup import load_recipe
from refbench.faces.align import FFHQ_512, align_face
from refbench.faces.detectors.detect import choose_face, find_faces, load_detector
from refbench.files import sha256_file
from refbench.images import RGB, read_rgb, write_png
from refbench.records.reference_set import ReferenceSet, SetInfo, Target, content_hash
from refbench.samples.sample_people import PEOPLE, truth

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shot:
    """One image of a set; all other images of its identity are its references."""

    key: str
    identity: str
    pixels: RGB
    split: str = "test"


def write_set(
    root: Path, shots: Iterable[Shot], landmarks: Points = ((1.0, 1.0),) * 5, *, name: str = "made"
) -> ReferenceSet:
    """Write the images and the set, every reference at a cosine distance of 0.2."""
    shots, targets = tuple(shots), []
    for shot in shots:
        path = root / "images" / f"{shot.key}.png"
        write_png(path, np.ascontiguousarray(shot.pixels))
        others = tuple(s.key for s in shots if s.identity == shot.identity and s is not shot)
        targets.append(
            Target(
                key=shot.key,
                identity=shot.identity,
                split=shot.split,
                hq=f"images/{shot.key}.png",
                hq_sha256=sha256_file(path),
                width=shot.pixels.shape[1],
                height=shot.pixels.shape[0],
                references=others,
                reference_distances=(0.2,) * len(others),
                landmarks=landmarks,
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


def sample_set(
    root: Path, people: int, *, size: int = 512, recipes: Sequence[str] = (), aligned: bool = False
) -> ReferenceSet:
    """Two photos each of so many sample people (not real ones), as they are or aligned, and LQ images.

    Raises:
        RefbenchError: ``aligned``, and the weights of the default detector are not here.
    """
    photos: dict[str, list[Path]] = {}
    for file, person in truth().items():
        photos.setdefault(person, []).append(PEOPLE / file)
    shots = []
    for person in sorted(photos)[:people]:
        for path in photos[person][:2]:
            photo = aligned_face(read_rgb(path)) if aligned else read_rgb(path)
            pixels = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
            shots.append(Shot(path.stem, person, np.asarray(pixels, np.uint8)))
    points = tuple((float(x) * size / 512, float(y) * size / 512) for x, y in FFHQ_512)
    made = write_set(root, shots, points, name="sample people")
    images = {target.key: made.hq_path(target.key) for target in made.targets}
    for recipe in recipes:
        synthesise_lq(images, load_recipe(recipe), made.lq_folder(recipe), seed=0)
    return made


def aligned_face(photo: RGB) -> RGB:
    """The face of a photo at 512 x 512, eyes, nose and mouth near FFHQ's places."""
    face = choose_face(find_faces(load_detector(), photo), photo)
    return align_face(photo, face.landmarks).pixels
