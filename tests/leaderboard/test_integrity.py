"""Copies and overlaps are found; honest restorations are not accused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from refbench.errors import InvalidInputError
from refbench.images import read_rgb, write_png
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.integrity import copies
from refbench.leaderboard.integrity.copies import find_copies
from refbench.leaderboard.integrity.overlap import find_training_overlap
from refbench.leaderboard.integrity.stored_again import measure_copy
from refbench.leaderboard.submission.submission import Submission
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.card import Card
from refbench.records.reference_set import ReferenceSet
from toys import write_images

DECLARED = {"psnr/rgb": PROTOCOLS["psnr/rgb"]}
RECIPE = "refldm-severe"


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ReferenceSet:
    return write_example(tmp_path_factory.mktemp("scene"), DECLARED, models=1, identities=6, size=96)[1]


def images(chosen: ReferenceSet, out: Path, make: object) -> dict[str, Path]:
    return write_images(out, {target.key: make(target) for target in chosen.select("test")})  # type: ignore[operator]


def kinds(chosen: ReferenceSet, tmp_path: Path, make: object) -> set[str]:
    found = find_copies(chosen, RECIPE, {"one": images(chosen, tmp_path, make)})["one"]
    assert all(flag.of == len(chosen.select("test")) for flag in found)
    return {flag.kind for flag in found}


def hq(chosen: ReferenceSet, key: str) -> np.ndarray:
    return read_rgb(chosen.hq_path(key))


def test_copies_of_hq_lq_and_references_are_told_apart(chosen: ReferenceSet, tmp_path: Path) -> None:
    cases = {
        "copy of HQ": lambda t: hq(chosen, t.key),
        "copy of LQ": lambda t: read_rgb(chosen.lq_path(RECIPE, t.key)),
        "copy of a reference": lambda t: hq(chosen, t.references[-1]),
    }
    for kind, make in cases.items():
        assert kinds(chosen, tmp_path / kind.replace(" ", "-"), make) == {kind}


def test_slightly_changed_copies_are_found_too(chosen: ReferenceSet, tmp_path: Path) -> None:
    def noisy(target: object) -> np.ndarray:
        clean = hq(chosen, target.key).astype(float)  # type: ignore[attr-defined]
        return np.clip(clean + np.random.default_rng(0).normal(0, 1.5, clean.shape), 0, 255).astype(np.uint8)

    def brighter_mirrored(target: object) -> np.ndarray:
        copied = hq(chosen, target.references[0])[:, ::-1].astype(float)  # type: ignore[attr-defined]
        return np.clip(copied * 1.04 + 3, 0, 255).astype(np.uint8)

    assert kinds(chosen, tmp_path / "noisy", noisy) == {"copy of HQ"}
    assert kinds(chosen, tmp_path / "mirrored", brighter_mirrored) == {"copy of a reference"}


def test_a_copy_of_lq_is_one_with_noise_of_a_level_or_shifted_and_a_mild_restoration_is_not(
    chosen: ReferenceSet, tmp_path: Path
) -> None:
    def lq(target: object) -> np.ndarray:
        return read_rgb(chosen.lq_path(RECIPE, target.key))  # type: ignore[attr-defined]

    def stored(target: object) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, 1, lq(target).shape)
        return np.clip(np.rint(lq(target) + noise), 0, 255).astype(np.uint8)

    def shifted(target: object) -> np.ndarray:
        return np.clip(lq(target).astype(int) + np.array([1, 3, 2]), 0, 255).astype(np.uint8)

    def mild(target: object) -> np.ndarray:
        return cv2.addWeighted(hq(chosen, target.key), 0.08, lq(target), 0.92, 0)  # type: ignore[attr-defined]

    assert kinds(chosen, tmp_path / "stored", stored) == {"copy of LQ"}
    assert kinds(chosen, tmp_path / "shifted", shifted) == {"copy of LQ"}
    assert kinds(chosen, tmp_path / "mild", mild) == set()


def again(pixels: np.ndarray, how: str) -> np.ndarray:
    if how == "jpeg":
        held = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        return np.asarray(cv2.imdecode(held, cv2.IMREAD_COLOR))
    if how == "resized":
        small = cv2.resize(pixels, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, pixels.shape[1::-1], interpolation=cv2.INTER_CUBIC))
    if how == "noisy":
        noise = np.random.default_rng(0).normal(0, 3, pixels.shape)
        return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
    return np.asarray(np.roll(cv2.GaussianBlur(pixels, (0, 0), 0.8), 1, 1))


@pytest.mark.parametrize("how", ["jpeg", "resized", "noisy", "blurred and shifted"])
def test_what_is_stored_again_is_still_a_copy(chosen: ReferenceSet, tmp_path: Path, how: str) -> None:
    sources = {
        "copy of LQ": lambda key: read_rgb(chosen.lq_path(RECIPE, key)),
        "copy of HQ": lambda key: hq(chosen, key),
    }
    for kind, source in sources.items():
        found = kinds(chosen, tmp_path / kind[-2:], lambda t, source=source: again(source(t.key), how))
        assert found == {kind}


def test_sharpening_and_denoising_are_no_copies_of_lq(tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(np.random.default_rng(0).normal(128, 200, (128, 128)), (0, 0), 6)
    truth = np.clip(soft + 12 * (np.indices((128, 128))[1] % 16 < 8), 0, 255).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(truth, (0, 0), 1.5))
    sharp = blurred + 0.5 * (blurred - cv2.GaussianBlur(blurred, (0, 0), 2))
    assert measure_copy(sharp, blurred).sharpening > 1.05
    noise = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 12, truth.shape), (0, 0), 1)
    noisy = np.asarray(truth + noise, dtype=np.float32)
    copied = measure_copy(
        np.asarray(noisy + np.random.default_rng(2).normal(0, 3, truth.shape), np.float32), noisy, truth
    )
    assert copied.residual_psnr > 45
    assert abs(copied.recovered) < 0.03
    cleaned = measure_copy(np.asarray(truth + 0.6 * noise, np.float32), noisy, truth)
    assert cleaned.recovered == pytest.approx(0.4, abs=0.05)


def test_an_honest_restoration_is_not_accused(chosen: ReferenceSet, tmp_path: Path) -> None:
    def honest(target: object) -> np.ndarray:
        key = target.key  # type: ignore[attr-defined]
        lq = read_rgb(chosen.lq_path(RECIPE, key))
        mixed = cv2.addWeighted(hq(chosen, key), 0.7, lq, 0.3, 0)
        return np.asarray(cv2.GaussianBlur(mixed, (0, 0), 0.8))

    assert kinds(chosen, tmp_path, honest) == set()


def test_the_same_outputs_under_two_names_are_flagged_on_both(chosen: ReferenceSet, tmp_path: Path) -> None:
    def mixed(target: object) -> np.ndarray:
        key = target.key  # type: ignore[attr-defined]
        return cv2.addWeighted(hq(chosen, key), 0.7, read_rgb(chosen.lq_path(RECIPE, key)), 0.3, 0)

    one = images(chosen, tmp_path / "one", mixed)
    two = {key: path for key, path in one.items() if key != min(one)}
    found = find_copies(chosen, RECIPE, {"one": one, "two": two})
    assert [flag.images for flag in found["one"]] == [len(two)]
    assert "copy of another submission: two" in found["one"][0].text
    assert "copy of another submission: one" in found["two"][0].text
    stored = images(chosen, tmp_path / "three", lambda target: again(mixed(target), "jpeg"))
    told = find_copies(chosen, RECIPE, {"one": one, "three": stored})
    assert [[flag.images for flag in told[name]] for name in ("one", "three")] == [[len(one)]] * 2


def test_a_damaged_output_is_passed_over(chosen: ReferenceSet, tmp_path: Path) -> None:
    found = images(chosen, tmp_path, lambda t: hq(chosen, t.key))
    first = min(found)
    found[first].write_bytes(b"\x89PNG damaged")
    flags = find_copies(chosen, RECIPE, {"one": found})["one"]
    assert flags[0].images == len(found) - 1


def submission(root: Path) -> Submission:
    return Submission(root, Card(model="M"), {})


def test_training_on_test_images_shows_by_their_hashes(chosen: ReferenceSet, tmp_path: Path) -> None:
    assert find_training_overlap(submission(tmp_path), chosen, "test") == ()
    targets = chosen.targets
    (tmp_path / "training_hashes.txt").write_text(f"{targets[0].hq_sha256}  a.png\n{'0' * 64}\n\n")
    flags = find_training_overlap(submission(tmp_path), chosen, "test")
    assert [(flag.kind, flag.images) for flag in flags] == [("trained on test images", 1)]
    (tmp_path / "training_hashes.txt").write_text("not a hash\n")
    with pytest.raises(InvalidInputError, match="64 hexadecimal"):
        find_training_overlap(submission(tmp_path), chosen, "test")


def test_training_on_test_people_shows_by_embeddings(chosen: ReferenceSet, tmp_path: Path) -> None:
    people = sorted({target.identity for target in chosen.targets})
    place = {read_rgb(chosen.hq_path(t.key)).tobytes(): people.index(t.identity) for t in chosen.targets}

    def embed(name: str, photos: Sequence[np.ndarray], landmarks: np.ndarray) -> tuple[np.ndarray, float]:
        assert name == "fake"
        assert landmarks.shape == (len(photos), 5, 2)
        return np.eye(8, dtype=np.float32)[[place[photo.tobytes()] for photo in photos]], 0.4

    trained = np.eye(8)[[1, 3, 7]] * 5.0
    np.savez(tmp_path / "training_embeddings.npz", embeddings=trained, recogniser="fake")
    flags = find_training_overlap(submission(tmp_path), chosen, "test", embed=embed)
    assert [(flag.kind, flag.images, flag.of) for flag in flags] == [("trained on test people", 2, 6)]


@pytest.mark.parametrize("data", [b"junk", b"PK\x03\x04 junk"])
def test_unreadable_embeddings_are_reported(chosen: ReferenceSet, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "training_embeddings.npz").write_bytes(data)
    with pytest.raises(InvalidInputError, match="not readable"):
        find_training_overlap(submission(tmp_path), chosen, "test")
    np.savez(tmp_path / "training_embeddings.npz", embeddings=np.array([[object()]]), recogniser="x")
    with pytest.raises(InvalidInputError, match="not readable"):
        find_training_overlap(submission(tmp_path), chosen, "test")


def outputs_of(chosen: ReferenceSet, root: Path, count: int = 3) -> dict[str, dict[str, Path]]:
    """Submissions of which the first two are one re-encoded, and the third returns LQ."""

    def mixed(target: object) -> np.ndarray:
        key = target.key  # type: ignore[attr-defined]
        return cv2.addWeighted(hq(chosen, key), 0.7, read_rgb(chosen.lq_path(RECIPE, key)), 0.3, 0)

    ways = {
        "first": mixed,
        "second": lambda t: again(mixed(t), "noisy"),
        "lq": lambda t: read_rgb(chosen.lq_path(RECIPE, t.key)),
    }
    return {name: images(chosen, root / name, ways[name]) for name in list(ways)[:count]}


def test_what_was_compared_is_kept_by_content_and_not_compared_again(
    chosen: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = outputs_of(chosen, tmp_path)
    plain = find_copies(chosen, RECIPE, outputs)
    assert [flag.kind for flag in plain["lq"]] == ["copy of LQ"]
    assert [flag.text.rpartition(" ")[2] for flag in plain["first"]] == ["second"]
    kept = tmp_path / "kept"
    two = {name: outputs[name] for name in ("first", "lq")}
    assert find_copies(chosen, RECIPE, two, kept=kept)["first"] == ()
    opened: list[Path] = []

    def read(path: Path) -> np.ndarray:
        opened.append(path)
        return read_rgb(path)

    monkeypatch.setattr(copies, "read_rgb", read)
    assert find_copies(chosen, RECIPE, outputs, kept=kept) == plain
    assert {path.parent.name for path in opened if path.is_relative_to(tmp_path)} == {"first", "second"}
    opened.clear()
    renamed = {"third": outputs["first"], "second": outputs["second"], "lq": outputs["lq"]}
    found = find_copies(chosen, RECIPE, renamed, kept=kept)
    assert opened == []
    assert "copy of another submission: third" in found["second"][0].text
    assert (kept / ".gitignore").read_text("utf-8") == "*\n"


@pytest.mark.parametrize("change", ["a reference", "lq", "the file", "the rules"])
def test_comparisons_that_do_not_fit_any_more_are_dropped(
    chosen: ReferenceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    moved = ReferenceSet.read(Path(shutil.copytree(chosen.root, tmp_path / "set")))
    outputs = {"one": images(moved, tmp_path / "one", lambda t: read_rgb(moved.lq_path(RECIPE, t.key)))}
    kept = tmp_path / "kept"
    (flag,) = find_copies(moved, RECIPE, outputs, kept=kept)["one"]
    assert flag.kind == "copy of LQ"
    (path,) = kept.glob("*/copies.json")
    if change == "lq":
        for key, output in outputs["one"].items():
            write_png(moved.lq_path(RECIPE, key), read_rgb(output)[::-1].copy())
        assert find_copies(moved, RECIPE, outputs, kept=kept)["one"] == ()
        return
    if change == "a reference":
        target = moved.select("test")[0]
        write_png(moved.hq_path(target.references[0]), hq(moved, target.key))
    elif change == "the file":
        path.write_text(path.read_text("utf-8").replace("copy of LQ", "copy of HQ"), "utf-8")
    else:
        monkeypatch.setattr(copies, "RULES", (*copies.RULES, "another"))
    compared: list[str] = []
    inner = copies._kinds_of_copies

    def counted(outputs: dict[str, object], scene: object) -> dict[str, str]:
        compared.extend(outputs)
        return inner(outputs, scene)  # type: ignore[arg-type]

    monkeypatch.setattr(copies, "_kinds_of_copies", counted)
    (flag,) = find_copies(moved, RECIPE, outputs, kept=kept)["one"]
    assert flag.kind == "copy of LQ"
    assert 0 < len(compared) <= len(outputs["one"])
    if change != "a reference":
        assert len(compared) == len(outputs["one"])


@pytest.mark.parametrize("side", [64, 96, 130])
def test_quick_comparisons_rule_nothing_out_that_the_full_ones_find(side: int) -> None:
    """The bound of the small planes: whatever reaches a PSNR passes, also errors in green alone."""
    generator = np.random.default_rng(side)
    base = generator.integers(40, 200, (side, side, 3)).astype(np.uint8)
    for db in (40.0, 45.0, 55.0):
        size = np.sqrt(255.0**2 / 10 ** (db / 10))
        for channel in range(3):
            for pattern in (np.ones((side, side)), generator.choice([-1.0, 1.0], (side, side))):
                other = base.astype(float)
                other[..., channel] += np.floor(size * np.sqrt(3.0)) * pattern
                one, two = copies._Image(base), copies._Image(np.clip(other, 0, 255).astype(np.uint8))
                assert copies._reaches(one, two, db) == (copies._psnr(one, two) >= db)
                assert copies._reaches(one, two, db)
