"""Summary page and review sheet of a set."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from refbench.builders.review.html import bar_chart, number
from refbench.builders.review.review import longest_links, write_review
from refbench.builders.review.summary import summarise
from refbench.records.reference_set import ReferenceSet
from scipy.sparse.csgraph import minimum_spanning_tree
from toys import EACH, PEOPLE
from toys import PHOTO_SIDE as SIDE


def test_a_summary_counts_what_the_manifest_holds(built: Path) -> None:
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


def test_the_review_sheet_shows_every_face_with_its_key(built: Path, tmp_path: Path) -> None:
    write_review(built, tmp_path / "sheets" / "review.html")
    text = (tmp_path / "sheets" / "review.html").read_text()
    for target in ReferenceSet.read(built).targets:
        assert f"<figcaption>{target.key}</figcaption>" in text
    links = {part.split('"')[0] for part in text.split('src="')[1:]}
    assert all((tmp_path / "sheets" / link).is_file() for link in links)


def unit_vectors(rows: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / lengths).astype(np.float32)


def test_the_link_between_two_merged_people_comes_first() -> None:
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(8)[:3], 4, axis=0)
    vectors = unit_vectors(centres + random.normal(0, 0.05, (12, 8)))
    labels = np.repeat([0, 0, 1], 4)
    first, *others = longest_links(vectors, labels)
    assert first[0] < 4 <= first[1] < 8
    assert first[2] > 5 * max(link[2] for link in others)
    assert len(others) + 1 == (8 - 1) + (4 - 1)


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_the_links_are_those_of_the_minimum_spanning_tree(count: int) -> None:
    vectors = unit_vectors(np.random.default_rng(count).normal(size=(count, 16)))
    links = longest_links(vectors, np.zeros(count, dtype=np.int64))
    wide = vectors.astype(np.float64)
    expected = minimum_spanning_tree(np.triu(1.0 - wide @ wide.T, 1))
    assert sum(link[2] for link in links) == pytest.approx(expected.sum())
    assert {link[:2] for link in links} == set(
        zip(*(side.tolist() for side in expected.nonzero()), strict=True)
    )
    assert [link[2] for link in links] == sorted((link[2] for link in links), reverse=True)


def test_names_are_escaped_on_the_pages(built: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(built, tmp_path / "50% #1"))
    found = ReferenceSet.read(out)
    name = "<script>alert(1)</script>"
    changed = replace(found, info=found.info.model_copy(update={"name": name}))
    changed.write()
    write_review(out, tmp_path / "review.html")
    sheet = (tmp_path / "review.html").read_text()
    for page in (sheet, summarise(changed).html()):
        assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert name not in page
        assert "<link" not in page
        assert "@import" not in page
    links = {part.split('"')[0] for part in sheet.split('src="')[1:]}
    assert len(links) == len(found.targets)
    assert all((tmp_path / unquote(link)).is_file() for link in links)
    assert not any(character in link for link in links for character in "# ")


def test_a_bar_chart_is_drawn_to_scale() -> None:
    chart = bar_chart("Images", [("a", 2), ("b", 1), ("c", 0)], (0.25, "threshold"))
    assert chart.tallest == 2
    assert [(bar.x, bar.y, bar.height) for bar in chart.bars] == [
        ("0.5", "0.0", "150.0"),
        ("44.5", "75.0", "75.0"),
        ("88.5", "150.0", "0.0"),
    ]
    assert [tick.text for tick in chart.ticks] == ["a", "b", "c"]
    assert chart.mark is not None
    assert (chart.mark.x, chart.mark.text_x, chart.mark.anchor) == ("120.0", "124.0", "start")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (1234567, "1,234,567"), (0.123456, "0.1235"), (True, "True")],
)
def test_numbers_are_shown_in_one_way(value: object, text: str) -> None:
    assert number(value) == text
