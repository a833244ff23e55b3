"""The sample people: what is bundled, the kernels that made them, and that they can be made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from refbench.errors import RefbenchError
from refbench.images import read_rgb
from refbench.samples.sample_people import PEOPLE, true_identities
from sample_people.blend import clone, closed_curve, inside, match_tone, membrane, mix
from sample_people.cast import CAST
from sample_people.compose import encode, main, photos
from sample_people.head import Head, Light, relight, turned
from sample_people.london import London
from sample_people.shots import KINDS, draw, view
from sample_people.warp import invert, look_up, magnify, move, pixels, similarity, thin_plate

SIZE = (120, 90)
CARD = PEOPLE.parent / "people.md"


def ramp() -> np.ndarray:
    """A smooth coloured image: red grows to the right, green downwards."""
    grid = pixels(SIZE)
    return np.dstack([grid[..., 0] / 90, grid[..., 1] / 120, np.full(SIZE, 0.5)]).astype(np.float32)


def circle(centre: tuple[float, float], radius: float, count: int = 24) -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius + centre


def face() -> np.ndarray:
    """68 points that lie like a face's, enough for a head: jaw, nose, eyes."""
    points = np.full((68, 2), (45.0, 60.0))
    points[:17] = np.column_stack([np.linspace(15, 75, 17), 50 + 45 * np.sin(np.linspace(0, np.pi, 17))])
    points[30] = (45, 68)
    points[36:42], points[42:48] = (32, 50), (58, 50)
    return points


# What is bundled


def test_every_photo_of_the_cast_is_bundled_and_no_other() -> None:
    wanted = {f"{role.name}_{kind}.jpg": role.name for role in CAST for kind in role.shots}
    assert true_identities() == wanted
    assert {path.name for path in PEOPLE.iterdir()} == {*wanted, "LICENSE"}


def test_the_names_of_0_1_are_found_with_a_warning() -> None:
    from refbench import samples

    with pytest.warns(DeprecationWarning, match="true_identities"):
        assert samples.truth is true_identities
    assert samples.PEOPLE == PEOPLE
    assert "truth" not in samples.__all__
    with pytest.raises(AttributeError, match="nothing"):
        _ = samples.nothing


def test_there_are_about_thirty_people_with_three_or_four_photos_and_every_kind() -> None:
    assert 28 <= len(CAST) <= 34
    assert {len(role.shots) for role in CAST} == {3, 4}
    assert {kind for role in CAST for kind in role.shots} == set(KINDS)


def test_a_face_is_three_people_and_its_hair_is_a_fourth_one_s() -> None:
    assert all(len({*role.face, role.hair}) == 4 for role in CAST)
    assert len({role.hair for role in CAST}) == len(CAST), "two sample people have the same hair"


def test_photos_decode_at_512_and_weigh_at_most_six_megabytes() -> None:
    paths = sorted(PEOPLE.glob("*.jpg"))
    assert {read_rgb(path).shape for path in paths} == {(512, 512, 3)}
    assert sum(path.stat().st_size for path in paths) <= 6_000_000


def test_licence_and_attribution_are_with_the_photos() -> None:
    for text in (CARD.read_text("utf-8"), (PEOPLE / "LICENSE").read_text("utf-8")):
        for needed in ("CC BY 4.0", "DeBruine", "Jones", "10.6084/m9.figshare.5047666.v5", "hanges"):
            assert needed in text


# Kernels


def test_similarity_finds_the_turn_scale_and_shift_it_was_given() -> None:
    points = np.random.default_rng(0).normal(size=(7, 2)) * 30
    matrix = np.array([[1.2, -0.5, 4.0], [0.5, 1.2, -9.0]])
    assert np.allclose(similarity(points, move(matrix, points)), matrix)
    assert np.allclose(move(invert(matrix), move(matrix, points)), points)


def test_thin_plate_of_points_that_stay_changes_nothing() -> None:
    points = np.random.default_rng(1).uniform(5, 85, size=(20, 2))
    assert np.abs(thin_plate(points, points, SIZE) - pixels(SIZE)).max() < 0.1


def test_thin_plate_brings_points_where_they_belong_even_where_two_fall_together() -> None:
    here = np.vstack([circle((45, 60), 30, 12), circle((45, 60), 12, 6), [[45, 60], [45, 60]]])
    there = here + np.column_stack([4 * np.sin(here[:, 1] / 20), 3 * np.cos(here[:, 0] / 20)])
    places = thin_plate(here, there, SIZE)
    found = look_up(places, here.astype(np.float32)[:, None, :])[:, 0]
    assert np.abs(found - there).max() < 0.6
    assert np.isfinite(places).all()


def test_magnify_keeps_a_plane_and_look_up_takes_the_pixel_asked_for() -> None:
    image = ramp()
    assert np.abs(look_up(image, pixels(SIZE)) - image).max() < 1e-6
    coarse = np.dstack(np.meshgrid(np.arange(17.0), np.arange(22.0))).astype(np.float32) * 6
    assert np.abs(magnify(coarse, SIZE) - pixels(SIZE)).max() < 0.1


def test_membrane_of_a_constant_is_that_constant_and_of_a_slope_stays_within_it() -> None:
    outline = closed_curve(circle((45, 60), 30))
    flat = membrane(np.full((len(outline), 3), 0.25), outline, SIZE)
    assert np.allclose(flat, 0.25, atol=1e-6)
    slope = membrane(outline[:, :1], outline, SIZE)
    assert outline[:, 0].min() <= slope.min()
    assert slope.max() <= outline[:, 0].max()
    assert abs(slope[60, 45] - 45) < 0.5


