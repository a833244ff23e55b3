"""All pairs under a distance: the same as in float64, whatever the data, the kernel or an interruption."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refbench.builders.identities import pair_search as pairs
from refbench.builders.identities import prefilter as coarse
from refbench.builders.identities.faiss_search import find_pairs_by_faiss
from refbench.errors import RefbenchError

Embeddings = npt.NDArray[np.float32]


def people(
    count: int, depth: int, seed: int = 0, each: int = 6, noise: float = 0.8, decay: float = 0.0
) -> Embeddings:
    """Unit vectors of made-up people; with ``decay`` most of their length lies in few directions."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((max(1, count // each), depth))
    rows = centres[random.integers(0, len(centres), count)] + noise * random.standard_normal((count, depth))
    rows *= np.exp(-decay * np.arange(depth) / depth)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def in_float64(vectors: Embeddings, threshold: float) -> dict[tuple[int, int], float]:
    wide = vectors.astype(np.float64)
    distance = 1.0 - wide @ wide.T
    first, second = np.nonzero(np.triu(distance < threshold, 1))
    return {(int(i), int(j)): float(distance[i, j]) for i, j in zip(first, second, strict=True)}


def as_dict(found: pairs.Pairs) -> dict[tuple[int, int], float]:
    return {
        (int(i), int(j)): float(d) for i, j, d in zip(found.first, found.second, found.distance, strict=True)
    }


@pytest.mark.parametrize(
    ("count", "depth", "threshold", "decay"),
    [
        (0, 8, 0.5, 0.0),
        (1, 8, 0.5, 0.0),
        (2, 512, 2.0, 0.0),
        (1500, 3, 0.02, 0.0),
        (1025, 64, 0.4, 0.0),
        (4097, 128, 0.5, 0.0),
        (8300, 96, 0.4, 6.0),
    ],
)
def test_same_pairs_as_float64(count: int, depth: int, threshold: float, decay: float) -> None:
    vectors = people(count, depth, decay=decay)
    found, wanted = as_dict(pairs.find_pairs(vectors, threshold)), in_float64(vectors, threshold)
    assert found.keys() == wanted.keys()
    assert all(abs(found[pair] - wanted[pair]) < 1e-12 for pair in wanted)
    assert list(found) == sorted(found)


def test_a_large_set_is_searched_in_fewer_entries() -> None:
    vectors = people(9000, 256, decay=6.0)
    assert coarse.quantise(vectors, 0.4).values.shape[1] < 128


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 300), st.integers(1, 40), st.floats(0.0, 2.0))
def test_any_small_set_gives_the_pairs_of_float64(
    seed: int, count: int, depth: int, threshold: float
) -> None:
    vectors = people(count, depth, seed)
    found, wanted = as_dict(pairs.find_pairs(vectors, threshold)), in_float64(vectors, threshold)
    wide = vectors.astype(np.float64)
    for i, j in found.keys() ^ wanted.keys():
        assert abs(1.0 - wide[i] @ wide[j] - threshold) < 1e-9


def test_planted_duplicates_are_all_found() -> None:
    vectors = people(3000, 512, each=1)
    random = np.random.default_rng(3)
    first, second = random.permutation(3000)[:60].reshape(2, 30)
    vectors[second] = vectors[first]
    found = pairs.find_pairs(vectors, 1e-6)
    wanted = {(int(min(pair)), int(max(pair))) for pair in zip(first, second, strict=True)}
    assert {(int(i), int(j)) for i, j in zip(found.first, found.second, strict=True)} == wanted


def test_vectors_with_one_great_entry_are_rounded_worst_and_still_found() -> None:
    vectors = np.eye(200, dtype=np.float32)
    vectors[100:] = vectors[:100]
    assert set(as_dict(pairs.find_pairs(vectors, 0.1))) == {(row, row + 100) for row in range(100)}


def test_the_float32_kernel_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = people(5000, 128)
    whole = pairs.find_pairs(vectors, 0.4)
    monkeypatch.setattr(coarse, "_int8_is_faster", lambda: False)
    other = pairs.find_pairs(vectors, 0.4)
    assert as_dict(whole) == as_dict(other)


def test_a_killed_search_goes_on_from_its_finished_stripes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "STRIPE", 1024)
    vectors = people(4000, 32)
    searched: list[int] = []
    stripe = pairs._stripe

    def counted(
        vectors: Embeddings, rough: coarse.QuantisedVectors, start: int, *, threshold: float, max_pairs: int
    ) -> pairs.Pairs:
        if len(searched) == 2:
            raise KeyboardInterrupt
        searched.append(start)
        return stripe(vectors, rough, start, threshold=threshold, max_pairs=max_pairs)

    monkeypatch.setattr(pairs, "_stripe", counted)
    with pytest.raises(KeyboardInterrupt):
        pairs.find_pairs(vectors, 0.3, tmp_path)
    (torn,) = tmp_path.rglob("000000000.npz")
    torn.write_bytes(torn.read_bytes()[:100])
    monkeypatch.setattr(
        pairs, "_stripe", lambda *given, **named: (searched.append(given[2]), stripe(*given, **named))[1]
    )
    resumed = pairs.find_pairs(vectors, 0.3, tmp_path)
    assert searched == [0, 1024, 0, 2048, 3072]
    assert as_dict(resumed) == as_dict(pairs.find_pairs(vectors, 0.3))


def test_faiss_finds_most_pairs_none_wrong_and_measures_what_it_missed() -> None:
    pytest.importorskip("faiss")
    vectors = people(6000, 64, noise=0.5)
    wanted = as_dict(pairs.find_pairs(vectors, 0.4))
    few, many = (find_pairs_by_faiss(vectors, 0.4, probes=probes) for probes in (1, 200))
    for found in (few, many):
        assert as_dict(found.pairs).items() <= wanted.items()
        assert found.recall == pytest.approx(len(found.pairs) / len(wanted), abs=0.05)
    assert few.recall < many.recall
    assert many.recall > 0.99


@pytest.mark.parametrize(
    ("vectors", "threshold", "words"),
    [
        (np.ones((3, 4), np.float32), 0.4, "length 1"),
        (np.full((3, 4), np.nan, np.float32), 0.4, "length 1"),
        (np.eye(3), 0.4, "float32"),
        (np.eye(3, dtype=np.float32)[0], 0.4, "(N, D)"),
        (np.eye(3, dtype=np.float32), 2.5, "between 0 and 2"),
        (np.eye(3, dtype=np.float32), float("nan"), "between 0 and 2"),
    ],
)
def test_what_is_no_embedding_or_threshold_is_refused(
    vectors: npt.NDArray[np.floating], threshold: float, words: str
) -> None:
    with pytest.raises(RefbenchError) as refusal:
        pairs.find_pairs(vectors, threshold)  # type: ignore[arg-type]
    assert words in str(refusal.value)


def test_a_threshold_that_joins_everything_is_refused_before_memory_runs_out() -> None:
    with pytest.raises(RefbenchError, match="stricter"):
        pairs.find_pairs(people(2000, 16), 2.0, max_pairs=1000)
