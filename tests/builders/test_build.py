"""Building a set from made-up aligned pictures with a made-up recogniser: no weights are needed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from refbench.builders.build import build_set
from refbench.builders.photos import photos as work
from refbench.builders.photos.phash import hash_vectors, perceptual_hash
from refbench.builders.photos.photo_cache import PhotoResult
from refbench.builders.rebuild import rebuild_set
from refbench.builders.review.audit import audit_set
from refbench.builders.review.audit_inputs import read_audit_input
from refbench.builders.review.review import write_review
from refbench.builders.review.summary import summarise
from refbench.builders.settings.options import BuildOptions
from refbench.builders.settings.overrides import Overrides
from refbench.builders.verify import verify_set
from refbench.errors import FaultListError, RefbenchError
from refbench.faces.align import FFHQ_512, template_at
from refbench.faces.face import Face
from refbench.files import sha256_file
from refbench.images import RGB, read_rgb, write_png
from refbench.records.reference_set import ReferenceSet
from toys import files_of, patches, save_patch_recogniser

SIDE = 128
PEOPLE, EACH = 6, 3


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_patch_recogniser(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of six people, and one person seen once."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(PEOPLE):
        for photo in range(EACH):
            write_png(root / f"person{number}" / f"{photo}.png", patches(number, photo))
    write_png(root / "once" / "0.png", patches(99, 0))
    return root


@pytest.fixture
def options(recogniser: Path) -> Callable[..., BuildOptions]:
    def make(**chosen: object) -> BuildOptions:
        plain = {
            "aligned": True,
            "recogniser": str(recogniser),
            "threshold": 0.3,
            "image_size": SIDE,
            "name": "made-up",
        }
        return BuildOptions.model_validate(plain | chosen)

    return make


@pytest.fixture(scope="module")
def built(folder: Path, recogniser: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sets") / "made-up"
    chosen = BuildOptions(
        aligned=True, recogniser=str(recogniser), threshold=0.3, image_size=SIDE, test=0.5, licence="CC0"
    )
    build_set(folder, out, chosen)
    return out


def test_people_are_found_without_being_told_them(built: Path) -> None:
    found = ReferenceSet.read(built)
    who = {target.key: target.source.split("/")[0] for target in found.targets}
    assert len(found.targets) == PEOPLE * EACH + 1
    for target in found.targets:
        assert {who[key] for key in target.references} <= {who[target.key]}
        assert len(target.references) == (EACH - 1 if who[target.key] != "once" else 0)
        assert list(target.reference_distances) == [round(d, 6) for d in target.reference_distances]
    assert len({target.identity for target in found.targets}) == PEOPLE + 1
    assert found["once--0"].split == "train"
    for name in set(who.values()):
        assert len({target.split for target in found.targets if who[target.key] == name}) == 1
    assert found.info.counts["test_identities"] == PEOPLE // 2
    assert found.info.licence == found.targets[0].licence == "CC0"


def test_a_set_is_whole_and_reads_back_equal(built: Path) -> None:
    assert verify_set(built).is_valid
    found = ReferenceSet.read(built)
    assert ReferenceSet(built, found.info, found.targets).targets == ReferenceSet.read(built).targets
    assert np.load(built / "embeddings.npy").shape == (len(found.targets), 192)


def test_any_number_of_workers_gives_the_same_bytes(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "one", options(workers=1))
    build_set(folder, tmp_path / "two", options(workers=2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_a_second_run_reuses_everything_and_changes_nothing(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    first = build_set(folder, tmp_path / "set", options())
    before, times = files_of(tmp_path / "set"), (tmp_path / "set" / "set.json").stat().st_mtime_ns
    second = build_set(folder, tmp_path / "set", options())
    assert (first.reused, first.changed) == (0, True)
    assert (second.reused, second.changed) == (PEOPLE * EACH + 1, False)
    assert files_of(tmp_path / "set") == before
    assert (tmp_path / "set" / "set.json").stat().st_mtime_ns == times


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_set(folder, tmp_path / "whole", options())
    done = 0
    examine = work._process

    def killed(*given: object, **named: object) -> PhotoResult:
        nonlocal done
        done += 1
        if done == 8:
            raise KeyboardInterrupt
        return examine(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "_process", killed)
    with pytest.raises(KeyboardInterrupt):
        build_set(folder, tmp_path / "killed", options())
    assert not (tmp_path / "killed" / "set.json").exists()
    monkeypatch.setattr(work, "_process", examine)
    assert build_set(folder, tmp_path / "killed", options()).reused == 7
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_damaged_cache_is_done_again(
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


def test_every_odd_file_gets_a_line_and_the_rest_goes_on(
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
def test_a_photo_without_permission_gets_a_line(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    (photos / "once" / "0.png").chmod(0)
    report = build_set(photos, tmp_path / "set", options())
    assert any("cannot be opened" in line.reason for line in report.lines)


def test_a_folder_without_a_usable_face_leaves_nothing_behind(
    options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "text.png").write_text("no picture")
    with pytest.raises(RefbenchError, match=r"text\.png: not a picture"):
        build_set(photos, tmp_path / "set", options())
    assert not (tmp_path / "set").exists()
    (photos / "text.png").unlink()
    with pytest.raises(RefbenchError, match="no face can be used of 0"):
        build_set(photos, tmp_path / "set", options())


def test_folders_that_cannot_be_used_are_refused_before_anything_is_written(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for photos, out, words in (
        (folder, folder, "contain one another"),
        (folder, folder / "set", "contain one another"),
        (folder, folder.parent, "contain one another"),
        (folder, mine, "holds other files"),
        (folder, mine / "thesis.txt", "is a file"),
        (tmp_path / "absent", tmp_path / "set", "not a folder"),
    ):
        with pytest.raises(RefbenchError, match=words):
            build_set(photos, out, options())
    assert files_of(mine) == {"thesis.txt": b"years of work"}


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"recogniser": "nobody"}, "no recogniser is called so"),
        ({"threshold": None}, "no measured threshold"),
        ({"min_distance": 0.3}, "not under the threshold"),
        ({"overrides": Overrides(drop=("nobody",))}, "no image has the key 'nobody'"),
    ],
)
def test_choices_that_cannot_work_are_refused(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path, chosen: dict[str, object], words: str
) -> None:
    with pytest.raises(RefbenchError, match=words):
        build_set(folder, tmp_path / "set", options(**chosen))
    assert not (tmp_path / "set" / "set.json").exists()


def test_decisions_by_hand_are_applied_and_recorded(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    by_hand = Overrides(
        merge=(("person0--0", "person1--0"),), split=(("person2--0",),), drop=("person3--0", "once--0")
    )
    build_set(folder, tmp_path / "set", options(overrides=by_hand))
    found = ReferenceSet.read(tmp_path / "set")
    identity = {target.key: target.identity for target in found.targets}
    assert identity["person0--0"] == identity["person1--2"]
    assert identity["person2--0"] != identity["person2--1"]
    assert "person2--0" not in found["person2--1"].references
    assert not {"person3--0", "once--0"} & identity.keys()
    assert Overrides.model_validate(found.info.settings["overrides"]) == by_hand
    assert verify_set(tmp_path / "set").is_valid


class Sideways:
    """Sees a face, with little certainty, in the left square of a photo that is wider than high."""

    def detect(self, photo: RGB) -> list[Face]:
        height, width = photo.shape[:2]
        points = template_at(FFHQ_512, height, 512)
        return [Face((0.0, 0.0, height - 1.0, height - 1.0), 0.6, points)] if width > height else []


def test_a_photo_on_its_side_is_turned_for_a_detector_of_ones_own(
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


def test_the_crop_of_ones_own_recogniser_is_chosen_by_name(
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


def test_near_duplicates_leave_with_a_line(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    pixels = patches(0, 0)
    pixels[:4] //= 2
    write_png(photos / "person0" / "nearly.png", pixels)
    report = build_set(photos, tmp_path / "set", options(duplicate_distance=0.005))
    assert [line.reason.partition("(")[0] for line in report.lines] == ["a near duplicate of person0--0 "]


def test_folders_may_say_who_is_who(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    build_set(folder, tmp_path / "set", options(identities="folders", threshold=1e-6, min_distance=0.0))
    found = ReferenceSet.read(tmp_path / "set")
    assert len({target.identity for target in found.targets}) == PEOPLE + 1
    assert all(len(t.references) == EACH - 1 for t in found.targets if t.key != "once--0")
    write_png(tmp_path / "loose" / "a.png", patches(0, 0))
    with pytest.raises(FaultListError, match=r"a\.png lies in no folder of a person"):
        build_set(tmp_path / "loose", tmp_path / "other", options(identities="folders"))


def test_an_earlier_set_is_replaced_and_stray_pictures_go(
    folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "set"
    shutil.copytree(folder, photos)
    build_set(photos, out, options())
    shutil.rmtree(photos / "person5")
    report = build_set(photos, out, options())
    assert report.changed
    assert report.reused == report.counts["photos"] == PEOPLE * EACH + 1 - EACH
    assert verify_set(out).is_valid
    assert not (out / "images" / "person5--0.png").exists()


def test_verify_finds_every_kind_of_damage(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    shutil.copytree(built, out)
    (out / "images" / "person0--0.png").write_bytes(b"other")
    (out / "images" / "person0--1.png").unlink()
    (out / "images" / "stray.png").write_bytes(b"")
    (out / "report.txt").write_text("all is well")
    text = verify_set(out).text()
    for words in (
        "person0--0.png: has the hash",
        "person0--1.png: is missing",
        "stray.png: is not in",
        "report.txt",
    ):
        assert words in text
    info = json.loads((out / "set.json").read_text())
    (out / "set.json").write_text(json.dumps(info | {"content_hash": "0" * 64}))
    assert "content hash" in verify_set(out).text()
    (out / "set.json").write_text(json.dumps(info | {"schema_version": 9}))
    with pytest.raises(RefbenchError, match="schema_version"):
        verify_set(out)


def test_a_set_is_rebuilt_from_its_manifest_and_photos_alone(
    built: Path, folder: Path, tmp_path: Path
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in ("set.json", "manifest.parquet"):
        shutil.copyfile(built / name, given / name)
    made = rebuild_set(given, folder)
    assert made.differences == ()
    assert files_of(tmp_path / "given-rebuilt") == files_of(built)
    photos = tmp_path / "photos"
    shutil.copytree(folder, photos)
    (photos / "once" / "0.png").unlink()
    write_png(photos / "person0" / "0.png", patches(0, 7))
    text = rebuild_set(given, photos, tmp_path / "other").text()
    assert "once--0: is not in the rebuilt set" in text
    assert "person0--0: " in text


def test_an_overview_counts_what_the_manifest_holds(built: Path) -> None:
    found = summarise(ReferenceSet.read(built))
    assert found.splits[-1][:5] == (
        "all",
        PEOPLE * EACH + 1,
        PEOPLE * EACH,
        PEOPLE + 1,
        PEOPLE * EACH * (EACH - 1),
    )
    assert found.references_per_image == {"0": 1, "1": 0, "2": PEOPLE * EACH}
    assert sum(found.distances) == PEOPLE * EACH * (EACH - 1)
    assert found.sizes == {f"{SIDE}x{SIDE}": PEOPLE * EACH + 1}
    assert "made-up" in found.text()
    assert "<svg" in found.html()
    assert "http" not in found.html()


def test_the_review_sheet_shows_every_face_under_its_key(built: Path, tmp_path: Path) -> None:
    write_review(built, tmp_path / "sheets" / "review.html")
    text = (tmp_path / "sheets" / "review.html").read_text()
    for target in ReferenceSet.read(built).targets:
        assert f"<figcaption>{target.key}</figcaption>" in text
    links = {part.split('"')[0] for part in text.split('src="')[1:]}
    assert all((tmp_path / "sheets" / link).is_file() for link in links)


def test_an_honest_set_has_no_leak_and_a_planted_one_is_found(
    built: Path, folder: Path, options: Callable[..., BuildOptions], tmp_path: Path
) -> None:
    clean = audit_set(built)
    assert clean.leaks == ()
    assert len(clean.nearest) >= 1
    write_png(tmp_path / "photos" / "stranger.png", patches(1234, 0))
    write_png(tmp_path / "photos" / "same.png", patches(2, 1))
    write_png(tmp_path / "photos" / "again.png", patches(3, 8))
    recompressed = cv2.imdecode(cv2.imencode(".jpg", patches(4, 0), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    write_png(tmp_path / "photos" / "jpeg.png", recompressed)
    build_set(tmp_path / "photos", tmp_path / "other", options(val=0.0, test=0.0))
    found = audit_set(built, [tmp_path / "other"])
    by_kind = {kind: {(x.first, x.second) for x in found.leaks if x.kind == kind} for kind in found.counts}
    assert by_kind["same_file"] == {("person2--1", "same")}
    assert ("person4--0", "jpeg") in by_kind["near_picture"]
    assert {second for _, second in by_kind["same_person"]} == {"same", "again", "jpeg"}
    assert "stranger" not in found.text()
    found.write(tmp_path / "audit.json")
    assert json.loads((tmp_path / "audit.json").read_text())["counts"] == found.counts


def test_an_audit_takes_a_list_of_hashes_or_embeddings(built: Path, tmp_path: Path) -> None:
    found = ReferenceSet.read(built)
    (tmp_path / "hashes.txt").write_text(
        f"{found['person0--0'].hq_sha256}\n{found['person1--0'].phash}  a name\n"
    )
    by_hash = audit_set(built, [tmp_path / "hashes.txt"])
    assert {(leak.kind, leak.first) for leak in by_hash.leaks} >= {
        ("same_file", "person0--0"),
        ("near_picture", "person1--0"),
    }
    np.save(tmp_path / "vectors.npy", np.load(built / "embeddings.npy")[:1])
    by_vector = audit_set(built, [tmp_path / "vectors.npy"])
    assert by_vector.counts["same_person"] >= 1
    np.save(tmp_path / "short.npy", np.eye(3, dtype=np.float32))
    with pytest.raises(RefbenchError, match="embeddings of 192 numbers"):
        audit_set(built, [tmp_path / "short.npy"])
    (tmp_path / "bad.txt").write_text("hello\n")
    with pytest.raises(RefbenchError, match="64 hexadecimal digits"):
        read_audit_input(tmp_path / "bad.txt")


def test_a_perceptual_hash_survives_recompression_and_tells_pictures_apart() -> None:
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