def test_clone_takes_the_photo_s_tone_and_leaves_what_is_outside() -> None:
    photo, outline = ramp(), closed_curve(circle((45, 60), 25))
    darker = photo * 0.6
    whole = clone(darker, photo, outline, feather=2.0)
    outside = inside(outline, SIZE, 2.0) < 1e-4
    assert np.allclose(whole[outside], photo[outside], atol=1e-4)
    assert np.abs(whole[60, 45] - photo[60, 45]).max() < 0.02 < np.abs(darker[60, 45] - photo[60, 45]).max()


def test_clone_forgives_a_single_hair_across_the_seam() -> None:
    photo, outline = ramp(), closed_curve(circle((45, 60), 25))
    hairy = photo.copy()
    hairy[60:62, 60:90] = 0.0
    centre = (slice(50, 70), slice(35, 55))
    plain, forgiven = (clone(photo * 0.8, each, outline, feather=1.0)[centre] for each in (photo, hairy))
    assert np.abs(plain - forgiven).max() < 0.02


def test_mix_makes_shares_sum_to_one_and_match_tone_meets_the_median() -> None:
    image, twice = ramp(), [np.full(SIZE, 2.0, np.float32), np.full(SIZE, 6.0, np.float32)]
    assert np.allclose(mix([image, image * 2], twice), image * 1.75, atol=1e-6)
    where = np.ones(SIZE, np.float32)
    assert np.allclose(
        np.median(match_tone(image * 0.3, image, where), axis=(0, 1)), np.median(image, axis=(0, 1))
    )


def test_a_turn_moves_the_nose_most_and_nothing_where_there_is_no_depth() -> None:
    solid = Head.under(face(), SIZE).depth()
    places = pixels(SIZE)
    shift = places - turned(places, solid, yaw=10.0, pitch=0.0)
    assert shift[68, 45, 0] > shift[60, 25, 0] > 0
    assert np.abs(shift[..., 1]).max() == 0
    assert np.abs(shift[:, 0]).max() < 1e-3
    assert np.array_equal(turned(places, solid, 0.0, pitch=0.0), places)


def test_light_from_the_right_brightens_the_right_and_none_changes_nothing() -> None:
    head, grey = Head.under(face(), SIZE), np.full((*SIZE, 3), 0.5, np.float32)
    lit = relight(grey, head, Light(side=1.0, strength=0.7))
    assert lit[60, 65, 0] > lit[60, 45, 0] > lit[60, 25, 0]
    assert np.allclose(relight(grey, head, Light()), grey, atol=1e-4)
    warm = relight(grey, head, Light(warmth=0.5))
    assert warm[0, 0, 0] > warm[0, 0, 1] > warm[0, 0, 2]


def test_shots_are_drawn_the_same_every_time_and_differ_between_people_and_kinds() -> None:
    assert draw("007", "turn") == draw("007", "turn")
    assert len({(draw(f"{n:03d}", kind).roll) for n in range(1, 20) for kind in KINDS}) == 19 * len(KINDS)
    assert draw("007", "neutral").smile == 0.0
    assert draw("007", "smiling").smile == 1.0
    assert all(9 <= abs(draw(f"{n:03d}", "turn").yaw) <= 14 for n in range(1, 40))


def test_an_ffhq_crop_of_every_shot_is_enlarged_by_less_than_a_third() -> None:
    for role in CAST:
        for kind in role.shots:
            shot = draw(role.name, kind)
            places = view(shot, 512)
            assert 125.9 / shot.eyes < 1.3
            middle = look_up(places, np.array([[shot.shift]], np.float32))[0, 0]
            assert np.allclose(middle, (450.0, 400.0), atol=0.05)


def test_kernels_give_the_same_bytes_twice() -> None:
    rng = np.random.default_rng(3)
    here, there = rng.uniform(0, 90, (15, 2)), rng.uniform(0, 90, (15, 2))
    image, outline = rng.random((*SIZE, 3), np.float32), closed_curve(circle((45, 60), 28))
    first, second = (
        encode(
            np.clip(clone(look_up(image, thin_plate(here, there, SIZE)), image, outline, feather=2.0), 0, 1)
        )
        for _ in "12"
    )
    assert first == second


# Making them again


def test_a_missing_london_set_or_predictor_is_said_in_one_line(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="dlib is absent; run: pip install dlib-bin")
    with pytest.raises(RefbenchError, match="shape predictor"):
        London(tmp_path, tmp_path / "absent.dat")
    assert main([str(tmp_path), str(tmp_path / "out"), "--landmarks", str(tmp_path / "absent.dat")]) == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_sample_person_made_again_is_the_bundled_one(london: Path, predictor: Path) -> None:
    pytest.importorskip("dlib", reason="dlib is absent; run: pip install dlib-bin")
    role = next(role for role in CAST if len(role.shots) == 3)
    made = photos(London(london, predictor), role)
    assert set(made) == {name for name, person in true_identities().items() if person == role.name}
    assert made == {name: (PEOPLE / name).read_bytes() for name in made}


@pytest.fixture(scope="module")
def predictor(shared_data: Path) -> Path:
    import os

    path = Path(os.environ.get("REFBENCH_LANDMARKS", shared_data / "shape_predictor_68_face_landmarks.dat"))
    if not path.is_file():
        pytest.skip(f"dlib's 68-point predictor is absent ({path}); name it in REFBENCH_LANDMARKS")
    return path
