"""User studies: balanced and blinded pages, votes into the right scores, people and metrics compared."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from refbench.errors import FaultListError, InvalidInputError, RefbenchError
from refbench.leaderboard.examples.example import write_example
from refbench.leaderboard.site.publish import publish_site
from refbench.leaderboard.statistics.bradley_terry import (
    Ballots,
    agreement_with,
    bradley_terry,
    count_wins,
    fit_preferences,
    krippendorff_alpha,
)
from refbench.leaderboard.store.store import Store
from refbench.leaderboard.store.study_results import read_results, result_text, save_result
from refbench.leaderboard.study.create import create_study
from refbench.leaderboard.study.study import StudyKey, key_path, plan_study
from refbench.leaderboard.study.votes import Vote, VoteFile, analyse_votes, read_votes
from refbench.leaderboard.submission.submission import read_submission
from refbench.metrics.catalogue import PROTOCOLS
from refbench.records.reference_set import ReferenceSet
from toys import files_of

DECLARED = {name: PROTOCOLS[name] for name in ("psnr/rgb", "lpips/alex-v0.1")}
Scene = tuple[Store, ReferenceSet, list[Path]]


def plan(models: int = 4, images: int = 30, items: int = 60, seed: int = 0) -> StudyKey:
    return plan_study(
        [f"m{i}" for i in range(models)],
        [f"k{i:02d}" for i in range(images)],
        items,
        benchmark="bench",
        seed=seed,
    )


def test_pairs_images_and_sides_are_balanced() -> None:
    key = plan()
    trials = [trial for trial in key.trials if not trial.check]
    pairs = Counter(frozenset((t.first, t.second)) for t in trials)
    assert len(pairs) == 6
    assert set(pairs.values()) == {10}
    for pair in pairs:
        turned = Counter(t.first for t in trials if {t.first, t.second} == pair)
        assert max(turned.values()) - min(turned.values()) <= 1
    images = Counter(trial.key for trial in trials)
    assert max(images.values()) - min(images.values()) <= 1
    assert len({trial.id for trial in key.trials}) == len(key.trials)
    checks = [trial for trial in key.trials if trial.check]
    assert len(checks) == 6
    assert {(t.first, t.second) for t in checks} == {("hq", "lq"), ("lq", "hq")}


def test_a_plan_follows_its_seed_and_impossible_ones_are_reported() -> None:
    assert plan() == plan()
    assert plan(seed=1).trials != plan().trials
    for models, keys, items in (
        (["a"], ["k"], 5),
        (["a", "a"], ["k"], 5),
        (["a", "b"], [], 5),
        (["a", "b", "c"], ["k"], 2),
    ):
        with pytest.raises(InvalidInputError):
            plan_study(models, keys, items, benchmark="bench", seed=0)


def test_bradley_terry_recovers_known_scores_from_expected_wins() -> None:
    truth = np.array([1.2, 0.3, -0.4, -1.1])
    chance = 1 / (1 + np.exp(truth[None, :] - truth[:, None]))
    wins = 1000 * (chance - np.diag(np.diag(chance)))
    np.testing.assert_allclose(bradley_terry(wins), truth, atol=1e-4)


def test_a_model_that_wins_always_gets_a_finite_score() -> None:
    scores = bradley_terry(np.array([[0.0, 10.0], [0.0, 0.0]]))
    assert np.isfinite(scores).all()
    assert scores[0] > 1


def simulate(
    truth: np.ndarray, people: int, images: int, generator: np.random.Generator, noise: float = 0.4
) -> Ballots:
    """Every person sees every pair on a few images; people and images have tastes of their own."""
    pairs = list(itertools.combinations(range(len(truth)), 2))
    of_person = noise * generator.normal(size=(people, len(truth)))
    of_image = noise * generator.normal(size=(images, len(truth)))
    rows = []
    for person in range(people):
        for a, b in pairs:
            for image in generator.choice(images, 3, replace=False):
                gap = (truth + of_person[person] + of_image[image])[[a, b]]
                rows.append(
                    (a, b, float(generator.random() < 1 / (1 + np.exp(gap[1] - gap[0]))), person, image)
                )
    first, second, share, person_of, item = zip(*rows, strict=True)
    as_index = [np.array(part, dtype=np.intp) for part in (first, second, person_of, item)]
    return Ballots(as_index[0], as_index[1], np.array(share), as_index[2], as_index[3])


@pytest.mark.slow
def test_known_answer_by_simulation() -> None:
    """60 simulated studies: scores are right on average, and intervals cover the truth."""
    truth = np.array([0.8, 0.2, -0.3, -0.7])
    shrunk = truth / np.sqrt(1 + 0.346 * 2 * 0.4**2 * 2)  # what random tastes leave of a logit
    generator = np.random.default_rng(0)
    found = [fit_preferences(simulate(truth, 14, 20, generator), 4, draws=199) for _ in range(60)]
    mean = np.mean([f.score for f in found], axis=0)
    np.testing.assert_allclose(mean, shrunk, atol=0.07)
    covered = np.mean([(f.low <= shrunk) & (shrunk <= f.high) for f in found])
    assert covered > 0.92, covered


def test_clear_winners_are_told_apart_and_twins_are_not() -> None:
    ballots = simulate(np.array([1.5, 0.0, 0.0]), 20, 20, np.random.default_rng(1))
    found = fit_preferences(ballots, 3)
    assert found.groups[0] == "a"
    assert not set(found.groups[0]) & set(found.groups[1])
    assert set(found.groups[1]) & set(found.groups[2])
    assert found.comparisons.sum() == 2 * len(ballots)
    again = fit_preferences(ballots, 3)
    np.testing.assert_array_equal(found.low, again.low)


def test_ties_count_half() -> None:
    zero, one = np.zeros(4, dtype=np.intp), np.ones(4, dtype=np.intp)
    ballots = Ballots(zero, one, np.full(4, 0.5), np.arange(4), np.arange(4))
    np.testing.assert_array_equal(count_wins(ballots, 2), [[0, 2], [2, 0]])
    np.testing.assert_allclose(bradley_terry(count_wins(ballots, 2)), 0, atol=1e-12)


def test_krippendorff_known_answers() -> None:
    assert krippendorff_alpha([["a", "a"], ["b", "b"], ["a", "a"]]) == 1.0
    # Krippendorff's textbook example for two observers and nominal data: 0.095.
    one, two = "0100000000", "1110010010"
    assert krippendorff_alpha(list(zip(one, two, strict=True))) == pytest.approx(0.095, abs=5e-4)
    assert np.isnan(krippendorff_alpha([["a"], ["b"]]))
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) == 1.0
    generator = np.random.default_rng(0)
    chance = krippendorff_alpha([[str(x) for x in generator.integers(0, 2, 5)] for _ in range(3000)])
    assert abs(chance) < 0.02


def test_a_metric_that_votes_like_people_agrees() -> None:
    ballots = simulate(np.array([1.0, -1.0]), 10, 20, np.random.default_rng(2))
    perfect, low, high = agreement_with(ballots, ballots.share - 0.5)
    assert (perfect, low, high) == (1.0, 1.0, 1.0)
    contrary, _, _ = agreement_with(ballots, 0.5 - ballots.share)
    assert contrary == 0.0
    blind, _, _ = agreement_with(ballots, np.zeros(len(ballots)))
    assert blind == 0.5


# Files of votes


def votes_of(key: StudyKey, person: str, chooses: object, attentive: bool = True) -> VoteFile:
    """A participant who votes by ``chooses(trial)`` and minds the checks or not."""
    votes = []
    for trial in key.trials:
        if trial.check:
            right = "first" if trial.first == "hq" else "second"
            choice = right if attentive else {"first": "second", "second": "first"}[right]
        else:
            choice = chooses(trial)  # type: ignore[operator]
        votes.append(Vote(trial=trial.id, choice=choice, seconds=1.5))
    return VoteFile(study=key.study, participant=person, votes=tuple(votes))


def lower_name(trial: object) -> str:
    return "first" if trial.first < trial.second else "second"  # type: ignore[attr-defined]


def test_votes_count_for_what_was_chosen_and_the_inattentive_do_not(tmp_path: Path) -> None:
    key = plan(models=3, items=30)
    people = [votes_of(key, f"p{i}", lower_name) for i in range(5)]
    contrary = [
        votes_of(key, f"x{i}", lambda t: "second" if lower_name(t) == "first" else "first", False)
        for i in range(4)
    ]
    result = analyse_votes(key, [*people, *contrary])
    assert [model.name for model in result.models] == ["m0", "m1", "m2"]
    assert [model.won for model in result.models] == [1.0, 0.5, 0.0]
    assert (result.participants, result.excluded, result.votes, result.alpha) == (
        5,
        4,
        150,
        pytest.approx(1.0),
    )
    assert "5 participants, 4 excluded" in result_text(result, {}, {})
    with pytest.raises(InvalidInputError, match="4 of them failed the attention checks"):
        analyse_votes(key, contrary)


def test_faulty_files_of_votes_are_told_at_once(tmp_path: Path) -> None:
    key = plan(models=2, items=4)
    good = votes_of(key, "a", lower_name).model_dump(mode="json")
    cases = {
        "good.json": good,
        "same-person.json": good,
        "other-study.json": good | {"study": "other", "participant": "b"},
        "unknown.json": good | {"participant": "c", "votes": [{"trial": "zz", "choice": "tie"}]},
        "twice.json": good | {"participant": "d", "votes": [*good["votes"], good["votes"][0]]},
        "choice.json": good | {"participant": "e", "votes": [{"trial": key.trials[0].id, "choice": "third"}]},
        "text.json": "hello",
    }
    paths = []
    for name, content in cases.items():
        paths.append(tmp_path / name)
        paths[-1].write_text(json.dumps(content))
    (tmp_path / "junk.json").write_bytes(b"\xff\x00")
    with pytest.raises(FaultListError) as caught:
        read_votes([*paths, tmp_path / "junk.json", tmp_path / "absent.json"], key)
    assert len(caught.value.faults) == 8
    assert [file.participant for file in read_votes(paths[:1], key)] == ["a"]


def higher_name(trial: object) -> str:
    return "second" if lower_name(trial) == "first" else "first"


# The page


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return write_example(tmp_path_factory.mktemp("scene"), DECLARED, models=3, identities=6, size=48)


@pytest.fixture(scope="module")
def made(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    store, chosen, folders = scene
    given = [read_submission(folder) for folder in folders if "severe" in folder.parent.name]
    return create_study(
        store, chosen, given, recipe="refldm-severe", items=9, out=tmp_path_factory.mktemp("study") / "s"
    )


def test_the_page_gives_no_model_away(scene: Scene, made: tuple[Path, Path]) -> None:
    page, key = made
    assert key == key_path(page.parent)
    assert not key.is_relative_to(page.parent)
    text = page.read_text("utf-8")
    told = json.loads(text.split('id="study">')[1].split("</script>")[0])
    known = StudyKey.read(key)
    assert {trial["id"] for trial in told["trials"]} == {trial.id for trial in known.trials}
    everything = text + " ".join(path.name for path in page.parent.rglob("*"))
    for name in (*known.models, "Model A", "hq", "check"):
        assert name not in everything.replace("Check", "")
    for trial in told["trials"]:
        for picture in (trial["a"], trial["b"], trial["lq"], *trial["references"]):
            assert (page.parent / picture).is_file()


def test_the_same_wishes_give_the_same_study(scene: Scene, made: tuple[Path, Path], tmp_path: Path) -> None:
    store, chosen, folders = scene
    given = [read_submission(folder) for folder in folders if "severe" in folder.parent.name]
    page, key = create_study(
        store, chosen, given[::-1], recipe="refldm-severe", items=9, out=tmp_path / "again"
    )
    first = files_of(made[0].parent)
    assert files_of(page.parent) == first
    assert key.read_bytes() == made[1].read_bytes()


def test_results_are_shown_on_the_board(scene: Scene, made: tuple[Path, Path], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.import_records(scene[0].root)
    known = StudyKey.read(made[1])
    people = [votes_of(known, f"p{i}", lower_name) for i in range(6)]
    result = analyse_votes(known, people, store, protocols=PROTOCOLS)
    assert {metric.protocol for metric in result.metrics} == set(DECLARED)
    save_result(store, result)
    assert read_results(store.root) == [result]
    assert store.verify(PROTOCOLS) == []
    text = publish_site(store, tmp_path / "site").read_text("utf-8")
    assert "<h3>User study</h3>" in text
    assert "6 participants" in text
    with pytest.raises(InvalidInputError, match="no record of the benchmark"):
        save_result(store, result.model_copy(update={"benchmark": "elsewhere"}))


def test_submissions_without_a_record_make_no_study(scene: Scene, tmp_path: Path) -> None:
    store, chosen, folders = scene
    given = [read_submission(folder) for folder in folders if "moderate" in folder.parent.name]
    with pytest.raises(InvalidInputError, match="no record on 'refldm-severe'"):
        create_study(store, chosen, given, recipe="refldm-severe", items=9, out=tmp_path / "s")
    with pytest.raises(RefbenchError, match="not the key of a study"):
        StudyKey.read(tmp_path / "none.key.json")
