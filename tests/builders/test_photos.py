"""Photos of a build: the cache, odd files, detection in turned photos, crops, hashes and keys."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refbench.builders.build import build_set
from refbench.builders.photos import photos as work
from refbench.builders.photos.candidates import largest_face_alone, usable_faces
from refbench.builders.photos.keys import face_key, photo_keys
from refbench.builders.photos.phash import hash_vectors, perceptual_hash
from refbench.builders.photos.photo_cache import FaceResult, PhotoCache, PhotoResult
from refbench.builders.photos.report import ReportLine
from refbench.builders.settings.options import BuildOptions
from refbench.errors import RefbenchError
from refbench.faces.align import FFHQ_512, template_at
from refbench.faces.face import Face
from refbench.files import sha256_file
from refbench.images import RGB, read_rgb, write_png
from refbench.records.reference_set import ReferenceSet
from toys import EACH, PEOPLE, files_of, patches


def test_damaged_cache_entries_are_computed_again(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    out = tmp_path / "set"
    build_set(folder, out, options())
    before = files_of(out)
    min((out / ".cache" / "photos").rglob("*.json")).write_text("{")
    picture = max((out / ".cache" / "faces").rglob("*.png"))
    picture.unlink()
    picture.write_bytes(b"not a picture")
    assert build_set(folder, out, options()).reused == PEOPLE * EACH + 1 - 2
    assert files_of(out) == before


def test_every_unusable_file_gets_a_report_line(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    whole = (photos / "once" / "0.png").read_bytes()
    (photos / "cut.png").write_bytes(whole[: len(whole) // 2])
    (photos / "text.png").write_text("no picture")
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "copy.png").write_bytes(whole)
    (photos / "notes.txt").write_text("notes")
    (photos / ".hidden.txt").write_text("hidden")
    write_png(photos / "wide.png", np.zeros((64, 128, 3), np.uint8))
    (photos / "gone.png").symlink_to(photos / "nowhere.png")
    report = build_set(photos, tmp_path / "set", options())
    reasons = {line.source: line.reason for line in report.lines}
    assert set(reasons) == {
        "cut.png",
        "text.png",
        "empty.jpg",
        "copy.png",
        "notes.txt",
        "wide.png",
        "gone.png",
    } - {"copy.png"} | {"once/0.png"}
    assert "same file as copy.png" in reasons["once/0.png"]
    assert "damaged" in reasons["cut.png"]
    assert "not a picture" in reasons["text.png"]
    assert "empty" in reasons["empty.jpg"]
    assert "square" in reasons["wide.png"]
    assert "cannot be opened" in reasons["gone.png"]
    written = json.loads((tmp_path / "set" / "report.json").read_text())
    assert {line["source"] for line in written["dropped"]} == set(reasons)
    assert "text.png" in (tmp_path / "set" / "report.txt").read_text()
    assert report.counts["images"] == PEOPLE * EACH + 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_photo_without_permission_gets_a_report_line(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    (photos / "once" / "0.png").chmod(0)
    report = build_set(photos, tmp_path / "set", options())
    assert any("cannot be opened" in line.reason for line in report.lines)


class Sideways:
    """Sees a face, with little certainty, in the left square of a photo that is wider than high."""

    def detect(self, photo: RGB) -> list[Face]:
        height, width = photo.shape[:2]
        points = template_at(FFHQ_512, height, 512)
        return [Face((0.0, 0.0, height - 1.0, height - 1.0), 0.6, points)] if width > height else []


def test_a_sideways_photo_is_turned_for_a_detector_of_the_user(
    options: Callable[..., BuildOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = tmp_path / "own.onnx"
    detector.write_bytes(b"a network")
    monkeypatch.setattr(work, "_detector", lambda name, device: Sideways())
    wide = np.concatenate([patches(0, 0), np.full_like(patches(0, 0), 90)], axis=1)
    write_png(tmp_path / "photos" / "side.png", np.ascontiguousarray(np.rot90(wide, -1)))
    write_png(tmp_path / "photos" / "square.png", patches(1, 0))
    filters = {"max_yaw": 180, "max_pitch": 180, "min_eye_distance": 10}
    report = build_set(
        tmp_path / "photos",
        tmp_path / "set",
        options(aligned=False, detector=str(detector), quality_filters=filters),
    )
    found = ReferenceSet.read(tmp_path / "set")
    assert [target.source for target in found.targets] == ["side.png"]
    upright = read_rgb(found.hq_path("side"))
    assert np.abs(upright.astype(int) - patches(0, 0)).mean() < 2
    assert found.info.versions["own.onnx"] == sha256_file(detector)
    assert found.info.settings["quality_filters"]["min_score"] == 0.5
    assert [(line.source, line.reason) for line in report.lines] == [("square.png", "no face was found")]
    with pytest.raises(RefbenchError, match=r"haar.*mtcnn"):
        build_set(tmp_path / "photos", tmp_path / "other", options(aligned=False, detector="haar"))


def test_the_crop_of_a_recogniser_of_the_user_is_chosen_by_name(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "points", options())
    build_set(folder, tmp_path / "centre", options(crop="ffhq-centre-112-rgb"))
    points, centre = (np.load(tmp_path / name / "embeddings.npy") for name in ("points", "centre"))
    assert np.abs(points - centre).max() > 0.01
    with pytest.raises(RefbenchError, match="no crop is called 'round'"):
        build_set(folder, tmp_path / "round", options(crop="round"))
    with pytest.raises(RefbenchError, match=r"mobilefacenet takes the crop five-point-112-bgr"):
        build_set(folder, tmp_path / "other", BuildOptions(crop="ffhq-centre-112-rgb"))


def test_a_perceptual_hash_survives_recompression_and_separates_pictures() -> None:
    def bits(first: RGB, second: RGB) -> float:
        one, two = hash_vectors([perceptual_hash(first), perceptual_hash(second)])
        return float((1.0 - one @ two) * 128)

    plain = patches(1, 0)
    compressed = cv2.imdecode(cv2.imencode(".jpg", plain, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 1)
    assert bits(plain, plain) == 0
    assert bits(plain, compressed) <= 8
    assert bits(plain, cv2.resize(plain, (90, 90), interpolation=cv2.INTER_AREA)) <= 8
    assert bits(plain, patches(2, 0)) > 60
    with pytest.raises(RefbenchError):
        hash_vectors(["abc"])


def test_keys_come_from_paths_and_stay_readable() -> None:
    keys = photo_keys(["a/b.jpg", "Ünal/é 1.png", "c.tar.jpeg"])
    assert keys == {"a/b.jpg": "a--b", "Ünal/é 1.png": "Unal--e_1", "c.tar.jpeg": "c_tar"}
    assert face_key("a--b", 1) == "a--b"
    assert face_key("a--b", 2) == "a--b~2"


paths = st.lists(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=130),
        min_size=1,
    )
    .map("/".join)
    .map(lambda path: path + ".jpg"),
    max_size=12,
    unique=True,
)


@given(paths)
def test_keys_are_safe_short_and_unique_whatever_their_case(sources: list[str]) -> None:
    keys = photo_keys(sources)
    assert len({key.lower() for key in keys.values()}) == len(sources)
    for key in keys.values():
        assert key.isascii()
        assert set(key) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~")
        assert 0 < len(key) < 120


def test_names_that_differ_only_in_case_get_different_keys() -> None:
    keys = photo_keys(["A.jpg", "a.jpg", "a.png"])
    assert keys["A.jpg"] == "A"
    assert keys["a.jpg"].startswith("a~")
    assert len({key.lower() for key in keys.values()}) == 3


def test_half_of_the_bits_of_a_perceptual_hash_are_set_whatever_the_picture() -> None:
    for person in range(4):
        digest = bytes.fromhex(perceptual_hash(patches(person, 0)))
        assert np.unpackbits(np.frombuffer(digest, np.uint8)).sum() == 128


def test_the_largest_face_enters_and_the_others_are_told() -> None:
    faces = (FaceResult((), {}, png_sha256="a"), FaceResult((), {}, png_sha256="b"))
    cached = PhotoResult("group.jpg", "0" * 64, faces=faces)
    cache, lines = PhotoCache(Path(), "0" * 64), list[ReportLine]()
    kept = usable_faces([largest_face_alone(cached)], {"group.jpg": "group"}, cache, lines=lines)
    assert [candidate.key for candidate in kept] == ["group"]
    assert [(line.key, line.dropped) for line in lines] == [("group~2", True)]
    assert "smaller than another face" in lines[0].reason
