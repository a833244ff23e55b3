"""Builds from real photos of the London Set: identities, converted photos, photos without a face."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from refbench.builders.build import build_set
from refbench.builders.identities.clustering_metrics import score_clustering
from refbench.builders.photos.report import BuildReport
from refbench.builders.settings.options import BuildOptions
from refbench.records.reference_set import ReferenceSet

NETWORKS = ("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet", "mobilefacenet")


@pytest.fixture(scope="module")
def made(
    london: Path, need_weights: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> tuple[ReferenceSet, BuildReport]:
    """Eight people, two photos each, and what people have in their folders besides."""
    need_weights(*NETWORKS)
    photos = tmp_path_factory.mktemp("photos")
    for path in sorted(london.glob("*.jpg"))[:16]:
        with Image.open(path) as photo:
            small = photo.resize((512, 512), Image.Resampling.LANCZOS)
        small.save(photos / path.name, quality=95)
    first, second = sorted(photos.glob("*.jpg"))[:2]
    with Image.open(first) as photo:
        turned = photo.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        turned.save(photos / "turned.jpg", exif=exif, quality=90)
        photo.convert("CMYK").save(photos / "cmyk.jpg", quality=90)
    with Image.open(sorted(photos.glob("0*.jpg"))[2]) as left, Image.open(second) as right:
        both = Image.new("RGB", (1024, 512))
        both.paste(left, (0, 0))
        both.paste(right, (512, 0))
        both.save(photos / "two_faces.jpg", quality=95)
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(photos / "noise.png")
    Image.new("RGB", (1, 1)).save(photos / "dot.png")
    out = tmp_path_factory.mktemp("sets") / "london"
    report = build_set(photos, out, BuildOptions(faces="all", test=0.5, name="london"))
    return ReferenceSet.read(out), report


def person(source: str) -> str:
    return re.split(r"[_.]", source)[0]


def test_identities_are_the_true_people(made: tuple[ReferenceSet, BuildReport]) -> None:
    plain = [target for target in made[0].targets if target.source[0].isdigit()]
    assert len(plain) == 16
    result = score_clustering(
        [target.identity for target in plain], [person(target.source) for target in plain]
    )
    assert (result.pairwise.f1, result.bcubed.f1, result.found) == (1.0, 1.0, 8)


def test_a_photo_turned_by_exif_and_one_in_cmyk_join_their_person(
    made: tuple[ReferenceSet, BuildReport],
) -> None:
    found, report = made
    first = min(target.source for target in found.targets)
    identity = {target.source: target.identity for target in found.targets}
    assert identity["turned.jpg"] == identity["cmyk.jpg"] == identity[first]
    notes = {line.source: line.reason for line in report.lines if not line.dropped}
    assert "upright" in notes["turned.jpg"]
    assert "CMYK" in notes["cmyk.jpg"]


def test_two_faces_of_one_photo_join_two_people(made: tuple[ReferenceSet, BuildReport]) -> None:
    both = [target for target in made[0].targets if target.source == "two_faces.jpg"]
    assert {target.key for target in both} == {"two_faces", "two_faces~2"}
    assert len({target.identity for target in both}) == 2
    assert all(target.references for target in both)


def test_pictures_without_a_face_get_a_line(made: tuple[ReferenceSet, BuildReport]) -> None:
    dropped = {line.source: line.reason for line in made[1].lines if line.dropped}
    assert dropped == {"noise.png": "no face was found", "dot.png": "no face was found"}


def test_aligned_faces_have_their_eyes_where_ffhq_has_them(made: tuple[ReferenceSet, BuildReport]) -> None:
    landmarks: npt.NDArray[np.float64] = np.array([target.landmarks for target in made[0].targets])
    assert np.abs(landmarks[:, :2].mean(axis=0) - [(193.0, 240.0), (318.9, 240.2)]).max() < 8.0
